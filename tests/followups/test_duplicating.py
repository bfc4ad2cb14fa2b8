"""Another follow-up like one that there is: the same dialog, filled in, with a date of its own."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from followups.models import FollowUp
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def make(team: Team, **fields: Any) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        **{"note": "They bring the dog", "cancel_on_reply": True, **fields},
    )


def path(follow_up: FollowUp) -> str:
    return f"/followups/{follow_up.pk}/duplicate/"


def page(member: Any, address: str, **headers: str) -> str:
    return html_of(signed_in(member).get(address, headers=headers))


@pytest.mark.parametrize("status", ["pending", "processing", "sent", "failed", "canceled"])
def test_whoever_may_schedule_may_duplicate_any(team, status):
    follow_up = make(team, status=status)
    for where in (f"/followups/{follow_up.pk}/menu/", f"/followups/{follow_up.pk}/"):
        for member in (team.agent, team.other_agent, team.admin):
            assert path(follow_up) in page(member, where)
        assert path(follow_up) not in page(team.viewer, where)
    assert signed_in(team.viewer).get(path(follow_up)).status_code == 403


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_the_dialog_has_everything_but_when(team, headers):
    html = page(team.other_agent, path(make(team, status="sent")), **headers)
    for value in ("María", "Casa EC-204", "sábado 28"):
        assert f'value="{value}"' in html
    assert "They bring the dog</textarea>" in html
    assert 'name="cancel_on_reply" checked' in html
    assert "Choose when this will be sent." in html
    assert 'name="when" value="custom" checked' not in html


def test_it_makes_a_row_of_its_own_and_leaves_the_first_as_it_is(team):
    follow_up = make(team, status="failed")
    data = {
        "submission": "5b8e0f0e-7a4e-4f0e-9f0e-1f6c1f4dfe11",
        "template": follow_up.template_id,
        **{f"p-{key.replace('.', '-')}": value for key, value in follow_up.parameters.items()},
        "note": follow_up.note,
    }
    client = signed_in(team.other_agent)
    assert client.post(path(follow_up), data, headers=HTMX).status_code == 422
    when = {"when": "custom", "date": "2026-12-04", "time": "10:30"}
    for _each in range(2):
        assert client.post(path(follow_up), {**data, **when}, headers=HTMX).status_code == 204
    made = FollowUp.objects.exclude(pk=follow_up.pk).get()
    assert (made.status, made.parameters, made.note) == ("pending", follow_up.parameters, follow_up.note)
    assert made.created_by == team.other_agent.user
    assert made.scheduled_for == dt.datetime(2026, 12, 4, 16, 30, tzinfo=dt.UTC)
    follow_up.refresh_from_db()
    assert follow_up.status == "failed"


def test_a_template_that_can_no_longer_be_sent_is_chosen_anew(team):
    follow_up = make(team, status="sent")
    factories.TemplateFactory(channel=team.channel, name="oferta")
    factories.TemplateFactory(channel=team.channel, name="saludo")
    team.template.status = "PAUSED"
    team.template.save()
    html = page(team.agent, path(follow_up), **HTMX)
    assert "Choose a template" in html
    assert "They bring the dog</textarea>" in html


def test_nothing_is_duplicated_for_somebody_who_is_erased(team):
    follow_up = make(team, status="failed")
    follow_up.conversation.contact.erased_at = NOW
    follow_up.conversation.contact.save()
    assert f"/followups/{follow_up.pk}/menu/" not in page(team.admin, "/followups/")
    assert signed_in(team.admin).get(path(follow_up)).status_code == 409
