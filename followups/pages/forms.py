"""The schedule dialog's form: which template, with which values, when, and why."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.humanize.templatetags.humanize import apnumber
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from followups.pages.schedule_words import WORDS, words
from followups.scheduling import (
    QUICK_OPTIONS,
    QuickOption,
    SchedulingError,
    custom,
    earliest,
    latest,
    quick_options,
)
from followups.wanted import (
    CUSTOM,
    NOTE_LENGTH,
    Code,
    Field,
    Wanted,
    is_offered,
    problems_with,
    problems_with_moment,
)
from templates_app.forms import ParametersForm
from templates_app.models import Template, TemplateQuerySet
from templates_app.parameters import Problem

if TYPE_CHECKING:
    from conversations.models import Conversation
    from followups.models import FollowUp
    from trochai.accounts.models import Organization


# How many templates the dialog lists before somebody searches, and how many are read at a time.
MOST_OFFERED = 30
PIECE = 100


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

    For each quick option the form carries the moment that it showed, in ``shown_<key>``. After
    ``is_valid()``, ``scheduled_for`` is the moment; ``moved`` says that a quick option now means a
    different day from the one that was shown.
    """

    when = forms.ChoiceField(
        required=False,
        choices=[*((option.key, option.label) for option in QUICK_OPTIONS), (CUSTOM, CUSTOM)],
        error_messages={"invalid_choice": WORDS[Code.UNKNOWN_CHOICE]},
    )
    date = forms.DateField(
        required=False,
        input_formats=["%Y-%m-%d"],
        error_messages={"invalid": gettext_lazy("Enter the date as year-month-day, like 2026-12-04.")},
        widget=forms.DateInput(attrs={"class": "input", "type": "date"}, format="%Y-%m-%d"),
    )
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
    ) -> None:
        super().__init__(data, initial=initial)
        self.organization = organization
        self.now = now
        self.moved = False
        self.options: list[QuickOption] = quick_options(now, organization.zone)
        zone = organization.zone
        self.fields["date"].widget.attrs |= {
            "min": earliest(now, organization).astimezone(zone).date().isoformat(),
            "max": latest(now, organization).astimezone(zone).date().isoformat(),
            "aria-describedby": "schedule-date-error schedule-date-hint",
        }
        self.fields["time"].widget.attrs |= {"aria-describedby": "schedule-time-error schedule-date-hint"}

    @property
    def scheduled_for(self) -> dt.datetime | None:
        """The moment chosen, once the form has been checked and it may be that one."""
        if not hasattr(self, "cleaned_data") or self.errors.keys() & {"when", "date", "time"}:
            return None
        return self.cleaned_data.get("scheduled_for")

    def forgive_unfinished(self) -> None:
        """Drop the errors about what has only not been filled in yet: for checks while people choose."""
        for name, code in (("when", Code.NO_MOMENT), ("date", "required"), ("time", "required")):
            if self.has_error(name, code):
                del self.errors[name]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        choice = cleaned.get("when")
        if choice == CUSTOM:
            self._read_custom(cleaned)
        else:
            # What stands in the custom fields doesn't matter while they are not chosen.
            for name in ("date", "time"):
                self.errors.pop(name, None)
            for option in self.options:
                if option.key == choice:
                    self._read_quick(option, cleaned)
        self.show(self._problems(cleaned))
        return cleaned

    def show(self, problems: Iterable[Problem]) -> None:
        """Show each problem beside its field, and those of the whole above the fields."""
        for problem in problems:
            self._show(problem)

    def _problems(self, cleaned: dict[str, Any]) -> Iterable[Problem]:
        at = cleaned.get("scheduled_for")
        return problems_with_moment(cleaned.get("when", ""), at, self.organization, now=self.now)

    def _show(self, problem: Problem) -> None:
        """Show a problem beside its field, unless the field could not be read and says so already."""
        custom_is_chosen = self.cleaned_data.get("when") == CUSTOM
        name: str | None = problem.field
        about = [problem.field]
        match problem.field:
            case Field.CONTACT:
                name, about = None, []
            case Field.MOMENT:
                name, about = ("date" if custom_is_chosen else "when"), ["when", "date", "time"]
        if not self.errors.keys() & about:
            error = forms.ValidationError(words(problem, self.organization), code=problem.code)
            self.add_error(name, error)

    def _read_quick(self, option: QuickOption, cleaned: dict[str, Any]) -> None:
        if self.data.get(f"shown_{option.key}") == option.at.isoformat():
            cleaned["scheduled_for"] = option.at
            return
        self.moved = True
        self._show(Problem(Field.MOMENT, Code.OPTION_MOVED, {"option": option.key, "at": option.at}))

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


