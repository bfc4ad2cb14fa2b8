"""What may not be scheduled is found without a form, with a code for each field."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from conversations.models import Contact, Conversation
from followups.pages.schedule_words import words
from followups.scheduling import quick_options
from followups.wanted import CUSTOM, NOTE_LENGTH, Code, Field, Wanted, problems_with
from templates_app.models import Template
from templates_app.parameters import Problem, Refusal
from trochai.accounts.models import Organization
from trochai.whatsapp.models import Channel

# Friday 20 November, 2:31:20 PM in Costa Rica
NOW = dt.datetime(2026, 11, 20, 20, 31, 20, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
# The first and the last full minute of the window of 5 to 90 days
FIRST = dt.datetime(2026, 11, 25, 20, 32, tzinfo=dt.UTC)
LAST = dt.datetime(2027, 2, 18, 20, 31, tzinfo=dt.UTC)

OWNER = Organization(timezone="America/Costa_Rica")
CHANNEL = Channel(pk=1, organization=OWNER)
BODY = [{"type": "BODY", "text": "Hola {{1}}, su visita a {{2}}."}]


def template(**fields: Any) -> Template:
    return Template(**{"channel": CHANNEL, "status": "APPROVED", "components": BODY, **fields})


def wanted(**fields: Any) -> Wanted:
    contact = Contact(name="María", phone="+50688881234", opted_out_at=fields.pop("opted_out_at", None))
    return Wanted(
        **{
            "conversation": Conversation(organization=OWNER, channel=CHANNEL, contact=contact),
            "template": template(),
            "parameters": {"body.1": "María", "body.2": "Casa EC-204"},
            "choice": CUSTOM,
            "scheduled_for": FIRST,
            **fields,
        }
    )


def found(**fields: Any) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in problems_with(wanted(**fields), now=NOW)]


def test_what_may_be_scheduled_has_no_problem() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"opted_out_at": NOW}, (Field.CONTACT, Code.OPTED_OUT)),
        ({"template": None}, (Field.TEMPLATE, Code.NO_TEMPLATE)),
        ({"template": template(status="PAUSED")}, (Field.TEMPLATE, Code.NOT_SENDABLE)),
        ({"template": template(channel=Channel(pk=2))}, (Field.TEMPLATE, Code.NOT_SENDABLE)),
        ({"template": template(components=[{"type": "CAROUSEL"}])}, (Field.TEMPLATE, Code.NOT_SENDABLE)),
        ({"parameters": {"body.1": "María"}}, ("parameters.body.2", Refusal.BLANK)),
        ({"scheduled_for": None}, (Field.MOMENT, Code.NO_MOMENT)),
        ({"choice": ""}, (Field.MOMENT, Code.NO_MOMENT)),
        ({"choice": "in_5_minutes"}, (Field.MOMENT, Code.UNKNOWN_CHOICE)),
        ({"note": "x" * (NOTE_LENGTH + 1)}, (Field.NOTE, Code.NOTE_TOO_LONG)),
    ],
)
def test_each_thing_that_stands_against_it_is_named_with_its_field(
    fields: dict[str, Any], problem: tuple[str, str]
) -> None:
    assert found(**fields) == [problem]


def test_all_that_is_wrong_is_named_at_once() -> None:
    problems = found(opted_out_at=NOW, template=None, scheduled_for=NOW, note="x" * 501)
    assert [code for _field, code in problems] == [
        Code.OPTED_OUT,
        Code.NO_TEMPLATE,
        Code.OUTSIDE_WINDOW,
        Code.NOTE_TOO_LONG,
    ]


@pytest.mark.parametrize(
    ("at", "is_wrong"),
    [
        (NOW - MINUTE, True),
        (NOW + 3 * 60 * MINUTE, True),
        (FIRST - MINUTE, True),
        (FIRST, False),
        (LAST, False),
        (LAST + MINUTE, True),
    ],
)
def test_a_custom_moment_must_lie_in_the_window(at: dt.datetime, is_wrong: bool) -> None:
    assert found(scheduled_for=at) == ([(Field.MOMENT, Code.OUTSIDE_WINDOW)] if is_wrong else [])


@pytest.mark.parametrize("option", quick_options(NOW, OWNER.zone), ids=lambda option: option.key)
def test_a_quick_option_may_be_sooner_than_the_window_but_means_its_own_moment_alone(option: Any) -> None:
    assert found(choice=option.key, scheduled_for=option.at) == []
    for at in (option.at - MINUTE, option.at + dt.timedelta(seconds=1), FIRST):
        assert found(choice=option.key, scheduled_for=at) == [(Field.MOMENT, Code.OPTION_MOVED)]


@pytest.mark.parametrize("code", Code)
def test_each_code_has_words(code: Code) -> None:
    moments = {"option": "tomorrow_9", "at": NOW, "now": NOW}
    values = {**moments, "contact": "María", "length": 501, "limit": 500, "times": 60, "years": 10}
    assert words(Problem(Field.MOMENT, code, values), OWNER)


def test_a_code_that_is_valid_for_minutes_is_not_scheduled():
    codes = template(category="AUTHENTICATION", components=[{"type": "BODY", "text": "{{1}} es su código."}])
    (problem,) = problems_with(wanted(template=codes, parameters={"body.1": "123456"}), now=NOW)
    assert (problem.field, problem.code) == (Field.TEMPLATE, Code.NOT_SENDABLE)
