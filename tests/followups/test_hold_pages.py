"""Holding and releasing on the Follow-ups page: what everybody sees, and what only admins may do."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.core.management import call_command
from django.utils import timezone

from followups.holds import people
from followups.models import FailureKind, Hold, HoldCause, Status
from followups.tasks import release_holds
from tests import factories
from tests.conftest import signed_in
from tests.followups.engine import refreshed, tick
from tests.html import html_of

pytestmark = pytest.mark.django_db

ON_PAGE = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/?status=pending"}


@pytest.fixture
def hold(team):
    """Return a function that begins a hold of the team's organization, unless told otherwise."""

    def begin(**scope) -> Hold:
        scope = scope or {"organization": team.organization}
        by = team.admin.user
        return people.begin(reason="Wrong price", cause=HoldCause.MEMBER, by=by, now=timezone.now(), **scope)

    return begin


class TestWhatEverybodySees:
    @pytest.mark.parametrize("role", ["admin", "agent", "viewer"])
    def test_the_page_says_why_since_when_and_by_whom_and_admins_may_release(self, team, due, hold, role):
        due()
        hold()
        page = html_of(signed_in(team.member(role)).get("/followups/"))
        assert f"by {team.admin.user.first_name}" in page
        assert "Wrong price" in page
        assert "1 follow-up waits" in page
        assert ("Release…" in page) == ("Edit reason" in page) == (role == "admin")
        assert ("Hold sending…" in page) == (role == "admin")

    def test_what_waits_says_so_and_what_is_due_in_days_does_not(self, team, due, hold):
        due()
        due(minutes=-3 * 24 * 60)
        hold()
        assert html_of(signed_in(team.agent).get("/followups/")).count("Waits for the release") == 1

    def test_the_other_numbers_rows_do_not(self, team, due, hold):
        due(channel=factories.ChannelFactory(organization=team.organization))
        hold(channel=team.channel)
        page = html_of(signed_in(team.agent).get("/followups/"))
        assert "Waits for the release" not in page
        assert f"Sending from {team.channel.name} is on hold" in page

    def test_the_drawer_says_so_too(self, team, due, hold):
        row = due()
        hold()
        assert "Waits for the release" in html_of(signed_in(team.agent).get(f"/followups/{row.pk}/"))

    def test_the_conversation_says_so_above_its_messages(self, team, due, hold):
        due(conversation=team.conversation)
        path = f"/inbox/{team.conversation.pk}/"
        assert "is on hold" not in html_of(signed_in(team.agent).get(path))
        hold()
        page = html_of(signed_in(team.agent).get(path))
        assert f"by {team.admin.user.first_name}: “Wrong price”" in page

    def test_the_frame_around_every_page_says_so(self, team, hold):
        assert "WhatsApp connected" in html_of(signed_in(team.viewer).get("/templates/"))
        hold()
        page = html_of(signed_in(team.viewer).get("/templates/"))
        assert "Sending is on hold" in page
        assert "WhatsApp connected" not in page

    def test_an_open_page_hears_of_a_hold_and_of_its_release(self, team, due, hold):
        due()
        client = signed_in(team.viewer)
        [row] = re.findall(r'name="seen" value="([^"]+)"', html_of(client.get("/followups/")))
        seen = {"stops": "", "v": "", "seen": row}
        assert "Wrong price" not in html_of(client.get("/followups/rows/", seen, headers=ON_PAGE))
        hold()
        answer = html_of(client.get("/followups/rows/", seen, headers=ON_PAGE))
        assert "Wrong price" in answer
        Hold.objects.update(releasing_since=timezone.now(), late="leave", released_at=timezone.now())
        answer = client.get("/followups/rows/", seen | {"stops": "hold1-00000000"}, headers=ON_PAGE)
        assert "Wrong price" not in html_of(answer)
        assert 'id="followups-stops"' in html_of(answer)

    def test_another_organizations_hold_is_nobodys_business(self, team, stranger, hold):
        hold(organization=stranger.organization)
        assert "on hold" not in html_of(signed_in(team.admin).get("/followups/"))

    def test_an_operators_hold_is_seen_and_only_an_operator_releases_it(self, team):
        call_command("hold", "We restore a backup", verbosity=0)
        page = html_of(signed_in(team.admin).get("/followups/"))
        assert "Trochai’s operator" in page
        assert "Release…" not in page
        everything = Hold.objects.get()
        assert signed_in(team.admin).post(f"/followups/holds/{everything.pk}/release/").status_code == 404

    def test_the_numbers_of_queries_are_fixed(self, team, due, hold, django_assert_num_queries):
        client = signed_in(team.admin)
        due()
        client.get("/followups/")
        with django_assert_num_queries(11) as without:
            client.get("/followups/")
        hold()
        for _n in range(5):
            due()
        # Which, when the first waits of each number, how many do, and what the frame says.
        with django_assert_num_queries(len(without) + 4):
            client.get("/followups/")


