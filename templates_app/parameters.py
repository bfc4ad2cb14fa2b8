"""What has to be filled in before a template can be sent, and which values Meta would refuse (pure)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from templates_app import components as parts
from templates_app.components import PLACEHOLDER, Button, Components

# Meta's limits on the finished text, in characters.
MAX_HEADER = 60
MAX_BODY = 1024
MAX_URL = 2000
MAX_COUPON = 15

_TOO_MANY_SPACES = re.compile(r"[^\S\r\n\t]{5,}")
_LINE_BREAK_OR_TAB = re.compile(r"[\n\r\t\v\f\x1c-\x1e\x85\u2028\u2029]")

_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


class ParameterKind(StrEnum):
    HEADER_TEXT = "header_text"
    HEADER_MEDIA = "header_media"
    BODY = "body"
    URL_BUTTON = "url_button"
    COPY_CODE = "copy_code"


@dataclass(frozen=True)
class Parameter:
    """One value that a template needs.

    ``key`` names it within the template and in stored values: ``header``, ``header_media``,
    ``body.1``, ``body.first_name``, ``button.0``. ``name`` is what stands between the braces (for
    media, which kind), ``index`` a button's place, ``prefix`` the fixed beginning of a link.
    """

    key: str
    kind: ParameterKind
    label: str
    example: str = ""
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


def problem_with(parameter: Parameter, value: object) -> str | None:
    """Return why Meta would refuse this value, as a sentence for people, or None."""
    if not isinstance(value, str) or _is_blank(value):
        return _("Fill this in.")
    return _problem_with_any(value) or _problem_with_kind(parameter, value)


def rendered_problems(components: object, parameter_format: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Return, by parameter key, what makes the finished text longer than Meta takes.

    Each part's problem stands with the longest of its values: that one is the easiest to shorten.
    """
    template = parts.read(components, parameter_format)
    problems = {}
    texts = [
        (template.header, "header", MAX_HEADER, _("header")),
        (template.body, "body", MAX_BODY, _("text")),
        *((button.url, f"button.{button.index}", MAX_URL, _("link")) for button in template.buttons),
    ]
    for text, prefix, limit, words in texts:
        keys = [key_of(prefix, name) for name in parts.placeholders(text)]
        length = len(fill(text, prefix, values))
        if not keys or length <= limit:
            continue
        longest = max(keys, key=lambda key: len(str(values.get(key) or "")))
        problems[longest] = _(
            "With this the %(part)s has %(length)d characters and WhatsApp takes %(limit)d. Shorten it."
        ) % {"part": words, "length": length, "limit": limit}
    return problems


def key_of(prefix: str, name: str) -> str:
    """Return the key of the placeholder ``name`` in the part ``prefix``: body, header, button.0."""
    return f"body.{name}" if prefix == "body" else prefix


def fill(text: str, prefix: str, values: Mapping[str, Any]) -> str:
    """Return ``text`` with its values; a placeholder without one stays as it is.

    Values are never looked through for placeholders themselves.
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
    return Parameter(
        f"body.{name}",
        ParameterKind.BODY,
        _("Value %(number)s") % {"number": name} if name.isdigit() or not words else words.capitalize(),
        example=template.body_examples.get(name, ""),
        name=name,
    )


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


def _problem_with_any(value: str) -> str | None:
    if _LINE_BREAK_OR_TAB.search(value):
        return _("Write it on one line: WhatsApp takes no line breaks or tabs here.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
        return _("It contains a character that can’t be sent. Type it again.")
    if _TOO_MANY_SPACES.search(value):
        return _("Use at most four spaces in a row.")
    return None


def _problem_with_kind(parameter: Parameter, value: str) -> str | None:
    match parameter.kind:
        case ParameterKind.HEADER_MEDIA:
            return _problem_with_link(value)
        case ParameterKind.URL_BUTTON:
            return _problem_with_ending(parameter, value)
        case ParameterKind.COPY_CODE:
            return _problem_with_code(value)
        case ParameterKind.HEADER_TEXT:
            return _too_long(len(value), MAX_HEADER)
        case ParameterKind.BODY:
            return _too_long(len(value), MAX_BODY)


def _too_long(length: int, limit: int) -> str | None:
    if length <= limit:
        return None
    return _("That’s %(length)d characters; WhatsApp takes %(limit)d at most.") % {
        "length": length,
        "limit": limit,
    }


def _problem_with_link(value: str) -> str | None:
    try:
        address = urlsplit(value)
        is_link = address.scheme == "https" and bool(address.hostname)
    except ValueError:
        is_link = False
    if not is_link or re.search(r"\s", value):
        return _("Enter a link that begins with https:// and that anybody can open.")
    return _too_long(len(value), MAX_URL)


def _problem_with_ending(parameter: Parameter, value: str) -> str | None:
    if re.search(r"\s", value):
        return _("A link can’t contain spaces.")
    if parameter.prefix and value.startswith(parameter.prefix):
        return _("Enter only the ending: the link already begins with %(prefix)s") % {
            "prefix": parameter.prefix
        }
    return _too_long(len(value), MAX_URL)


def _problem_with_code(value: str) -> str | None:
    if re.search(r"\s", value):
        return _("A coupon code can’t contain spaces.")
    return _too_long(len(value), MAX_COUPON)
