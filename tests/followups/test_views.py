"""The follow-ups page as members see it."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from conversations.models import Contact, Delivery
from followups import lifecycle
from followups.models import CancelCause, ChangeKind, FailureKind, FollowUp, Outcome
from followups.pages import listing
from followups.pages.rows import row_for
from templates_app.models import Template
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from trochai.accounts.models import User
from trochai.search import search_text
from trochai.ui.template_tags import icon
from trochai.whatsapp import channels

INDEX = "/followups/"
NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica


@pytest.fixture(autouse=True)
def _friday(time_machine):
    time_machine.move_to(NOW, tick=False)


def make(team, **given):
    given.setdefault("conversation", team.conversation)
    given.setdefault("created_by", team.agent.user)
    given.setdefault("template", team.template)
    given["search_text"] = search_text(*given["conversation"].contact.known_as, given.get("note", ""))
    return factories.FollowUpFactory(organization=team.organization, **given)


def days(count: int) -> dt.datetime:
    return NOW + dt.timedelta(days=count)


def text_of(html: str) -> str:
    """Return what people read: tags out, white space folded."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def page(member, path=INDEX, **headers):
    answer = signed_in(member).get(path, headers=headers)
    assert answer.status_code == 200
    return html_of(answer)


def row_html(html: str, follow_up) -> str:
    match = re.search(rf'<tr [^>]*id="followup-{follow_up.pk}".*?</tr>', html, re.S)
    assert match, "the row is not on the page"
    return match[0]


def htmx(path=INDEX):
    return {"HX-Request": "true", "HX-Current-URL": f"http://testserver{path}"}


