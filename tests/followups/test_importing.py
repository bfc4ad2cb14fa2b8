"""Importing follow-ups from a file: File, Columns, Check, Result."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from conversations import erasure
from conversations.models import Contact, Conversation
from followups import lifecycle
from followups.imports import work
from followups.imports.models import Import, ImportRow, State, Verdict
from followups.models import FollowUp, FollowUpChange
from notifications.models import Notification
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from trochai.accounts.models import Membership, Role, SendingHours

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 15, tzinfo=dt.UTC)  # Friday 9:15 AM in Costa Rica
HEADINGS = "telefono;nombre;propiedad;cita;fecha;hora;nota"
ROW = "8712 4490;José Pablo;Casa EC-204;sábado 5;2026-12-01;9:00;Feria"


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def upload(member: Membership, content: str | bytes, name: str = "feria.csv") -> Any:
    data = content if isinstance(content, bytes) else content.encode()
    return signed_in(member).post("/followups/import/", {"file": SimpleUploadedFile(name, data)})


def stored(member: Membership, *lines: str, headings: str = HEADINGS) -> Import:
    answer = upload(member, "\n".join([headings, *lines]))
    assert answer.status_code == 302, html_of(answer)
    return Import.objects.latest("pk")


def url(batch: Import, step: str) -> str:
    return reverse(f"followups:import_{step}", args=[batch.pk])


def fields_of(html: str) -> dict[str, str]:
    """Return what a browser would send of the form on the Columns page, as it is filled in."""
    data = dict(re.findall(r'<input type="time" name="(\w+)" value="([^"]*)"', html))
    for name, options in re.findall(r'<select name="([\w-]+)".*?>(.*?)</select>', html, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        data[name] = chosen[1] if chosen else ""
    return data


def choose(member: Membership, batch: Import, **changed: str) -> Any:
    """Send the Columns page as it is guessed, but for what is ``changed``."""
    client = signed_in(member)
    data = fields_of(html_of(client.get(url(batch, "columns"))))
    return client.post(url(batch, "columns"), {**data, **changed})


def checked(member: Membership, *lines: str, headings: str = HEADINGS, **changed: str) -> Import:
    batch = stored(member, *lines, headings=headings)
    answer = choose(member, batch, **changed)
    assert answer.status_code == 302, html_of(answer)
    assert answer["Location"] == url(batch, "check")
    batch.refresh_from_db()
    return batch


def run() -> None:
    """What a worker does until nothing is left."""
    while work.do_next(now=timezone.now()):
        pass


def schedule(member: Membership, batch: Import, *, consent: bool = True) -> Import:
    answer = signed_in(member).post(url(batch, "check"), {"consent": "on"} if consent else {})
    assert answer.status_code == 302, html_of(answer)
    run()
    batch.refresh_from_db()
    return batch


def said(batch: Import, number: int) -> str:
    """Return what the Check page says in the row with this number."""
    html = html_of(signed_in(membership_of(batch)).get(url(batch, "check") + "?rows=all"))
    row = re.search(rf'<th scope="row" class="line">{number}</th>(.*?)</tr>', html, re.S)
    assert row, "the row is not on the page"
    return " ".join(re.sub(r"<[^>]+>", " ", row[1]).split())


def membership_of(batch: Import) -> Membership:
    return Membership.objects.get(user=batch.created_by, organization=batch.organization)


class TestTheWholeWay:
    def test_a_file_becomes_follow_ups_of_whoever_imported_it(self, team):
        batch = checked(team.agent, ROW)
        assert not Contact.objects.filter(phone="+50687124490").exists()
        batch = schedule(team.agent, batch)
        assert batch.state == State.DONE
        follow_up = FollowUp.objects.get()
        assert follow_up.conversation.contact.phone == "+50687124490"
        assert follow_up.conversation.contact.name == "José Pablo"
        assert follow_up.parameters == {
            "body.1": "José Pablo",
            "body.2": "Casa EC-204",
            "body.3": "sábado 5",
        }
        assert follow_up.scheduled_for == dt.datetime(2026, 12, 1, 15, 0, tzinfo=dt.UTC)
        assert (follow_up.note, follow_up.created_by) == ("Feria", team.agent.user)
        assert FollowUpChange.objects.get(follow_up=follow_up).by == team.agent.user

    def test_whoever_imported_it_is_told_and_the_notice_leads_to_the_result(self, team):
        batch = schedule(team.agent, checked(team.agent, ROW))
        notice = Notification.objects.get(kind="follow_ups_imported")
        assert (notice.recipient, notice.url) == (team.agent.user, url(batch, "result"))
        assert "feria.csv: 1 scheduled, 0 refused, 0 duplicates left out." in html_of(
            signed_in(team.agent).get("/notifications/")
        )

    def test_the_people_who_are_new_must_have_agreed_and_who_said_so_is_kept(self, team):
        batch = checked(team.agent, ROW)
        answer = signed_in(team.agent).post(url(batch, "check"))
        assert answer.status_code == 422
        assert "Say that the new people have agreed" in html_of(answer)
        assert not FollowUp.objects.exists()
        batch = schedule(team.agent, batch)
        assert batch.consent_at == NOW
        contact = Contact.objects.get(phone="+50687124490")
        assert (contact.agreed_at, contact.agreed_with) == (NOW, team.agent.user)
        assert f"{team.agent.user.name} said on" in html_of(signed_in(team.agent).get(url(batch, "result")))

    def test_people_who_are_known_need_not_have_agreed_again(self, team):
        factories.ContactFactory(organization=team.organization, phone="+50687124490")
        batch = schedule(team.agent, checked(team.agent, ROW), consent=False)
        assert batch.consent_at is None
        assert FollowUp.objects.count() == 1

    def test_a_large_file_is_checked_by_a_worker_while_the_page_asks(self, team, monkeypatch):
        monkeypatch.setattr("followups.pages.import_views.AT_ONCE", 1)
        batch = checked(team.agent, ROW, ROW.replace("4490", "4491"))
        client = signed_in(team.agent)
        page = html_of(client.get(url(batch, "check")))
        assert "0 of 2 rows" in page
        assert 'hx-trigger="every 2s"' in page
        run()
        assert "Schedule 2 follow-ups" in html_of(client.get(url(batch, "check")))

    def test_the_steps_lead_to_where_the_import_is(self, team):
        batch, client = stored(team.agent, ROW), signed_in(team.agent)
        assert client.get(url(batch, "check"))["Location"] == url(batch, "columns")
        assert client.get(url(batch, "result"))["Location"] == url(batch, "check")
        choose(team.agent, batch)
        schedule(team.agent, batch)
        for step in ("columns", "check"):
            assert client.get(url(batch, step))["Location"] == url(batch, "result")
        assert client.post(url(batch, "check"), {"consent": "on"}).status_code == 302
        run()
        assert FollowUp.objects.count() == 1


class TestWhoMay:
    def test_viewers_may_not_and_are_not_led_there(self, team):
        client = signed_in(team.viewer)
        assert client.get("/followups/import/").status_code == 403
        assert upload(team.viewer, "a;b\n1;2").status_code == 403
        assert "/followups/import/" not in html_of(client.get("/followups/"))
        assert 'href="/followups/import/"' in html_of(signed_in(team.agent).get("/followups/"))

    @pytest.mark.parametrize("step", ["columns", "check", "result", "report"])
    def test_an_import_is_there_for_whoever_made_it_alone(self, team, stranger, step):
        batch = checked(team.agent, ROW)
        for member in (team.admin, team.other_agent, stranger.agent):
            assert signed_in(member).get(url(batch, step)).status_code == 404
            assert "feria.csv" not in html_of(signed_in(member).get("/followups/import/"))
        assert "feria.csv" in html_of(signed_in(team.agent).get("/followups/import/"))

    def test_who_may_no_longer_schedule_schedules_nothing(self, team):
        batch = checked(team.agent, ROW)
        signed_in(team.agent).post(url(batch, "check"), {"consent": "on"})
        Membership.objects.filter(pk=team.agent.pk).update(role=Role.VIEWER)
        run()
        assert not FollowUp.objects.exists()
        assert ImportRow.objects.get().verdict == Verdict.REFUSED


class TestColumns:
    def test_columns_are_guessed_from_their_headings_and_what_stands_in_them(self, team):
        batch = stored(team.agent, ROW)
        fields = fields_of(html_of(signed_in(team.agent).get(url(batch, "columns"))))
        roles = [fields[f"column-{number}"] for number in range(7)]
        assert roles == ["phone", "value:body.1", "value:body.2", "value:body.3", "date", "time", "note"]
        assert (fields["template"], fields["time"]) == (str(team.template.pk), "09:00")

    def test_without_a_heading_that_says_so_numbers_and_dates_are_known_by_how_they_look(self, team):
        batch = stored(team.agent, "2026-12-01,8712 4490,Ana,Casa,sábado", headings="a,b,c,d,e")
        fields = fields_of(html_of(signed_in(team.agent).get(url(batch, "columns"))))
        assert (fields["column-0"], fields["column-1"]) == ("date", "phone")

    def test_what_is_missing_or_twice_is_said(self, team):
        batch = stored(team.agent, ROW)
        answer = choose(team.agent, batch, **{"column-0": "", "column-5": "date"})
        assert answer.status_code == 422
        html = html_of(answer)
        assert "No column becomes Phone yet." in html
        assert "Two columns become “Date”" in html

    def test_dates_that_could_be_meant_in_two_ways_are_asked_about(self, team):
        batch = stored(team.agent, ROW.replace("2026-12-01", "1/12/2026"))
        assert "The dates could be meant in two ways" in html_of(
            signed_in(team.agent).get(url(batch, "columns"))
        )
        answer = choose(team.agent, batch)
        assert answer.status_code == 422
        assert "Choose how the dates are meant." in html_of(answer)
        assert choose(team.agent, batch, date_order="mdy").status_code == 302
        assert "That’s in the past" in said(batch, 2) or "days from now" in said(batch, 2)
        choose(team.agent, batch, date_order="dmy")
        schedule(team.agent, batch)
        assert FollowUp.objects.get().scheduled_for.date() == dt.date(2026, 12, 1)

    def test_dates_that_can_be_meant_in_one_way_alone_are_not(self, team):
        batch = stored(team.agent, ROW.replace("2026-12-01", "12/16/2026"))
        html = html_of(signed_in(team.agent).get(url(batch, "columns")))
        assert "in two ways" not in html
        choose(team.agent, batch)
        schedule(team.agent, batch)
        assert FollowUp.objects.get().scheduled_for.date() == dt.date(2026, 12, 16)

    def test_each_row_may_name_its_template(self, team):
        other = factories.TemplateFactory(channel=team.channel, name="thanks", language="en")
        other.components = [{"type": "BODY", "text": "Thanks {{1}}", "example": {"body_text": [["Ana"]]}}]
        other.save()
        batch = checked(
            team.agent,
            "87124490,2026-12-01,visit_reminder,es,Ana,Casa,sábado",
            "87124491,2026-12-01,thanks,,Luis,,",
            "87124492,2026-12-01,unknown,,Luis,,",
            headings="phone,date,template,language,body.1,body.2,body.3",
        )
        assert "No approved template has this name." in said(batch, 4)
        schedule(team.agent, batch)
        assert {(each.template.name, len(each.parameters)) for each in FollowUp.objects.all()} == {
            ("visit_reminder", 3),
            ("thanks", 1),
        }

    def test_another_template_brings_its_own_values(self, team):
        other = factories.TemplateFactory(channel=team.channel, name="thanks")
        batch = stored(team.agent, ROW)
        html = html_of(signed_in(team.agent).get(f"{url(batch, 'columns')}?template={other.pk}&column-6="))
        assert fields_of(html)["template"] == str(other.pk)
        assert fields_of(html)["column-1"] == "value:body.1"

    def test_what_was_exported_is_imported_again(self, team):
        team.conversation.contact.phone = "+50687124490"
        team.conversation.contact.save()
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            note="=Feria",
            scheduled_for=dt.datetime(2026, 12, 1, 15, 0, tzinfo=dt.UTC),
        )
        client = signed_in(team.agent)
        content = b"".join(client.get("/followups/export/"))
        batch = stored(team.agent, headings=content.decode().replace("2026-12-01", "2026-12-02").strip())
        fields = fields_of(html_of(client.get(url(batch, "columns"))))
        assert list(fields.values())[2:] == [
            *("name", "phone", "template", "language", "date", "", "", "", "note"),
            *("value:body.1", "value:body.2", "value:body.3", ""),
        ]
        choose(team.agent, batch)
        schedule(team.agent, batch)
        first, again = FollowUp.objects.order_by("scheduled_for")
        assert again.scheduled_for - first.scheduled_for == dt.timedelta(days=1)
        for name in ("conversation", "template", "parameters", "note"):
            assert getattr(again, name) == getattr(first, name)


class TestChecking:
    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("8712 4491", "8712 44", "A number in Costa Rica has 8 digits; this has 6."),
            ("8712 4491", "no number", "That’s no phone number."),
            ("8712 4491", "", "(empty) That’s no phone number."),
            ("8712 4491", "+506 2201 4455", "That’s your own number."),
            ("Casa EC-204", "", "(empty) Fill this in."),
            ("Casa EC-204", "Casa" + " " * 9 + "204", "Use at most four spaces in a row."),
            ("2026-12-01", "2026-11-23", "That’s 3 days from now. Choose a time from"),
            ("2026-12-01", "2027-12-01", "That’s 376 days from now."),
            ("2026-12-01", "someday", "That’s no date."),
            ("2026-12-01", "2026-02-30", "That’s no date."),
            ("2026-12-01", "", "(empty) Choose when to send it."),
            ("2026-12-01", "9999-12-31", "days from now."),
            ("9:00", "25:00", "That’s no time."),
            ("Feria", "ñ" * 501, "Shorten the note to 500 characters: it has 501."),
            ("Feria", "Feria;more", "The row has more cells than there are headings."),
        ],
    )
    def test_what_is_wrong_is_said_beside_its_cell_before_anything_is_saved(self, team, old, new, words):
        batch = checked(team.agent, ROW, ROW.replace("4490", "4491").replace(old, new))
        assert ImportRow.objects.get(number=2).verdict == Verdict.READY
        assert words in said(batch, 3)
        assert not FollowUp.objects.exists()
        assert Contact.objects.count() == 1
        schedule(team.agent, batch)
        assert FollowUp.objects.count() == 1

    def test_who_wants_no_messages_or_has_too_many_waiting_is_refused(self, team, settings):
        settings.FOLLOWUPS_MAX_WAITING = 2
        factories.ContactFactory(
            organization=team.organization, name="Silvia", phone="+50660438712", opted_out_at=NOW
        )
        days = [ROW.replace("12-01", f"12-0{day}") for day in (1, 2, 3)]
        batch = checked(team.agent, "6043 8712" + ROW[9:], *days)
        assert "Silvia doesn’t want messages any more" in said(batch, 2)
        assert "2 follow-ups are waiting" in said(batch, 5)
        schedule(team.agent, batch)
        assert FollowUp.objects.count() == 2

    def test_the_same_twice_in_a_file_is_one_and_the_other_names_it(self, team):
        batch = checked(team.agent, ROW, ROW.replace("8712 4490", "+506 87124490"))
        assert "Same as row 2: only the first is scheduled." in said(batch, 3)
        schedule(team.agent, batch)
        assert FollowUp.objects.count() == 1

    def test_what_is_scheduled_already_otherwise_is_a_duplicate(self, team):
        contact = factories.ContactFactory(organization=team.organization, phone="+50687124490")
        talk = factories.ConversationFactory(
            organization=team.organization, channel=team.channel, contact=contact
        )
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=talk,
            template=team.template,
            parameters={"body.1": "José Pablo", "body.2": "Casa EC-204", "body.3": "sábado 5"},
            scheduled_for=dt.datetime(2026, 12, 1, 15, 0, tzinfo=dt.UTC),
        )
        batch = checked(team.agent, ROW)
        assert "The same is already scheduled for this contact." in said(batch, 2)
        assert "Schedule 1" not in html_of(signed_in(team.agent).get(url(batch, "check")))

    @pytest.mark.parametrize("status", ["pending", "canceled", "deleted", "too soon by now"])
    def test_the_same_file_twice_makes_nothing_twice(self, team, status, time_machine):
        schedule(team.agent, checked(team.agent, ROW))
        follow_up = FollowUp.objects.get()
        if status in {"canceled", "deleted"}:
            lifecycle.cancel(follow_up, by=team.agent, now=NOW)
        if status == "deleted":
            lifecycle.delete(follow_up, by=team.admin, now=NOW)
        if status == "too soon by now":
            time_machine.move_to(NOW + dt.timedelta(days=9), tick=False)
        batch = checked(team.other_agent, ROW)
        assert "Already imported." in said(batch, 2)
        assert FollowUp.objects.count() == 1

    def test_a_time_that_the_clocks_skip_is_refused_and_one_that_comes_twice_is_the_first(self, team):
        team.organization.timezone, team.organization.max_days = "Europe/Madrid", 365
        team.organization.country = "ES"
        team.organization.save()
        batch = checked(
            team.agent,
            ROW.replace("2026-12-01;9:00", "2027-03-28;2:30").replace("8712 4490", "+50687124490"),
            ROW.replace("2026-12-01;9:00", "2027-10-31;2:30").replace("8712 4490", "+50687124490"),
        )
        assert "this time doesn’t exist. The next is Sun 28 Mar, 3:30 AM." in said(batch, 2)
        schedule(team.agent, batch)
        assert FollowUp.objects.get().scheduled_for == dt.datetime(2027, 10, 31, 0, 30, tzinfo=dt.UTC)

    def test_totals_lead_to_their_rows_which_come_in_pages(self, team):
        bad = [ROW.replace("8712 4490", f"8712 44{n}") for n in range(10)]
        batch = checked(team.agent, *bad, *(ROW.replace("4490", f"4{n}") for n in range(100, 160)))
        client = signed_in(team.agent)
        page = html_of(client.get(url(batch, "check")))
        assert page.count('class="line"') == 10
        assert f'href="{url(batch, "check")}?rows=ready"' in page
        ready = html_of(client.get(url(batch, "check") + "?rows=ready"))
        assert ready.count('class="line"') == 50
        following = re.search(r'href="([^"]*after=[^"]*)"', ready)
        assert following
        rest = html_of(client.get(following[1].replace("&amp;", "&")))
        assert rest.count('class="line"') == 10
        assert 'rel="prev"' in rest

    def test_other_columns_have_it_checked_anew(self, team):
        batch = checked(team.agent, ROW)
        answer = choose(team.agent, batch, **{"column-2": "value:body.3", "column-3": "value:body.2"})
        assert answer.status_code == 302
        schedule(team.agent, batch)
        assert FollowUp.objects.get().parameters["body.2"] == "sábado 5"

    def test_what_would_mean_something_else_by_now_is_not_scheduled(self, team):
        batch = checked(team.agent, ROW)
        team.organization.timezone = "Europe/Madrid"
        team.organization.save()
        schedule(team.agent, batch)
        assert not FollowUp.objects.exists()
        assert not Contact.objects.filter(phone="+50687124490").exists()
        answer = signed_in(team.agent).get(url(batch, "report"))
        assert "It would mean something else by now." in b"".join(answer).decode()

    def test_what_has_changed_since_the_check_refuses_its_row_and_makes_no_contact(self, team):
        batch = checked(team.agent, ROW)
        team.template.status = "PAUSED"
        team.template.save()
        schedule(team.agent, batch)
        assert not FollowUp.objects.exists()
        assert not Contact.objects.filter(phone="+50687124490").exists()

    def test_quiet_hours_where_somebody_is_are_said_beside_the_moment_and_refuse_nothing(self, team):
        """The contact's own zone, where somebody has noted it, counts before that of the number."""
        SendingHours.objects.bulk_create(
            SendingHours(organization=team.organization, weekday=day, begin=dt.time(8), end=dt.time(20))
            for day in range(1, 8)
        )
        factories.ContactFactory(
            organization=team.organization, phone="+34600550135", timezone="America/Costa_Rica"
        )
        line = "{};José Pablo;Casa EC-204;sábado 5;2026-12-01;15:00;Feria"
        batch = checked(team.agent, *map(line.format, ("+34 600 55 01 34", "+34 600 55 01 35", "8712 4490")))
        assert batch.counts()["ready"] == 3
        assert "PM in Canary, outside 8:00 AM to 8:00 PM there." in said(batch, 2)
        assert not any("outside" in said(batch, number) for number in (3, 4))
        path = url(batch, "check")
        link = f'<a href="{path}?rows=quiet">1</a>'
        assert f"<dt>In quiet hours</dt><dd>{link}</dd>" in html_of(signed_in(team.agent).get(path))
        page = html_of(signed_in(team.agent).get(f"{path}?rows=quiet"))
        assert re.findall(r'class="line">(\d+)</th>', page) == ["2"]

    def test_where_nothing_is_quiet_nothing_is_said_of_it(self, team):
        batch = checked(team.agent, ROW)
        assert "In quiet hours" not in signed_in(team.agent).get(url(batch, "check")).text

    def test_what_is_checked_anew_is_quiet_only_if_it_still_is(self, team):
        batch = checked(team.agent, ROW)
        batch.rows.update(is_quiet=True)
        client = signed_in(team.agent)
        client.post(url(batch, "columns"), fields_of(html_of(client.get(url(batch, "columns")))))
        assert batch.quiet == 0

    def test_checking_costs_the_same_few_queries_however_many_rows(self, team, django_assert_max_num_queries):
        lines = [ROW.replace("4490", str(number)) for number in range(1000, 1150)]
        batch = stored(team.agent, *lines)
        client = signed_in(team.agent)
        data = fields_of(html_of(client.get(url(batch, "columns"))))
        with django_assert_max_num_queries(35):
            client.post(url(batch, "columns"), data)
        assert batch.counts()["ready"] == 150

    @pytest.mark.parametrize(("step", "most"), [("columns", 14), ("check", 18), ("result", 10)])
    def test_each_page_costs_the_same_few_queries(self, team, step, most, django_assert_max_num_queries):
        lines = [ROW.replace("4490", str(number)) for number in range(1000, 1060)]
        batch = checked(team.agent, *lines) if step != "columns" else stored(team.agent, *lines)
        if step == "result":
            schedule(team.agent, batch)
        client = signed_in(team.agent)
        client.get(url(batch, step))
        with django_assert_max_num_queries(most):
            client.get(url(batch, step) + "?rows=all")


