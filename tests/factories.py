"""Realistic rows for tests, one factory per model."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from django.utils import timezone

from conversations.models import Contact, Conversation, Delivery, Direction, Identity, Message, Tag
from followups.imports.models import Import, ImportRow
from followups.lifecycle import counts
from followups.models import (
    Attention,
    AttentionCause,
    CancelCause,
    ChangeKind,
    FailureKind,
    FollowUp,
    FollowUpAttempt,
    FollowUpChange,
    Hold,
    HoldCause,
    HoldScope,
    Preset,
    PresetKind,
    Series,
    Status,
)
from followups.repeating import EndKind, RepeatKind
from followups.wording.notices import Kind
from notifications.models import Notification
from templates_app.models import Template
from trochai.accounts.models import Membership, Organization, Role, User
from trochai.whatsapp.models import Channel

PASSWORD = "correct horse battery staple"


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.com")
    name = factory.Sequence(lambda n: f"Person {n}")
    password = factory.django.Password(PASSWORD)


class OrganizationFactory(factory.django.DjangoModelFactory[Organization]):
    class Meta:
        model = Organization

    name = factory.Sequence(lambda n: f"Agency {n}")
    timezone = "America/Costa_Rica"


class MembershipFactory(factory.django.DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    organization = factory.SubFactory(OrganizationFactory)
    role = Role.AGENT


class ChannelFactory(factory.django.DjangoModelFactory[Channel]):
    class Meta:
        model = Channel

    organization = factory.SubFactory(OrganizationFactory)
    name = factory.Sequence(lambda n: f"Number {n}")
    display_phone_number = "+506 2201 4455"
    phone_number_id = factory.Sequence(lambda n: f"1084552077{n:04}")
    waba_id = factory.Sequence(lambda n: f"2084552077{n:04}")
    access_token = "test-access-token"
    app_secret = "test-app-secret"
    verify_token = "test-verify-token"


class TemplateFactory(factory.django.DjangoModelFactory[Template]):
    """visit_reminder: a header without variables and three positional ones in the body."""

    class Meta:
        model = Template

    channel = factory.SubFactory(ChannelFactory)
    meta_id = factory.Sequence(lambda n: str(9000 + n))
    name = factory.Sequence(lambda n: f"visit_reminder_{n}")
    language = "es"
    category = "UTILITY"
    status = "APPROVED"
    components = factory.LazyFunction(
        lambda: [
            {"type": "HEADER", "format": "TEXT", "text": "Su visita con Casa Verde"},
            {
                "type": "BODY",
                "text": "Hola {{1}}, le recordamos su visita a {{2}} el {{3}}. Responda si desea cambiarla.",
                "example": {"body_text": [["María", "Casa EC-204", "sábado 28"]]},
            },
            {"type": "FOOTER", "text": "Casa Verde Bienes Raíces"},
        ]
    )


class ContactFactory(factory.django.DjangoModelFactory[Contact]):
    class Meta:
        model = Contact

    organization = factory.SubFactory(OrganizationFactory)
    name = "María Jiménez"
    phone = factory.Sequence(lambda n: f"+5068{n:07}")


class IdentityFactory(factory.django.DjangoModelFactory[Identity]):
    """An id of a contact's at the portfolio of a channel."""

    class Meta:
        model = Identity
        exclude = ["channel"]

    channel = factory.SubFactory(ChannelFactory)
    contact = factory.SubFactory(ContactFactory)
    organization = factory.SelfAttribute("contact.organization")
    portfolio = factory.LazyAttribute(lambda identity: identity.channel.portfolio)
    user_id = factory.Sequence(lambda n: f"CR.{n:012}")
    known_at = factory.LazyFunction(lambda: timezone.now() - dt.timedelta(days=30))