class TestHelpPage:
    """Each test names its sentence of the product's help page."""

    def test_available_in_the_sidebar_under_follow_ups(self, team):
        """ "The follow-ups page is available in the sidebar under Follow-ups (calendar with clock icon)." """
        html = page(team.viewer)
        link = re.search(r'<a href="/followups/"[^>]*aria-current="page"[^>]*>.*?</a>', html, re.S)[0]
        assert icon("calendar-clock") in link
        assert text_of(link) == "Follow-ups"

    def test_view_and_manage_all_of_the_organization(self, team, stranger):
        """ "Here you can view and manage all scheduled follow-ups for your organization." """
        ours, theirs = make(team, created_by=team.other_agent.user), make(stranger)
        html = page(team.viewer)
        assert f'id="followup-{ours.pk}"' in html
        assert f'id="followup-{theirs.pk}"' not in html

    def test_the_table_shows_seven_columns_in_this_order(self, team):
        """ "The table shows the following information for each follow-up" """
        make(team)
        heads = re.findall(r'role="columnheader"[^>]*>([^<]+)<', page(team.agent))
        assert heads == ["Contact", "Template", "Scheduled For", "Created By", "Status", "Note", "Actions"]

    def test_contact_template_date_and_creator(self, team):
        """ "Name and phone number of the target contact … Date and time … Team member who scheduled" """
        contact = factories.ContactFactory(
            organization=team.organization, name="María Jiménez", phone="+50688881234"
        )
        conversation = factories.ConversationFactory(
            organization=team.organization, channel=team.channel, contact=contact
        )
        follow_up = make(
            team, conversation=conversation, scheduled_for=dt.datetime(2026, 11, 27, 15, 0, tzinfo=dt.UTC)
        )
        read = text_of(row_html(page(team.viewer), follow_up))
        assert "María Jiménez +506 8888 1234" in read
        assert "visit_reminder Spanish" in read
        assert "Fri 27 Nov, 9:00 AM in 7 days" in read
        assert team.agent.user.name in read
        assert "Pending" in read

    def test_the_note_is_shown_truncated_and_whole_in_its_tip(self, team):
        """ "Optional internal note (shown truncated, hover to see full text)" """
        follow_up = make(team, note="First line\nSecond line")
        html = row_html(page(team.agent), follow_up)
        assert re.search(
            rf'<button class="note-button truncate"[^>]*popovertarget="note-{follow_up.pk}"[^>]*data-hint',
            html,
        )
        assert (
            f'<div class="tip" popover id="note-{follow_up.pk}" dir="auto">First line<br>Second line</div>'
            in html
        )

    @pytest.mark.parametrize(
        ("tab", "statuses"),
        [
            ("all", {"pending", "processing", "sent", "failed", "canceled"}),
            ("pending", {"pending", "processing"}),
            ("sent", {"sent"}),
            ("failed", {"failed"}),
            ("canceled", {"canceled"}),
        ],
    )
    def test_use_the_tabs_at_the_top_to_filter_by_status(self, team, tab, statuses):
        """ "Use the tabs at the top to filter follow-ups by status" """
        made = {
            status: make(team, status=status)
            for status in ("pending", "processing", "sent", "failed", "canceled")
        }
        html = page(team.viewer, f"{INDEX}?status={tab}")
        shown = {status for status, row in made.items() if f'id="followup-{row.pk}"' in html}
        assert shown == statuses
        current = re.search(
            r'<a href="[^"]*" aria-current="page">(\w+) <span>(\d+)</span>',
            html.split('id="followups-tabs"')[1],
        )
        assert current.groups() == (tab.capitalize(), str(len(statuses)))

    @pytest.mark.parametrize(
        ("status", "word"),
        [
            ("pending", "Pending"),
            ("processing", "Processing"),
            ("sent", "Sent"),
            ("failed", "Failed"),
            ("canceled", "Canceled"),
        ],
    )
    def test_follow_up_statuses_carry_their_words(self, team, status, word):
        """ "Pending … Processing … Sent … Failed … Canceled" """
        follow_up = make(team, status=status)
        badge = re.search(
            r'<span class="badge badge--(\w+)">(.*?)</span>', row_html(page(team.viewer), follow_up), re.S
        )
        assert badge[1] == status
        assert text_of(badge[2]) == word

    def test_the_actions_depend_on_the_status(self, team):
        """ "Pending: You can cancel … Failed: You can retry … All statuses: You can click View" """
        expected = {
            "pending": {"Cancel", "View"},
            "processing": {"View"},
            "sent": {"View"},
            "failed": {"Retry", "View"},
            "canceled": {"View"},
        }
        for status, actions in expected.items():
            follow_up = make(team, status=status)
            html = row_html(page(team.agent), follow_up).split('class="row-actions">')[1]
            assert set(text_of(html.split('<div class="menu"')[0]).split()) == actions

    def test_view_opens_the_associated_conversation(self, team):
        """ "All statuses: You can click View to open the associated conversation" """
        follow_up = make(team, status="sent")
        link = reverse("conversations:conversation", args=[follow_up.conversation_id])
        assert f'href="{link}"' in row_html(page(team.viewer), follow_up)

    def test_only_admins_see_delete_and_agents_act_on_their_own(self, team):
        """ "Only admins can delete canceled or failed follow-ups. Agents can cancel and retry their own." """
        failed, pending = make(team, status="failed"), make(team)
        for member, delete, change in [
            (team.admin, True, True),
            (team.agent, False, True),
            (team.other_agent, False, False),
            (team.viewer, False, False),
        ]:
            html = page(member)
            assert ("/delete/" in row_html(html, failed)) is delete
            assert ("/retry/" in row_html(html, failed)) is change
            assert ("/cancel/" in row_html(html, pending)) is change


