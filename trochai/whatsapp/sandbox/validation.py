"""What Meta refuses in the body of a message, as far as it is documented (pure).

Source: WhatsApp Cloud API, "Message API", "Error codes", "Template components".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

PLACEHOLDER = re.compile(r"\{\{\s*([0-9A-Za-z_]+)\s*\}\}")
PHONE = re.compile(r"\+?[0-9][0-9 ()\-]{4,25}", re.ASCII)
USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[0-9A-Za-z]{1,128}", re.ASCII)
# 132018
UNFIT_TEXT = re.compile(r"[\n\r\t]| {5}")
MEDIA = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "document"}
SENT_FILES = frozenset({"image", "video", "audio", "document"})
MAX_CAPTION = 1024
MAX_BODY, MAX_HEADER, MAX_TEXT, MAX_REFERENCE = 1024, 60, 4096, 512


@dataclass
class Refused(Exception):
    """Meta's answer: HTTP status, code, message and details."""

    status: int
    code: int
    message: str
    details: str = ""
    subcode: int | None = None

    def envelope(self) -> dict[str, Any]:
        error: dict[str, Any] = {
            "message": self.message,
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": "ASandboxTrace",
        }
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        return {"error": error}


def check_message(body: Any, templates: Iterable[dict[str, Any]]) -> str:
    """Return whom the message is for. Raises ``Refused``."""
    if not isinstance(body, dict):
        raise Refused(400, 100, "(#100) Invalid parameter", "The body is not a JSON object")
    if body.get("messaging_product") != "whatsapp":
        raise Refused(400, 100, "(#100) The parameter messaging_product is required.")
    recipient = _recipient(body)
    reference = body.get("biz_opaque_callback_data", "")
    if not isinstance(reference, str) or len(reference) > MAX_REFERENCE:
        raise _invalid("biz_opaque_callback_data must be a string of at most 512 characters")
    kind = body.get("type", "text")
    if kind == "text":
        _check_text(body.get("text"))
    elif kind == "template":
        _check_template(body.get("template"), templates)
    elif kind in SENT_FILES:
        _check_file(kind, body.get(kind))
    else:
        raise Refused(400, 131051, "(#131051) Unsupported message type", f"{kind} is not played here")
    return recipient


def _recipient(body: dict[str, Any]) -> str:
    phone, user_id = body.get("to"), body.get("recipient")
    if not phone and not user_id:
        raise Refused(400, 100, "(#100) The parameter to is required.")
    value, pattern = (phone, PHONE) if phone else (user_id, USER_ID)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _invalid("The recipient is not a phone number or a user id")
    return value


def _check_text(text: Any) -> None:
    content = text.get("body") if isinstance(text, dict) else None
    if not isinstance(content, str) or not content.strip():
        raise _missing("text.body is required")
    if len(content) > MAX_TEXT:
        raise Refused(400, 100, "(#100) Invalid parameter", "text.body is longer than 4096 characters")


def _check_file(kind: str, node: Any) -> None:
    if not isinstance(node, dict) or not node.get("id"):
        raise _missing(f"{kind}.id is required")
    if len(str(node.get("caption", ""))) > MAX_CAPTION:
        raise Refused(400, 100, "(#100) Invalid parameter", "The caption is longer than 1024 characters")


def _check_template(template: Any, templates: Iterable[dict[str, Any]]) -> None:
    if not isinstance(template, dict) or not isinstance(template.get("name"), str):
        raise _missing("template.name is required")
    language = template.get("language")
    code = language.get("code") if isinstance(language, dict) else None
    if not code:
        raise _missing("template.language.code is required")
    name = template["name"]
    known = next((t for t in templates if (t["name"], t["language"]) == (name, code)), None)
    if known is not None and known["status"] == "PAUSED":
        raise Refused(400, 132015, "(#132015) Template is paused")
    if known is not None and known["status"] == "DISABLED":
        raise Refused(400, 132016, "(#132016) Template is disabled")
    if known is None or known["status"] != "APPROVED":
        message = "(#132001) Template name does not exist in the translation"
        raise Refused(404, 132001, message, f"template name ({name}) does not exist in {code}")
    _check_components(known, _objects(template.get("components", [])))