class ConversationFactory(factory.django.DjangoModelFactory[Conversation]):
    class Meta:
        model = Conversation

    organization = factory.SubFactory(OrganizationFactory)
    channel = factory.SubFactory(ChannelFactory, organization=factory.SelfAttribute("..organization"))
    contact = factory.SubFactory(ContactFactory, organization=factory.SelfAttribute("..organization"))


class TagFactory(factory.django.DjangoModelFactory[Tag]):
    class Meta:
        model = Tag

    organization = factory.SubFactory(OrganizationFactory)
    name = factory.Sequence(lambda n: f"Tag {n}")


class MessageFactory(factory.django.DjangoModelFactory[Message]):
    class Meta:
        model = Message

    conversation = factory.SubFactory(ConversationFactory)
    channel = factory.SelfAttribute("conversation.channel")
    direction = Direction.OUTBOUND
    text = "Buenos días"
    whatsapp_id = factory.Sequence(lambda n: f"wamid.TEST{n}")
    delivery = factory.LazyAttribute(
        lambda message: Delivery.ACCEPTED if message.direction == Direction.OUTBOUND else ""
    )


class FollowUpFactory(factory.django.DjangoModelFactory[FollowUp]):
    """A pending follow-up, due in a week; ``status=`` gives one that fits the constraints."""

    class Meta:
        model = FollowUp

    organization = factory.SubFactory(OrganizationFactory)
    conversation = factory.SubFactory(
        ConversationFactory, organization=factory.SelfAttribute("..organization")
    )
    channel = factory.SelfAttribute("conversation.channel")
    template = factory.SubFactory(TemplateFactory, channel=factory.SelfAttribute("..conversation.channel"))
    parameters = factory.LazyFunction(
        lambda: {"body.1": "María", "body.2": "Casa EC-204", "body.3": "sábado 28"}
    )
    shape = factory.LazyFunction(lambda: ["body.1", "body.2", "body.3"])
    created_by = factory.SubFactory(UserFactory)
    scheduled_for = factory.LazyFunction(lambda: timezone.now() + dt.timedelta(days=7))

    @classmethod
    def _adjust_kwargs(cls, **kwargs: Any) -> dict[str, Any]:
        return {**_fitting(kwargs.get("status", Status.PENDING), kwargs), **kwargs}

    @classmethod
    def _create(cls, model_class: type[FollowUp], *args: Any, **kwargs: Any) -> FollowUp:
        made = super()._create(model_class, *args, **kwargs)
        if made.next_attempt_at is not None:
            counts.add([made.conversation_id], by=1)
        return made


class SeriesFactory(factory.django.DjangoModelFactory[Series]):
    """Weekly without end, since a week ago at 9:00. Its follow-ups need ``series`` and ``occurrence``."""

    class Meta:
        model = Series

    organization = factory.SubFactory(OrganizationFactory)
    conversation = factory.SubFactory(
        ConversationFactory, organization=factory.SelfAttribute("..organization")
    )
    template = factory.SubFactory(TemplateFactory, channel=factory.SelfAttribute("..conversation.channel"))
    parameters = factory.LazyFunction(
        lambda: {"body.1": "María", "body.2": "Casa EC-204", "body.3": "sábado 28"}
    )
    shape = factory.LazyFunction(lambda: ["body.1", "body.2", "body.3"])
    created_by = factory.SubFactory(UserFactory)
    kind = RepeatKind.WEEKLY
    first_on = factory.LazyFunction(lambda: timezone.now().date() - dt.timedelta(days=7))
    time = dt.time(9)
    ends = EndKind.NEVER
    next_at = factory.LazyFunction(lambda: timezone.now() + dt.timedelta(days=7))