class TestStatusCell:
    def test_a_waiting_retry_says_which_and_when(self, team):
        follow_up = make(team, scheduled_for=NOW, failures=2, next_attempt_at=NOW + dt.timedelta(minutes=5))
        assert "Retry 2 of 3 at 9:20 AM" in text_of(row_html(page(team.agent), follow_up))

    def test_a_sent_row_carries_the_tick_of_its_message(self, team):
        message = factories.MessageFactory(
            conversation=team.conversation, delivery=Delivery.READ, kind="template"
        )
        follow_up = make(team, status="sent", message=message)
        assert 'aria-label="Read"' in row_html(page(team.agent), follow_up)

    def test_a_failed_row_says_why_without_whatsapps_code(self, team):
        follow_up = make(team, status="failed", failure_code=131026)
        read = text_of(row_html(page(team.agent), follow_up))
        assert "This number isn’t on WhatsApp" in read
        assert "131026" not in read

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"cancel_cause": CancelCause.REPLY}, "María replied"),
            ({"cancel_cause": CancelCause.OPT_OUT}, "María opted out"),
            ({"cancel_cause": CancelCause.MEMBER}, "by Andrés, 17 Nov"),
        ],
    )
    def test_a_canceled_row_says_who_or_what_canceled_it(self, team, given, words):
        by = (
            factories.UserFactory(name="Andrés Solano")
            if given["cancel_cause"] == CancelCause.MEMBER
            else None
        )
        follow_up = make(
            team, status="canceled", canceled_by=by, canceled_at=NOW - dt.timedelta(days=3), **given
        )
        assert words in text_of(row_html(page(team.agent), follow_up))

    def test_a_row_whose_template_is_no_longer_approved_warns(self, team):
        team.template.status = "PAUSED"
        team.template.save()
        waiting, sent = make(team), make(team, status="sent")
        html = page(team.agent)
        assert "Template can’t be sent: paused" in text_of(row_html(html, waiting))
        assert "can’t be sent" not in row_html(html, sent)

    def test_a_row_whose_creator_is_gone_still_stands(self, team):
        follow_up = make(team, created_by=None)
        assert "Somebody who left" in row_html(page(team.agent), follow_up)

    def test_a_refusal_that_may_be_retried_later_says_when(self, team):
        follow_up = make(team, status="failed", retry_allowed_at=NOW + dt.timedelta(hours=24))
        html = row_html(page(team.agent), follow_up)
        assert "Can be retried from Sat 21 Nov, 9:15 AM" in text_of(html)
        assert "/retry/" not in html


class TestStoppedChannel:
    @pytest.fixture
    def stopped(self, team):
        team.channel.stopped_at, team.channel.stop_code = NOW, 190
        team.channel.save()
        return make(team)

    def test_its_waiting_rows_and_a_banner_say_so(self, team, stopped):
        html = page(team.agent)
        assert "Waits for its WhatsApp number" in text_of(row_html(html, stopped))
        assert "An admin needs to enter a new one. 1 follow-up is waiting." in text_of(html)

    def test_why_is_said_once_however_many_wait(self, team, stopped):
        for _each in range(5):
            make(team)
        main = page(team.agent).split("<main")[1]
        assert text_of(main).count("The WhatsApp access token is not valid any more") == 1

    def test_an_open_page_hears_of_a_stop_and_of_its_end(self, team):
        client = signed_in(team.agent)

        def ask(html):
            known = re.search(r'name="stops" value="([^"]*)"', html)[1]
            return client.get(reverse("followups:rows"), {"stops": known}, headers=htmx())

        before = page(team.agent)
        assert ask(before).status_code == 204
        team.channel.stopped_at, team.channel.stop_code = NOW, 190
        team.channel.save()
        stopped = html_of(ask(before))
        assert "The WhatsApp access token is not valid any more" in stopped
        assert ask(stopped).status_code == 204
        channels.resume(team.channel.pk)
        assert "WhatsApp channel stopped" not in html_of(ask(stopped))

    def test_only_admins_can_try_again(self, team, stopped):
        url = reverse("followups:resume_channel", args=[team.channel.pk])
        assert url in page(team.admin)
        assert url not in page(team.agent)
        assert signed_in(team.agent).post(url).status_code == 403
        answer = signed_in(team.admin).post(url, follow=True)
        assert "Trying again" in html_of(answer)
        team.channel.refresh_from_db()
        assert not team.channel.is_stopped

    def test_another_organizations_channel_is_not_there(self, team, stranger, stopped):
        url = reverse("followups:resume_channel", args=[team.channel.pk])
        assert signed_in(stranger.admin).post(url).status_code == 404
        assert "Token expired" not in page(stranger.admin)


