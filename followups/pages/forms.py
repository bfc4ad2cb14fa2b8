"""The schedule dialog's form: which template, with which values, when, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from django import forms
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.functional import cached_property
from django.utils.timezone import is_naive
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from conversations.pages.template_form import TemplateForm
from followups.contents import as_kept, contents_of, difference, repeat_of
from followups.pages.fields import DATE, DayField, window_of_days
from followups.pages.quiet import QuietNotice, quiet_notice, way_out
from followups.pages.repeat_form import DETAILS, SHOWN_DATES, RepeatFields, count_field
from followups.pages.schedule_words import WORDS, words
from followups.presets import PREFIX, preset_options
from followups.repeating import Repeat, RepeatKind, fitting_kind, most_times
from followups.scheduling import (
    QUICK_OPTIONS,
    QuickOption,
    SchedulingError,
    custom,
    quick_options,
    zones_of,
)
from followups.typed_dates import MOST_TYPED, understand
from followups.wanted import (
    CUSTOM,
    KEEP,
    NOTE_LENGTH,
    Code,
    Field,
    Wanted,
    is_offered,
    problems_with,
    problems_with_moment,
    problems_with_rule,
)
from followups.wording import calendar
from followups.wording.differences import Line, lines
from templates_app.forms import field_name
from templates_app.parameters import Problem
from trochai.ui import formatting

if TYPE_CHECKING:
    from conversations.models import Contact, Conversation
    from followups.models import FollowUp
    from followups.repeating import Rule, Underway
    from templates_app.models import Template
    from trochai.accounts.models import Organization


# In which a moment is chosen.
MOMENT_FIELDS = {"when", "typed", "date", "time"}
# More no database takes.
MOST_VERSIONS = 2**31 - 1


def _with_offer(initial: dict[str, Any], organization: Organization) -> dict[str, Any]:
    """Choose what was offered instead of a quiet moment (``QuietNotice.good``), where no script does it."""
    try:
        at = parse_datetime(str(initial.get("choose", "")))
        local = None if at is None or is_naive(at) else at.astimezone(organization.zone)
    except (ValueError, OverflowError):  # the first and the last day of the calendar
        local = None
    if local is None:
        return initial
    return initial | {"when": CUSTOM, "typed": "", "date": local.date(), "time": local.time()}


class NoteField(forms.CharField):
    """A text in which a line break counts as one character.

    Without ``max_length``: browsers count UTF-16 units, so their own limit would refuse 251 emoji.
    """

    def __init__(self) -> None:
        super().__init__(
            required=False,
            widget=forms.Textarea(
                attrs={
                    "class": "input",
                    "rows": 2,
                    "data-count": NOTE_LENGTH,
                    "dir": "auto",
                    "aria-describedby": "schedule-note-error schedule-note-hint",
                }
            ),
        )

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")


class WhenForm(forms.Form):
    """When to send: one of the quick options, or a custom date and time in the organization's zone.

    The custom one is picked, or typed as people say it. What was typed counts once it has been shown: date
    and time are filled in with what it means, and come back with it. For each quick option
    the form carries the moment that it showed, in ``shown_<key>``. After ``is_valid()``, ``scheduled_for``
    is the moment; ``moved`` says that a quick option now means a different day from the one that was shown.
    """

    when = forms.ChoiceField(
        required=False,
        choices=[*((option.key, option.label) for option in QUICK_OPTIONS), (CUSTOM, CUSTOM), (KEEP, KEEP)],
        error_messages={"invalid_choice": WORDS[Code.UNKNOWN_CHOICE]},
    )
    typed = forms.CharField(
        required=False,
        max_length=MOST_TYPED,
        error_messages={
            "max_length": gettext_lazy(
                "Say it in %(limit_value)d characters or fewer. Try fri 10am or 4 dec 14:00."
            )
        },
        widget=forms.TextInput(
            attrs={
                "class": "input",
                "autocomplete": "off",
                "autocapitalize": "none",
                "placeholder": gettext_lazy("fri 10am, in 3 weeks, 15 dec 14:00"),
                "aria-describedby": "schedule-typed-error schedule-date-hint",
            }
        ),
    )
    date = DayField()
    time = forms.TimeField(
        required=False,
        input_formats=["%H:%M", "%H:%M:%S"],
        initial=dt.time(9),
        error_messages={"invalid": gettext_lazy("Enter the time as hours and minutes, like 14:30.")},
        widget=forms.TimeInput(attrs={"class": "input", "type": "time"}, format="%H:%M"),
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        organization: Organization,
        now: dt.datetime,
        initial: dict[str, Any] | None = None,
        kept: dt.datetime | None = None,
        contact: Contact | None = None,
    ) -> None:
        super().__init__(data, initial=_with_offer(initial or {}, organization))
        self.organization = organization
        self.contact = contact
        self.now = now
        self.kept = kept
        self.moved = False
        self.is_understood = False
        self.options: list[QuickOption] = quick_options(now, organization.zone)
        if str(self["when"].value()).startswith(PREFIX):
            when: Any = self.fields["when"]
            when.choices = [*when.choices, *((preset.key, preset.label) for preset in self.presets)]
        self.fields["date"].widget.attrs |= {
            **window_of_days(now, organization),
            "aria-describedby": "schedule-date-error schedule-date-hint",
        }
        self.fields["time"].widget.attrs |= {"aria-describedby": "schedule-time-error schedule-date-hint"}

    @cached_property
    def presets(self) -> list[QuickOption]:
        """The organization's own choices, each with the moment that it means now."""
        return [
            *self._offered_first(),
            *preset_options(self.organization.presets.all(), self.now, self.organization),
        ]

    def _offered_first(self) -> list[QuickOption]:
        """Return what else can be chosen like a preset."""
        return []

    @property
    def choice(self) -> str:
        """How the moment was chosen, for the rules: a preset's must lie in the window as a custom one's."""
        choice = self.cleaned_data.get("when", "")
        return CUSTOM if choice.startswith(PREFIX) else choice

    @property
    def scheduled_for(self) -> dt.datetime | None:
        """The moment chosen, once the form has been checked and it may be that one; before, the one kept."""
        if not self.is_bound:
            return self.kept
        if not hasattr(self, "cleaned_data") or self.errors.keys() & MOMENT_FIELDS:
            return None
        return self.cleaned_data.get("scheduled_for")

    @cached_property
    def quiet(self) -> QuietNotice | None:
        """What there is to say about the moment, where it is night or a day off where the contact is."""
        at = self.scheduled_for
        if at is None or self.contact is None:
            return None
        return quiet_notice(at, self.contact, self.organization, self.now)

    @property
    def working_holiday(self) -> str:
        """What to say where the moment is on a holiday there, but people work here."""
        at = self.scheduled_for
        if at is None or self.contact is None:
            return ""
        days = (at.astimezone(zone).date() for zone in zones_of(self.contact, self.organization))
        names = (self.organization.working_holiday(day) for day in days)
        return calendar.working_holiday(next(filter(None, names), None))

    def forgive_unfinished(self) -> None:
        """Drop the errors about what has only not been filled in yet: for checks while people choose."""
        missing = (
            ("when", Code.NO_MOMENT),
            ("date", "required"),
            ("time", "required"),
            ("typed", "not_shown"),
        )
        for name, code in missing:
            if self.has_error(name, code):
                del self.errors[name]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        choice = cleaned.get("when")
        if choice != CUSTOM:
            # What stands in the custom fields doesn't matter while they are not chosen.
            for name in ("typed", "date", "time"):
                self.errors.pop(name, None)
        if choice == CUSTOM and (cleaned.get("typed") or "typed" in self.errors):
            self._read_typed(cleaned)
        elif choice == CUSTOM:
            self._read_custom(cleaned)
        elif choice == KEEP:
            cleaned["scheduled_for"] = self.kept
        else:
            for option in [*self.options, *(self.presets if self.choice == CUSTOM else ())]:
                if option.key == choice:
                    self._read_quick(option, cleaned)
        self.show(self._problems(cleaned))
        if self.is_understood:
            self._fill_in(cleaned)
        return cleaned

    def show(self, problems: Iterable[Problem]) -> None:
        """Show each problem beside its field, and those of the whole above the fields."""
        for problem in problems:
            self._show(problem)

    def _problems(self, cleaned: dict[str, Any]) -> Iterable[Problem]:
        at = cleaned.get("scheduled_for")
        return problems_with_moment(self.choice, at, self.organization, now=self.now, kept=self.kept)

    def _show(self, problem: Problem) -> None:
        """Show a problem beside its field, unless the field could not be read and says so already."""
        custom_is_chosen = self.cleaned_data.get("when") == CUSTOM
        name: str | None = problem.field
        about: Collection[str] = {problem.field}
        match problem.field:
            case Field.CONTACT:
                name, about = None, set()
            case Field.MOMENT:
                said = "typed" if self.cleaned_data.get("typed") else "date"
                name, about = (said if custom_is_chosen else "when"), MOMENT_FIELDS
        if not self.errors.keys() & about:
            error = forms.ValidationError(words(problem, self.organization), code=problem.code)
            self.add_error(name, error)

    def _read_quick(self, option: QuickOption, cleaned: dict[str, Any]) -> None:
        if self.data.get(f"shown_{option.key}") == option.at.isoformat():
            cleaned["scheduled_for"] = option.at
            return
        self.moved = True
        self._show(Problem(Field.MOMENT, Code.OPTION_MOVED, {"option": option.label, "at": option.at}))

    def _read_custom(self, cleaned: dict[str, Any]) -> None:
        wanted = {"date": _("Choose a date."), "time": _("Choose a time.")}
        for name, message in wanted.items():
            if cleaned.get(name) is None and name not in self.errors:
                self.add_error(name, forms.ValidationError(message, code="required"))
        if self.errors.keys() & wanted.keys():
            return
        try:
            cleaned["scheduled_for"] = custom(cleaned["date"], cleaned["time"], self.organization.zone)
        except SchedulingError as error:
            self.add_error("time", str(error))

    def _read_typed(self, cleaned: dict[str, Any]) -> None:
        for name in ("date", "time"):
            self.errors.pop(name, None)
        if "typed" in self.errors:
            return
        try:
            at = understand(cleaned["typed"], now=self.now, zone=self.organization.zone)
        except SchedulingError as error:
            self.add_error("typed", str(error))
            return
        if at is None:
            self.add_error("typed", _("I can’t read that as a date. Try fri 10am or 4 dec 14:00."))
            return
        cleaned["scheduled_for"] = at
        self.is_understood = True

    def _fill_in(self, cleaned: dict[str, Any]) -> None:
        """Fill in date and time with what was typed, and ask whether it is meant if they were others."""
        local = cleaned["scheduled_for"].astimezone(self.organization.zone)
        shown = (cleaned.get("date"), cleaned.get("time"))
        data: Any = copy(self.data)
        data["date"], data["time"], data["typed"] = f"{local:{DATE}}", f"{local:%H:%M}", ""
        self.data = data
        if shown != (local.date(), local.time()) and not self.errors.keys() & MOMENT_FIELDS:
            meaning = _("“%(typed)s” means %(when)s. Check it, then press the button again.") % {
                "typed": cleaned["typed"],
                "when": formatting.long_day_time(local, self.now),
            }
            self.add_error("typed", forms.ValidationError(meaning, code="not_shown"))