class ScheduleForm(WhenForm):
    """The whole dialog. The fields for the template's values are a form of their own, ``parameters``.

    ``parameters`` is None until a template is chosen that may be sent on the conversation's channel.
    Unbound, the form shows the template in ``initial["template"]``.
    """

    template = forms.CharField(required=False)
    note = NoteField()
    cancel_on_reply = forms.BooleanField(required=False)
    submission = forms.UUIDField(
        initial=uuid.uuid4,
        error_messages={
            "required": gettext_lazy("A part of the form was lost on the way. Schedule it again."),
            "invalid": gettext_lazy("A part of the form was damaged on the way. Schedule it again."),
        },
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        conversation: Conversation,
        now: dt.datetime,
        initial: dict[str, Any] | None = None,
        search: str = "",
        most: int | None = MOST_OFFERED,
    ) -> None:
        super().__init__(data, organization=conversation.organization, now=now, initial=initial)
        self.conversation = conversation
        self.search = search
        self._most = most
        self.is_used = False
        self.parameters = self._parameters_form(data)

    @cached_property
    def templates(self) -> list[Template]:
        """The first of what can be chosen and is found by the search."""
        return self._found[: self._most]

    @property
    def has_more(self) -> bool:
        """Whether there are templates that only the search finds."""
        return len(self._found) > len(self.templates)

    @cached_property
    def choices(self) -> list[tuple[Template, str]]:
        """The templates with their texts, the values still blank; what is chosen stands there in any case."""
        beyond = [self.chosen] if self.chosen and self.chosen not in self.templates else []
        return [(template, template.render({}).body) for template in (*beyond, *self.templates)]

    @cached_property
    def chosen(self) -> Template | None:
        """The template chosen so far; at first the only one, if there is no other."""
        wanted = str(self["template"].value() or "")
        if not wanted and not self.is_bound and not self.search and len(self.templates) == 1:
            return self.templates[0]
        listed = next((template for template in self.templates if str(template.pk) == wanted), None)
        if listed or not re.fullmatch(r"[0-9]{1,18}", wanted):
            return listed
        found = self._approved.filter(pk=wanted).first()
        return found if found and is_offered(found, self.conversation) else None

    @property
    def _approved(self) -> TemplateQuerySet:
        return Template.objects.for_channel(self.conversation.channel).approved()

    @cached_property
    def _found(self) -> list[Template]:
        """What can be chosen and is found; of what is listed up to ``most``, one more."""
        return list(islice(self._offered(), None if self._most is None else self._most + 1))

    def _offered(self) -> Iterator[Template]:
        """Read in pieces: a business may have thousands of templates."""
        rows = self._approved.search(self.search)
        for at in itertools.count(0, PIECE):
            piece = rows[at : at + PIECE]
            yield from (template for template in piece if is_offered(template, self.conversation))
            if len(piece) < PIECE:
                return

    @property
    def note_length(self) -> int:
        return len(str(self["note"].value() or "").replace("\r\n", "\n"))

    @property
    def problem_count(self) -> int:
        return len(self.errors) + (len(self.parameters.errors) if self.parameters else 0)

    @property
    def first_wrong(self) -> str:
        """Name of the first wrong field, top to bottom as the dialog shows them; empty if there is none."""
        parameters = self.parameters
        wrong = self.errors.keys() | (parameters.errors.keys() if parameters else set())
        shown = ["template", *(parameters.fields if parameters else ()), "when", "date", "time", "note"]
        return next((name for name in shown if name in wrong), "")

    @property
    def opens_at_picker(self) -> bool:
        """Whether choosing a template is the first thing to do."""
        return self.chosen is None and (self.first_wrong == "template" or not self.is_bound)

    @property
    def summary(self) -> str:
        """How many fields are wrong, in words, or what is wrong with all of it."""
        general = [*self.non_field_errors(), *self.errors.get("submission", [])]
        if general:
            return " ".join(str(error) for error in general)
        count = self.problem_count
        return ngettext(
            "%(n)s field needs your attention before this can be scheduled.",
            "%(n)s fields need your attention before this can be scheduled.",
            count,
        ) % {"n": capfirst(str(apnumber(count)))}

    @property
    def submission_value(self) -> str:
        """The submission to continue with: the one that came in, unless it is damaged or used up."""
        if self.is_used or "submission" in self.errors:
            return str(uuid.uuid4())
        return str(self["submission"].value())

    @property
    def wanted(self) -> Wanted:
        """What the checked form asks for, as far as it could be read."""
        read = self.cleaned_data
        return Wanted(
            conversation=self.conversation,
            template=read.get("template"),
            parameters=self.parameters.values if self.parameters and self.parameters.is_valid() else {},
            choice=read.get("when", ""),
            scheduled_for=read.get("scheduled_for"),
            note=read.get("note", ""),
            cancel_on_reply=read["cancel_on_reply"],
        )

    def made(self, follow_up: FollowUp) -> bool:
        """Whether ``follow_up`` is what this form asks for, and not what the same form made before."""
        wanted = self.wanted
        names = ("template", "parameters", "scheduled_for", "note", "cancel_on_reply")
        same = all(getattr(follow_up, name) == getattr(wanted, name) for name in names)
        return same and follow_up.conversation_id == self.conversation.pk

    def refuse_reuse(self) -> None:
        """Ask whether a second follow-up is meant: somebody went back and changed a form already sent."""
        self.is_used = True
        words = _("This form has already scheduled a follow-up. To schedule another, press Schedule again.")
        self.add_error(None, words)

    def is_valid(self) -> bool:
        valid = super().is_valid() and (self.parameters is None or self.parameters.is_valid())
        if not valid:
            self._focus_first_wrong_field()
        return valid

    def clean_template(self) -> Template | None:
        if self.cleaned_data["template"] and self.chosen is None:
            raise forms.ValidationError(WORDS[Code.NOT_SENDABLE], code=Code.NOT_SENDABLE)
        return self.chosen

    def _problems(self, cleaned: dict[str, Any]) -> Iterable[Problem]:
        # The fields for the values show what is wrong with those themselves.
        values = f"{Field.PARAMETERS}."
        problems = problems_with(self.wanted, now=self.now)
        return [problem for problem in problems if not problem.field.startswith(values)]

    def _parameters_form(self, data: Mapping[str, Any] | None) -> ParametersForm | None:
        if self.chosen is None:
            return None
        return ParametersForm(self.chosen, data, first_name=self.conversation.contact.first_name)

    def _focus_first_wrong_field(self) -> None:
        name = self.first_wrong
        for form in (self, self.parameters):
            if form is not None and name in form.fields:
                form.fields[name].widget.attrs["autofocus"] = True
