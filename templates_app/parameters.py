"""What must be filled in before a template can be sent, and which values Meta would refuse (pure)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from templates_app import components as parts
from templates_app import links
from templates_app.components import PLACEHOLDER, Button, Components

# Meta's limits on the finished text, in characters.
MAX_HEADER = 60
MAX_BODY = 1024
MAX_URL = 2000
MAX_COUPON = 15
# How many words a label has of the text around a place.
WORDS_AROUND = 3

_TOO_MANY_SPACES = re.compile(r"[^\S\r\n\t]{5,}")
_LINE_BREAK_OR_TAB = re.compile(r"[\n\r\t\v\f\x1c-\x1e\x85\u2028\u2029]")

_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


class ParameterKind(StrEnum):
    HEADER_TEXT = "header_text"
    HEADER_MEDIA = "header_media"
    BODY = "body"
    URL_BUTTON = "url_button"
    COPY_CODE = "copy_code"


_LIMITS = {
    ParameterKind.HEADER_TEXT: MAX_HEADER,
    ParameterKind.HEADER_MEDIA: MAX_URL,
    ParameterKind.BODY: MAX_BODY,
    ParameterKind.URL_BUTTON: MAX_URL,
    ParameterKind.COPY_CODE: MAX_COUPON,
}


class Refusal(StrEnum):
    """Why Meta would refuse a value. The last three concern the finished part that contains it."""

    BLANK = "blank"
    UNKNOWN = "unknown"
    LINE_BREAK_OR_TAB = "line_break_or_tab"
    CONTROL_CHARACTER = "control_character"
    TOO_MANY_SPACES = "too_many_spaces"
    TOO_LONG = "too_long"
    NO_LINK = "no_link"
    SPACE_IN_LINK = "space_in_link"
    WHOLE_LINK = "whole_link"
    SAMPLE_LINK = "sample_link"
    EXPIRES = "expires"
    SPACE_IN_CODE = "space_in_code"
    HEADER_TOO_LONG = "header_too_long"
    TEXT_TOO_LONG = "text_too_long"
    LINK_TOO_LONG = "link_too_long"


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field: a code, and the values that its sentence needs when it is shown."""

    field: str
    code: StrEnum
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Parameter:
    """One value that a template needs.

    ``key`` names it within the template and in stored values: ``header``, ``header_media``,
    ``body.1``, ``body.first_name``, ``button.0``. ``name`` is what stands between the braces (for
    media, which kind), ``index`` a button's place, ``prefix`` the fixed beginning of a link. ``label`` says
    what is wanted; ``title`` is a short name for it, where that is another.
    """

    key: str
    kind: ParameterKind
    label: str
    example: str = ""
    title: str = ""
    name: str = ""
    index: int = 0
    prefix: str = ""

    @property
    def shape(self) -> str:
        """The key and, where that does not say it, what kind of value is wanted."""
        match self.kind:
            case ParameterKind.HEADER_MEDIA:
                return f"{self.key}:{self.name}"
            case ParameterKind.COPY_CODE:
                return f"{self.key}:{self.kind}"
        return self.key


def parameters_of(components: object, parameter_format: str) -> tuple[Parameter, ...]:
    """Return what the template needs: header, body in order of appearance, buttons; each once."""
    template = parts.read(components, parameter_format)
    return (
        *_header_parameters(template),
        *(_body_parameter(template, name) for name in parts.placeholders(template.body)),
        *(parameter for button in template.buttons for parameter in _button_parameters(button)),
    )


def is_supported(components: object, parameter_format: str | None = None) -> bool:
    """Whether Trochai can fill every part of the template.

    It cannot fill carousels, limited-time offers, locations, one-time passwords, flows, catalogs, nor
    what Meta may add. Without ``parameter_format`` either kind of placeholder will do.
    """
    formats = ["POSITIONAL", "NAMED"] if parameter_format is None else [parameter_format]
    return any(parts.read(components, each).is_supported for each in formats)


def problems_with(
    components: object,
    parameter_format: str,
    values: Mapping[str, Any],
    *,
    until: dt.datetime | None = None,
) -> list[Problem]:
    """Return what Meta would refuse in ``values`` (by parameter key); each problem's field is a key.

    ``until``: the moment at which Meta fetches what is linked. The length of the finished message is checked
    only once every value is valid by itself.
    """
    parameters = parameters_of(components, parameter_format)
    unknown = values.keys() - {parameter.key for parameter in parameters}
    problems = [Problem(key, Refusal.UNKNOWN) for key in sorted(unknown)]
    for parameter in parameters:
        value = values.get(parameter.key)
        problem = problem_with(parameter, value) or _expires(parameter, value, until)
        if problem is not None:
            problems.append(problem)
    return problems or rendered_problems(components, parameter_format, values)


def problem_with(parameter: Parameter, value: object) -> Problem | None:
    """Return why Meta would refuse this value, or None."""
    if not isinstance(value, str) or _is_blank(value):
        return Problem(parameter.key, Refusal.BLANK)
    refusal = _refusal_of_any(value) or _refusal_of_kind(parameter, value)
    if refusal is not None:
        return Problem(parameter.key, refusal, {"prefix": parameter.prefix})
    limit = _LIMITS[parameter.kind]
    if len(value) > limit:
        return Problem(parameter.key, Refusal.TOO_LONG, {"length": len(value), "limit": limit})
    return None


def _expires(parameter: Parameter, value: object, until: dt.datetime | None) -> Problem | None:
    if parameter.kind != ParameterKind.HEADER_MEDIA or until is None or not isinstance(value, str):
        return None
    expires_at = links.expires_at(value)
    if expires_at is None or expires_at > until:
        return None
    return Problem(parameter.key, Refusal.EXPIRES, {"at": expires_at})