class ShownForm(forms.Form):
    """Which version of a follow-up was shown; without one nothing was, which is told like a change."""

    version = forms.IntegerField(required=False, max_value=MOST_VERSIONS)


class MoveForm(WhenForm, ShownForm):
    """Another moment for a follow-up; for one in quiet hours the next that is good where its contact is."""

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        follow_up: FollowUp,
        organization: Organization,
        now: dt.datetime,
        initial: dict[str, Any] | None = None,
    ) -> None:
        self.follow_up = follow_up
        contact = follow_up.conversation.contact
        super().__init__(data, organization=organization, contact=contact, now=now, initial=initial)

    def _offered_first(self) -> list[QuickOption]:
        due = self.follow_up.next_attempt_at
        contact = self.follow_up.conversation.contact
        option = way_out(due, contact, self.organization, self.now) if due else None
        return [option] if option else []


class FirstDateForm(RepeatFields, WhenForm):
    """When, and how it is repeated from then on: for checks while people choose."""

    def _problems(self, cleaned: dict[str, Any]) -> Iterable[Problem]:
        yield from super()._problems(cleaned)
        repeat, at = self.wanted_repeat, cleaned.get("scheduled_for")
        if repeat is not None and at is not None:
            yield from problems_with_rule(self.rule_by(repeat, at), at, self.organization)


