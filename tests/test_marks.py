"""WhatsApp's formatting: what the contact sees bold is bold here."""

from __future__ import annotations

import time

import pytest
from django.template import Context, Template
from django.utils.html import escape, strip_tags
from hypothesis import given
from hypothesis import strategies as st

from templates_app import rendering
from templates_app.templatetags import bubbles
from trochai.ui import marks


def shown(text: str) -> str:
    return Template("{% load messages %}{% whatsapp_text text %}").render(Context({"text": text}))


@pytest.mark.parametrize(
    ("text", "address", "words"),
    [
        ("vea https://casas.example/204?a=1&b=2.", "https://casas.example/204?a=1&amp;b=2", None),
        ("HTTP://casas.example/x_y_z", "http://casas.example/x_y_z", "HTTP://casas.example/x_y_z"),
        ("*https://casas.example*", "https://casas.example", None),
    ],
)
def test_an_address_is_a_link_that_opens_elsewhere(text, address, words):
    link = f'<a href="{address}" target="_blank" rel="noopener noreferrer">{words or address}</a>'
    assert link in shown(text)


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "ana@casas.example",
        "www.casas.example",
        "ftp://casas.example/",
        "data:text/html,x",
        'https://"onmouseover=alert(1)',
    ],
)
def test_nothing_else_is_one(text):
    html = shown(text)
    assert "<a" not in html
    assert '"' not in html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "Hola *Ana*, su código _AB_ vence ~hoy~ mañana.",
            "Hola <b>Ana</b>, su código <i>AB</i> vence <s>hoy</s> mañana.",
        ),
        ("*_both_*", "<b><i>both</i></b>"),
        ("(*in brackets*)", "(<b>in brackets</b>)"),
        ("*two words*", "<b>two words</b>"),
        ("```x = *y*```", "<code>x = *y*</code>"),
        # Not where WhatsApp takes them for what they are.
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("* a*", "* a*"),
        ("*a *", "*a *"),
        ("snake_case_name", "snake_case_name"),
        ("a*b*c", "a*b*c"),
        ("*a\nb*", "*a\nb*"),
        ("**", "**"),
        ("*open", "*open"),
        ("```never closed", "```never closed"),
        ("<b>*x*</b>", "&lt;b&gt;<b>x</b>&lt;/b&gt;"),
    ],
)
def test_what_the_contact_sees(text, html):
    assert shown(text) == html
    # The list says the same, where nothing can be bold.
    assert escape(marks.plain(text)) == strip_tags(html)


def test_a_value_may_stand_inside_marks():
    components = [{"type": "BODY", "text": "Hola *{{1}}*, su código _{{2}}_"}]
    for values in ({}, {"body.1": "*Ana* <3", "body.2": "AB"}):
        rendered = rendering.render(components, "POSITIONAL", values)
        html = bubbles.message_text(rendered.body_pieces, rendered.body)
        first = "*Ana* &lt;3" if values else "{{1}}"
        assert "Hola <b><span" in html
        assert f">{first}</span></b>, su código <i><span" in html


def test_an_address_in_a_template_is_a_link_once_it_is_whole():
    components = [{"type": "BODY", "text": "Vea\nhttps://casas.example/{{1}} *hoy*"}]
    rendered = rendering.render(components, "POSITIONAL", {"body.1": "204"})
    planned, sent = (bubbles.message_text(pieces, rendered.body) for pieces in (rendered.body_pieces, ()))
    assert "<a" not in planned
    link = '<a href="https://casas.example/204" target="_blank" rel="noopener noreferrer">'
    assert f"Vea<br>{link}https://casas.example/204</a> <b>hoy</b>" in sent


@given(st.text(alphabet="*_~` a\nñ\ue000", max_size=200))
def test_nothing_is_lost_whatever_is_written(text):
    def flat(parts):
        return "".join(
            part if isinstance(part, str) else part.mark + flat(part.parts) + part.mark for part in parts
        )

    assert flat(marks.parse(text)) == text


def test_a_message_that_is_nothing_but_marks_costs_no_more_than_another():
    def seconds(text: str) -> float:
        began = time.process_time()
        marks.parse(text)
        return time.process_time() - began

    small, large = (min(seconds(" *a" * count) for _turn in range(3)) for count in (2_000, 16_000))
    # Sixty-four times where each mark looks through the rest of the line.
    assert large < 30 * small
