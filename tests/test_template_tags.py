from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from django.template import Context, Template
from django.utils import timezone

NOON = dt.datetime(2026, 11, 20, 18, 0, tzinfo=dt.UTC)


def render(source, **context):
    return Template(source).render(Context(context))


@pytest.fixture(autouse=True)
def costa_rica():
    with timezone.override(zoneinfo.ZoneInfo("America/Costa_Rica")):
        yield


def test_an_icon_is_decorative_unless_it_has_a_label():
    assert 'aria-hidden="true"' in render('{% icon "bell" %}')
    labelled = render('{% icon "check" "sm" "tick" "Sent" %}')
    assert 'role="img" aria-label="Sent"' in labelled
    assert 'class="icon icon--sm tick"' in labelled
    assert "aria-hidden" not in labelled


def test_an_icons_label_is_text():
    assert "<script>" not in render('{% icon "check" "" "" label %}', label='"><script>')


def test_a_moment_carries_its_offset():
    assert render("{% moment value %}", value=NOON) == (
        '<time datetime="2026-11-20T12:00-06:00">Fri 20 Nov, 12:00 PM</time>'
    )
    assert render('{% moment value "time" "late" %}', value=NOON).startswith('<time class="late" ')


def test_no_moment_is_nothing():
    assert render("{% moment value %}", value=None) == ""


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("María Jiménez", "MJ"),
        ("Tom & Erika Becker", "TB"),
        ("Óscar", "Ó"),
        ("daniela rojas mora", "DM"),
        ("+506 8888 1234", "34"),
        ("", ""),
        ("😊", "😊"),
    ],
)
def test_initials_are_of_the_first_and_the_last_word(name, letters):
    assert render("{{ name|initials }}", name=name) == letters


def test_a_person_keeps_one_of_six_tints():
    tints = {render("{{ pk|tint }}", pk=pk) for pk in range(1, 50)}
    assert tints == {"1", "2", "3", "4", "5", "6"}
    assert render("{{ pk|tint }}", pk=None) == "1"
