"""Contacts, their conversations, and the messages in them."""

from __future__ import annotations

import enum
import re
import uuid
import zoneinfo
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone as django_timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations import wording
from conversations.media import naming
from trochai.accounts.models import validate_timezone
from trochai.search import SHORTEST, fold_numbers, lookup, search_text
from trochai.ui import marks
from trochai.ui.formatting import isolated
from trochai.whatsapp import phone_numbers
from trochai.whatsapp.cloud_api import payloads
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.json_reading import mapping, text
from trochai.whatsapp.webhooks.parsing import STANDBY

if TYPE_CHECKING:
    from django.core.files import File

    from conversations.media.inspection import Found
    from trochai.accounts.models import Organization
    from trochai.whatsapp.models import Channel


class OptOutSource(models.TextChoices):
    """How it became known that somebody wants no more messages. Stored, so never renamed."""

    WHATSAPP = "whatsapp", _("Switched off in WhatsApp")
    REFUSAL = "refusal", _("WhatsApp refused a message because of it")
    MEMBER = "member", _("Noted by a member")


NO_NUMBER = _("Enter the number with its country code, such as +506 8888 1234.")


class ContactQuerySet(models.QuerySet["Contact"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def with_number(self, organization_id: int, phone: str) -> Contact | None:
        """Return the organization's contact with this number.

        A mobile's number is found in whichever way it is spelled; of two contacts, the one that has it as
        given.
        """
        contacts = self.filter(organization_id=organization_id)
        spelled = list(contacts.filter(phone__in=phone_numbers.spellings(phone)).order_by("pk"))
        return next((contact for contact in spelled if contact.phone == phone), next(iter(spelled), None))


class Contact(models.Model):
    """A customer on WhatsApp, known by a phone number or, without one, by Meta's user ids (``Identity``)."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="contacts"
    )
    # What the team calls them. At first it is what WhatsApp does.
    name = models.CharField(max_length=200, blank=True)
    # What they call themselves in WhatsApp, as it was told last.
    profile_name = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    # E.164 with its plus sign: without it Meta may take the number for a local one.
    phone = models.CharField(max_length=16, blank=True)
    # Where somebody is, if it is not where the number says.
    timezone = models.CharField(
        max_length=64, blank=True, default="", db_default="", validators=[validate_timezone]
    )
    # The ids and usernames of its identities, for the search. See conversations.identity.
    user_ids = models.TextField(blank=True, default="", db_default="", editable=False)
    opted_out_at = models.DateTimeField(null=True, blank=True)
    opt_out_source = models.CharField(
        max_length=12, choices=OptOutSource, blank=True, default="", db_default="", editable=False
    )
    opted_out_by = models.ForeignKey(
        "accounts.User",
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        # Below: few have it.
        db_index=False,
    )
    # When the contact last said whether messages are wanted. See conversations.consent.
    consent_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When a member first said that they have agreed to get messages, and who. WhatsApp asks for it.
    agreed_at = models.DateTimeField(null=True, editable=False)
    agreed_with = models.ForeignKey(
        "accounts.User",
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        # Below: those who have written first need nobody's word.
        db_index=False,
    )
    created_at = models.DateTimeField(default=django_timezone.now, editable=False)
    # By Meta's clock: since when somebody is known whom a webhook brought; empty for whom people entered.
    first_seen_at = models.DateTimeField(null=True, editable=False)
    # WhatsApp has said that the number may be somebody else's by now, and nobody has decided yet.
    in_doubt_since = models.DateTimeField(null=True, editable=False)
    # An admin has had it removed for good: conversations.erasure.
    erased_at = models.DateTimeField(null=True, editable=False)
    # It turned out to be this one: links, rows in flight and late webhooks still find it.
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, editable=False, related_name="+", db_index=False
    )
    # ``known_as``, folded: the contact's part of the conversations' search texts.
    search_text = models.TextField(blank=True, editable=False)

    objects = ContactQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "phone"],
                condition=~Q(phone=""),
                name="contact_phone_once_per_organization",
            ),
            models.CheckConstraint(
                condition=~Q(phone="")
                | ~Q(user_ids="")
                | Q(merged_into__isnull=False)
                | Q(erased_at__isnull=False),
                name="contact_can_be_reached",
            ),
        ]
        indexes = [
            # The removal of an account.
            models.Index(
                fields=["opted_out_by"], condition=Q(opted_out_by__isnull=False), name="contact_opted_out_by"
            ),
            models.Index(
                fields=["agreed_with"], condition=Q(agreed_with__isnull=False), name="contact_agreed_with"
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.search_text = search_text(*self.known_as)
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Bring a typed number into the form in which it is kept and sent, or refuse it."""
        if not self.phone:
            return
        try:
            self.phone = phone_numbers.normalized(self.phone)
        except ValueError:
            raise ValidationError({"phone": NO_NUMBER}) from None
        same = Contact.objects.with_number(self.organization_id, self.phone)
        if same is not None and same.pk != self.pk:
            raise ValidationError({"phone": _("Another contact has this number.")})

    @property
    def known_as(self) -> tuple[str, str, str]:
        """What people search a contact by; whoever changes it sends ``contact_changed``."""
        return self.name, self.phone, self.user_ids

    @property
    def display_name(self) -> str:
        """Return what to call the contact, also within a sentence."""
        if named := isolated(self.name) or self.display_phone:
            return named
        return str(_("Erased contact") if self.erased_at else _("WhatsApp user"))

    @property
    def first_name(self) -> str:
        return self.name.split(" ", 1)[0]

    @property
    def short_name(self) -> str:
        """The first name for use within a sentence."""
        return isolated(self.first_name)

    @property
    def display_phone(self) -> str:
        """The number as people write it: +506 8888 1234."""
        return phone_numbers.international(self.phone)

    @property
    def zones(self) -> tuple[zoneinfo.ZoneInfo, ...]:
        """The time zones in which they may be: the one that is noted, or those of the number, if known."""
        return (zoneinfo.ZoneInfo(self.timezone),) if self.timezone else phone_numbers.zones(self.phone)

    @property
    def is_opted_out(self) -> bool:
        return self.opted_out_at is not None

    @property
    def is_in_doubt(self) -> bool:
        return self.in_doubt_since is not None

    def ids_of_identities(self) -> str:
        """Return what ``user_ids`` should hold: a line for each identity."""
        known = self.identities.order_by("pk").values_list("user_id", "username")
        return "\n".join(f"{user_id} @{username}".removesuffix(" @") for user_id, username in known)

    def can_be_written_to(self, channel: Channel) -> bool:
        """Whether Meta would take ``recipient_on`` for one."""
        return payloads.is_address(self.recipient_on(channel))

    def recipient_on(self, channel: Channel) -> dict[str, str]:
        """How Meta is told whom to write to: ``to`` (E.164) or ``recipient`` (BSUID)."""
        if self.phone:
            return {"to": self.phone}
        current = [
            each
            for each in self.identities.all()
            if each.portfolio == channel.portfolio and each.retired_at is None
        ]
        newest = max(current, key=lambda each: (each.known_at, each.pk), default=None)
        return {"recipient": newest.user_id if newest is not None else ""}


class Identity(models.Model):
    """What a contact is called at one business portfolio: Meta's user id (BSUID), and the username if told.

    With another number a person gets another id. The old one stays, ``retired``: what comes late still finds
    its contact, and nothing is sent to it.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="identities")
    # Repeated from the contact: an id is unique within it.
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")
    portfolio = models.CharField(max_length=80)  # Channel.portfolio
    user_id = models.CharField(max_length=160)
    # The same in all portfolios that Meta has linked.
    parent_user_id = models.CharField(max_length=160, blank=True)
    username = models.CharField(max_length=64, blank=True)
    # By Meta's clock.
    known_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "portfolio", "user_id"], name="identity_once_per_portfolio"
            )
        ]
        indexes = [
            # conversations.identity: somebody who is known at a linked portfolio.
            models.Index(
                fields=["organization", "parent_user_id"],
                condition=~Q(parent_user_id=""),
                name="identity_parent",
            ),
        ]

    def __str__(self) -> str:
        return self.user_id


def load_ids(contacts: Iterable[Contact]) -> None:
    """Read the identities of those who can be written to by id alone: at most one query for all."""
    models.prefetch_related_objects([contact for contact in contacts if not contact.phone], "identities")


class Alias(models.Model):
    """Meta's word that one number, or one user id, stands for another; kept whoever is known by them here.

    Whoever was called ``name`` is found as ``stands_for``: of what was said ``until`` then, where it is set,
    as a number may be somebody else's afterwards. ``portfolio`` is empty for numbers; one that was left for a
    number that Meta does not tell stands for the user id.
    """

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")
    portfolio = models.CharField(max_length=80, blank=True)
    name = models.CharField(max_length=160)
    stands_for = models.CharField(max_length=160)
    until = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "aliases"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "portfolio", "name", "stands_for"], name="alias_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} → {self.stands_for}"


class Tone(models.TextChoices):
    """The colour of a tag's dot (a CSS modifier)."""

    GREY = "grey", _("Grey")
    BLUE = "blue", _("Blue")
    VIOLET = "violet", _("Violet")
    GREEN = "green", _("Green")
    AMBER = "amber", _("Amber")
    RED = "red", _("Red")
    JADE = "jade", _("Jade")


class TagQuerySet(models.QuerySet["Tag"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)


class Tag(models.Model):
    """A word of the organization's by which its conversations are told apart and found."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(_("name"), max_length=24)
    tone = models.CharField(_("colour"), max_length=8, choices=Tone, default=Tone.GREY)
    # Those with a smaller one come first, wherever tags are listed.
    place = models.PositiveSmallIntegerField(_("place"), default=0, validators=[MaxValueValidator(999)])

    objects = TagQuerySet.as_manager()

    class Meta:
        ordering = ["place", "name", "pk"]
        constraints = [
            models.UniqueConstraint("organization", Lower("name"), name="tag_once_per_organization"),
            models.CheckConstraint(condition=Q(tone__in=Tone.values), name="tag_tone_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class SavedReplyQuerySet(models.QuerySet["SavedReply"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)


class SavedReply(models.Model):
    """A text of the organization's that members put into a message, with ``{name}`` filled in."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="saved_replies"
    )
    name = models.CharField(_("name"), max_length=60)
    text = models.TextField(_("text"), max_length=payloads.MAX_TEXT)

    objects = SavedReplyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "saved replies"
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint("organization", Lower("name"), name="saved_reply_once_per_organization"),
        ]

    def __str__(self) -> str:
        return self.name


class ConversationStatus(models.TextChoices):
    OPEN = "open", _("Open")
    IN_PROGRESS = "in_progress", _("In progress")
    CLOSED = "closed", _("Closed")


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def current(self) -> Self:
        """Leave out what has become part of another conversation, and whose contact is erased."""
        return self.filter(merged_into__isnull=True, erased_at__isnull=True)

    def listed(self) -> Self:
        """Leave out what a member has started and done nothing in yet: nothing is said there either."""
        return self.exclude(is_only_started=True, preview_kind="")

    def search(self, text: str, *, said_in: Collection[int] = ()) -> Self:
        """Those whose contact or last message has ``text`` in it, however it is written; and ``said_in``.

        Fewer than three letters find whose name begins with them (trochai.search.lookup).
        """
        folded, digits = fold_numbers(text), re.sub(r"\D", "", text, flags=re.ASCII)
        found = Q(**{f"search_text__{lookup(folded)}": folded})
        if len(digits) >= SHORTEST and not re.search(r"[^\W\d]", text):
            found = Q(search_text__contains=folded) | Q(search_text__contains=digits)
        return self.filter(found | Q(pk__in=said_in) if said_in else found)


class Conversation(models.Model):
    """All messages between one channel and one contact, with a summary of the last for the list."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="conversations"
    )
    channel = models.ForeignKey("whatsapp.Channel", on_delete=models.PROTECT, related_name="conversations")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="conversations")
    status = models.CharField(max_length=16, choices=ConversationStatus, default=ConversationStatus.OPEN)
    assignee = models.ForeignKey(
        "accounts.User",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="assigned_conversations",
        # ``conversation_assigned`` begins with it.
        db_index=False,
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="conversations")
    unread_count = models.PositiveIntegerField(default=0)
    last_message_at = models.DateTimeField(default=django_timezone.now)
    # The last message on one line, for the list; written together with last_message_at.
    preview = models.CharField(max_length=200, blank=True)
    preview_is_outbound = models.BooleanField(default=False)
    # Its ``Message.shown_kind``: what stands there for a photo without words is said when it is read.
    preview_kind = models.CharField(max_length=32, blank=True)
    # Whether it was not sent.
    last_has_failed = models.BooleanField(default=False, db_default=False)
    # How many messages are scheduled for it or being sent: written by the app that schedules them.
    waiting_count = models.IntegerField(default=0, db_default=0, editable=False)
    # A member has started it with a number, and has scheduled and noted nothing since. Until something is
    # said there, only the search finds it.
    is_only_started = models.BooleanField(default=False, db_default=False, editable=False)
    # What the contact is known as and the preview, folded (trochai.search), for one LIKE.
    search_text = models.TextField(blank=True, editable=False)
    # Opens the 24-hour window.
    last_inbound_at = models.DateTimeField(null=True, blank=True)
    # Meta takes one message to a contact every 6 seconds.
    last_outbound_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=django_timezone.now, editable=False)
    # Its contact is erased: nobody sees it. ``is_forgotten``: what was said is deleted.
    erased_at = models.DateTimeField(null=True, editable=False)
    is_forgotten = models.BooleanField(default=False, db_default=False, editable=False)
    # Its contact turned out to be another one, with a conversation on the same channel: this one.
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, editable=False, related_name="+", db_index=False
    )

    objects = ConversationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "contact"], name="conversation_once_per_contact"),
            models.CheckConstraint(
                condition=Q(status__in=ConversationStatus.values),
                name="conversation_status_is_known",
            ),
        ]
        indexes = [
            # conversations.pages.views.inbox: the list, newest message first.
            models.Index(fields=["organization", "-last_message_at", "-id"], name="conversation_newest"),
            # conversations.merging: what has become part of a conversation. Nearly no row is in it, so that a
            # message, which writes each index that has its conversation, does not pay for it.
            models.Index(
                fields=["merged_into"],
                condition=Q(merged_into__isnull=False),
                name="conversation_merged",
            ),
            # conversations.erasure: what is still to be deleted.
            models.Index(
                fields=["erased_at"],
                condition=Q(erased_at__isnull=False, is_forgotten=False),
                name="conversation_to_forget",
            ),
            # The Mine filter, and the removal of an account.
            models.Index(
                fields=["assignee", "organization", "-last_message_at", "-id"],
                condition=Q(assignee__isnull=False),
                name="conversation_assigned",
            ),
            # The Unassigned filter and its count, and the Closed filter.
            models.Index(
                fields=["organization", "-last_message_at", "-id"],
                condition=Q(assignee__isnull=True, status__in=["open", "in_progress"]),
                name="conversation_unassigned",
            ),
            models.Index(
                fields=["organization", "-last_message_at", "-id"],
                condition=Q(status="closed"),
                name="conversation_closed",
            ),
            # The Unread filter and the sidebar's count.
            models.Index(
                fields=["organization", "-last_message_at", "-id"],
                condition=Q(unread_count__gt=0),
                name="conversation_unread",
            ),
        ]

    def __str__(self) -> str:
        return str(self.contact)

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if update_fields is None or "search_text" in update_fields:
            self.search_text = search_text(*self.contact.known_as, self.preview)
        super().save(*args, update_fields=update_fields, **kwargs)

    def show_in_list(self) -> None:
        """Somebody has done something in it."""
        if self.is_only_started:
            self.is_only_started = False
            self.save(update_fields=["is_only_started"])

    @property
    def is_closed(self) -> bool:
        return self.status == ConversationStatus.CLOSED

    @property
    def preview_picture(self) -> tuple[str, str]:
        """The icon before the last message's words, and what it says; without one both are empty.

        It says nothing where the words do.
        """
        picture = wording.icon_of(self.preview_kind)
        if self.preview_kind == MessageKind.TEMPLATE:
            return picture, str(_("Template"))
        return picture, str(wording.KINDS[self.preview_kind]) if picture and self.preview else ""

    @property
    def preview_words(self) -> str:
        """The last message in the reader's language; nothing where there is none."""
        said = marks.plain(self.preview)
        return wording.in_words(self.preview_kind, said) if self.preview_kind else said


class Direction(models.TextChoices):
    INBOUND = "in", _("Received")
    OUTBOUND = "out", _("Sent")
    # Nobody wrote it: see conversations.notes.
    NOTE = "log", _("Note")


class Delivery(models.TextChoices):
    """How far a message has got. Order matters: see ``conversations.recording.advance``."""

    SENDING = "sending", _("Sending")
    UNKNOWN = "unknown", _("Delivery unknown")
    ACCEPTED = "accepted", _("Sent")
    SENT = "sent", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    READ = "read", _("Read")
    PLAYED = "played", _("Played")
    FAILED = "failed", _("Not sent")


class MessageKind(enum.StrEnum):
    """Kinds of message that are treated in a way of their own; any other of Meta's may come in as well."""

    TEXT = "text"
    TEMPLATE = "template"
    # A note; none of Meta's.
    INTERNAL = "internal"


class Message(models.Model):
    """One message. Its text is what people saw; for a template, ``content`` holds the parts."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    # Repeated from the conversation: Meta's ids are unique within a channel, and looked up there.
    channel = models.ForeignKey("whatsapp.Channel", on_delete=models.PROTECT, related_name="+")
    # Sent to Meta with the composer's messages, and echoed in their webhooks: trochai.whatsapp.references.
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The follow-up's attempt that sent it. A bare id: this app does not know the one above.
    attempt = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    direction = models.CharField(max_length=3, choices=Direction)
    # As Meta names them: see MessageKind for those that are told apart.
    kind = models.CharField(max_length=32, default=MessageKind.TEXT)
    text = models.TextField(blank=True)
    # A template's header, body, footer and buttons (templates_app.rendering.RenderedTemplate.as_dict),
    # or what Meta sent for a kind that has more than text.
    content = models.JSONField(default=dict, blank=True)
    template_name = models.CharField(max_length=512, blank=True)
    # Language of the text, for screen readers; empty where it is not known.
    language = models.CharField(max_length=15, blank=True)
    whatsapp_id = models.CharField(max_length=255, blank=True)
    delivery = models.CharField(max_length=10, choices=Delivery, blank=True)
    error_code = models.IntegerField(null=True, blank=True)
    error_cause = models.CharField(max_length=32, blank=True)
    error_values = models.JSONField(default=dict, blank=True)
    # What Meta says that it bills for it: billable, type, category, pricing_model.
    pricing = models.JSONField(null=True, editable=False)
    sent_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # When it was sent or received, by Meta's clock where Meta says so.
    at = models.DateTimeField(default=django_timezone.now)
    created_at = models.DateTimeField(default=django_timezone.now, editable=False)
    # What the contact did to it later, by Meta's clock. A reaction is an emoji; empty if it was taken back.
    edited_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # With the database's own default, as processes of the version before write rows during an update.
    reaction = models.CharField(max_length=64, blank=True, default="", db_default="")
    reacted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "whatsapp_id"],
                condition=~Q(whatsapp_id=""),
                name="message_whatsapp_id_once_per_channel",
            ),
            models.CheckConstraint(
                condition=(~Q(direction=Direction.OUTBOUND) & Q(delivery=""))
                | (Q(direction=Direction.OUTBOUND) & ~Q(delivery="")),
                name="message_outbound_has_delivery",
            ),
        ]
        indexes = [
            # conversations.pages.views.conversation: the thread, newest page first.
            models.Index(fields=["conversation", "-at", "-id"], name="message_thread"),
            # conversations.pages.sheet: a conversation's notes, and its files, among very many messages.
            models.Index(
                fields=["conversation", "-at", "-id"],
                condition=Q(direction=Direction.NOTE, kind=MessageKind.INTERNAL),
                name="message_internal_note",
            ),
            models.Index(
                fields=["conversation", "-at", "-id"],
                condition=Q(kind__in=["image", "video", "document"]),
                name="message_file",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.kind} {self.pk}"

    @property
    def is_outbound(self) -> bool:
        return self.direction == Direction.OUTBOUND

    @property
    def is_note(self) -> bool:
        return self.direction == Direction.NOTE

    @property
    def is_internal(self) -> bool:
        """Whether a member wrote it for the others: see conversations.internal_notes."""
        return self.is_note and self.kind == MessageKind.INTERNAL

    @property
    def is_from_follow_up(self) -> bool:
        return self.attempt is not None

    @property
    def is_echo(self) -> bool:
        """Whether a colleague wrote it in the WhatsApp Business app, with the same number."""
        return self.content.get("echo") is True

    @property
    def is_in_standby(self) -> bool:
        """Whether Meta's Business Agent answered when it was said, or has said it."""
        return self.content.get(STANDBY) is True

    @property
    def shown_kind(self) -> str:
        """Its kind as people tell them apart: a voice message is not any audio."""
        if self.revoked_at is not None:
            return wording.REVOKED
        if self.kind == "audio" and mapping(self.content, "audio").get("voice") is True:
            return wording.VOICE
        permission = text(mapping(self.content, "interactive", "call_permission_reply").get("response"))
        return f"call_permission_{permission}" if permission in {"accept", "reject"} else self.kind

    @property
    def failure(self) -> Failure:
        return Failure.of(self, "error")

    @property
    def error_reason(self) -> str:
        """Why it did not arrive, or may not have, in the reader's language."""
        if self.delivery == Delivery.UNKNOWN:
            return gettext("It may have reached the contact.")
        return self.failure.words(wording.SENTENCES)


class AttachmentState(models.TextChoices):
    WAITING = "waiting", _("Being fetched")
    # Here, and on its way to WhatsApp; its message follows.
    SENDING = "sending", _("Being sent")
    READY = "ready", _("Here")
    GONE = "gone", _("No longer at WhatsApp")
    REFUSED = "refused", _("Not taken")


def _place(stored: StoredFile, _name: str) -> str:
    """Where its file is kept: always the same, so that a second try leaves nothing behind."""
    name = stored.uuid.hex
    return f"{name[:2]}/{name}"


def _place_of_thumbnail(stored: StoredFile, name: str) -> str:
    return f"{_place(stored, name)}-small"


class StoredFile(models.Model):
    """A file and what was found in it (``conversations.media.inspection``), whatever it was called."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    file = models.FileField(upload_to=_place, blank=True)
    thumbnail = models.FileField(upload_to=_place_of_thumbnail, blank=True)
    mime_type = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(null=True)  # bytes
    width = models.PositiveIntegerField(null=True)  # of the thumbnail, in pixels
    height = models.PositiveIntegerField(null=True)
    seconds = models.PositiveIntegerField(null=True)

    # What is known of the file itself.
    FOUND: ClassVar[tuple[str, ...]] = ("mime_type", "size", "width", "height", "seconds")

    class Meta:
        abstract = True

    def keep(self, file: File[bytes], found: Found) -> None:
        """Store the file and its thumbnail, and note what was ``found`` in it; the row is not saved."""
        file.seek(0)
        self.file.save("", file, save=False)
        if found.thumbnail:
            self.thumbnail.save("", ContentFile(found.thumbnail), save=False)
        self.mime_type, self.size = found.mime_type, file.size
        self.width, self.height, self.seconds = found.width, found.height, found.seconds

    def copied(self) -> Self:
        """Return another row, not saved, with a copy of the file."""
        copy = type(self)(**{name: getattr(self, name) for name in self.FOUND})
        for name in ("file", "thumbnail"):
            if getattr(self, name):
                with getattr(self, name).open("rb") as file:
                    getattr(copy, name).save("", file, save=False)
        return copy

    def discard(self) -> None:
        """Delete its files, also those of a try that was not finished."""
        for field in (self.file, self.thumbnail):
            field.storage.delete(field.name or field.field.generate_filename(self, ""))


class Attachment(StoredFile):
    """A message's file.

    Of what a contact sent WhatsApp tells the id, and a worker fetches it; what is sent gets an id from
    WhatsApp before its message goes out (``conversations.media``).
    """

    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="attachment")
    media_id = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=8, choices=AttachmentState, default=AttachmentState.WAITING)
    # Why it was not taken: conversations.media.inspection.Fault. Stored, so never renamed.
    fault = models.CharField(max_length=16, blank=True)
    # When a worker looks for it next, by the database's clock; while one does, when its lease ends.
    due_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    # How loud a recording is over its length: conversations.media.inspection.PEAKS numbers from 0 to 100.
    peaks = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "sending"], due_at__isnull=False)
                | (~Q(state__in=["waiting", "sending"]) & Q(due_at__isnull=True)),
                name="attachment_is_due_while_it_is_underway",
            ),
        ]
        indexes = [
            # conversations.media.transfer: what is due.
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="attachment_due"),
        ]

    def __str__(self) -> str:
        return f"{self.uuid} ({self.state})"


class Upload(StoredFile):
    """A file that a member is about to send; its message's ``Attachment`` has the same ``uuid``."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+")
    # Of its message, as Meta names it: image, video, audio, document.
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=django_timezone.now, db_index=True, editable=False)

    def __str__(self) -> str:
        return self.name

    @property
    def ending(self) -> str:
        """What its name ends with, where that is short: PDF, DOCX."""
        return naming.ending_of(self.name)

    def attachment(self) -> Attachment:
        """Return the row of its message, not saved, which has its files from then on."""
        shared = ("uuid", "file", "thumbnail", *self.FOUND)
        return Attachment(**{name: getattr(self, name) for name in shared})


