"""The forms of an import: the file, and what its columns become."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from django import forms
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.imports import columns, moments, reading
from followups.imports.columns import VALUE, Role
from followups.imports.models import Import
from followups.imports.rows import offered
from templates_app.forms import key_of_name
from templates_app.models import Template
from templates_app.parameters import Parameter
from templates_app.templatetags.languages import language_name
from trochai.ui.formatting import plain
from trochai.whatsapp.models import Channel

LABELS: Mapping[str, Any] = {
    Role.NONE: gettext_lazy("Leave out"),
    Role.PHONE: gettext_lazy("Phone"),
    Role.DATE: gettext_lazy("Date"),
    Role.TIME: gettext_lazy("Time"),
    Role.TEMPLATE: gettext_lazy("Template"),
    Role.LANGUAGE: gettext_lazy("Language of the template"),
    Role.NAME: gettext_lazy("Contact’s name"),
    Role.NOTE: gettext_lazy("Note"),
}
# What stays when another template is chosen.
KEPT = frozenset(LABELS) - {Role.NONE, Role.NAME}
DELIMITERS: Mapping[str, Any] = {
    ",": gettext_lazy("commas"),
    ";": gettext_lazy("semicolons"),
    "\t": gettext_lazy("tabs"),
    "|": gettext_lazy("bars"),
}
# How many of a column's cells are shown.
SHOWN = 3
# In characters, as in Import.file_name.
NAME_LENGTH = 100


class UploadForm(forms.Form):
    """A CSV file; after ``is_valid()``, ``sheet`` is what stands in it."""

    file = forms.FileField(
        error_messages={
            "required": gettext_lazy("Choose a file."),
            "empty": gettext_lazy("The file is empty."),
        },
        widget=forms.FileInput(
            attrs={"class": "input", "accept": ".csv,.txt,text/csv", "aria-describedby": "file-error"}
        ),
    )

    def clean_file(self) -> reading.Sheet:
        file = self.cleaned_data["file"]
        self.cleaned_data["name"] = plain(file.name)[:NAME_LENGTH]
        try:
            return reading.read(file.read(reading.MAX_BYTES + 1))
        except reading.Unreadable as error:
            raise forms.ValidationError(str(error)) from error

    @property
    def sheet(self) -> reading.Sheet:
        sheet: reading.Sheet = self.cleaned_data["file"]
        return sheet


def parameters_of(templates: Iterable[Template]) -> list[Parameter]:
    """Return what these templates need, each key once."""
    found: dict[str, Parameter] = {}
    for template in templates:
        for parameter in template.parameters:
            found.setdefault(parameter.key, parameter)
    return list(found.values())


class ColumnsForm(forms.Form):
    """What each column becomes. Until it is sent: what was chosen before, or else a guess."""

    channel = forms.ModelChoiceField(
        Channel.objects.none(), empty_label=None, widget=forms.Select(attrs={"class": "input select"})
    )
    template = forms.ModelChoiceField(
        Template.objects.none(),
        required=False,
        widget=forms.Select(attrs={"class": "input select"}),
    )
    time = forms.TimeField(
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(attrs={"class": "input", "type": "time"}, format="%H:%M"),
        error_messages={"required": gettext_lazy("Choose a time.")},
    )
    date_order = forms.ChoiceField(
        choices=[
            (moments.DAY_FIRST, gettext_lazy("Day first: 1/12 is 1 December")),
            (moments.MONTH_FIRST, gettext_lazy("Month first: 1/12 is 12 January")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose how the dates are meant.")},
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        batch: Import,
        rows: Sequence[Sequence[str]],
        begun: Mapping[str, Any] | None = None,
    ) -> None:
        """``rows``: the first of the file; ``begun``: what is chosen so far, while the template changes."""
        super().__init__(data, initial={"time": batch.time})
        if batch.columns:
            self.initial["date_order"] = batch.date_order
        self.batch, self.rows, self._typed = batch, rows, data or begun or {}
        channels = Channel.objects.for_organization(batch.organization).order_by("name", "pk")
        self.channels = list(channels)
        field = cast("forms.ModelChoiceField", self.fields["channel"])
        field.queryset = channels
        field.required = len(self.channels) > 1
        self.initial["channel"] = self._channel
        self._offer_templates()
        roles: list[tuple[str, Any]] = [(str(role), label) for role, label in LABELS.items()]
        roles += [(VALUE + each.key, each.label) for each in self.parameters]
        for number, role in enumerate(self._roles({value for value, _label in roles})):
            self.fields[f"column-{number}"] = forms.ChoiceField(
                choices=roles,
                required=False,
                initial=role,
                widget=forms.Select(attrs={"class": "input select"}),
            )

    @property
    def columns(self) -> list[tuple[str, str, forms.BoundField]]:
        """Each column's heading, some of its cells, and its select."""
        return [
            (heading, ", ".join(list(dict.fromkeys(self._cells(number)))[:SHOWN]), self[f"column-{number}"])
            for number, heading in enumerate(self.batch.headings)
        ]

    @property
    def delimiter(self) -> str:
        return str(DELIMITERS[self.batch.delimiter])

    @property
    def asks_for_order(self) -> bool:
        """Whether the dates could be meant in either order."""
        return len(self._orders) != 1 and any(map(moments.has_order, self._dates))

    @property
    def chosen(self) -> dict[str, Any]:
        """What a checked form says, as the columns of ``Import``."""
        return {
            "channel": self._channel,
            "template": self.cleaned_data["template"],
            "time": self.cleaned_data["time"],
            "date_order": self.cleaned_data.get("date_order") or self._order,
            "columns": [self.cleaned_data[f"column-{n}"] for n in range(len(self.batch.headings))],
        }

    @cached_property
    def parameters(self) -> list[Parameter]:
        template = self._template
        return parameters_of([template] if template else self._templates)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        taken = [cleaned.get(f"column-{n}", "") for n in range(len(self.batch.headings))]
        labels: dict[str, Any] = {**LABELS, **{VALUE + each.key: each.label for each in self.parameters}}
        for role in {role for role in taken if role and taken.count(role) > 1}:
            self.add_error(
                None, _("Two columns become “%(what)s”. Leave one of them out.") % {"what": labels[role]}
            )
        needed: list[str] = [Role.PHONE, Role.DATE]
        if cleaned.get("template"):
            needed += [VALUE + each.key for each in self.parameters]
        elif self._templates:
            if Role.TEMPLATE not in taken:
                self.add_error("template", _("Choose a template, or the column that names each row’s."))
        else:
            self.add_error(
                "template", _("No approved template can be scheduled yet. Sync the templates first.")
            )
        if missing := [str(labels[role]) for role in needed if role not in taken]:
            names = get_text_list(missing, _("and"))
            self.add_error(None, _("No column becomes %(what)s yet.") % {"what": names})
        return cleaned

    def _offer_templates(self) -> None:
        field = cast("forms.ModelChoiceField", self.fields["template"])
        field.queryset = offered(self._channel) if self._channel else Template.objects.none()
        self._templates = [template for template in field.queryset if template.is_sendable]
        field.choices = [
            ("", _("As a column says") if self._names_templates else _("Choose a template")),
            *((each.pk, _described(each)) for each in self._templates),
        ]
        self.initial["template"] = self._template
        if not self.asks_for_order:
            del self.fields["date_order"]

    def _roles(self, known: Collection[str]) -> list[str]:
        """Return what each column becomes: as chosen, and else as guessed, each once.

        Another template has other values, and may greet by name: what becomes of these is guessed anew.
        """
        wanted = self.parameters if self._template or self._names_templates else []
        greeted = key_of_name(self._template) if self._template else None
        guessed = columns.guess(self.batch.headings, self.rows, wanted, greeted_by=greeted)
        if not self._typed:
            return [role if role in known else Role.NONE for role in self.batch.columns or guessed]
        stays = known if self.is_bound else KEPT & set(known)
        kept = [role if role in stays else Role.NONE for role in self._typed_roles]
        both = zip(kept, guessed, strict=True)
        return [role or (guess if guess not in kept else Role.NONE) for role, guess in both]

    @property
    def _typed_roles(self) -> list[str]:
        return [self._typed.get(f"column-{number}", "") for number in range(len(self.batch.headings))]

    @cached_property
    def _names_templates(self) -> bool:
        """Whether a heading says that a column names each row's template."""
        return Role.TEMPLATE in columns.guess(self.batch.headings, self.rows, [])

    @cached_property
    def _channel(self) -> Channel | None:
        wanted = self._typed.get("channel") or str(self.batch.channel_id or "")
        mine = (channel for channel in self.channels if str(channel.pk) == wanted)
        return next(mine, self.channels[0] if self.channels else None)

    @cached_property
    def _template(self) -> Template | None:
        """The one that all rows get: as chosen, or else the only one, unless a column names them."""
        if self._typed or self.batch.columns:
            wanted = self._typed.get("template", "") if self._typed else str(self.batch.template_id or "")
            return next((each for each in self._templates if str(each.pk) == wanted), None)
        is_only = len(self._templates) == 1 and not self._names_templates
        return self._templates[0] if is_only else None

    @cached_property
    def _dates(self) -> list[str]:
        """What stands in the column of dates, as far as it is chosen or guessed."""
        roles = columns.guess(self.batch.headings, self.rows, [])
        if self.batch.columns:
            roles = self.batch.columns
        if self._typed:
            roles = self._typed_roles
        return self._cells(roles.index(Role.DATE)) if Role.DATE in roles else []

    @cached_property
    def _orders(self) -> set[str]:
        return moments.orders(self._dates)

    @property
    def _order(self) -> str:
        return next(iter(self._orders)) if len(self._orders) == 1 else moments.DAY_FIRST

    def _cells(self, number: int) -> list[str]:
        return [row[number] for row in self.rows if number < len(row) and row[number]]


def _described(template: Template) -> str:
    return f"{template.name} ({template.category_label}, {language_name(template.language)})"