class TestEmptyStates:
    def test_nothing_at_all_says_how_to_schedule_the_first(self, team):
        html = page(team.agent)
        assert "No follow-ups yet" in html
        assert "More actions" in html

    def test_a_viewer_is_not_told_to_do_what_they_cannot(self, team):
        assert "More actions" not in text_of(page(team.viewer)).split("No follow-ups yet")[1]

    @pytest.mark.parametrize(
        ("tab", "title"),
        [
            ("sent", "Nothing has been sent yet"),
            ("failed", "Nothing has failed"),
            ("canceled", "Nothing has been canceled"),
        ],
    )
    def test_an_empty_tab_says_what_would_be_there(self, team, tab, title):
        make(team)
        assert title in page(team.agent, f"{INDEX}?status={tab}")

    def test_a_search_without_a_match_offers_to_clear_the_filters(self, team):
        make(team)
        html = page(team.agent, f"{INDEX}?status=pending&q=piscina")
        assert "No pending follow-ups match “piscina”" in html
        assert "clear the filters to see all 1 here" in html
        assert html.count('href="/followups/?status=pending">Clear filters') == 2


class TestFilters:
    def test_htmx_gets_the_list_with_a_clean_address_and_tabs_that_keep_the_filters(self, team):
        follow_up = make(team, note="parqueo")
        path = f"{INDEX}?status=pending&q=parqueo&by=&template=&date=&first=&last="
        answer = signed_in(team.agent).get(path, headers=htmx())
        html = html_of(answer)
        assert answer["HX-Replace-Url"] == "/followups/?status=pending&q=parqueo"
        assert "HX-Request" in answer["Vary"]
        assert "<html" not in html
        assert f'id="followup-{follow_up.pk}"' in html
        assert 'href="/followups/?status=sent&amp;q=parqueo"' in html

    def test_without_javascript_the_form_has_an_apply_button(self, team):
        html = page(team.agent)
        assert re.search(r"<noscript><button[^>]*>Apply</button></noscript>", html)
        assert re.search(r'<form class="filters"[^>]*action="/followups/"', html)

    def test_the_form_shows_what_is_set(self, team):
        make(team)
        html = page(team.agent, f"{INDEX}?by=me&date=custom&first=2026-11-23&template=visit_reminder&q=a%22b")
        assert '<option value="me" selected>' in html
        assert '<option value="custom" selected>' in html
        assert '<option value="visit_reminder" selected>' in html
        assert 'name="first" value="2026-11-23"' in html
        assert 'value="a&quot;b"' in html

    def test_older_and_newer_lead_through_the_pages_and_keep_the_filters(self, team):
        for _ in range(30):
            make(team, note="parqueo")
        html = page(team.agent, f"{INDEX}?q=parqueo")
        assert "30 follow-ups" in text_of(html)
        older = re.search(r'href="([^"]+)" rel="next"', html)[1].replace("&amp;", "&")
        assert "q=parqueo" in older
        second = page(team.agent, older)
        assert second.count('<tr role="row" id=') == 5
        newer = re.search(r'href="([^"]+)" rel="prev"', second)[1].replace("&amp;", "&")
        assert page(team.agent, newer).count('<tr role="row" id=') == 25
        assert 'rel="next"' not in second

    def test_counts_stop_at_the_cap(self, team, monkeypatch):
        monkeypatch.setattr(listing, "COUNT_CAP", 2)
        for _ in range(3):
            make(team)
        assert "Pending <span>2+</span>" in page(team.agent)


class TestSafety:
    def test_markup_in_names_and_notes_is_shown_as_text(self, team):
        evil = "<script>alert(1)</script>"
        contact = factories.ContactFactory(organization=team.organization, name=evil)
        conversation = factories.ConversationFactory(
            organization=team.organization, channel=team.channel, contact=contact
        )
        follow_up = make(team, conversation=conversation, note=f'"><img src=x onerror=alert(1)>{evil}')
        for path in (INDEX, f"{INDEX}?q=%3Cscript%3E", reverse("followups:detail", args=[follow_up.pk])):
            html = page(team.admin, path)
            assert evil not in html
            assert "<img src=x" not in html
        assert "&lt;script&gt;alert(1)" in row_html(page(team.admin), follow_up)

    def test_nobody_sees_the_page_without_signing_in(self, client):
        assert client.get(INDEX).status_code == 302

    @pytest.mark.parametrize("name", ["detail", "cancel", "retry", "restore", "delete"])
    def test_another_organizations_follow_up_is_not_there(self, team, stranger, name):
        follow_up = make(team)
        assert (
            signed_in(stranger.admin).get(reverse(f"followups:{name}", args=[follow_up.pk])).status_code
            == 404
        )

    @pytest.mark.parametrize("name", ["detail", "menu"])
    def test_a_deleted_follow_up_is_not_there(self, team, name):
        follow_up = make(team, status="failed", deleted_at=NOW)
        assert signed_in(team.admin).get(reverse(f"followups:{name}", args=[follow_up.pk])).status_code == 404