class DiscardedFile(models.Model):
    """Files whose attachment or upload is deleted, as long as they are not (``media.discarding``)."""

    uuid = models.UUIDField(unique=True, editable=False)

    def __str__(self) -> str:
        return str(self.uuid)


class QueuedMessage(models.Model):
    """A person's message that a worker has yet to send, or is sending (``conversations.sending``).

    All times are the database's. ``requested_at``: its call has begun or is about to.
    """

    message = models.OneToOneField(Message, on_delete=models.CASCADE, primary_key=True, related_name="queued")
    # Repeated from the message: the order within one and the fairness between the other are asked for often.
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    channel = models.ForeignKey("whatsapp.Channel", on_delete=models.CASCADE, related_name="+")
    written_at = models.DateTimeField()
    claim_token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    requested_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"queued {self.pk}"


class EarlyStatus(models.Model):
    """A status of a message that is not recorded yet: Meta's webhook came before its HTTP answer."""

    channel = models.ForeignKey("whatsapp.Channel", on_delete=models.CASCADE, related_name="+")
    whatsapp_id = models.CharField(max_length=255)
    status = models.CharField(max_length=16)
    at = models.DateTimeField()
    error_code = models.IntegerField(null=True)
    error_cause = models.CharField(max_length=32, blank=True)
    error_values = models.JSONField(default=dict)
    pricing = models.JSONField(null=True)
    received_at = models.DateTimeField(default=django_timezone.now)

    class Meta:
        verbose_name_plural = "early statuses"
        constraints = [
            models.UniqueConstraint(fields=["channel", "whatsapp_id", "status"], name="early_status_once")
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.whatsapp_id}"

    @property
    def failure(self) -> Failure:
        return Failure.of(self, "error")
