"""What a bulk change is asked for: which follow-ups, and what the action needs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlsplit

from django import forms
from django.db.models import Max
from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from followups.bulk.actions import missing_keys
from followups.bulk.selection import Selection
from followups.models import AttentionCause, BulkAction, FollowUp
from followups.pages.attention_groups import GroupKey
from followups.pages.fields import DayField, window_of_days
from followups.pages.hand_over_views import HandOverForm
from followups.pages.listing import FilterForm, choices_for
from followups.pages.page import MOST_SEEN
from followups.wording.bulk import MoveHow
from templates_app.forms import SharedValuesForm
from templates_app.models import Template
from templates_app.templatetags.languages import language_name
from trochai.paging import LAST_ID
from trochai.ui.addresses import local_path

if TYPE_CHECKING:
    from trochai.accounts.models import Membership, Organization

# Templates in the list to choose from.
MOST_TEMPLATES = 500


class SelectionForm(forms.Form):
    """What was ticked in the list at the address ``next``: rows, or ``all`` of it.

    Or one group of what needs ``attention``, which ``GroupKey`` names.

    From the preview on it carries ``at`` and ``newest``: when it was made, and the newest row there was then.
    """

    pick = forms.TypedMultipleChoiceField(required=False, coerce=int)
    all = forms.BooleanField(required=False)
    attention = forms.CharField(max_length=100, required=False)
    next = forms.CharField(max_length=2000)
    at = forms.CharField(max_length=40, required=False)
    newest = forms.IntegerField(required=False, min_value=0, max_value=LAST_ID)
    submission = forms.UUIDField(required=False)

    def __init__(self, data: QueryDict, *, by: Membership, now: dt.datetime) -> None:
        super().__init__(data)
        self.by, self.now = by, now
        given = [
            each for each in data.getlist("pick") if each.isascii() and each.isdigit() and len(each) <= 18
        ]
        # Whatever ids they are: another organization's are left out by the selection.
        picks = cast("forms.ChoiceField", self.fields["pick"])
        picks.choices = [(each, each) for each in given[:MOST_SEEN]]

    def clean_at(self) -> dt.datetime:
        try:
            at = dt.datetime.fromisoformat(self.cleaned_data["at"])
        except ValueError:
            return self.now
        return min(at, self.now) if at.tzinfo else self.now

    @property
    def selection(self) -> Selection | None:
        """Which rows are meant; None where nothing is, or a list that cannot be told any more."""
        if not self.is_valid():
            return None
        given = self.cleaned_data
        if given["attention"]:
            group = GroupKey.parse(given["attention"])
            return Selection(given["at"], group=group, newest=self._newest) if group else None
        if not given["all"]:
            return Selection(given["at"], ids=tuple(sorted(set(given["pick"])))) if given["pick"] else None
        address = urlsplit(local_path(given["next"]) or "")
        list_form = FilterForm(QueryDict(address.query), choices=choices_for(self.by))
        # A filter that makes no sense any more must not turn into none.
        if address.path != reverse("followups:index") or not list_form.is_valid():
            return None
        filters = replace(list_form.filters(), after=None, before=None)
        return Selection(given["at"], filters=filters, newest=self._newest)

    @property
    def _newest(self) -> int:
        return self.cleaned_data["newest"] or FollowUp.objects.aggregate(newest=Max("pk"))["newest"] or 0


class ActionForm(forms.Form):
    """What an action needs; as it stands for one that needs nothing more."""

    @property
    def change_values(self) -> dict[str, Any]:
        """What ``BulkChange`` keeps of the checked form."""
        return {}

    @property
    def given(self) -> Iterator[tuple[str, str]]:
        """Yield the fields' names and what stands in them, for the preview to carry on."""
        return ((name, self.data[name]) for name in self.fields if name in self.data)


class Way(NamedTuple):
    """What else can be chosen in place of days and a date, and what that means."""

    how: MoveHow
    label: Promise
    hint: Promise


OUT_OF_QUIET = Way(
    MoveHow.GOOD,
    gettext_lazy("To the next good moment"),
    gettext_lazy("Each when it is neither night nor a day off where its contact is"),
)
WAYS: Mapping[str, Way] = {
    AttentionCause.QUIET: OUT_OF_QUIET,
    AttentionCause.HOLIDAY: OUT_OF_QUIET,
    AttentionCause.LIMIT: Way(
        MoveHow.SPREAD,
        gettext_lazy("To the next days that have room"),
        gettext_lazy("As many a day as WhatsApp lets through, each at its hour"),
    ),
}