def test_the_number_of_queries_does_not_grow_with_the_rows(team, django_assert_num_queries):
    def queries(path):
        client = signed_in(team.admin)
        with django_assert_num_queries(12) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    def fill(number):
        for index in range(number):
            contact = factories.ContactFactory(organization=team.organization)
            conversation = factories.ConversationFactory(
                organization=team.organization, channel=team.channel, contact=contact
            )
            status = ("pending", "sent", "failed", "canceled", "processing")[index % 5]
            canceled = {"canceled_by": factories.UserFactory()} if status == "canceled" else {}
            make(
                team,
                conversation=conversation,
                status=status,
                note="note",
                created_by=factories.UserFactory(),
                **canceled,
            )

    fill(5)  # one in each state
    few = queries(INDEX)
    fill(20)
    assert queries(INDEX) == few


def seen_in(html: str) -> list[str]:
    """Return what an open page tells of the rows that it shows."""
    return re.findall(r'name="seen" value="([^"]+)"', html)


class TestOpenPage:
    """Whatever a row shows, an open page follows it."""

    def ask(self, team, seen, path=INDEX):
        return signed_in(team.agent).get(reverse("followups:rows"), {"seen": seen}, headers=htmx(path))

    def test_nothing_is_answered_while_all_look_the_same(self, team):
        make(team)
        make(team, status="sent")
        assert self.ask(team, seen_in(page(team.agent))).status_code == 204

    def test_a_row_that_a_reply_canceled_is_brought_with_the_counts(self, team):
        canceled, other = make(team), make(team)
        pending = f"{INDEX}?status=pending"
        seen = seen_in(page(team.agent, pending))
        lifecycle.cancel_by_system(FollowUp.objects.filter(pk=canceled.pk), cause=CancelCause.REPLY, now=NOW)
        fresh = html_of(self.ask(team, seen, pending))
        assert "badge--canceled" in row_html(fresh, canceled)
        assert f'id="followup-{other.pk}"' not in fresh
        assert "Pending <span>1</span>" in fresh
        assert "1 follow-up" in text_of(fresh)
        assert '<a href="/followups/?status=pending" aria-current="page">' in fresh

    def test_a_row_that_somebody_deleted_leaves(self, team):
        gone = make(team, status="failed")
        seen = seen_in(page(team.agent))
        lifecycle.delete(gone, by=team.admin, now=NOW)
        assert f'<tr id="followup-{gone.pk}" hx-swap-oob="delete">' in html_of(self.ask(team, seen))

    def test_how_long_it_is_until_then_is_followed_too(self, team, time_machine):
        make(team, scheduled_for=NOW + dt.timedelta(minutes=10))
        seen = seen_in(page(team.agent))
        time_machine.move_to(NOW + dt.timedelta(minutes=5), tick=False)
        assert "in 5 minutes" in html_of(self.ask(team, seen))

    def test_another_organizations_rows_are_not_there(self, team, stranger):
        theirs = make(stranger)
        answer = html_of(self.ask(team, [f"{theirs.pk}-00000000"]))
        assert "María" not in answer
        assert "badge" not in answer

    def test_what_comes_in_stands_where_it_belongs(self, team):
        first, last = make(team, scheduled_for=days(10)), make(team, scheduled_for=days(30))
        pending = f"{INDEX}?status=pending"
        seen = seen_in(page(team.agent, pending))
        between, after = make(team, scheduled_for=days(20)), make(team, scheduled_for=days(40))
        answer = html_of(self.ask(team, seen, pending))
        at = re.findall(r'<tbody hx-swap-oob="([^"]+)">\s*<tr[^>]* id="followup-(\d+)"', answer)
        assert at == [
            (f"beforebegin:#followup-{last.pk}", str(between.pk)),
            ("beforeend:#followups-rows", str(after.pk)),
        ]
        assert f'id="followup-{first.pk}"' not in answer
        assert 'id="followups-tabs"' in answer
        # Neither on a later page nor where it does not belong.
        assert "<tbody" not in html_of(self.ask(team, seen, f"{INDEX}?status=failed"))

    def test_what_comes_into_an_empty_list_brings_the_list(self, team):
        assert seen_in(page(team.agent)) == []
        row = make(team)
        answer = html_of(self.ask(team, []))
        assert 'id="followups-list" hx-swap-oob="innerHTML"' in answer
        assert f'id="followup-{row.pk}"' in answer

    def test_a_page_does_not_grow_without_end(self, team):
        make(team)
        seen = [f"{10**9 + n}-00000000" for n in range(60)]
        assert "<tbody" not in html_of(self.ask(team, seen))

    def test_the_numbers_at_the_tabs_follow_what_is_not_on_the_page(self, team):
        make(team)
        pending = f"{INDEX}?status=pending"
        html = page(team.agent, pending)
        shown = re.search(r'name="tabs" value="([^"]+)"', html)[1]
        asked = {"seen": seen_in(html), "tabs": shown}
        client, path = signed_in(team.agent), reverse("followups:rows")
        assert client.get(path, asked, headers=htmx(pending)).status_code == 204
        make(team, status="failed")
        answer = html_of(client.get(path, asked, headers=htmx(pending)))
        assert 'id="followups-tabs"' in answer
        assert "<tr" not in answer

    @pytest.mark.parametrize(
        "seen", ["", "x", "1", "-1-00000000", f"{10**30}-00000000", "1-\0", "٣-00000000"]
    )
    def test_nonsense_is_ignored(self, team, seen):
        assert self.ask(team, [seen]).status_code == 204

    def test_a_drawer_follows_as_well(self, team):
        follow_up = make(team)
        path, client = reverse("followups:detail", args=[follow_up.pk]), signed_in(team.agent)
        drawer = html_of(client.get(path, headers=htmx()))
        seen = re.search(r"seen=(\w+)", drawer)[1]
        assert client.get(path, {"seen": seen}, headers=htmx()).status_code == 204
        lifecycle.cancel(follow_up, by=team.agent, now=NOW)
        fresh = html_of(client.get(path, {"seen": seen}, headers=htmx()))
        assert "badge--canceled" in fresh
        assert "<dialog" not in fresh
        lifecycle.delete(follow_up, by=team.admin, now=NOW)
        gone = client.get(path, {"seen": seen}, headers=htmx())
        assert gone.status_code == 204
        assert set(json.loads(gone["HX-Trigger"])) == {"dialog:close", "toast"}
        assert client.get(path, headers=htmx()).status_code == 404


