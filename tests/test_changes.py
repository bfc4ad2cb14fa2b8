"""An open page is told at once that nothing has changed, and never that when something has."""

from __future__ import annotations

import datetime as dt
import re
from urllib.parse import parse_qsl

import pytest
from django.core.cache import caches
from django.urls import reverse
from django.utils import timezone

from conversations import triage
from conversations.models import Contact, ConversationStatus
from followups.models import FollowUp, Status
from notifications.notify import notify
from templates_app.sync import sync_channel
from tests import factories
from tests.conftest import Team, signed_in
from tests.followups.engine import tick
from tests.html import html_of
from tests.templates_app.conftest import templates_path
from tests.webhooks.meta import PERSON, post, say
from trochai import changes
from trochai.accounts.models import Membership
from trochai.changes import Kind
from trochai.hints import hints
from trochai.whatsapp import channels
from trochai.whatsapp.cloud_api.failures import Failure

NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def answering(monkeypatch):
    monkeypatch.setattr(hints, "_silent_until", 0.0)


def version(team: Team, *, now: dt.datetime = NOW) -> str:
    return changes.version(team.agent, tuple(Kind), now=now)


def versions(team: Team) -> dict[Kind, str]:
    return {kind: changes.version(team.agent, [kind], now=NOW) for kind in Kind}


@pytest.fixture
def heard(team, stranger, django_capture_on_commit_callbacks):
    """Return a function that does something and says what the team's pages hear of; others never do."""

    def hear(act) -> set[Kind]:
        before, elsewhere = versions(team), version(stranger)
        with django_capture_on_commit_callbacks(execute=True):
            act()
        assert version(stranger) == elsewhere
        return {kind for kind, found in versions(team).items() if found != before[kind]}

    return hear


class TestWhoTells:
    def test_what_a_member_sends(self, team, heard):
        client = signed_in(team.agent)
        path = reverse("conversations:update", args=[team.conversation.pk])
        assert heard(lambda: client.post(path, {"status": ConversationStatus.CLOSED})) == set(changes.LASTING)
        assert not heard(lambda: client.get(reverse("conversations:inbox")))

    def test_reading_what_was_unread(self, team, heard):
        team.conversation.unread_count = 1
        team.conversation.save()
        assert heard(lambda: triage.mark_read(team.conversation)) == {Kind.CONVERSATIONS}
        assert not heard(lambda: triage.mark_read(team.conversation))

    def test_a_message_and_a_status_that_a_webhook_brings(self, team, heard):
        assert heard(lambda: say(team.channel, "Hola")) == {Kind.CONVERSATIONS}
        sent = factories.MessageFactory(
            conversation=team.conversation, delivery="accepted", whatsapp_id="wamid.S", direction="out"
        )
        status = {"id": sent.whatsapp_id, "status": "read", "timestamp": "1795000000", "recipient_id": "5"}
        assert heard(lambda: post(team.channel, statuses=[status])) == {Kind.CONVERSATIONS, Kind.FOLLOW_UPS}

    def test_an_answer_that_cancels_what_waits(self, team, heard):
        contact = team.conversation.contact
        contact.phone = f"+{PERSON}"
        contact.save()
        waiting = factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.agent.user,
            cancel_on_reply=True,
            created_at=NOW - dt.timedelta(days=1),
        )
        answer = heard(lambda: say(team.channel, "text", {"body": "Hola"}))
        assert answer == {Kind.CONVERSATIONS, Kind.FOLLOW_UPS, Kind.NOTICES}
        waiting.refresh_from_db()
        assert waiting.status == Status.CANCELED

    def test_what_is_sent(self, team, meta, heard):
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.agent.user,
            scheduled_for=timezone.now() - dt.timedelta(minutes=1),
        )
        assert heard(tick) == {Kind.CONVERSATIONS, Kind.FOLLOW_UPS, Kind.NOTICES}

    def test_a_tick_with_nothing_to_do_does_not(self, team, heard):
        assert not heard(tick)

    def test_a_number_that_stops_and_goes_on(self, team, heard):
        stop = {"failure": Failure(code=190), "now": timezone.now()}
        assert heard(lambda: channels.stop(team.channel.pk, **stop)) == {Kind.CHANNELS, Kind.NOTICES}
        assert heard(lambda: channels.resume(team.channel.pk)) == {Kind.CHANNELS}
        assert not heard(lambda: channels.resume(team.channel.pk))

    def test_a_sync_of_templates(self, team, httpserver, settings, heard):
        settings.WHATSAPP_API_URL = httpserver.url_for("").rstrip("/")
        httpserver.expect_request(templates_path(team.channel)).respond_with_json({"data": []})
        assert heard(lambda: sync_channel(team.channel, timezone.now())) == {Kind.TEMPLATES}

    def test_what_comes_into_a_bell(self, team, heard):
        about = {"organization": team.organization, "kind": "x", "values": {}, "now": timezone.now()}
        assert heard(lambda: notify(recipients=[team.agent.user], **about)) == {Kind.NOTICES}
        assert not heard(lambda: notify(recipients=[], **about))

    def test_nobody_before_it_is_committed(self, team):
        before = version(team)
        changes.changed([team.organization.pk])  # within the test's transaction, which never ends
        assert version(team) == before


