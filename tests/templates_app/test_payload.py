from __future__ import annotations

import json

import pytest
from hypothesis import given

from templates_app.models import Template
from templates_app.parameters import parameters_of
from templates_app.payload import components_payload, template_payload
from tests.templates_app import shapes

pytestmark = pytest.mark.pure


def payload(components, values, **fields):
    template = Template(name="visit_reminder", language="es_MX", components=components, **fields)
    return template_payload(template, values)


def test_a_template_without_variables_sends_no_components():
    assert payload([{"type": "BODY", "text": "Hola"}], {}) == {
        "name": "visit_reminder",
        "language": {"code": "es_MX"},
    }


def test_positional_values_go_in_the_order_of_their_numbers_not_of_the_text():
    body = "{{2}}" + "".join(f" {{{{{number}}}}}" for number in (1, *range(3, 12)))
    values = {f"body.{number}": f"v{number}" for number in range(1, 12)}
    sent = payload([{"type": "BODY", "text": body}], values)["components"]
    assert sent == [
        {
            "type": "body",
            "parameters": [{"type": "text", "text": f"v{number}"} for number in range(1, 12)],
        }
    ]


def test_named_values_carry_their_names():
    components = [
        {"type": "HEADER", "format": "TEXT", "text": "Hi {{name}}"},
        {"type": "BODY", "text": "See you at {{place}}."},
    ]
    values = {"header": "Ana", "body.place": "Escazú"}
    assert payload(components, values, parameter_format="NAMED")["components"] == [
        {"type": "header", "parameters": [{"type": "text", "parameter_name": "name", "text": "Ana"}]},
        {"type": "body", "parameters": [{"type": "text", "parameter_name": "place", "text": "Escazú"}]},
    ]


def test_media_links_and_buttons_have_metas_shapes():
    components = [
        {"type": "HEADER", "format": "DOCUMENT"},
        {"type": "BODY", "text": "Hola"},
        {"type": "BUTTONS", "buttons": shapes.BUTTONS},
    ]
    values = {"header_media": "https://casaverde.cr/a.pdf", "button.1": "ec-204", "button.3": "VERANO20"}
    assert payload(components, values)["components"] == [
        {
            "type": "header",
            "parameters": [
                {"type": "document", "document": {"link": "https://casaverde.cr/a.pdf", "filename": "a.pdf"}}
            ],
        },
        {
            "type": "button",
            "sub_type": "url",
            "index": "1",
            "parameters": [{"type": "text", "text": "ec-204"}],
        },
        {
            "type": "button",
            "sub_type": "copy_code",
            "index": "3",
            "parameters": [{"type": "coupon_code", "coupon_code": "VERANO20"}],
        },
    ]


def test_a_missing_value_is_an_error_here_not_at_meta():
    with pytest.raises(KeyError):
        payload([{"type": "BODY", "text": "Hola {{1}}"}], {})


@given(template=shapes.templates())
def test_as_many_parameters_are_sent_as_the_template_has(template):
    found = parameters_of(template.components, template.parameter_format)
    values = {each.key: f"value of {each.key}/" for each in found}
    sent = components_payload(found, values, is_named=template.parameter_format == "NAMED")
    assert sum(len(component["parameters"]) for component in sent) == len(found)
    written = json.dumps(sent)
    for value in values.values():
        assert written.count(f'"{value}"') == 1