class TestDetail:
    def url(self, follow_up):
        return reverse("followups:detail", args=[follow_up.pk])

    def test_it_is_a_drawer_for_htmx_and_a_page_otherwise(self, team):
        follow_up = make(team, note="Llamarla")
        drawer = page(team.viewer, self.url(follow_up), **htmx())
        assert drawer.lstrip().startswith("<dialog")
        assert "data-open" in drawer
        whole = page(team.viewer, self.url(follow_up))
        assert "<html" in whole
        for html in (drawer, whole):
            read = text_of(html)
            assert "Follow-up to María Jiménez" in read
            assert "Hola María , le recordamos su visita a Casa EC-204" in read
            assert "visit_reminder · Spanish" in read
            assert "Llamarla" in read

    def test_the_history_tells_each_try_with_whatsapps_code(self, team):
        start = NOW - dt.timedelta(days=1)
        follow_up = make(
            team,
            status="failed",
            scheduled_for=start,
            created_at=start - dt.timedelta(days=7),
            failure_kind=FailureKind.TEMPORARY,
            failure_code=130429,
        )
        for minutes in (0, 5, 20, 80):
            at = start + dt.timedelta(minutes=minutes)
            factories.AttemptFactory(
                follow_up=follow_up,
                requested_at=at,
                finished_at=at,
                outcome=Outcome.TEMPORARY,
                code=130429,
            )
        read = text_of(page(team.agent, self.url(follow_up)))
        assert (
            "Not sent after 3 retries. WhatsApp’s rate limit was reached: too many messages in a short time. "
            "Try again later (error 130429). It’s usually safe to retry it now." in read
        )
        history = read.split("History")[1]
        titles = [
            "Retry 3 failed",
            "Retry 2 failed",
            "Retry 1 failed",
            "First attempt failed",
            "Scheduled by",
        ]
        places = [history.index(title) for title in titles]
        assert places == sorted(places)
        assert "No retries left." in history
        for minutes in (5, 15, 60):
            assert f"Next try {minutes} minutes later." in history

    def test_a_try_after_the_last_retry_was_asked_for_by_a_person(self, team):
        follow_up = make(team, scheduled_for=NOW + dt.timedelta(minutes=5))
        for minute, outcome in enumerate([Outcome.PERMANENT, Outcome.TEMPORARY, Outcome.TEMPORARY]):
            at = NOW - dt.timedelta(minutes=10 - minute)
            factories.AttemptFactory(
                follow_up=follow_up, requested_at=at, finished_at=at, outcome=outcome, code=131000
            )
        read = text_of(page(team.agent, self.url(follow_up)))
        assert "First attempt failed" in read
        assert "Manual retry failed" in read
        assert "Retry 1 failed" in read

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"status": "canceled", "cancel_cause": CancelCause.REPLY}, "Canceled: María Jiménez replied"),
            (
                {
                    "status": "failed",
                    "failure_kind": FailureKind.MISSED,
                    "failure_code": None,
                    "failure_cause": "missed",
                    "failure_values": {"hours": 4},
                },
                "Marked as failed",
            ),
            (
                {
                    "status": "failed",
                    "failure_kind": FailureKind.UNKNOWN,
                    "failure_code": None,
                    "failure_cause": "unknown",
                },
                "Look at the chat on a phone",
            ),
        ],
    )
    def test_it_tells_how_it_ended(self, team, given, words):
        follow_up = make(team, **given)
        assert words in text_of(page(team.agent, self.url(follow_up)))

    def test_the_history_says_who_retried_it(self, team):
        failed = make(team, status="failed", created_at=NOW - dt.timedelta(days=7))
        lifecycle.retry(failed, by=team.admin, now=NOW)
        history = text_of(page(team.agent, self.url(failed))).split("History")[1]
        assert history.index(f"Retried by {team.admin.user}") < history.index("Scheduled by")

    def test_the_history_says_who_restored_it_and_what_had_canceled_it(self, team):
        follow_up = make(team, cancel_on_reply=True)
        waiting = FollowUp.objects.filter(pk=follow_up.pk)
        lifecycle.cancel_by_system(waiting, cause=CancelCause.REPLY, now=NOW)
        lifecycle.restore(follow_up, by=team.agent, now=NOW + dt.timedelta(minutes=1))
        history = text_of(page(team.agent, self.url(follow_up))).split("History")[1]
        restored = history.index(f"Restored by {team.agent.user}")
        assert restored < history.index("Canceled: María Jiménez replied")

    def test_a_cancellation_is_told_once(self, team):
        follow_up = lifecycle.cancel(make(team), by=team.admin, now=NOW)
        history = text_of(page(team.agent, self.url(follow_up))).split("History")[1]
        assert history.count(f"Canceled by {team.admin.user}") == 1

    def test_who_has_left_is_not_named_but_the_retry_is_told(self, team):
        follow_up = make(team, status="failed")
        factories.ChangeFactory(follow_up=follow_up, kind=ChangeKind.RETRIED, by=None)
        history = text_of(page(team.agent, self.url(follow_up))).split("History")[1]
        assert "Retried " in history
        assert "Retried by" not in history

    def test_it_offers_what_the_member_may_do(self, team):
        follow_up = make(team, status="failed")
        assert "/delete/" in page(team.admin, self.url(follow_up), **htmx())
        assert "/retry/" in page(team.agent, self.url(follow_up), **htmx())
        assert "/retry/" not in page(team.viewer, self.url(follow_up), **htmx())

    def test_a_deep_history_costs_no_more_queries(self, team, django_assert_max_num_queries):
        follow_up = make(team)
        for _ in range(12):
            factories.AttemptFactory(
                follow_up=follow_up, outcome=Outcome.TEMPORARY, requested_at=timezone.now()
            )
            factories.ChangeFactory(follow_up=follow_up, by=factories.UserFactory())
        client = signed_in(team.agent)
        # session, user, membership, follow-up and its creator, attempts, the worst channel,
        # changes with who made them
        with django_assert_max_num_queries(8):
            client.get(self.url(follow_up), headers=htmx())