class TestScheduling:
    def test_a_worker_that_dies_leaves_the_rest_to_the_next_and_nothing_twice(self, team, monkeypatch):
        batch = checked(team.agent, *(ROW.replace("4490", str(4490 + n)) for n in range(5)))
        signed_in(team.agent).post(url(batch, "check"), {"consent": "on"})
        schedule_it, calls = lifecycle.schedule, []

        def die(*args: Any, **kwargs: Any) -> FollowUp:
            calls.append(1)
            made = schedule_it(*args, **kwargs)
            if len(calls) == 3:
                raise SystemExit  # after it has been written, before the row says so
            return made

        monkeypatch.setattr(lifecycle, "schedule", die)
        with pytest.raises(SystemExit):
            run()
        assert FollowUp.objects.count() == 2
        page = html_of(signed_in(team.agent).get(url(batch, "result")))
        assert "2 of 5 rows" in page
        run()
        batch.refresh_from_db()
        assert (batch.state, batch.counts()["scheduled"]) == (State.DONE, 5)
        assert FollowUp.objects.count() == 5
        assert Notification.objects.filter(kind="follow_ups_imported").count() == 1

    def test_a_row_that_breaks_does_not_keep_the_others_back(self, team, monkeypatch):
        batch = checked(team.agent, ROW, ROW.replace("4490", "4491"))
        schedule_it = lifecycle.schedule

        def broken(wanted: Any, **kwargs: Any) -> FollowUp:
            if wanted.conversation.contact.phone.endswith("4490"):
                raise RuntimeError
            return schedule_it(wanted, **kwargs)

        monkeypatch.setattr(lifecycle, "schedule", broken)
        schedule(team.agent, batch)
        assert batch.counts()["scheduled"] == 1
        assert not Contact.objects.filter(phone="+50687124490").exists()

    def test_what_was_left_out_comes_back_as_the_same_file_with_a_column_that_says_why(self, team):
        batch = checked(team.agent, ROW, ROW, ROW.replace("8712 4490", "8712 44").replace("Feria", "'=1+1"))
        schedule(team.agent, batch)
        text = b"".join(signed_in(team.agent).get(url(batch, "report"))).decode()
        lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
        assert lines[0] == [*HEADINGS.split(";"), "Problem"]
        assert [line[-1] for line in lines[1:]] == [
            "Same as row 2: only the first is scheduled.",
            "A number in Costa Rica has 8 digits; this has 6.",
        ]
        assert lines[2][:-1] == ["8712 44", *ROW.split(";")[1:6], "'=1+1"]
        page = html_of(signed_in(team.agent).get(url(batch, "result")))
        assert "The number can’t be used" in page
        assert "Row 4" in page