@pytest.mark.usefixtures("standing_clock")
class TestOpenPages:
    def version_in(self, html: str) -> str:
        return re.search(r'name="v" value="([^"]+)"', html)[1]

    def test_the_inbox_hears_it_for_three_queries(self, team, told, django_assert_num_queries):
        client = signed_in(team.agent)
        asked = {"open": team.conversation.pk, "v": ""}
        page = client.get(reverse("conversations:conversation", args=[team.conversation.pk]))
        asked["v"] = self.version_in(page.content.decode())
        with django_assert_num_queries(3):  # session, person, membership
            assert client.get(reverse("conversations:poll"), asked, headers=HTMX).status_code == 204
        told([team.organization.pk])
        # Something else has changed: the page stays as it is, and knows the new version.
        answer = client.get(reverse("conversations:poll"), asked, headers=HTMX)
        assert (answer.status_code, answer["HX-Reswap"]) == (200, "none")
        asked["v"] = self.version_in(answer.content.decode())
        with django_assert_num_queries(3):
            assert client.get(reverse("conversations:poll"), asked, headers=HTMX).status_code == 204

    def test_so_does_the_follow_ups_page(self, team, told, django_assert_num_queries):
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.agent.user,
        )
        client, path = signed_in(team.agent), reverse("followups:rows")
        html = client.get(reverse("followups:index")).content.decode()
        asked = {"seen": re.findall(r'name="seen" value="([^"]+)"', html), "v": self.version_in(html)}
        with django_assert_num_queries(3):
            assert client.get(path, asked, headers=HTMX).status_code == 204
        told([team.organization.pk])
        answer = client.get(path, asked, headers=HTMX).content.decode()
        assert 'id="version"' in answer
        assert "<tr" not in answer
        asked["v"] = self.version_in(answer)
        FollowUp.objects.update(note="Llamar antes")
        assert client.get(path, asked, headers=HTMX).status_code == 204  # not told yet
        FollowUp.objects.update(failures=1, next_attempt_at=timezone.now())
        told([team.organization.pk])
        assert "<tr" in client.get(path, asked, headers=HTMX).content.decode()

    def test_a_page_looks_for_itself_each_minute_at_a_moment_of_its_own(self, team):
        seconds = [NOW + dt.timedelta(seconds=n) for n in range(180)]
        assert len({version(team, now=now) for now in seconds}) in {3, 4}

        def turns(viewer: Membership) -> list[int]:
            seen = [changes.version(viewer, changes.INBOX, now=now) for now in seconds]
            return [n for n in range(1, 180) if seen[n] != seen[n - 1]]

        assert turns(team.agent) != turns(team.other_agent)


