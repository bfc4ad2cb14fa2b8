"""``manage.py hold``: what an operator does before and after a restore."""

from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from followups.models import FailureKind, Hold, Status
from notifications.models import Notification
from tests.conftest import signed_in
from tests.followups.engine import refreshed, tick

pytestmark = pytest.mark.django_db


def hold(*arguments: object) -> str:
    out = StringIO()
    call_command("hold", *map(str, arguments), stdout=out)
    return out.getvalue()


def moment(**ago: float) -> str:
    return (timezone.now() - dt.timedelta(**ago)).isoformat()


class TestSending:
    def test_everything_is_held_and_released(self, meta, due):
        late, soon = due(minutes=9 * 60), due()
        assert "on hold" in hold("We restore a backup")
        tick()
        assert meta.requests == []
        assert "We restore a backup" in hold("--list")
        assert "released" in hold("--release", "--late", "leave")
        tick()
        assert refreshed(soon).status == Status.SENT
        assert refreshed(late).failure_kind == FailureKind.MISSED
        assert hold("--list") == "0 on hold.\n"

    @pytest.mark.parametrize("named", ["pk", "name"])
    def test_an_organization_or_a_number_is_named_by_id_or_name(self, team, stranger, named):
        hold("Prices", "--organization", getattr(team.organization, named))
        hold("Prices", "--channel", getattr(team.channel, named))
        assert [(each.scope, each.organization) for each in Hold.objects.order_by("pk")] == [
            ("organization", team.organization),
            ("channel", team.organization),
        ]
        hold("--release", "--late", "send", "--channel", getattr(team.channel, named))
        assert Hold.objects.in_force().get().scope == "organization"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "Give a reason"),
            (["   "], "Give a reason"),
            (["x" * 201], "at most 200"),
            (["Prices", "--organization", "Nobody"], "By id and name there are:"),
            (["Prices", "--organization", "9" * 40], "By id and name there are:"),
            (["--release"], "--late"),
            (["--release", "--late", "send"], "not on hold"),
            (["Why", "--due-between", "yesterday", "now"], "is no date and time"),
            (["Why", "--due-between", "2026-02-30T09:00", "2026-03-01T09:00"], "is no date and time"),
            (["Why", "--due-between", "2026-03-02T09:00", "2026-03-01T09:00"], "FROM is later"),
        ],
    )
    def test_what_makes_no_sense_is_refused_in_words(self, team, arguments, words):
        with pytest.raises(CommandError, match=words):
            hold(*arguments)
        assert not Hold.objects.exists()

    def test_twice_is_refused(self):
        hold("Prices")
        with pytest.raises(CommandError, match="on hold already"):
            hold("Prices")


class TestRowsOfARestoredBackup:
    def test_each_that_is_due_then_waits_for_a_person(self, team, meta, due):
        before, within, claimed = due(minutes=200), due(minutes=100), due(minutes=90, status="processing")
        later = due(minutes=-10)
        said = hold("Restored", "--due-between", moment(minutes=150), moment())
        assert "2 on hold" in said
        tick()
        assert [refreshed(row).status for row in (before, later)] == [Status.SENT, Status.PENDING]
        assert {refreshed(row).held_reason for row in (within, claimed)} == {"restored"}
        assert len(meta.requests) == 1

    def test_those_in_charge_are_told_once_how_many(self, team, due):
        for _n in range(3):
            due(minutes=100)
        hold("Restored", "--due-between", moment(minutes=150), moment())
        notice = Notification.objects.get()
        assert notice.recipient == team.agent.user
        assert notice.text.startswith("3 follow-ups may have gone out before a backup was restored.")

    def test_in_parts_and_again_without_harm(self, due, monkeypatch):
        monkeypatch.setattr("followups.holds.restored.CHUNK", 2)
        rows = [due(minutes=100) for _n in range(5)]
        assert "5 on hold" in hold("Restored", "--due-between", moment(minutes=150), moment())
        assert "0 on hold" in hold("Restored", "--due-between", moment(minutes=150), moment())
        again = ["--release", "--late", "send", "--due-between", moment(minutes=150), moment()]
        assert "5 released" in hold(*again)
        assert "0 released" in hold(*again)
        assert {row.changes.count() for row in rows} == {2}

    @pytest.mark.parametrize(
        ("late", "status", "kind"),
        [
            ("send", Status.SENT, ""),
            ("tomorrow", Status.PENDING, ""),
            ("leave", Status.FAILED, FailureKind.MISSED),
        ],
    )
    def test_they_are_released_together_with_a_choice_for_what_is_late(self, meta, due, late, status, kind):
        row, soon = due(minutes=9 * 60), due(minutes=30)
        due(minutes=30, held_reason="contact")
        between = ["--due-between", moment(hours=10), moment()]
        hold("Restored", *between)
        hold("--release", "--late", late, *between)
        tick()
        assert (refreshed(row).status, refreshed(row).failure_kind) == (status, kind)
        assert refreshed(soon).status == Status.SENT
        assert len(meta.requests) == 1 + (late == "send")

    def test_only_of_one_organization(self, team, stranger, due):
        theirs = due(
            organization=stranger.organization, conversation=stranger.conversation, template=stranger.template
        )
        mine = due()
        hold("Restored", "--due-between", moment(hours=1), moment(), "--organization", team.organization.pk)
        assert [refreshed(row).held_reason for row in (mine, theirs)] == ["restored", ""]

    def test_one_that_a_person_releases_is_sent(self, team, meta, due):
        row = due()
        hold("Restored", "--due-between", moment(hours=1), moment())
        answer = signed_in(team.agent).post(f"/followups/{row.pk}/release/", {"confirmed": 1})
        assert answer.status_code == 302
        tick()
        assert refreshed(row).status == Status.SENT

    def test_without_a_zone_the_servers_is_meant_and_said(self, due):
        said = hold("Restored", "--due-between", "2026-11-20T09:00", "2026-11-20 10:00:30")
        assert "from 2026-11-20 09:00+00:00 to 2026-11-20 10:00+00:00" in said