class ScheduleForm(RepeatFields, TemplateForm, WhenForm):
    """The whole dialog: which template, when, and why."""

    draft = "follow-up"
    button = gettext_lazy("Schedule")
    note = NoteField()
    cancel_on_reply = forms.BooleanField(required=False)
    # How what is changed is repeated already.
    underway: Underway | None = None

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        conversation: Conversation,
        now: dt.datetime,
        **others: Any,
    ) -> None:
        super().__init__(
            data,
            conversation=conversation,
            organization=conversation.organization,
            contact=conversation.contact,
            now=now,
            **others,
        )

    def offers(self, template: Template) -> bool:
        return is_offered(template, self.conversation)

    @property
    def url(self) -> str:
        """Where it is sent to."""
        return reverse("followups:schedule", args=[self.conversation.pk])

    @property
    def note_length(self) -> int:
        return len(str(self["note"].value() or "").replace("\r\n", "\n"))

    @property
    def shown(self) -> list[str]:
        return [*super().shown, "when", "typed", "date", "time", "note", "repeat", *DETAILS]

    def attention(self, count: int) -> str:
        return ngettext(
            "%(n)s field needs your attention before this can be scheduled.",
            "%(n)s fields need your attention before this can be scheduled.",
            count,
        )

    @property
    def wanted(self) -> Wanted:
        """What the checked form asks for, as far as it could be read."""
        read = self.cleaned_data
        return Wanted(
            conversation=self.conversation,
            template=read.get("template"),
            parameters=self.values,
            choice=self.choice,
            scheduled_for=read.get("scheduled_for"),
            note=read.get("note", ""),
            cancel_on_reply=read["cancel_on_reply"],
            kept=self.kept,
            repeat=self.wanted_repeat,
            underway=self.underway,
        )

    def made(self, follow_up: FollowUp) -> bool:
        """Whether ``follow_up`` is what this form asks for, and not what the same form made before."""
        wanted = self.wanted
        names = ("template", "parameters", "scheduled_for", "note", "cancel_on_reply")
        same = all(getattr(follow_up, name) == getattr(wanted, name) for name in names)
        same = same and (follow_up.series_id is not None) == (wanted.repeat is not None)
        return same and follow_up.conversation_id == self.conversation.pk

    @property
    def used_up(self) -> str:
        return _("This form has already scheduled a follow-up. To schedule another, press Schedule again.")

    def _problems(self, cleaned: dict[str, Any]) -> Iterable[Problem]:
        # The fields for the values show what is wrong with those themselves.
        values = f"{Field.PARAMETERS}."
        problems = problems_with(self.wanted, now=self.now)
        return [problem for problem in problems if not problem.field.startswith(values)]


