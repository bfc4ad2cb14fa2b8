"""The holds in force as pages show them, and the forms that begin, reword and release one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from django import forms
from django.db.models import Exists, OuterRef, Subquery
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations.sidebar import Mark, Marking, markings
from followups.holds import releasing
from followups.holds.brake import Brake, brake_of
from followups.models import FollowUp, Hold, HoldScope, Late
from followups.pages.search import COUNT_CAP
from followups.wording import holds as wording
from trochai.accounts.models import Membership, Organization
from trochai.paging import Count, count_of, counted_to
from trochai.ui import formatting
from trochai.whatsapp.models import Channel

EVERY_NUMBER = "all"


@dataclass(frozen=True)
class HoldShown:
    """One hold above the list: what it says, what waits because of it, and what may be done about it.

    ``next_at``: when the first of what waits was due, or will be; None if nothing waits.
    """

    hold: Hold
    headline: str
    reason: str
    due: Count
    next_at: dt.datetime | None
    limit_hours: float
    may_change: bool

    @property
    def token(self) -> str:
        """For an open page to tell whether it has changed."""
        hold, seen = self.hold, (self.headline, self.reason, str(self.due), str(self.next_at))
        digest = salted_hmac("hold", repr((seen, hold.releasing_since))).hexdigest()[:8]
        return f"hold{hold.pk}-{digest}"


# Whether anything of the organization that a row belongs to is held, for what reads such a row anyway.
ANY_IN_FORCE = Exists(Hold.objects.over(OuterRef("organization")).in_force())


def in_force(organization: Organization) -> list[Hold]:
    """Return those by which anything of the organization is held; what holds most comes first."""
    holds = Hold.objects.over(organization).in_force().select_related("channel", "by")
    return sorted(holds, key=lambda hold: (hold.scope == HoldScope.CHANNEL, hold.since, hold.pk))


def brake_by(holds: Iterable[Hold]) -> Brake:
    return brake_of((hold.scope, hold.organization_id, hold.channel_id) for hold in holds)


def shown(holds: Sequence[Hold], *, membership: Membership, now: dt.datetime) -> list[HoldShown]:
    """Return each as it stands above the list."""
    if not holds:
        return []
    organization = membership.organization
    first = FollowUp.objects.waiting().filter(channel=OuterRef("pk")).order_by("next_attempt_at", "pk")
    channels = Channel.objects.for_organization(organization).order_by()
    first_of = dict(channels.values_list("pk", Subquery(first.values("next_attempt_at")[:1])))
    result = []
    for hold in holds:
        held = [hold.channel_id] if hold.channel_id else list(first_of)
        result.append(
            HoldShown(
                hold=hold,
                headline=wording.headline(hold, now),
                reason=wording.reason(hold),
                due=count_of(FollowUp.objects.due(now).filter(channel__in=held), COUNT_CAP),
                next_at=min((at for pk in held if (at := first_of.get(pk)) is not None), default=None),
                limit_hours=organization.missed_after_minutes / 60,
                # What holds everything only an operator releases.
                may_change=membership.is_admin
                and hold.organization_id is not None
                and hold.releasing_since is None,
            )
        )
    return result


def mark_of(organization: Organization) -> Mark | None:
    """Return what the frame says where anything is on hold."""
    for hold in in_force(organization)[:1]:
        title = wording.title(hold.scope, hold.channel.name if hold.channel else "")
        return Mark(title, wording.in_full(hold))
    return None


markings.append(Marking(ANY_IN_FORCE, mark_of))


@dataclass(frozen=True)
class Choice:
    """A number, or all of them, with how many follow-ups wait, and of these today."""

    value: str
    label: str
    pending: Count
    today: Count


def _total(counts: Iterable[Count]) -> Count:
    """Return the sum, which is capped where one of them is."""
    return Count.capped(sum(count.value + count.is_capped for count in counts), COUNT_CAP)


class ReasonForm(forms.Form):
    """Why sending is held, for everybody in the organization to read."""

    reason = forms.CharField(
        max_length=Hold.REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off", "autofocus": True}),
        error_messages={"required": gettext_lazy("Say why: everybody will ask.")},
    )


class HoldForm(ReasonForm):
    """What to hold, and why. What is on hold already is not offered."""

    what = forms.ChoiceField(widget=forms.RadioSelect)
    field_order = ("what", "reason")

    def __init__(
        self, data: Any = None, *, organization: Organization, now: dt.datetime, **options: Any
    ) -> None:
        super().__init__(data, **options)
        self._organization, self._now = organization, now
        # All numbers come last.
        self.initial["what"] = self.choices[-1].value if self.choices else ""
        what = cast("forms.ChoiceField", self.fields["what"])
        what.choices = [(choice.value, choice.label) for choice in self.choices]

    @cached_property
    def choices(self) -> list[Choice]:
        held = brake_by(in_force(self._organization))
        waiting = FollowUp.objects.waiting().filter(channel=OuterRef("pk"))
        midnight = timezone.localtime(self._now).replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = waiting.filter(next_attempt_at__lt=midnight + dt.timedelta(days=1))
        channels = Channel.objects.for_organization(self._organization).annotate(
            pending=counted_to(waiting, COUNT_CAP), today=counted_to(tomorrow, COUNT_CAP)
        )
        numbers = {
            channel.pk: Choice(
                str(channel.pk),
                f"{channel.name} ({channel.display_phone_number})",
                Count.capped(channel.pending, COUNT_CAP),
                Count.capped(channel.today, COUNT_CAP),
            )
            for channel in channels.order_by("name", "pk")
        }
        every = Choice(
            EVERY_NUMBER,
            _("All numbers of %(organization)s") % {"organization": self._organization.name},
            _total(choice.pending for choice in numbers.values()),
            _total(choice.today for choice in numbers.values()),
        )
        free = [choice for pk, choice in numbers.items() if pk not in held.channels]
        return free if self._organization.pk in held.organizations else [*free, every]

    @property
    def scope(self) -> dict[str, Any]:
        """What is to be held, as ``holds.people.begin`` takes it."""
        what = self.cleaned_data["what"]
        if what == EVERY_NUMBER:
            return {"organization": self._organization}
        numbers = Channel.objects.for_organization(self._organization).select_related("organization")
        return {"channel": numbers.get(pk=what)}


@dataclass(frozen=True)
class LateChoice:
    value: Late
    label: str
    text: str


class ReleaseForm(forms.Form):
    """What becomes of what is late: asked for only where there is any."""

    late = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=Late.choices,
        error_messages={"required": gettext_lazy("Choose what becomes of what is late.")},
    )

    def __init__(self, hold: Hold, data: Any = None, *, organization: Organization, now: dt.datetime) -> None:
        super().__init__(data)
        self.limit_hours = organization.missed_after_minutes / 60
        self._tomorrow, self._now = releasing.tomorrow_at_9(organization, now=now), now
        freed = releasing.freed_by(hold)
        self.late_count = _total(
            count_of(releasing.late_on(channel, now=now), COUNT_CAP) for channel in freed
        )
        ids = [channel.pk for channel in freed]
        self.due_count = count_of(FollowUp.objects.due(now).filter(channel__in=ids), COUNT_CAP)
        if not self.late_count:
            self.fields["late"].required = False

    @property
    def choices(self) -> list[LateChoice]:
        """What may become of what is late, and what that means."""
        tomorrow = formatting.day_time(self._tomorrow, self._now)
        return [
            LateChoice(Late.SEND, _("Send them now"), _("However late they are")),
            LateChoice(Late.TOMORROW, _("Move them to tomorrow 9:00 AM"), tomorrow),
            LateChoice(Late.LEAVE, _("Leave them"), _("They fail as missed, each with a Retry button")),
        ]

    @property
    def choice(self) -> Late:
        # Where nothing is late there was no question.
        return Late(self.cleaned_data["late"] or Late.LEAVE)