def test_an_open_page_costs_few_queries(team, django_assert_num_queries):
    for _each in range(5):
        make(team)
    client = signed_in(team.agent)
    seen = seen_in(page(team.agent))
    path = reverse("followups:rows")
    # Session, person, membership, the rows and their templates, the worst channel, filters, counts.
    with django_assert_num_queries(9):
        assert client.get(path, {"seen": seen}, headers=htmx()).status_code == 204
    FollowUp.objects.update(note="x", next_attempt_at=NOW, failures=1)
    for _each in range(5):
        make(team)
    with django_assert_num_queries(9):
        client.get(path, {"seen": seen}, headers=htmx())


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("menu", 4),
        ("cancel", 4),
        ("move", 7),
        ("send_now", 9),
        ("duplicate", 9),
        ("edit", 10),
        ("hand_over", 6),
    ],
)
def test_a_question_costs_few_queries(team, django_assert_num_queries, name, queries):
    path = reverse(f"followups:{name}", args=[make(team).pk])
    client = signed_in(team.admin)
    with django_assert_num_queries(queries):
        client.get(path, headers=htmx())


class TestRowsDrawnOnce:
    @pytest.fixture
    def draw(self, team):
        """Return a function that draws the row of the one follow-up, as who may do all sees it."""
        make(team, note="Ask for the deposit")

        def row(**page):
            follow_up = listing.with_row(FollowUp.objects.all()).get()
            drawn = row_for(follow_up, membership=team.admin, stopped=(), now=timezone.now())
            return drawn.html(**{"here": "/followups/", "picks": True, **page})

        return row

    def test_a_row_in_which_nothing_has_changed_is_not_drawn_again(self, draw):
        assert draw() is draw()

    @pytest.mark.parametrize(
        "page",
        [{"here": "/followups/?status=pending"}, {"picks": False}, {"is_in_place": True}],
        ids=lambda page: next(iter(page)),
    )
    def test_it_is_drawn_for_each_page_that_shows_it_otherwise(self, draw, page):
        assert draw(**page) != draw()

    def test_it_is_drawn_again_when_something_that_belongs_to_it_changes(self, draw, team):
        seen = [draw()]
        for change in (
            lambda: FollowUp.objects.update(note="Ask again"),
            lambda: FollowUp.objects.update(scheduled_for=timezone.now() + dt.timedelta(days=9)),
            lambda: Contact.objects.update(name="María Rojas"),
            lambda: Contact.objects.update(phone="+50688881299"),
            lambda: Template.objects.update(language="pt_BR"),
            lambda: Template.objects.update(name="another"),
            lambda: User.objects.filter(pk=team.agent.user_id).update(name="Daniela Mora"),
            lambda: FollowUp.objects.update(owner=team.other_agent.user),
            lambda: User.objects.filter(pk=team.other_agent.user_id).update(name="Andrés Castro"),
            lambda: FollowUp.objects.update(held_reason="contact"),
        ):
            change()
            seen.append(draw())
        assert len(set(seen)) == len(seen)