class MoveManyForm(ActionForm):
    """By days or to a date, or the ``way`` that repairs what needs attention."""

    how = forms.ChoiceField(choices=[("by", "by"), ("to", "to")], initial="by")
    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=365,
        initial=3,
        widget=forms.NumberInput(
            attrs={
                "class": "input",
                "aria-label": gettext_lazy("Days"),
                "aria-describedby": "bulk-days-error",
            }
        ),
    )
    direction = forms.ChoiceField(
        required=False,
        choices=[("later", gettext_lazy("days later")), ("earlier", gettext_lazy("days earlier"))],
        widget=forms.Select(attrs={"class": "input select", "aria-label": gettext_lazy("Direction")}),
    )
    date = DayField(**{"aria-label": gettext_lazy("Date"), "aria-describedby": "bulk-date-error"})

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        *,
        organization: Organization,
        now: dt.datetime,
        way: Way | None = None,
    ) -> None:
        super().__init__(data)
        self.way = way
        if way is not None:
            how: Any = self.fields["how"]
            how.choices, how.initial = [*how.choices, (way.how, way.how)], way.how
        self.fields["date"].widget.attrs |= window_of_days(now, organization)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        wanted = {"to": "date", "by": "days"}.get(cleaned.get("how", "by"), "")
        # What stands in the field of another choice doesn't matter.
        for name in {"date", "days"} - {wanted}:
            self.errors.pop(name, None)
        if wanted and cleaned.get(wanted) is None and wanted not in self.errors:
            words = (
                gettext_lazy("Choose a date.") if wanted == "date" else gettext_lazy("Enter how many days.")
            )
            self.add_error(wanted, words)
        return cleaned

    @property
    def change_values(self) -> dict[str, Any]:
        given = self.cleaned_data
        if self.way and given["how"] == self.way.how:
            return {"how": self.way.how}
        if given["how"] == "to":
            return {"date": given["date"].isoformat()}
        return {"days": -given["days"] if given["direction"] == "earlier" else given["days"]}


class HandOverManyForm(HandOverForm, ActionForm):
    @property
    def change_values(self) -> dict[str, Any]:
        to = self.cleaned_data["to"]
        return {"to": to.pk, "name": str(to)}


class TemplateField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Template) -> str:
        return f"{obj.name} · {language_name(obj.language)}"


class TemplateManyForm(ActionForm):
    """Another template, and once for all the values that some of the follow-ups have not."""

    template = TemplateField(
        queryset=Template.objects.none(),
        empty_label=gettext_lazy("Choose a template…"),
        error_messages={
            "required": gettext_lazy("Choose a template."),
            "invalid_choice": gettext_lazy("This template can’t be sent from here. Choose another one."),
        },
        widget=forms.Select(attrs={"class": "input select", "aria-describedby": "bulk-template-error"}),
    )

    def __init__(
        self, data: Mapping[str, Any] | None, *, organization: Organization, rows: Collection[FollowUp]
    ) -> None:
        super().__init__(data)
        channels = {row.channel_id for row in rows}
        theirs = Template.objects.for_organization(organization).approved().filter(channel__in=channels)
        offered = [each for each in theirs.order_by("name", "pk")[:MOST_TEMPLATES] if not each.is_for_now]
        field = cast("forms.ModelChoiceField", self.fields["template"])
        field.queryset = theirs.filter(pk__in=[each.pk for each in offered if each.is_sendable])
        self.values_form: SharedValuesForm | None = None
        if self.is_bound and super().is_valid():
            template = self.cleaned_data["template"]
            # A form that has only just been asked which template has no values to complain about yet.
            values = data if data and "asked" in data else None
            keys = missing_keys(rows, template)
            self.values_form = SharedValuesForm(template, values, keys=keys) if keys else None

    def is_valid(self) -> bool:
        return super().is_valid() and (self.values_form is None or self.values_form.is_valid())

    @property
    def change_values(self) -> dict[str, Any]:
        template = self.cleaned_data["template"]
        values = self.values_form.given_values if self.values_form else {}
        return {"template": template.pk, "name": template.name, "values": values}

    @property
    def given(self) -> Iterator[tuple[str, str]]:
        yield "template", str(self.cleaned_data["template"].pk)
        yield "asked", "1"
        if self.values_form:
            for name in self.values_form.fields:
                yield name, self.values_form.data.get(name, "")


def form_for(
    action: BulkAction,
    data: Mapping[str, Any] | None,
    *,
    organization: Organization,
    selection: Selection,
    rows: Collection[FollowUp],
    now: dt.datetime,
) -> ActionForm:
    """Return the form of an action; ``rows`` are those of the selection that the preview looks at."""
    match action:
        case BulkAction.MOVE:
            way = WAYS.get(selection.group.cause) if selection.group else None
            return MoveManyForm(data, organization=organization, now=now, way=way)
        case BulkAction.HAND_OVER:
            return HandOverManyForm(data, organization=organization)
        case BulkAction.TEMPLATE:
            return TemplateManyForm(data, organization=organization, rows=rows)
    return ActionForm(data or {})
