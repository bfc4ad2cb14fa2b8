"""The fields for a template's values. Scheduling and sending put them into their own forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _

from templates_app import components as parts
from templates_app.parameters import Parameter, ParameterKind, problem_with, rendered_problems

if TYPE_CHECKING:
    from templates_app.models import Template
    from templates_app.rendering import RenderedTemplate

# Names of variables, and words before a first variable, that ask for the contact's first name.
_NAME_VARIABLES = frozenset({"name", "first_name", "nombre", "customer_name"})
_GREETING = re.compile(
    r"(?:^|[\s¡!.,])(?:hola|hi|hello|hey|dear|good (?:morning|afternoon|evening)|estimad[oa](?:\(a\))?"
    r"|querid[oa]|saludos|buen(?:os|as|) (?:d[ií]as?|tardes|noches))[\s,¡!*_]*$",
    re.IGNORECASE,
)


def field_name(key: str) -> str:
    """Return the HTML name of a parameter's field: ``body.1`` → ``p-body-1``."""
    return f"p-{key.replace('.', '-')}"


class ParametersForm(forms.Form):
    """One text field for each parameter of ``template``, all required.

    ``initial`` holds values by parameter key; without one for it, a variable that plainly asks for
    the contact's name begins with ``first_name``. After ``is_valid()``, ``values`` is by key, too.
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
        asks_for_name = _key_of_name(template) if first_name else None
        values = {asks_for_name: first_name} if asks_for_name else {}
        values.update(initial or {})
        super().__init__(data, initial={field_name(key): value for key, value in values.items()})
        for parameter in self.parameters:
            hint = _("From the contact") if parameter.key == asks_for_name else ""
            self.fields[field_name(parameter.key)] = _field(parameter, hint)

    @property
    def values(self) -> dict[str, str]:
        """The cleaned values, by parameter key."""
        return {each.key: self.cleaned_data[field_name(each.key)] for each in self.parameters}

    @property
    def preview(self) -> RenderedTemplate:
        """The message with what the fields hold now, finished or not."""
        return self.template.render(
            {each.key: self[field_name(each.key)].value() or "" for each in self.parameters}
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for parameter in self.parameters:
            name = field_name(parameter.key)
            problem = None if name in self.errors else problem_with(parameter, cleaned.get(name))
            if problem:
                self.add_error(name, problem)
        if not self.errors:
            problems = rendered_problems(
                self.template.components, self.template.parameter_format, self.values
            )
            for key, problem in problems.items():
                self.add_error(field_name(key), problem)
        return cleaned


def _field(parameter: Parameter, hint: str) -> forms.CharField:
    link = parameter.kind == ParameterKind.HEADER_MEDIA
    example = _("e.g. %(example)s") % {"example": parameter.example} if parameter.example else ""
    attributes = {
        "class": "input",
        "placeholder": "https://" if link else example,
        "autocomplete": "off",
        # The live preview writes what is typed into the slots of this key.
        "data-var": parameter.key,
    }
    return forms.CharField(
        label=parameter.label,
        help_text=hint or _begins_with(parameter),
        widget=forms.TextInput(attrs=attributes),
        error_messages={"required": _("Fill this in.")},
    )


def _begins_with(parameter: Parameter) -> str:
    return _("Begins with %(prefix)s") % {"prefix": parameter.prefix} if parameter.prefix else ""


def _key_of_name(template: Template) -> str | None:
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
