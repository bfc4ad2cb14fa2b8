"""The ``template`` object of a request to Meta (pure).

Source: WhatsApp Cloud API, "Send messages", and "Template components".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from templates_app.links import file_name
from templates_app.parameters import Parameter, ParameterKind

if TYPE_CHECKING:
    from templates_app.models import Template


def template_payload(template: Template, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return name, language and the components that have variables, in Meta's shape.

    Raises ``KeyError`` when a parameter has no value.
    """
    payload: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    components = components_payload(template.parameters, values, is_named=template.parts.is_named)
    if components:
        payload["components"] = components
    return payload


def components_payload(
    parameters: Iterable[Parameter], values: Mapping[str, Any], *, is_named: bool
) -> list[dict[str, Any]]:
    header: list[dict[str, Any]] = []
    body: list[Parameter] = []
    buttons: list[dict[str, Any]] = []
    for parameter in parameters:
        value = values[parameter.key]
        match parameter.kind:
            case ParameterKind.HEADER_TEXT:
                header.append(_text(parameter, value, is_named=is_named))
            case ParameterKind.HEADER_MEDIA:
                header.append({"type": parameter.name, parameter.name: _media(parameter, value)})
            case ParameterKind.BODY:
                body.append(parameter)
            case ParameterKind.URL_BUTTON:
                buttons.append(_button(parameter, "url", {"type": "text", "text": value}))
            case ParameterKind.COPY_CODE:
                coupon = {"type": "coupon_code", "coupon_code": value}
                buttons.append(_button(parameter, "copy_code", coupon))
    if not is_named:
        # A bare list: Meta numbers the values by their place in it, not by their order in the text.
        body.sort(key=_number)
    texts = [_text(parameter, values[parameter.key], is_named=is_named) for parameter in body]
    top = [
        {"type": kind, "parameters": entries}
        for kind, entries in (("header", header), ("body", texts))
        if entries
    ]
    return [*top, *buttons]


def _media(parameter: Parameter, link: str) -> dict[str, str]:
    """A document has a name as well: without one the contact sees "Untitled"."""
    name = file_name(link) if parameter.name == "document" else ""
    return {"link": link, "filename": name} if name else {"link": link}


def _text(parameter: Parameter, value: str, *, is_named: bool) -> dict[str, str]:
    if is_named:
        return {"type": "text", "parameter_name": parameter.name, "text": value}
    return {"type": "text", "text": value}


def _button(parameter: Parameter, sub_type: str, value: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "button",
        "sub_type": sub_type,
        "index": str(parameter.index),
        "parameters": [value],
    }


def _number(parameter: Parameter) -> tuple[int, str]:
    """Sort 10 after 9 without parsing digits, of which there may be any number."""
    return len(parameter.name), parameter.name
