"""Seven templates of Casa Verde, an estate agency in Costa Rica, as Meta's template list gives them.

One of each shape: positional parameters, named ones, none, a URL button with a variable, a header
with a variable, one that is still in review, and one that asks for a number that is hidden.
"""

from __future__ import annotations

from typing import Any

AGENCY = "Casa Verde Bienes Raíces"
SITE = "https://casaverde.example"


def _template(number: int, name: str, language: str, category: str, *parts: dict, **more: Any) -> dict:
    return {
        "id": f"60010000000{number}",
        "name": name,
        "language": language,
        "status": "APPROVED",
        "category": category,
        "parameter_format": "POSITIONAL",
        "components": list(parts),
        "rejected_reason": "NONE",
        "quality_score": {"score": "GREEN", "date": 1763596800},
        **more,
    }


def _header(text: str, *examples: str) -> dict:
    header: dict[str, Any] = {"type": "HEADER", "format": "TEXT", "text": text}
    return {**header, "example": {"header_text": list(examples)}} if examples else header


def _body(text: str, *examples: str, **named: str) -> dict:
    body: dict[str, Any] = {"type": "BODY", "text": text}
    if examples:
        return {**body, "example": {"body_text": [list(examples)]}}
    if named:
        params = [{"param_name": name, "example": value} for name, value in named.items()]
        return {**body, "example": {"body_text_named_params": params}}
    return body


def _footer(text: str) -> dict:
    return {"type": "FOOTER", "text": text}


def _buttons(*buttons: dict) -> dict:
    return {"type": "BUTTONS", "buttons": list(buttons)}


def _reply(text: str) -> dict:
    return {"type": "QUICK_REPLY", "text": text}


CATALOGUE: list[dict[str, Any]] = [
    _template(
        1,
        "visit_reminder",
        "es",
        "UTILITY",
        _header("Su visita con Casa Verde"),
        _body(
            "Hola {{1}}, le recordamos su visita a {{2}} el {{3}}. "
            "Si necesita cambiarla, responda a este mensaje.",
            "María",
            "Casa EC-204, Escazú",
            "sábado 28, 10:00 a. m.",
        ),
        _footer(AGENCY),
        _buttons(_reply("Confirmar"), _reply("Cambiar la visita")),
    ),
    _template(
        2,
        "visit_reminder_en",
        "en",
        "UTILITY",
        _header("Your visit with Casa Verde"),
        _body(
            "Hi {{first_name}}, a reminder of your visit to {{property}} on {{visit_date}}. "
            "If you need to change it, just reply here.",
            first_name="Karen",
            property="House SA-117, Santa Ana",
            visit_date="Saturday 28, 10:00 AM",
        ),
        _footer(AGENCY),
        _buttons(_reply("Confirm"), _reply("Change the visit")),
        parameter_format="NAMED",
    ),
    _template(
        3,
        "listing_followup",
        "es",
        "MARKETING",
        _body(
            "¡Hola! ¿Sigue interesado(a) en la propiedad que le mostramos? "
            "Con gusto le coordinamos una visita esta semana."
        ),
        _footer("Responda ALTO para no recibir más mensajes"),
        _buttons(_reply("Agendar visita"), _reply("Ya no me interesa")),
        quality_score={"score": "YELLOW", "date": 1763596800},
    ),
    _template(
        4,
        "payment_reminder",
        "es",
        "UTILITY",
        _header("Recordatorio de pago"),
        _body(
            "Hola {{1}}, la reserva de {{2}} vence el {{3}}. Puede pagar por SINPE Móvil o transferencia.",
            "Gabriela",
            "Casa HE-118, Heredia",
            "lunes 30 de noviembre",
        ),
        _buttons(
            {
                "type": "URL",
                "text": "Ver instrucciones",
                "url": f"{SITE}/pagos/{{{{1}}}}",
                "example": [f"{SITE}/pagos/HE-118"],
            }
        ),
    ),
    _template(
        5,
        "new_listing",
        "en",
        "MARKETING",
        _header("New listing in {{1}} for you", "Tamarindo"),
        _body(
            "Hi {{1}}, a new {{2}} just came on the market. Would you like to see it before it’s public?",
            "Erika",
            "three-bedroom villa",
        ),
        _footer("Reply STOP to opt out"),
        _buttons(
            {"type": "URL", "text": "See photos", "url": f"{SITE}/new"},
            {"type": "PHONE_NUMBER", "text": "Call us", "phone_number": "+50622014455"},
        ),
        quality_score={"score": "UNKNOWN", "date": 1763596800},
    ),
    _template(
        6,
        "document_request",
        "es",
        "UTILITY",
        _header("Documentos pendientes"),
        _body(
            "Hola {{1}}, para avanzar con el contrato necesitamos {{2}}. Puede enviarlo por aquí mismo.",
            "Priya",
            "una copia de su pasaporte",
        ),
        status="PENDING",
        quality_score={"score": "UNKNOWN", "date": 1763596800},
    ),
    _template(
        7,
        "number_request",
        "es",
        "UTILITY",
        _body("Para coordinar su visita, ¿nos comparte su número de teléfono?"),
        _footer(AGENCY),
        _buttons({"type": "REQUEST_CONTACT_INFO", "text": "Compartir mi número"}),
    ),
]