class TestHolding:
    def test_without_scripts_it_is_a_page_that_leads_back(self, team, due):
        due()
        client = signed_in(team.admin)
        page = html_of(client.get("/followups/hold/"))
        assert f"All numbers of {team.organization}" in page
        assert "1 pending, 1 of them until tonight" in page
        answer = client.post("/followups/hold/", {"what": "all", "reason": "Wrong price", "next": "/inbox/"})
        assert (answer.status_code, answer.url) == (302, "/inbox/")
        hold = Hold.objects.get()
        assert (hold.organization, hold.reason, hold.by) == (
            team.organization,
            "Wrong price",
            team.admin.user,
        )

    def test_one_number_is_held_from_the_dialog_and_the_banner_comes_at_once(self, team):
        client = signed_in(team.admin)
        assert "<dialog" in html_of(client.get("/followups/hold/", headers=ON_PAGE))
        data = {"what": team.channel.pk, "reason": "Prices"}
        answer = client.post("/followups/hold/", data, headers=ON_PAGE)
        assert "“Prices”" in html_of(answer)
        assert Hold.objects.get().channel == team.channel

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"what": "all"},
            {"what": "all", "reason": "  "},
            {"what": "all", "reason": "x" * 201},
            {"what": "all", "reason": "a\x00b"},
            {"what": "", "reason": "Prices"},
            {"what": "9" * 30, "reason": "Prices"},
            {"what": "-1", "reason": "Prices"},
        ],
    )
    def test_nonsense_is_refused_beside_its_field(self, team, data):
        for headers in ({}, ON_PAGE):
            answer = signed_in(team.admin).post("/followups/hold/", data, headers=headers)
            assert answer.status_code == 422
            assert 'class="error"' in html_of(answer)
        assert not Hold.objects.exists()

    def test_another_organizations_number_is_no_choice(self, team, stranger):
        data = {"what": stranger.channel.pk, "reason": "Prices"}
        assert signed_in(team.admin).post("/followups/hold/", data).status_code == 422
        assert str(stranger.channel.name) not in html_of(signed_in(team.admin).get("/followups/hold/"))

    def test_what_is_on_hold_already_is_not_offered(self, team, hold):
        hold()
        hold(channel=team.channel)
        client = signed_in(team.admin)
        assert "All of it is on hold already." in html_of(client.get("/followups/hold/"))
        answer = client.post("/followups/hold/", {"what": "all", "reason": "Again"})
        assert answer.status_code == 422

    @pytest.mark.parametrize("role", ["agent", "viewer"])
    def test_it_is_for_admins(self, team, hold, role):
        held, client = hold(), signed_in(team.member(role))
        paths = ["hold/", f"holds/{held.pk}/reason/", f"holds/{held.pk}/release/"]
        for path in paths:
            assert client.get(f"/followups/{path}").status_code == 403
            answer = client.post(f"/followups/{path}", {"what": "all", "reason": "x", "late": "send"})
            assert answer.status_code == 403
        assert Hold.objects.get().reason == "Wrong price"

    def test_sending_one_now_is_refused_in_words(self, team, due, hold):
        row = due(minutes=-60)
        hold()
        answer = signed_in(team.admin).get(f"/followups/{row.pk}/send-now/")
        assert answer.status_code == 409
        assert "Sending is on hold." in html_of(answer)


class TestReason:
    def test_another_reason_is_given(self, team, hold):
        held, client = hold(), signed_in(team.admin)
        path = f"/followups/holds/{held.pk}/reason/"
        assert "Wrong price" in html_of(client.get(path))
        answer = client.post(path, {"reason": "The bank is asked"}, headers=ON_PAGE)
        assert "The bank is asked" in html_of(answer)
        assert client.post(path, {"reason": ""}).status_code == 422

    def test_of_one_that_is_over_it_says_so(self, team, hold):
        held, client = hold(), signed_in(team.admin)
        Hold.objects.update(releasing_since=timezone.now(), late="leave", released_at=timezone.now())
        for path in ("reason", "release"):
            answer = client.post(f"/followups/holds/{held.pk}/{path}/", {"reason": "x", "late": "send"})
            assert answer.status_code == 409
            assert "released in the meantime" in html_of(answer)


class TestReleasing:
    def test_what_is_late_is_asked_about(self, team, meta, due, hold):
        late, soon = due(minutes=9 * 60), due()
        held, client = hold(), signed_in(team.admin)
        path = f"/followups/holds/{held.pk}/release/"
        page = html_of(client.get(path))
        assert "2 follow-ups wait. What is no later than 4 h goes out now." in page
        assert "1 is later: what becomes of it?" in page
        answer = client.post(path, {})
        assert answer.status_code == 422
        assert "Choose what becomes of what is late." in html_of(answer)
        assert client.post(path, {"late": "leave"}, headers=ON_PAGE).status_code == 200
        release_holds()
        tick()
        assert refreshed(late).failure_kind == FailureKind.MISSED
        assert refreshed(soon).status == Status.SENT

    def test_where_nothing_is_late_there_is_no_question(self, team, meta, due, hold):
        row = due()
        held, client = hold(), signed_in(team.admin)
        path = f"/followups/holds/{held.pk}/release/"
        assert "what becomes of" not in html_of(client.get(path))
        assert client.post(path, {}).status_code == 302
        assert "It is being released" in html_of(client.get("/followups/"))
        release_holds()
        tick()
        assert refreshed(row).status == Status.SENT

    def test_what_another_hold_keeps_is_not_promised(self, team, due, hold):
        due(minutes=9 * 60)
        held = hold()
        hold(channel=team.channel)
        page = html_of(signed_in(team.admin).get(f"/followups/holds/{held.pk}/release/"))
        assert "Nothing waits" in page

    def test_twice_says_that_somebody_was_faster(self, team, hold):
        held, client = hold(), signed_in(team.admin)
        path = f"/followups/holds/{held.pk}/release/"
        client.post(path, {})
        assert client.post(path, {}, headers=ON_PAGE).status_code == 409

    def test_the_history_says_what_became_of_it(self, team, due, hold):
        row = due(minutes=9 * 60)
        held, client = hold(), signed_in(team.admin)
        client.post(f"/followups/holds/{held.pk}/release/", {"late": "tomorrow"})
        release_holds()
        page = html_of(client.get(f"/followups/{row.pk}/"))
        assert f"Moved by {team.admin.user}" in page
        assert refreshed(row).scheduled_for - timezone.now() < dt.timedelta(days=2)
