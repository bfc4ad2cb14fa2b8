"""The fields for a template's values. Scheduling and sending put them into their own forms."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from templates_app import components as parts
from templates_app.parameters import Parameter, ParameterKind, Problem, Refusal, problem_with

if TYPE_CHECKING:
    from templates_app.models import Template
    from templates_app.rendering import RenderedTemplate

# Variable names, and words before the first variable, that ask for the contact's first name.
_NAME_VARIABLES = frozenset({"name", "first_name", "nombre", "customer_name"})
_GREETING = re.compile(
    r"(?:^|[\s¡!.,])(?:hola|hi|hello|hey|dear|good (?:morning|afternoon|evening)|estimad[oa](?:\(a\))?"
    r"|querid[oa]|saludos|buen(?:os|as|) (?:d[ií]as?|tardes|noches))[\s,¡!*_]*$",
    re.IGNORECASE,
)

# What the HTML names of the fields begin with.
_PREFIX = "p-"

WORDS = {
    Refusal.BLANK: gettext_lazy("Fill this in."),
    Refusal.UNKNOWN: gettext_lazy("The template has no place for this value."),
    Refusal.LINE_BREAK_OR_TAB: gettext_lazy(
        "Write it on one line: WhatsApp takes no line breaks or tabs here."
    ),
    Refusal.CONTROL_CHARACTER: gettext_lazy("It contains a character that can’t be sent. Type it again."),
    Refusal.TOO_MANY_SPACES: gettext_lazy("Use at most four spaces in a row."),
    Refusal.TOO_LONG: gettext_lazy("That’s %(length)d characters; WhatsApp takes %(limit)d at most."),
    Refusal.NO_LINK: gettext_lazy("Enter a link that begins with https:// and that anybody can open."),
    Refusal.SPACE_IN_LINK: gettext_lazy("A link can’t contain spaces."),
    Refusal.WHOLE_LINK: gettext_lazy("Enter only the ending: the link already begins with %(prefix)s"),
    Refusal.SAMPLE_LINK: gettext_lazy(
        "This is the address of Meta’s own sample, which can’t be sent. Enter one of your own file."
    ),
    Refusal.EXPIRES: gettext_lazy("This link stops working on %(at)s, before the message is sent."),
    Refusal.SPACE_IN_CODE: gettext_lazy("A coupon code can’t contain spaces."),
    Refusal.HEADER_TOO_LONG: gettext_lazy(
        "With this the header has %(length)d characters and WhatsApp takes %(limit)d. Shorten it."
    ),
    Refusal.TEXT_TOO_LONG: gettext_lazy(
        "With this the text has %(length)d characters and WhatsApp takes %(limit)d. Shorten it."
    ),
    Refusal.LINK_TOO_LONG: gettext_lazy(
        "With this the link has %(length)d characters and WhatsApp takes %(limit)d. Shorten it."
    ),
}


def words(problem: Problem) -> str:
    """Return what is wrong with a value as a sentence for people."""
    values = {name: _in_words(value) for name, value in problem.values.items()}
    return str(WORDS[Refusal(problem.code)]) % values


def _in_words(value: Any) -> Any:
    return date_format(timezone.localtime(value), "j M Y") if isinstance(value, dt.datetime) else value


def field_name(key: str) -> str:
    """Return the HTML name of a parameter's field: ``body.1`` → ``p-body-1``."""
    return f"{_PREFIX}{key.replace('.', '-')}"


def is_field_name(name: str) -> bool:
    return name.startswith(_PREFIX)


