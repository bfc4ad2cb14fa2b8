"""What may end a person's access: whoever has an open page is looked at again (``trochai.live``)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from trochai.accounts.models import Membership, User
from trochai.hints import hints
from trochai.news import News


def look_again(person: int) -> None:
    """End the streams of this person's pages, which come back in a moment as whoever they are by then."""
    news = News(people=[person])
    transaction.on_commit(lambda: hints.publish(news))


@receiver([post_save, post_delete], sender=Membership)
def membership_changed(instance: Membership, **_signal: Any) -> None:
    look_again(instance.user_id)


@receiver([post_save, post_delete], sender=User)
def person_changed(instance: User, update_fields: Collection[str] | None = None, **_signal: Any) -> None:
    if set(update_fields or ()) != {"last_login"}:
        look_again(instance.pk)


@receiver(user_logged_out)
def signed_out(user: User | None, **_signal: Any) -> None:
    if user is not None:
        look_again(user.pk)
