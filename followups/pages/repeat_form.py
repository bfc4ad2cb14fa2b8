"""The part of the schedule dialog in which a follow-up is repeated: how often, and what ends it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from followups.pages.fields import DayField
from followups.pages.quiet import QuietNotice, quiet_notice
from followups.repeating import MOST_TIMES, EndKind, Repeat, RepeatKind, Rule, kinds_for
from followups.wording import repeats

if TYPE_CHECKING:
    from conversations.models import Contact
    from trochai.accounts.models import Organization

# How many dates are shown before somebody decides.
SHOWN_DATES = 3
DETAILS = {"repeat_kind", "repeat_ends", "repeat_count", "repeat_until"}


def count_field(most: int) -> forms.IntegerField:
    return forms.IntegerField(
        required=False,
        min_value=2,
        max_value=most,
        initial=6,
        error_messages={
            "invalid": _("Enter how many times, like 6."),
            "min_value": ngettext_lazy(
                "At least %(limit_value)d time.", "At least %(limit_value)d times.", "limit_value"
            ),
            "max_value": ngettext_lazy(
                "At most %(limit_value)d time.", "At most %(limit_value)d times.", "limit_value"
            ),
        },
        widget=forms.NumberInput(
            attrs={"class": "input", "aria-label": _("Times"), "aria-describedby": "schedule-repeat-error"}
        ),
    )


class RepeatFields(forms.Form):
    """Whether what is scheduled is repeated. Goes before a ``WhenForm``, which says when the first one is.

    What stands in the other fields doesn't matter while ``repeat`` is not ticked.
    """

    # A ``WhenForm``'s.
    organization: Organization
    contact: Contact | None
    now: dt.datetime
    scheduled_for: Any

    repeat = forms.BooleanField(required=False)
    repeat_kind = forms.ChoiceField(
        required=False,
        choices=RepeatKind.choices,
        initial=RepeatKind.WEEKLY,
        error_messages={"invalid_choice": _("Choose how often.")},
    )
    repeat_ends = forms.ChoiceField(
        required=False,
        choices=EndKind.choices,
        initial=EndKind.NEVER,
        error_messages={"invalid_choice": _("Choose how it ends.")},
    )
    repeat_count = count_field(MOST_TIMES)
    repeat_until = DayField(**{"aria-label": _("Last day"), "aria-describedby": "schedule-repeat-error"})
    repeat_ends_on_failure = forms.BooleanField(required=False, initial=True)
    repeat_ends_on_reply = forms.BooleanField(required=False)

    def clean_repeat_count(self) -> int | None:
        count: int | None = self.cleaned_data["repeat_count"]
        if count is None and self.cleaned_data.get("repeat_ends") == EndKind.COUNT:
            raise forms.ValidationError(_("Enter how many times, like 6."), code="required")
        return count

    def clean_repeat_until(self) -> dt.date | None:
        until: dt.date | None = self.cleaned_data["repeat_until"]
        if until is None and self.cleaned_data.get("repeat_ends") == EndKind.DATE:
            raise forms.ValidationError(_("Choose its last day."), code="required")
        return until

    @property
    def is_repeated(self) -> bool:
        """Whether it is wanted repeated."""
        return bool(self.cleaned_data.get("repeat"))

    def rule_by(self, repeat: Repeat, at: dt.datetime) -> Rule:
        """Return the rule of what goes out at that moment first."""
        return repeat.rule(at, self.organization.zone)

    def clean(self) -> dict[str, Any]:
        read = self.cleaned_data
        ends = {EndKind.COUNT: "repeat_count", EndKind.DATE: "repeat_until"}.get(read.get("repeat_ends", ""))
        for name in DETAILS if not self.is_repeated else {"repeat_count", "repeat_until"} - {ends}:
            self.errors.pop(name, None)
        return super().clean() or read

    @property
    def wanted_repeat(self) -> Repeat | None:
        """What the checked form asks for, as far as it could be read."""
        read = self.cleaned_data
        if not self.is_repeated or self.errors.keys() & DETAILS:
            return None
        ends = EndKind(read["repeat_ends"] or EndKind.NEVER)
        return Repeat(
            kind=RepeatKind(read["repeat_kind"] or RepeatKind.WEEKLY),
            ends=ends,
            count=read["repeat_count"] if ends == EndKind.COUNT else None,
            until=read["repeat_until"] if ends == EndKind.DATE else None,
            ends_on_failure=read["repeat_ends_on_failure"],
            ends_on_reply=read["repeat_ends_on_reply"],
        )

    @property
    def repeats_from(self) -> dt.date | None:
        """The day of which the list says how often; none until there is one."""
        at = self.scheduled_for
        return None if at is None else at.astimezone(self.organization.zone).date()

    @property
    def repeat_choices(self) -> list[tuple[str, str]]:
        """How often, in words for that day."""
        if self.repeats_from is None:
            return [(kind.value, str(kind.label)) for kind in RepeatKind]
        kinds = self.kinds_from(self.repeats_from)
        rules = [self.rule_by(Repeat(kind), self.scheduled_for) for kind in kinds]
        return [(rule.kind, repeats.steps(rule.kind, rule.first_on)) for rule in rules]

    def kinds_from(self, first_on: dt.date) -> list[RepeatKind]:
        return kinds_for(first_on, min_days=self.organization.min_days)

    @property
    def shown_kind(self) -> str:
        return str(self["repeat_kind"].value())

    @property
    def repeat_errors(self) -> list[str]:
        names = ("repeat", *sorted(DETAILS))
        return [str(error) for name in names for error in self.errors.get(name, ())]

    @property
    def rule(self) -> Rule | None:
        """By which it is repeated, once that has been checked and may be."""
        if not hasattr(self, "cleaned_data") or self.scheduled_for is None or "repeat" in self.errors:
            return None
        repeat = self.wanted_repeat
        return self.rule_by(repeat, self.scheduled_for) if repeat else None

    @property
    def repeat_words(self) -> str:
        return repeats.sentence(self.rule, self.now.date()) if self.rule else ""

    @property
    def next_dates(self) -> list[dt.datetime]:
        """The first dates, the one chosen being the first of them."""
        if self.rule is None:
            return []
        coming = self.rule.coming(self.organization.zone, after=0, now=self.now, most=SHOWN_DATES)
        return [each.at for each in coming]

    @property
    def quiet_dates(self) -> list[tuple[dt.datetime, QuietNotice]]:
        """Those after the first that are quiet where the contact is: of the first the dialog says so."""
        if self.contact is None:
            return []
        said = (
            (at, quiet_notice(at, self.contact, self.organization, self.now)) for at in self.next_dates[1:]
        )
        return [(at, notice) for at, notice in said if notice]

    @property
    def is_short_at_times(self) -> bool:
        return self.rule is not None and repeats.is_short_at_times(self.rule)

    @property
    def other_hours(self) -> list[dt.datetime]:
        """Which of those that follow are at another hour: the clocks go forward over the one chosen."""
        zone = self.organization.zone
        rule = self.rule
        return [each for each in self.next_dates[1:] if rule and each.astimezone(zone).time() != rule.time]
