"""Send now: what waits goes out at once, after one question. It is no way to schedule for today."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from followups import lifecycle
from followups.models import FollowUp, HeldReason
from tests import factories
from tests.conftest import Team, signed_in
from tests.followups.engine import tick
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
FRIDAY = NOW + dt.timedelta(days=7)
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}


@pytest.fixture(autouse=True)
def clock(request, time_machine):
    """A Friday morning; where it is sent, now, as workers go by the database's clock."""
    if "meta" not in request.fixturenames:
        time_machine.move_to(NOW, tick=False)


@pytest.fixture
def follow_up(team: Team) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        scheduled_for=FRIDAY,
    )


def send(member: Any, follow_up: FollowUp, *, htmx: bool = True, **data: Any) -> Any:
    data = {"version": follow_up.version, **data}
    headers = HTMX if htmx else {}
    return signed_in(member).post(f"/followups/{follow_up.pk}/send-now/", data, headers=headers)


def page(member: Any, path: str, **headers: str) -> str:
    return html_of(signed_in(member).get(path, headers=headers))


@pytest.mark.parametrize("where", ["/followups/{pk}/menu/", "/followups/{pk}/"])
def test_whoever_may_cancel_may_send_now(team, follow_up, where):
    way = f"/followups/{follow_up.pk}/send-now/"
    for member in (team.agent, team.admin):
        assert way in page(member, where.format(pk=follow_up.pk))
    for member in (team.other_agent, team.viewer):
        assert way not in page(member, where.format(pk=follow_up.pk))
        assert send(member, follow_up).status_code == 403


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_one_question_shows_the_message_and_the_contacts_local_time(team, follow_up, headers):
    team.conversation.contact.phone = "+4915123456789"
    team.conversation.contact.save()
    html = page(team.agent, f"/followups/{follow_up.pk}/send-now/", **headers)
    assert "Send this follow-up now?" in html
    assert "It’s 4:00 PM there." in html
    assert "Casa EC-204" in html
    assert "It can’t be called back." in html
    follow_up.refresh_from_db()
    assert follow_up.scheduled_for == FRIDAY


def test_it_goes_out_with_the_next_look_and_the_history_says_who_sent_it(team, follow_up, meta):
    follow_up.scheduled_for = follow_up.next_attempt_at = timezone.now() + dt.timedelta(days=7)
    follow_up.save()
    answer = send(team.agent, follow_up)
    assert answer.status_code == 200
    assert "Follow-up on its way" in answer["HX-Trigger"]
    tick()
    follow_up.refresh_from_db()
    assert follow_up.status == "sent"
    assert timezone.now() - follow_up.scheduled_for < dt.timedelta(minutes=5)
    assert len(meta.requests) == 1
    html = page(team.agent, f"/followups/{follow_up.pk}/")
    assert f"Sent now by {team.agent.user}" in html
    assert "<del>" in html


def test_sent_twice_it_goes_out_once(team, follow_up, meta):
    follow_up.scheduled_for = follow_up.next_attempt_at = timezone.now() + dt.timedelta(days=7)
    follow_up.save()
    send(team.agent, follow_up)
    send(team.agent, follow_up)
    tick()
    tick()
    assert len(meta.requests) == 1
    assert follow_up.changes.filter(kind="sent_now").count() == 1


def refused(answer: Any, follow_up: FollowUp) -> str:
    """What was said; nothing was changed."""
    assert answer.status_code == 409
    follow_up.refresh_from_db()
    assert (follow_up.status, follow_up.scheduled_for) == ("pending", FRIDAY)
    return answer["HX-Trigger"]


def test_to_who_wants_no_messages_nothing_is_sent(team, follow_up):
    team.conversation.contact.opted_out_at = NOW
    team.conversation.contact.save()
    assert "want messages any more" in refused(send(team.agent, follow_up), follow_up).replace("\\u2019", "’")


@pytest.mark.parametrize("change", [{"status": "PAUSED"}, {"components": []}], ids=["paused", "changed"])
def test_with_a_template_that_cannot_be_used_nothing_is_sent(team, follow_up, change):
    for name, value in change.items():
        setattr(team.template, name, value)
    team.template.save()
    assert "be sent with these values" in refused(send(team.agent, follow_up), follow_up)


def test_from_a_stopped_number_nothing_is_sent(team, follow_up):
    team.channel.stopped_at, team.channel.stop_code = NOW, 190
    team.channel.save()
    assert "The WhatsApp channel is stopped" in refused(send(team.agent, follow_up), follow_up)
    asked = signed_in(team.agent).get(f"/followups/{follow_up.pk}/send-now/", headers=HTMX)
    assert "The WhatsApp channel is stopped" in refused(asked, follow_up)


def test_what_is_on_hold_is_released_first(team, follow_up):
    FollowUp.objects.update(held_reason=HeldReason.CONTACT)
    assert "/send-now/" not in page(team.agent, f"/followups/{follow_up.pk}/")
    refused(send(team.agent, follow_up), follow_up)


def test_what_a_colleague_has_changed_since_the_question_is_not_sent_unseen(team, follow_up):
    FollowUp.objects.update(version=1, note="another")
    assert "It was changed in the meantime." in refused(send(team.agent, follow_up), follow_up)


def test_what_is_being_sent_says_so(team, follow_up):
    FollowUp.objects.update(scheduled_for=NOW, next_attempt_at=NOW)
    assert lifecycle.claim(limit=1, now=NOW).rows
    answer = send(team.agent, follow_up)
    assert answer.status_code == 409
    assert "It is processing now." in answer["HX-Trigger"]


def test_without_scripts_it_leads_back_and_says_what_happened(team, follow_up):
    answer = send(team.agent, follow_up, htmx=False, next="/followups/?status=pending")
    assert answer["Location"] == "/followups/?status=pending"