def as_it_is(follow_up: FollowUp, *, with_values: bool = True) -> dict[str, Any]:
    """Return what is decided about the follow-up as the fields of a form take it, all but when."""
    values = follow_up.parameters if with_values else {}
    return {
        "template": str(follow_up.template_id),
        **{field_name(key): value for key, value in values.items()},
        "note": follow_up.note,
        "cancel_on_reply": follow_up.cancel_on_reply,
    }


def _as_repeated(follow_up: FollowUp) -> dict[str, Any]:
    """Return how it is repeated as the fields of a form take it; nothing if it is not."""
    series = follow_up.series
    if series is None or not series.is_live:
        return {}
    repeat = {f"repeat_{name}": value for name, value in vars(series.repeat).items() if value is not None}
    return {"repeat": True, **repeat}


class DuplicateForm(ScheduleForm):
    """Another follow-up, begun with what was decided about ``follow_up``."""

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, follow_up: FollowUp, now: dt.datetime, **others: Any
    ) -> None:
        self.follow_up = follow_up
        self.draft = f"copy-{follow_up.pk}"
        super().__init__(data, conversation=follow_up.conversation, now=now, **others)

    @property
    def url(self) -> str:
        return reverse("followups:duplicate", args=[self.follow_up.pk])


class EditForm(ScheduleForm, ShownForm):
    """What is decided about a follow-up that waits, to be changed.

    Of one that is repeated ``following`` says whether all that come after it change too, and only then how it
    is repeated matters.
    """

    button = gettext_lazy("Save changes")
    following = forms.BooleanField(required=False)
    series_version = forms.IntegerField(required=False, max_value=MOST_VERSIONS)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        follow_up: FollowUp,
        now: dt.datetime,
        initial: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        self.follow_up = follow_up
        self.underway = follow_up.underway
        self.draft = f"edit-{follow_up.pk}"
        conversation, kept = follow_up.conversation, follow_up.scheduled_for
        local = kept.astimezone(conversation.organization.zone)
        begun = {
            "when": KEEP,
            "date": local.date(),
            "time": local.time(),
            "version": follow_up.version,
            "series_version": follow_up.series and follow_up.series.version,
            **({} if "version" in (initial or {}) else _as_repeated(follow_up)),
            **(initial or {}),
        }
        if data is not None and self.underway is None and data.get("following") == "":
            # Its series has ended meanwhile. It was not asked for another one.
            data = {name: value for name, value in data.items() if name != "repeat"}
        super().__init__(data, conversation=conversation, now=now, initial=begun, kept=kept, **others)
        if self.underway:
            self.fields["repeat_count"] = count_field(most_times(self.underway.number))

    @property
    def url(self) -> str:
        return reverse("followups:edit", args=[self.follow_up.pk])

    @property
    def is_of_all(self) -> bool:
        """Whether how it is repeated is to be as the checked form says, and what comes after it."""
        if "following" in self.data:  # it was shown as one that is repeated
            return bool(self.cleaned_data.get("following"))
        return bool(self.cleaned_data.get("repeat"))

    @property
    def is_repeated(self) -> bool:
        return self.is_of_all and super().is_repeated

    def rule_by(self, repeat: Repeat, at: dt.datetime) -> Rule:
        if self.underway is None:
            return super().rule_by(repeat, at)
        to = None if at == self.kept else at
        return repeat.rule_after(self.underway, self.organization.zone, to=to)

    @property
    def repeats_from(self) -> dt.date | None:
        if self.underway is not None and self.scheduled_for == self.kept:
            return self.underway.day
        return super().repeats_from

    def kinds_from(self, first_on: dt.date) -> list[RepeatKind]:
        """Return those that fit, and the one by which it is repeated."""
        fitting = set(super().kinds_from(first_on))
        if self.underway is not None:
            fitting.add(fitting_kind(self.underway.rule.kind, first_on))
        return [kind for kind in RepeatKind if kind in fitting]

    @property
    def shown_kind(self) -> str:
        kind, at = super().shown_kind, self.scheduled_for
        if self.underway is None or at is None or kind not in RepeatKind:
            return kind
        return self.rule_by(Repeat(RepeatKind(kind)), at).kind

    @property
    def rule(self) -> Rule | None:
        if self.underway is not None and not (self.is_bound and self.is_of_all):
            return self.underway.rule
        return super().rule

    @property
    def next_dates(self) -> list[dt.datetime]:
        """The one that waits, and the first of those that have not been made."""
        at, series = self.scheduled_for, self.follow_up.series
        if self.underway is None or series is None or at is None or self.rule is None:
            return super().next_dates
        after, zone = series.next_number - 1, self.organization.zone
        coming = self.rule.coming(zone, after=after, now=max(at, self.now), most=SHOWN_DATES - 1)
        return [at, *(each.at for each in coming)]

    def attention(self, count: int) -> str:
        return ngettext(
            "%(n)s field needs your attention before this can be saved.",
            "%(n)s fields need your attention before this can be saved.",
            count,
        )

    @property
    def changes(self) -> list[Line]:
        """What would be changed, in words; of a form that has not been checked nothing."""
        if not hasattr(self, "cleaned_data"):
            return []
        follow_up = self.follow_up
        before = contents_of(follow_up) | {"repeat": repeat_of(follow_up)}
        templates = {each.pk: each for each in (follow_up.template, self.chosen) if each}
        found = difference(before, before | self._decided)
        return lines(found, templates, own=follow_up.template_id, now=self.now)

    @property
    def _decided(self) -> dict[str, Any]:
        """What the checked form asks for, as far as it could be read."""
        wanted, found = self.wanted, {}
        if self.parameters and self.chosen:
            found = {"template_id": self.chosen.pk, "parameters": self.parameters.values}
        if wanted.scheduled_for:
            found["scheduled_for"] = wanted.scheduled_for
            if self.is_of_all and not self.repeat_errors:
                found["repeat"] = as_kept(wanted.repeat, wanted.rule)
        return {**found, "note": wanted.note, "cancel_on_reply": wanted.cancel_on_reply}
