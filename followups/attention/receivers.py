"""What the apps below have learned that may be wrong for what waits, or right again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from conversations.models import Contact
from conversations.signals import (
    contact_changed,
    contact_erased,
    contact_located,
    contact_moved,
    contact_opted_in,
    contact_opted_out,
)
from followups.attention import numbers
from followups.attention.events import has_changed, limit_has_changed
from followups.attention.looking import Concerned
from followups.models import NumberChange
from templates_app.models import Template
from templates_app.signals import template_changed
from trochai.accounts.models import DayOff, Membership, Organization, SendingHours, User
from trochai.whatsapp.models import Channel
from trochai.whatsapp.signals import limit_told, portfolio_known


@receiver(contact_moved)
def remember_number(contact: Contact, before: str, **_signal: Any) -> None:
    numbers.remember(contact, before, now=timezone.now())


@receiver(contact_erased)
def forget_numbers(contact: Contact, **_signal: Any) -> None:
    NumberChange.objects.filter(contact=contact).delete()


@receiver([contact_changed, contact_located, contact_moved, contact_opted_in, contact_opted_out])
def contact_differs(contact: Contact, **_signal: Any) -> None:
    has_changed(Concerned.CONTACT, contact.pk)


@receiver(template_changed)
def template_differs(template: Template, **_signal: Any) -> None:
    has_changed(Concerned.TEMPLATE, template.pk)


@receiver(post_save, sender=Membership)
def membership_saved(instance: Membership, **_signal: Any) -> None:
    has_changed(Concerned.PERSON, instance.user_id)


@receiver(post_save, sender=User)
def person_saved(
    instance: User, created: bool, update_fields: Collection[str] | None = None, **_signal: Any
) -> None:
    if not created and set(update_fields or ()) != {"last_login"}:
        has_changed(Concerned.PERSON, instance.pk)


@receiver(post_delete, sender=Membership)
@receiver([post_save, post_delete], sender=SendingHours)
@receiver([post_save, post_delete], sender=DayOff)
def rules_differ(instance: Membership | SendingHours | DayOff, **_signal: Any) -> None:
    """Also a member's leaving: of an account that is removed nobody finds the rows afterwards."""
    has_changed(Concerned.ORGANIZATION, instance.organization_id)


@receiver(post_save, sender=Organization)
def organization_saved(instance: Organization, created: bool, **_signal: Any) -> None:
    if not created:
        has_changed(Concerned.ORGANIZATION, instance.pk)


@receiver(limit_told)
def limit_differs(organization_id: int, **_signal: Any) -> None:
    limit_has_changed(organization_id)


@receiver(portfolio_known)
def portfolio_differs(channel: Channel, **_signal: Any) -> None:
    """Its numbers share one limit."""
    limit_has_changed(channel.organization_id)