def rendered_problems(components: object, parameter_format: str, values: Mapping[str, Any]) -> list[Problem]:
    """Return what makes the finished text longer than Meta takes.

    A part that is too long is reported on its longest value, the easiest one to shorten.
    """
    template = parts.read(components, parameter_format)
    problems = []
    texts = [
        (template.header, "header", MAX_HEADER, Refusal.HEADER_TOO_LONG),
        (template.body, "body", MAX_BODY, Refusal.TEXT_TOO_LONG),
        *((each.url, f"button.{each.index}", MAX_URL, Refusal.LINK_TOO_LONG) for each in template.buttons),
    ]
    for text, prefix, limit, refusal in texts:
        keys = [key_of(prefix, name) for name in parts.placeholders(text)]
        length = len(fill(text, prefix, values))
        if keys and length > limit:
            longest = max(keys, key=lambda key: len(str(values.get(key) or "")))
            problems.append(Problem(longest, refusal, {"length": length, "limit": limit}))
    return problems


def key_of(prefix: str, name: str) -> str:
    """Return the key of the placeholder ``name`` in the part ``prefix``: body, header, button.0."""
    return f"body.{name}" if prefix == "body" else prefix


def fill(text: str, prefix: str, values: Mapping[str, Any]) -> str:
    """Return ``text`` with its values filled in; a placeholder without one stays as it is.

    A value that looks like a placeholder is not filled in itself.
    """

    def value(match: re.Match[str]) -> str:
        given = values.get(key_of(prefix, match[1]))
        return given if isinstance(given, str) and given else match[0]

    return PLACEHOLDER.sub(value, text)


def _header_parameters(template: Components) -> list[Parameter]:
    if template.header_format in parts.MEDIA_FORMATS:
        labels = {"image": _("Image link"), "video": _("Video link"), "document": _("Document link")}
        kind = template.header_format
        return [Parameter("header_media", ParameterKind.HEADER_MEDIA, labels[kind], name=kind)]
    return [
        Parameter(
            "header",
            ParameterKind.HEADER_TEXT,
            _("Header"),
            example=template.header_examples.get(name, ""),
            name=name,
        )
        for name in parts.placeholders(template.header)[:1]
    ]


def _body_parameter(template: Components, name: str) -> Parameter:
    words = name.replace("_", " ").strip()
    title = _("Value %(number)s") % {"number": name} if name.isdigit() or not words else words.capitalize()
    around = _words_around(template.body, name) if name.isdigit() else ""
    return Parameter(
        f"body.{name}",
        ParameterKind.BODY,
        f"{name}. {around}" if around else title,
        title=title,
        example=template.body_examples.get(name, ""),
        name=name,
    )


def _words_around(body: str, name: str) -> str:
    """Return the few words that say what belongs into a place: ``… su visita a [2]``; empty without any."""
    places = list(PLACEHOLDER.finditer(body))
    at = next(number for number, place in enumerate(places) if place[1] == name)
    ahead = body[places[at - 1].end() if at else 0 : places[at].start()].split()
    if ahead:
        is_cut = at > 0 or len(ahead) > WORDS_AROUND
        return f"{'… ' if is_cut else ''}{' '.join(ahead[-WORDS_AROUND:])} [{name}]"
    following = body[places[at].end() : places[at + 1].start() if at + 1 < len(places) else None].split()
    is_cut = at + 1 < len(places) or len(following) > WORDS_AROUND
    return f"[{name}] {' '.join(following[:WORDS_AROUND])}{' …' if is_cut else ''}" if following else ""


def _button_parameters(button: Button) -> list[Parameter]:
    key = f"button.{button.index}"
    if button.kind == "copy_code":
        label = _("Coupon code")
        return [Parameter(key, ParameterKind.COPY_CODE, label, example=button.example, index=button.index)]
    variable = PLACEHOLDER.search(button.url) if button.kind == "url" else None
    if variable is None:
        return []
    prefix = button.url[: variable.start()]
    return [
        Parameter(
            key,
            ParameterKind.URL_BUTTON,
            _("Link ending for “%(button)s”") % {"button": button.text},
            # Meta's example is the whole link, or only the ending.
            example=button.example.removeprefix(prefix),
            name=variable[1],
            index=button.index,
            prefix=prefix,
        )
    ]


def _is_blank(value: str) -> bool:
    """Whether nothing would be seen: only spaces, control and zero-width characters."""
    return all(unicodedata.category(character) in _INVISIBLE for character in value)


def _refusal_of_any(value: str) -> Refusal | None:
    if _LINE_BREAK_OR_TAB.search(value):
        return Refusal.LINE_BREAK_OR_TAB
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
        return Refusal.CONTROL_CHARACTER
    if _TOO_MANY_SPACES.search(value):
        return Refusal.TOO_MANY_SPACES
    return None


def _refusal_of_kind(parameter: Parameter, value: str) -> Refusal | None:
    has_space = re.search(r"\s", value) is not None
    match parameter.kind:
        case ParameterKind.HEADER_MEDIA:
            if has_space or not links.is_public(value):
                return Refusal.NO_LINK
            return Refusal.SAMPLE_LINK if links.is_metas(value) else None
        case ParameterKind.URL_BUTTON if has_space:
            return Refusal.SPACE_IN_LINK
        case ParameterKind.URL_BUTTON if links.is_whole(value, prefix=parameter.prefix):
            return Refusal.WHOLE_LINK
        case ParameterKind.COPY_CODE if has_space:
            return Refusal.SPACE_IN_CODE
    return None
