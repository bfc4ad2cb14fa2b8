from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from templates_app.parameters import parameters_of
from templates_app.rendering import Piece, render
from tests.templates_app import shapes

pytestmark = pytest.mark.pure

COMPONENTS = [
    {"type": "HEADER", "format": "TEXT", "text": "Casa {{1}}"},
    {"type": "BODY", "text": "Hola {{1}}, la visita es el {{2}}.\nHasta pronto, {{1}}."},
    {"type": "FOOTER", "text": "Casa Verde {{1}}"},
    {"type": "BUTTONS", "buttons": shapes.BUTTONS},
]
VALUES = {"header": "EC-204", "body.1": "María", "body.2": "sábado", "button.1": "ec-204", "button.3": "C20"}


def test_the_message_is_what_the_contact_will_see():
    rendered = render(COMPONENTS, "POSITIONAL", VALUES)
    assert rendered.header == "Casa EC-204"
    assert rendered.body == "Hola María, la visita es el sábado.\nHasta pronto, María."
    assert rendered.footer == "Casa Verde {{1}}"
    assert [(each.kind, each.text) for each in rendered.buttons] == [
        ("quick_reply", "Confirmar"),
        ("url", "See photos"),
        ("phone_number", "Call us"),
        ("copy_code", "Copy offer code"),
    ]
    assert rendered.buttons[1].url == "https://casaverde.cr/fotos/ec-204"
    assert rendered.buttons[3].code == "C20"


def test_a_value_that_looks_like_a_placeholder_stays_as_it_is():
    rendered = render(COMPONENTS, "POSITIONAL", {**VALUES, "body.1": "{{2}}", "button.1": "{{1}}"})
    assert rendered.body.startswith("Hola {{2}}, la visita es el sábado.")
    assert rendered.buttons[1].url == "https://casaverde.cr/fotos/{{1}}"


def test_what_is_not_filled_in_yet_stays_a_placeholder_and_is_marked():
    rendered = render(COMPONENTS, "POSITIONAL", {"body.1": "María"})
    marked = [piece for piece in rendered.body_pieces if piece.key]
    assert marked[:2] == [
        Piece("María", "body.1", filled=True, placeholder="{{1}}"),
        Piece("{{2}}", "body.2", filled=False, placeholder="{{2}}"),
    ]


def test_a_media_header_keeps_its_kind_and_link():
    components = [{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Hola"}]
    rendered = render(components, "POSITIONAL", {"header_media": "https://casaverde.cr/a.jpg"})
    assert rendered.header_media is not None
    assert (rendered.header_media.kind, rendered.header_media.link) == ("image", "https://casaverde.cr/a.jpg")


def test_the_bubble_marks_values_and_escapes_whatever_they_hold():
    values = {**VALUES, "body.1": "<script>alert(1)</script>"}
    rendered = render(COMPONENTS, "POSITIONAL", values)
    html = render_to_string("parts/_template_bubble.html", {"rendered": rendered, "language": "es_MX"})
    assert 'lang="es-MX"' in html
    assert 'data-slot="body.2"' in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_the_bubble_draws_a_stored_message_and_an_empty_one():
    stored = render(COMPONENTS, "POSITIONAL", VALUES).as_dict()
    html = render_to_string("parts/_template_bubble.html", {"rendered": stored})
    assert "Hola María, la visita es el sábado.<br>" in html
    assert "data-slot" not in html
    assert "bubble--template" in render_to_string("parts/_template_bubble.html", {"rendered": {}})


def test_an_unfilled_variable_shows_as_missing():
    html = render_to_string(
        "parts/_template_bubble.html", {"rendered": render(COMPONENTS, "POSITIONAL", {"body.1": "María"})}
    )
    assert '<span class="var" data-slot="body.1" data-empty="{{1}}">María</span>' in html
    assert '<span class="var var--empty" data-slot="body.2" data-empty="{{2}}">{{2}}</span>' in html


@given(template=shapes.templates(), data=st.data())
def test_each_value_stands_once_for_each_of_its_placeholders(template, data):
    found = parameters_of(template.components, template.parameter_format)
    # Private-use characters mark the values: they stand nowhere else in the generated texts.
    values = {each.key: f"\ue000{number}\ue001" for number, each in enumerate(found)}
    rendered = render(template.components, template.parameter_format, values)
    body = next(part["text"] for part in template.components if part["type"].upper() == "BODY")
    for parameter in found:
        if parameter.key.startswith("body."):
            assert rendered.body.count(values[parameter.key]) == body.count(f"{{{{{parameter.name}}}}}")
        elif parameter.key == "header":
            assert rendered.header.count(values["header"]) == 1
        elif parameter.key.startswith("button."):
            button = rendered.buttons[parameter.index]
            assert (button.url + button.code).count(values[parameter.key]) == 1
    assert "{{" not in rendered.text


@given(components=shapes.malformed, values=shapes.anything)
def test_no_json_makes_rendering_fail(components, values):
    rendered = render(components, "POSITIONAL", values if isinstance(values, dict) else {})
    render_to_string("parts/_template_bubble.html", {"rendered": rendered, "language": "es"})