class TestForgetting:
    @pytest.mark.parametrize("when", ["before the check", "before it is scheduled", "afterwards"])
    def test_of_an_erased_contact_no_file_says_anything(self, team, when):
        contact = factories.ContactFactory(organization=team.organization, phone="+50687124490")
        factories.ConversationFactory(organization=team.organization, channel=team.channel, contact=contact)
        other = ROW.replace("4490", "5500")
        if when == "before the check":
            batch = stored(team.agent, ROW, other)
        else:
            batch = checked(team.agent, ROW, other)
        if when == "afterwards":
            schedule(team.agent, batch)
        erasure.erase(contact, by=team.admin.user, now=NOW)
        kept = str(list(ImportRow.objects.values_list("cells", "phone", "problems")))
        assert "4490" not in kept
        assert "José Pablo" in kept  # of the other
        assert "5500" in kept
        if when != "afterwards":
            choose(team.agent, batch)
            schedule(team.agent, batch)
        assert FollowUp.objects.filter(conversation__contact__phone="+50687124490").count() == 0
        assert not Conversation.objects.filter(contact__phone="+50687124490").exists()

    def test_imports_go_a_month_after_they_are_done_and_unfinished_ones_after_a_week(self, team):
        done = schedule(team.agent, checked(team.agent, ROW))
        begun = stored(team.agent, ROW)
        work.purge(now=NOW + dt.timedelta(days=6))
        assert Import.objects.count() == 2
        work.purge(now=NOW + dt.timedelta(days=8))
        assert list(Import.objects.all()) == [done]
        work.purge(now=NOW + dt.timedelta(days=31))
        assert not ImportRow.objects.exists()
        assert begun.pk is not None
        assert FollowUp.objects.count() == 1