def _check_components(known: dict[str, Any], given: list[dict[str, Any]]) -> None:
    named = known.get("parameter_format", "POSITIONAL").upper() == "NAMED"
    parts = {part["type"].upper(): part for part in known["components"]}
    header, body = parts.get("HEADER", {}), parts.get("BODY", {})
    header_values = _parameters(given, "header")
    if header.get("format", "TEXT").upper() in MEDIA:
        _check_media(header_values, MEDIA[header["format"].upper()])
    else:
        _check_texts("header", header.get("text", ""), header_values, named, MAX_HEADER)
    _check_texts("body", body.get("text", ""), _parameters(given, "body"), named, MAX_BODY)
    _check_buttons(parts.get("BUTTONS", {}).get("buttons", []), given)


def _check_texts(where: str, text: str, values: list[dict[str, Any]], named: bool, limit: int) -> None:
    keys = list(dict.fromkeys(PLACEHOLDER.findall(text)))
    if len(values) != len(keys):
        details = f"{where}: number of params ({len(values)}) does not match the expected ({len(keys)})"
        raise Refused(400, 132000, "(#132000) Number of parameters does not match", details)
    for value in values:
        _check_value(where, value)
    if named and {value.get("parameter_name") for value in values} != set(keys):
        raise Refused(400, 132012, "(#132012) Parameter format does not match", f"{where}: wrong names")
    if not named and any("parameter_name" in value for value in values):
        raise Refused(400, 132012, "(#132012) Parameter format does not match", f"{where}: not named")
    rendered = len(PLACEHOLDER.sub("", text)) + sum(len(value["text"]) for value in values)
    if rendered > limit:
        raise Refused(400, 132005, "(#132005) Translated text too long", f"{where} over {limit}")


def _check_value(where: str, value: dict[str, Any]) -> None:
    if value.get("type") != "text":
        raise Refused(400, 132012, "(#132012) Parameter format does not match", f"{where}: text expected")
    text = value.get("text")
    if not isinstance(text, str):
        raise _missing(f"{where}: parameters need text")
    if not text.strip() or UNFIT_TEXT.search(text):
        details = f"{where}: text cannot be empty, have new lines, tabs or more than 4 spaces in a row"
        raise Refused(400, 132018, "(#132018) There’s an issue with the parameters", details)


def _check_media(values: list[dict[str, Any]], kind: str) -> None:
    if len(values) != 1:
        raise Refused(400, 132000, "(#132000) Number of parameters does not match", f"header: one {kind}")
    media = values[0].get(kind)
    if (
        values[0].get("type") != kind
        or not isinstance(media, dict)
        or not (media.get("id") or media.get("link"))
    ):
        details = f"header: Format mismatch, expected {kind.upper()}"
        raise Refused(400, 132012, "(#132012) Parameter format does not match", details)


def _check_buttons(known: Sequence[dict[str, Any]], given: list[dict[str, Any]]) -> None:
    buttons = {str(part.get("index")): part for part in given if _type(part) == "button"}
    for index, button in enumerate(known):
        part = buttons.pop(str(index), None)
        kind = button["type"].upper()
        needs_suffix = kind == "URL" and PLACEHOLDER.search(button.get("url", ""))
        if not needs_suffix and kind != "COPY_CODE":
            continue
        values = _objects(part.get("parameters")) if part else []
        key = "coupon_code" if kind == "COPY_CODE" else "text"
        if len(values) != 1 or not isinstance(values[0].get(key), str) or not values[0][key].strip():
            raise Refused(
                400,
                131008,
                "(#131008) Required parameter is missing",
                f"buttons: Button at index {index} of type {kind} requires a parameter",
            )
    if any(not index.isdigit() or int(index) >= len(known) for index in buttons):
        raise Refused(400, 132018, "(#132018) There’s an issue with the parameters", "buttons: no such index")


def _parameters(given: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [value for part in given if _type(part) == kind for value in _objects(part.get("parameters"))]


def _type(part: dict[str, Any]) -> str:
    return str(part.get("type", "")).lower()


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Refused(400, 100, "(#100) Invalid parameter", "components must be a list of objects")
    return value


def _missing(details: str) -> Refused:
    return Refused(400, 131008, "(#131008) Required parameter is missing", details)


def _invalid(details: str) -> Refused:
    return Refused(400, 131009, "(#131009) Parameter value is not valid", details)