class ParametersForm(forms.Form):
    """One text field for each parameter of ``template``, all required.

    ``initial`` holds values by parameter key. A variable that plainly asks for the contact's name starts
    with ``first_name`` unless ``initial`` has a value for it. After ``is_valid()``, ``values`` is by key too.
    """

    def __init__(
        self,
        template: Template,
        data: Mapping[str, Any] | None = None,
        *,
        initial: Mapping[str, str] | None = None,
        first_name: str = "",
    ) -> None:
        self.template = template
        self.parameters = template.parameters
        asks_for_name = key_of_name(template) if first_name else None
        values = {asks_for_name: first_name} if asks_for_name else {}
        values.update(initial or {})
        super().__init__(data, initial={field_name(key): value for key, value in values.items()})
        for parameter in self.parameters:
            hint = _("From the contact") if parameter.key == asks_for_name else ""
            self.fields[field_name(parameter.key)] = _field(parameter, hint)

    @property
    def values(self) -> dict[str, str]:
        """The cleaned values, by parameter key; empty where one could not be read."""
        return {each.key: self.cleaned_data.get(field_name(each.key), "") for each in self.parameters}

    @property
    def preview(self) -> RenderedTemplate:
        """The message with what the fields hold now, finished or not."""
        return self.template.render(
            {each.key: self[field_name(each.key)].value() or "" for each in self.parameters}
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        titles = {each.key: each.title or each.label for each in self.parameters}
        for problem in self.template.problems_with(self.values):
            name = field_name(problem.field)
            if name not in self.errors:
                said = {"field": titles[problem.field], "problem": words(problem)}
                self.add_error(name, _("%(field)s: %(problem)s") % said)
        return cleaned


class SharedValuesForm(ParametersForm):
    """Fields for the values with these ``keys``, which go into several messages beside values of their own.

    Each is checked by itself; whether a message is too long with it is known only of the message. The
    contact's name may be left empty: each message then has its own contact's.
    """

    def __init__(self, template: Template, data: Mapping[str, Any] | None, *, keys: Collection[str]) -> None:
        super().__init__(template, data)
        self._name_key = key_of_name(template)
        self.parameters = tuple(each for each in template.parameters if each.key in keys)
        asked = {field_name(each.key) for each in self.parameters}
        for name in self.fields.keys() - asked:
            del self.fields[name]
        if self._name_key is not None and self._name_key in keys:
            field = self.fields[field_name(self._name_key)]
            field.help_text = _("Left empty, it is each contact’s own name")
            field.widget.attrs["required"] = False

    @property
    def given_values(self) -> dict[str, str]:
        return {key: value for key, value in self.values.items() if value}

    def clean(self) -> dict[str, Any]:
        for parameter in self.parameters:
            value = self.values[parameter.key]
            problem = problem_with(parameter, value)
            if problem and (value or parameter.key != self._name_key):
                self.add_error(field_name(parameter.key), words(problem))
        return self.cleaned_data


def _field(parameter: Parameter, hint: str) -> forms.CharField:
    link = parameter.kind == ParameterKind.HEADER_MEDIA
    example = _("e.g. %(example)s") % {"example": parameter.example} if parameter.example else ""
    attributes = {
        "class": "input",
        "placeholder": "https://" if link else example,
        "autocomplete": "off",
        "dir": "auto",
        # Only for the browser: ``clean`` reports a missing value together with the other problems.
        "required": True,
        # The live preview copies what is typed to every place with this key.
        "data-var": parameter.key,
    }
    return forms.CharField(
        label=parameter.label,
        help_text=hint or _begins_with(parameter),
        required=False,
        widget=forms.TextInput(attrs=attributes),
    )


def _begins_with(parameter: Parameter) -> str:
    return _("Begins with %(prefix)s") % {"prefix": parameter.prefix} if parameter.prefix else ""


def key_of_name(template: Template) -> str | None:
    """Return the key of the variable that holds the contact's name, where the template makes it plain."""
    text = parts.read(template.components, template.parameter_format).body
    for parameter in template.parameters:
        if parameter.kind != ParameterKind.BODY:
            continue
        if parameter.name.lower() in _NAME_VARIABLES:
            return parameter.key
        match = parts.PLACEHOLDER.search(text)
        if match and match[1] == parameter.name == "1" and _GREETING.search(text[: match.start()]):
            return parameter.key
    return None