@pytest.mark.usefixtures("standing_clock")
class TestATeamThatIsToldOfTheSame:
    """Its open inboxes ask within a moment, and the list is found and drawn for the first of them."""

    @pytest.fixture
    def inbox_of(self, team):
        """Return a function that opens a member's inbox, and returns one that asks as its page does."""

        def opened(member: Membership, *, query: str = "", pk: int | str = ""):
            client = signed_in(member)
            path = reverse("conversations:conversation", args=[pk]) if pk else reverse("conversations:inbox")
            seen = [html_of(client.get(path + query))]

            def ask(**more: str) -> str:
                version = re.findall(r'name="v" value="([^"]+)"', seen[-1])[0]
                query_data = {"open": pk, "v": version, **dict(parse_qsl(query.removeprefix("?"))), **more}
                answer = client.get(reverse("conversations:poll"), query_data, headers=HTMX)
                seen.append(html_of(answer))
                return seen[-1]

            return ask

        return opened

    def test_the_others_get_what_the_first_has_got(self, team, told, inbox_of, django_assert_num_queries):
        first, second = inbox_of(team.agent), inbox_of(team.other_agent)
        factories.ConversationFactory(
            organization=team.organization, channel=team.channel, preview="Buenas tardes"
        )
        told([team.organization.pk])
        assert "Buenas tardes" in first()
        # Session, person, memberships, how many are theirs, their day.
        with django_assert_num_queries(5):
            assert "Buenas tardes" in second()

    def test_of_one_moment_they_get_the_same_though_more_has_come_since(
        self, team, told, inbox_of, django_assert_num_queries
    ):
        def comes(preview: str) -> None:
            factories.ConversationFactory(
                organization=team.organization, channel=team.channel, preview=preview
            )
            told([team.organization.pk])

        first, second = inbox_of(team.agent), inbox_of(team.other_agent)
        comes("Buenas tardes")
        assert "Buenas tardes" in first(moment="0" * 12)
        comes("Buenas noches")
        with django_assert_num_queries(5):
            late = second(moment="0" * 12)
        assert ("Buenas tardes" in late, "Buenas noches" in late) == (True, False)
        # Of what has come since it is told next, and is not answered that nothing has changed.
        assert "Buenas noches" in second(moment="1" * 12)
        assert "Buenas noches" in first(moment="1" * 12)

    @pytest.mark.parametrize("moment", ["", "0" * 11, "G" * 12, "../" * 4, "0" * 2000, "é\n"])
    def test_what_names_no_moment_is_left_aside(self, team, told, inbox_of, moment):
        ask = inbox_of(team.agent)
        told([team.organization.pk])
        factories.ConversationFactory(
            organization=team.organization, channel=team.channel, preview="Buenas tardes"
        )
        assert "Buenas tardes" in ask(moment=moment)

    def test_each_has_a_number_of_their_own_and_a_list_of_what_is_theirs(self, team, told, inbox_of):
        conversation = factories.ConversationFactory(
            organization=team.organization, channel=team.channel, assignee=team.agent.user
        )
        asks = [inbox_of(member) for member in (team.agent, team.other_agent)]
        mine = [inbox_of(member, query="?f=mine") for member in (team.agent, team.other_agent)]
        factories.ConversationFactory(
            organization=team.organization, channel=team.channel, assignee=team.agent.user
        )
        told([team.organization.pk])
        chips = [re.search(r">\s*Mine(?: <span>(\d+)</span>)?", ask())[1] for ask in asks]
        assert chips == ["2", None]
        lists = [f'id="row-{conversation.pk}"' in ask() for ask in mine]
        assert lists == [True, False]

    def test_another_organization_sees_nothing_of_it(self, team, stranger, told, inbox_of):
        ours, theirs = inbox_of(team.agent), inbox_of(stranger.agent)
        factories.ConversationFactory(
            organization=team.organization, channel=team.channel, preview="Buenas tardes"
        )
        told([team.organization.pk, stranger.organization.pk])
        assert "Buenas tardes" in ours()
        assert "Buenas tardes" not in theirs()

    def test_each_page_marks_the_conversation_that_is_open_in_it(self, team, told, inbox_of):
        other = factories.ConversationFactory(organization=team.organization, channel=team.channel)
        pages = [(pk, inbox_of(team.viewer, pk=pk)) for pk in (team.conversation.pk, other.pk)]
        factories.ConversationFactory(organization=team.organization, channel=team.channel)
        told([team.organization.pk])
        for pk, ask in pages:
            rows = re.findall(r'<a aria-current="true" class="row[^>]*id="row-(\d+)"', ask())
            assert rows == [str(pk)]

    def test_who_reads_what_has_come_in_sees_it_as_read(self, team, told, inbox_of):
        reads, looks = inbox_of(team.agent, pk=team.conversation.pk), inbox_of(team.viewer)
        team.conversation.unread_count = 1
        team.conversation.save()
        told([team.organization.pk])
        unread = re.compile(rf'class="row row--unread[^>]*id="row-{team.conversation.pk}"')
        assert unread.search(looks())
        assert not unread.search(reads())

    def test_who_comes_later_gets_it_too_until_something_is_told_or_a_minute_has_passed(
        self, team, told, time_machine, django_assert_num_queries
    ):
        clients = [signed_in(member) for member in (team.agent, team.other_agent)]
        told([team.organization.pk])

        def seen() -> list[str]:
            return [html_of(client.get(reverse("conversations:inbox"))) for client in clients]

        def rename(name: str) -> None:
            Contact.objects.filter(pk=team.conversation.contact_id).update(name=name)

        rename("Ana, sin aviso")
        assert all("Ana, sin aviso" in page for page in seen())
        rename("Berta, sin aviso")
        # Session, person and memberships of each; and how many are theirs, of who was first.
        with django_assert_num_queries(7):
            assert all("Ana, sin aviso" in page for page in seen())
        told([team.organization.pk])
        assert all("Berta, sin aviso" in page for page in seen())
        rename("Carla, sin aviso")
        time_machine.move_to(timezone.now() + changes.LOOK_AGAIN)
        assert all("Carla, sin aviso" in page for page in seen())

    def test_an_open_page_that_looks_untold_sees_what_is_there(self, team, told, inbox_of, time_machine):
        told([team.organization.pk])
        first, second = inbox_of(team.agent), inbox_of(team.other_agent)
        Contact.objects.filter(pk=team.conversation.contact_id).update(name="Renombrada sin aviso")
        time_machine.move_to(timezone.now() + changes.LOOK_AGAIN)
        assert "Renombrada sin aviso" in first()
        assert "Renombrada sin aviso" in second()


@pytest.mark.usefixtures("standing_clock")
class TestWithoutACache:
    @pytest.fixture
    def away(self, monkeypatch):
        asked = []

        def fail(*arguments, **_options):
            asked.append(arguments)
            raise ConnectionError

        for name in ("get_many", "set_many"):
            monkeypatch.setattr(caches["hints"], name, fail)
        return asked

    def test_pages_look_for_themselves(self, team, away):
        assert version(team) == ""
        client = signed_in(team.agent)
        page = client.get(reverse("conversations:inbox")).content.decode()
        looks = re.search(r'name="v" value="([^"]+)"', page)[1]
        asked = {"open": "", "v": looks}
        assert client.get(reverse("conversations:poll"), asked, headers=HTMX).status_code == 204
        factories.ConversationFactory(organization=team.organization, channel=team.channel)
        assert client.get(reverse("conversations:poll"), asked, headers=HTMX).status_code == 200

    def test_whoever_writes_asks_it_once_in_a_while(self, team, away, told):
        for _each in range(5):
            told([team.organization.pk])
        assert len(away) == 1