def _fitting(status: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that a row of this status must have."""
    moment = given["scheduled_for"]
    match status:
        case Status.PENDING:
            return {"next_attempt_at": moment}
        case Status.PROCESSING:
            token = factory.Faker._get_faker().uuid4(cast_to=None)
            return {
                "next_attempt_at": moment,
                "claim_token": token,
                "lease_expires_at": moment + dt.timedelta(minutes=2),
            }
        case Status.SENT:
            if given.get("message"):
                return {"sent_at": moment}
            message = MessageFactory(conversation=given["conversation"], kind="template", at=moment)
            return {"message": message, "sent_at": moment}
        case Status.FAILED:
            return {
                "failed_at": moment,
                "failure_kind": FailureKind.PERMANENT,
                "failure_code": 131026,
            }
        case Status.CANCELED:
            return {"canceled_at": moment, "cancel_cause": CancelCause.MEMBER}
    raise ValueError(status)


class AttemptFactory(factory.django.DjangoModelFactory[FollowUpAttempt]):
    class Meta:
        model = FollowUpAttempt

    follow_up = factory.SubFactory(FollowUpFactory)
    claim_token = factory.Faker("uuid4", cast_to=None)
    requested_at = factory.LazyFunction(timezone.now)


class ChangeFactory(factory.django.DjangoModelFactory[FollowUpChange]):
    class Meta:
        model = FollowUpChange

    follow_up = factory.SubFactory(FollowUpFactory)
    kind = ChangeKind.RETRIED
    at = factory.LazyFunction(timezone.now)


class AttentionFactory(factory.django.DjangoModelFactory[Attention]):
    """A pending follow-up whose template has been paused; ``subject`` is that of the cause."""

    class Meta:
        model = Attention

    follow_up = factory.SubFactory(FollowUpFactory)
    organization = factory.SelfAttribute("follow_up.organization")
    cause = AttentionCause.TEMPLATE
    subject = factory.LazyAttribute(lambda made: str(made.follow_up.template_id))
    values = factory.LazyAttribute(
        lambda made: {"template": made.follow_up.template.name, "status": "PAUSED"}
    )
    found_at = factory.LazyFunction(timezone.now)


class PresetFactory(factory.django.DjangoModelFactory[Preset]):
    class Meta:
        model = Preset

    organization = factory.SubFactory(OrganizationFactory)
    position = 1
    name = "Monday 8:30 AM"
    kind = PresetKind.WEEKDAY
    number = 1
    time = dt.time(8, 30)


class ImportFactory(factory.django.DjangoModelFactory[Import]):
    """A file whose columns are still to be chosen."""

    class Meta:
        model = Import

    organization = factory.SubFactory(OrganizationFactory)
    created_by = factory.SubFactory(UserFactory)
    created_at = factory.LazyFunction(timezone.now)
    file_name = "feria.csv"
    delimiter = ","
    headings = factory.LazyFunction(lambda: ["Phone", "Name", "Property", "Visit", "Date", "Note"])
    time = dt.time(9)


class ImportRowFactory(factory.django.DjangoModelFactory[ImportRow]):
    class Meta:
        model = ImportRow

    batch = factory.SubFactory(ImportFactory)
    number = factory.Sequence(lambda n: n + 2)
    cells = factory.LazyFunction(lambda: ["8712 4490", "Ana", "Casa EC-204", "sábado", "2030-12-01", "Feria"])


class HoldFactory(factory.django.DjangoModelFactory[Hold]):
    """One in force, of all numbers of an organization."""

    class Meta:
        model = Hold

    scope = HoldScope.ORGANIZATION
    organization = factory.SubFactory(OrganizationFactory)
    reason = "Wrong price, checking with the bank"
    cause = HoldCause.MEMBER
    since = factory.LazyFunction(timezone.now)


class NotificationFactory(factory.django.DjangoModelFactory[Notification]):
    class Meta:
        model = Notification

    organization = factory.SubFactory(OrganizationFactory)
    recipient = factory.SubFactory(UserFactory)
    kind = Kind.FOLLOW_UP_SENT
    values = factory.LazyFunction(lambda: {"contact": "María Jiménez", "template": "visit_reminder"})
    url = "/inbox/1/"
