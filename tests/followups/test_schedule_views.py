from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from followups import lifecycle
from followups.models import FollowUp, HeldReason, Status
from templates_app.models import Template
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of
from trochai.accounts.models import Role

HTMX = {"HX-Request": "true"}
# Friday 20 November 2026, 2:31 PM in Costa Rica
NOW = dt.datetime(2026, 11, 20, 20, 31, tzinfo=dt.UTC)
SHOWN = {
    "shown_tomorrow_9": "2026-11-21T15:00:00+00:00",
    "shown_in_2_days_10": "2026-11-22T16:00:00+00:00",
    "shown_in_1_week_9": "2026-11-27T15:00:00+00:00",
}


@pytest.fixture(autouse=True)
def friday_afternoon():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def dialog_url(team: Team) -> str:
    return reverse("followups:schedule", args=[team.conversation.pk])


def fields(team: Team, **changes: Any) -> dict[str, Any]:
    """What the browser posts for a finished dialog; a change to None leaves the field out."""
    data = {
        "template": team.template.pk,
        "p-body-1": "María",
        "p-body-2": "Casa EC-204",
        "p-body-3": "sábado 28",
        "when": "in_1_week_9",
        **SHOWN,
        "date": "",
        "time": "09:00",
        "note": "",
        "submission": str(uuid.uuid4()),
        **{name.replace("__", "-"): value for name, value in changes.items()},
    }
    return {name: value for name, value in data.items() if value is not None}


def post(team: Team, client: Client | None = None, **changes: Any) -> Any:
    client = client or signed_in(team.agent)
    return client.post(dialog_url(team), fields(team, **changes), headers=HTMX)


def refused(team: Team, message: str, **changes: Any) -> str:
    """Post, see that it is refused with ``message`` and that nothing was made; return the form."""
    response = post(team, **changes)
    assert response.status_code == 422
    html = html_of(response)
    assert message in html
    assert 'role="alert"' in html
    assert not FollowUp.objects.exists()
    return html


# Opening the dialog


def test_follow_up_in_the_menu_opens_a_dialog_with_approved_templates(team: Team) -> None:
    """Help page: "A dialog opens where you must choose an approved WhatsApp template." """
    factories.TemplateFactory(channel=team.channel, name="not_yet", status="PENDING")
    factories.TemplateFactory(channel=team.channel, name="paused_one", status="PAUSED")
    factories.TemplateFactory(channel=team.channel, name="swipe", components=[{"type": "CAROUSEL"}])
    factories.TemplateFactory(
        channel=factories.ChannelFactory(organization=team.organization), name="other_number"
    )
    factories.TemplateFactory(channel=team.channel, name="second_one")
    response = signed_in(team.agent).get(dialog_url(team), headers=HTMX)
    html = html_of(response)
    assert html.startswith("<dialog")
    assert "data-open" in html
    assert re.findall(r'class="option".*?class="name">(\w+)<', html) == ["second_one", "visit_reminder"]
    assert "<html" not in html


def test_without_htmx_it_is_a_page_with_the_same_form(team: Team) -> None:
    html = html_of(signed_in(team.agent).get(dialog_url(team)))
    assert "<html" in html
    assert "<dialog" not in html
    assert f'action="{dialog_url(team)}"' in html
    assert "Use this template" in html


def test_the_quick_options_show_their_dates_and_carry_their_moments(team: Team) -> None:
    """Help page: "Select when to send the follow-up. You can use one of the quick options or choose a custom
    date".
    """
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    options = re.findall(r"<b>([^<]+)</b><small><time [^>]*>([^<]+)</time>", html)
    assert options == [
        ("Tomorrow 9:00 AM", "Sat 21 Nov"),
        ("In 2 days 10:00 AM", "Sun 22 Nov"),
        ("In 1 week 9:00 AM", "Fri 27 Nov"),
    ]
    for name, value in SHOWN.items():
        assert f'name="{name}" value="{value}"' in html


def test_the_custom_date_has_pickers_with_the_windows_ends_and_names_the_zone(team: Team) -> None:
    """Help page: "For a custom date, use the date and time pickers." """
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    date = re.search(r"<input[^>]*name=\"date\"[^>]*>", html)
    assert date
    assert 'type="date"' in date[0]
    assert 'min="2026-11-25"' in date[0]
    assert 'max="2027-02-18"' in date[0]
    assert re.search(r"<input[^>]*type=\"time\"[^>]*name=\"time\"|name=\"time\"[^>]*type=\"time\"", html)
    assert "5 to 90 days from now · America/Costa_Rica" in html


def test_choosing_a_template_brings_its_fields_and_its_preview(team: Team) -> None:
    """Help page: "If the template has parameters (variables), fill in the values for each one." """
    factories.TemplateFactory(channel=team.channel, name="another")
    response = signed_in(team.agent).get(
        dialog_url(team), {"template": team.template.pk}, headers={**HTMX, "HX-Target": "template-fields"}
    )
    html = html_of(response)
    assert html.count('class="field"') == 3
    assert 'data-var="body.2"' in html
    assert 'placeholder="e.g. Casa EC-204"' in html
    assert 'value="María"' in html
    assert "From the contact" in html
    assert 'data-slot="body.2" data-empty="{{2}}"' in html
    assert 'id="template-preview" hx-swap-oob="true"' in html
    assert 'id="template-chosen"' in html
    assert "visit_reminder" in html
    assert "<dialog" not in html


def test_the_only_template_is_chosen_from_the_start(team: Team) -> None:
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    assert 'data-var="body.1"' in html


@pytest.mark.parametrize("wanted", ["0", "x", "", "9" * 40, "\u0000"])
def test_an_unknown_template_in_the_address_chooses_none(team: Team, wanted: str) -> None:
    factories.TemplateFactory(channel=team.channel)
    response = signed_in(team.agent).get(dialog_url(team), {"template": wanted}, headers=HTMX)
    assert response.status_code == 200
    assert "Choose a template to see the message." in html_of(response)


def test_without_an_approved_template_it_says_what_to_do(team: Team) -> None:
    team.template.status = "PAUSED"
    team.template.save()
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    assert "No approved template yet" in html
    assert f'href="{reverse("templates:index")}"' in html
    assert 'type="submit"' not in html


def test_a_follow_up_that_already_waits_is_named_before_scheduling(team: Team) -> None:
    factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        scheduled_for=NOW + dt.timedelta(days=7),
    )
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    assert "already has a follow-up waiting" in html
    assert "<b>visit_reminder</b>, " in html
    assert "Fri 27 Nov, 2:31 PM" in html


def test_one_that_waits_on_the_contacts_other_conversation_is_named_too(team: Team) -> None:
    elsewhere = factories.ConversationFactory(
        organization=team.organization, contact=team.conversation.contact
    )
    factories.FollowUpFactory(organization=team.organization, conversation=elsewhere)
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    assert "already has a follow-up waiting" in html


@pytest.mark.parametrize("status", [Status.SENT, Status.FAILED, Status.CANCELED])
def test_what_no_longer_waits_is_not_warned_about(team: Team, status: Status) -> None:
    factories.FollowUpFactory(organization=team.organization, conversation=team.conversation, status=status)
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    assert "already has a follow-up waiting" not in html


def test_no_more_than_twenty_wait_for_a_contact(team: Team, settings) -> None:
    settings.FOLLOWUPS_MAX_WAITING = 3
    for _each in range(3):
        waiting(team, scheduled_for=NOW + dt.timedelta(days=7))
    response = post(team)
    assert response.status_code == 422
    html = html_of(response)
    assert "3 follow-ups are waiting for María Jiménez, which is the most." in html
    assert 'role="alert"' in html
    assert FollowUp.objects.count() == 3
    first = FollowUp.objects.first()
    lifecycle.cancel(first, by=team.admin, now=NOW)
    assert post(team).status_code == 204
    assert FollowUp.objects.filter(status=Status.PENDING).count() == 3


@pytest.mark.parametrize("field", ["opted_out_at", "in_doubt_since"])
def test_where_nothing_can_be_scheduled_the_conversation_offers_nothing(team: Team, field: str) -> None:
    client, path = signed_in(team.agent), f"/inbox/{team.conversation.pk}/"
    assert 'id="schedule-instead"' in html_of(client.get(path))
    setattr(team.conversation.contact, field, NOW)
    team.conversation.contact.save()
    html = html_of(client.get(path))
    assert 'id="schedule-instead"' not in html
    assert ("wants no more messages" in html) is (field == "opted_out_at")
    assert ("may have another number now" in html) is (field == "in_doubt_since")


def test_the_dialog_counts_all_that_waits(team: Team) -> None:
    for days in (7, 8, 9):
        waiting(team, scheduled_for=NOW + dt.timedelta(days=days))
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    assert "already has a follow-up waiting" in html
    assert "2 more are waiting." in html


def test_a_contact_who_opted_out_cannot_be_scheduled_for(team: Team) -> None:
    contact = team.conversation.contact
    contact.opted_out_at = NOW
    contact.save()
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    assert "María Jiménez doesn’t want messages" in html
    assert 'type="submit"' not in html
    refused(team, "María Jiménez doesn’t want messages")


def test_a_stopped_number_is_said(team: Team) -> None:
    team.channel.stopped_at, team.channel.stop_code = NOW, 190
    team.channel.save()
    html = html_of(signed_in(team.agent).get(dialog_url(team), headers=HTMX))
    assert "can’t send at the moment: The WhatsApp access token is not valid any more" in html


def test_values_are_shown_as_text(team: Team) -> None:
    contact = team.conversation.contact
    contact.name = "<script>alert(1)</script> O'Hara"
    contact.save()
    html = refused(
        team, "Choose when to send it.", when=None, p__body__2='"><img src=x onerror=y>', note="<b>bold</b>"
    )
    assert "<script>" not in html
    assert "<img" not in html
    assert "<b>bold" not in html


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_organizations_conversation_is_not_found(team: Team, stranger: Team, method: str) -> None:
    client = signed_in(team.admin)
    for name in ("schedule", "check"):
        url = reverse(f"followups:{name}", args=[stranger.conversation.pk])
        if name != "schedule" and method == "get":
            continue
        assert getattr(client, method)(url, fields(stranger)).status_code == 404
    assert not FollowUp.objects.exists()


def test_viewers_may_not_schedule(team: Team) -> None:
    client = signed_in(team.viewer)
    assert client.get(dialog_url(team)).status_code == 403
    assert post(team, client).status_code == 403
    check = reverse("followups:check", args=[team.conversation.pk])
    assert client.post(check, {"when": "custom"}).status_code == 403
    assert not FollowUp.objects.exists()


def test_nobody_who_is_not_signed_in_sees_anything(team: Team, client: Client) -> None:
    for name in ("schedule", "check"):
        response = client.get(reverse(f"followups:{name}", args=[team.conversation.pk]))
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("accounts:sign_in"))


@pytest.mark.parametrize("pk", [0, 10**30])
def test_an_impossible_conversation_is_not_found(team: Team, pk: int) -> None:
    assert signed_in(team.agent).get(f"/followups/schedule/{pk}/").status_code == 404


def test_opening_takes_few_queries(team: Team, django_assert_max_num_queries) -> None:
    factories.TemplateFactory.create_batch(5, channel=team.channel)
    client = signed_in(team.agent)
    # session, user, membership, conversation, templates, what waits, presets
    with django_assert_max_num_queries(7):
        client.get(dialog_url(team), {"template": team.template.pk}, headers=HTMX)


class TestManyTemplates:
    @pytest.fixture
    def many(self, team: Team) -> list[Template]:
        """Forty more than one dialog lists, and one that only its text tells apart."""
        factories.TemplateFactory(
            channel=team.channel, name="zz_last", components=[{"type": "BODY", "text": "Su garantía vence"}]
        )
        return [factories.TemplateFactory(channel=team.channel, name=f"t_{n:03}") for n in range(70)]

    def options(self, team: Team, **query: Any) -> list[str]:
        headers = {**HTMX, "HX-Target": "template-options"}
        html = signed_in(team.agent).get(dialog_url(team), query, headers=headers).content.decode()
        return re.findall(r'<span class="name">([^<]+)</span>', html)

    def test_the_dialog_lists_the_first_and_says_that_there_are_more(self, team: Team, many) -> None:
        html = signed_in(team.agent).get(dialog_url(team), headers=HTMX).content.decode()
        assert html.count('type="radio" name="template"') == 30
        assert "There are more: search by name or words of the text." in html

    def test_the_search_finds_all_of_them_by_name_and_text(self, team: Team, many) -> None:
        assert self.options(team, q="t_069") == ["t_069"]
        assert self.options(team, q="GARANTIA") == ["zz_last"]
        assert self.options(team, q="nothing like it") == []
        assert len(self.options(team, q="")) == 30
        assert self.options(team, q="t_\x00069") == ["t_069"]

    def test_what_is_chosen_stays_in_the_list_whatever_is_searched_for(self, team: Team, many) -> None:
        assert self.options(team, q="zz", template=many[69].pk) == ["t_069", "zz_last"]

    def test_one_beyond_the_list_can_be_chosen_and_scheduled(self, team: Team, many) -> None:
        page = signed_in(team.agent).get(dialog_url(team), {"template": many[69].pk}, headers=HTMX)
        assert 'id="template-chosen-name">t_069' in re.sub(r">\s+", ">", page.content.decode())
        data = fields(team, template=many[69].pk)
        assert signed_in(team.agent).post(dialog_url(team), data, headers=HTMX).status_code == 204
        assert FollowUp.objects.get().template == many[69]

    def test_the_page_without_scripts_lists_all(self, team: Team, many) -> None:
        html = signed_in(team.agent).get(dialog_url(team)).content.decode()
        assert html.count('type="radio" name="template"') == 72

    def test_one_of_another_number_is_not_offered(self, team: Team, many) -> None:
        channel = factories.ChannelFactory(organization=team.organization)
        theirs = factories.TemplateFactory(channel=channel, name="elsewhere")
        assert "elsewhere" not in self.options(team, q="", template=theirs.pk)
        for nonsense in ("x", "-1", "9" * 30, "²"):
            assert len(self.options(team, template=nonsense)) == 30

    def test_it_takes_few_queries(self, team: Team, many, django_assert_max_num_queries) -> None:
        client = signed_in(team.agent)
        # session, user, membership, conversation, templates, what waits, presets
        with django_assert_max_num_queries(7):
            client.get(dialog_url(team), headers=HTMX)


# Scheduling


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AGENT])
def test_schedule_makes_a_pending_follow_up_and_confirms_it(team: Team, role: Role) -> None:
    """Help page: "Click Schedule to confirm. You'll see a confirmation message indicating the follow-up was
    scheduled successfully."
    """
    member = team.member(role)
    response = post(team, signed_in(member), note="Traen al perrito", cancel_on_reply="on")
    assert response.status_code == 204
    events = response["HX-Trigger"]
    assert '"dialog:close"' in events
    assert '"followups:changed"' in events
    assert "Follow-up scheduled" in events
    assert "visit_reminder goes to Mar\\u00eda Jim\\u00e9nez on Fri 27 Nov at 9:00 AM." in events
    follow_up = FollowUp.objects.get()
    assert follow_up.status == Status.PENDING
    assert follow_up.scheduled_for == dt.datetime(2026, 11, 27, 15, tzinfo=dt.UTC)
    assert follow_up.created_by == member.user
    assert follow_up.conversation == team.conversation
    assert follow_up.channel == team.channel
    assert follow_up.template == team.template
    assert follow_up.parameters == {"body.1": "María", "body.2": "Casa EC-204", "body.3": "sábado 28"}
    assert follow_up.note == "Traen al perrito"
    assert follow_up.cancel_on_reply


def test_without_htmx_it_leads_back_to_the_conversation_with_the_message(team: Team) -> None:
    client = signed_in(team.agent)
    response = client.post(dialog_url(team), fields(team))
    assert response.status_code == 302
    assert response["Location"] == reverse("conversations:conversation", args=[team.conversation.pk])
    assert FollowUp.objects.count() == 1
    page = html_of(client.get(dialog_url(team)))
    assert "visit_reminder goes to María Jiménez on Fri 27 Nov at 9:00 AM." in page


def test_a_reply_does_not_cancel_it_unless_that_is_ticked(team: Team) -> None:
    post(team)
    assert not FollowUp.objects.get().cancel_on_reply


@pytest.mark.parametrize("minutes_ahead", [5 * 1440, 90 * 1440])
def test_a_custom_date_at_either_end_of_the_window_is_taken(team: Team, minutes_ahead: int) -> None:
    """Help page: "The scheduled date must be between 5 and 90 days in the future." """
    at = NOW + dt.timedelta(minutes=minutes_ahead)
    there = at.astimezone(team.organization.zone)
    assert post(team, when="custom", date=f"{there:%Y-%m-%d}", time=f"{there:%H:%M}").status_code == 204
    assert FollowUp.objects.get().scheduled_for == at


@pytest.mark.parametrize("minutes_ahead", [180, 5 * 1440 - 1, 90 * 1440 + 1, -1440])
def test_a_custom_date_outside_the_window_is_refused(team: Team, minutes_ahead: int) -> None:
    """Help page: "You cannot schedule follow-ups for the next few hours." """
    there = (NOW + dt.timedelta(minutes=minutes_ahead)).astimezone(team.organization.zone)
    html = refused(
        team,
        "Choose a time from Wed 25 Nov, 2:31 PM to Thu 18 Feb 2027, 2:31 PM.",
        when="custom",
        date=f"{there:%Y-%m-%d}",
        time=f"{there:%H:%M}",
    )
    assert "One field needs your attention before this can be scheduled." in html
    field = re.search(r'<input[^>]*name="date"[^>]*>', html)
    assert field
    assert 'aria-invalid="true"' in field[0]
    assert " autofocus" in field[0]
    assert "schedule-date-error" in field[0]
    assert 'id="schedule-date-error"' in html


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("date", "2026-13-45", "Enter the date as year-month-day"),
        ("date", "tomorrow", "Enter the date as year-month-day"),
        ("date", "", "Choose a date."),
        ("date", "0001-01-01", "That’s in the past."),
        ("date", "9999-12-31", "Choose a date that is nearer to today."),
        ("time", "25:99", "Enter the time as hours and minutes"),
        ("time", "", "Choose a time."),
    ],
)
def test_a_malformed_date_or_time_is_a_clear_error(team: Team, name: str, value: str, message: str) -> None:
    custom = {"when": "custom", "date": "2026-12-04", "time": "19:00", name: value}
    refused(team, message, **custom)


def test_what_stands_in_the_custom_fields_is_ignored_with_a_quick_option(team: Team) -> None:
    assert post(team, date="rubbish", time="x").status_code == 204


def test_a_time_that_dst_skips_is_refused_with_the_next_one(team: Team, friday_afternoon) -> None:
    team.organization.timezone = "America/New_York"
    team.organization.save()
    friday_afternoon.move_to(dt.datetime(2026, 2, 20, 12, tzinfo=dt.UTC))
    message = "this time doesn’t exist. Choose Sun 8 Mar, 3:30 AM instead."
    refused(team, message, when="custom", date="2026-03-08", time="02:30")


def test_after_midnight_the_form_comes_back_with_the_new_date(team: Team, friday_afternoon) -> None:
    friday_afternoon.move_to(dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC))
    html = refused(team, "“Tomorrow 9:00 AM” now means Sun 22 Nov.", when="tomorrow_9")
    assert 'name="shown_tomorrow_9" value="2026-11-22T15:00:00+00:00"' in html
    again = {**SHOWN, "shown_tomorrow_9": "2026-11-22T15:00:00+00:00"}
    assert post(team, when="tomorrow_9", **again).status_code == 204
    assert FollowUp.objects.get().scheduled_for == dt.datetime(2026, 11, 22, 15, tzinfo=dt.UTC)


@pytest.mark.parametrize("shown", [None, "", "soon", "2026-11-27"])
def test_a_quick_option_without_the_date_it_showed_is_refused(team: Team, shown: str | None) -> None:
    refused(team, "“In 1 week 9:00 AM” now means Fri 27 Nov.", shown_in_1_week_9=shown)


@pytest.mark.parametrize("when", ["in_5_minutes", "", None, "custom\x00"])
def test_an_unknown_time_is_a_clear_error(team: Team, when: str | None) -> None:
    refused(team, "Choose one of the times below" if when else "Choose when to send it.", when=when)


def test_every_value_is_required(team: Team) -> None:
    html = refused(team, "Fill this in.", p__body__2="  ", p__body__3=None)
    assert "Two fields need your attention before this can be scheduled." in html
    field = re.search(r'<input[^>]*name="p-body-2"[^>]*>', html)
    assert field
    assert 'aria-invalid="true"' in field[0]
    assert " autofocus" in field[0]
    assert 'aria-describedby="id_p-body-2_error"' in field[0]
    assert 'id="id_p-body-2_error"' in html
    assert html.count(" autofocus") == 1


def test_a_value_that_meta_would_refuse_is_refused_beside_its_field(team: Team) -> None:
    html = refused(team, "at most four spaces", p__body__2="Casa     EC-204")
    assert 'value="Casa     EC-204"' in html, "what was typed is kept"


def test_a_template_of_another_channel_organization_or_state_is_refused(team: Team, stranger: Team) -> None:
    other_number = factories.ChannelFactory(organization=team.organization)
    paused = factories.TemplateFactory(channel=team.channel, status="PAUSED")
    for template in (stranger.template, factories.TemplateFactory(channel=other_number), paused):
        refused(team, "This template can’t be sent from here.", template=template.pk)


@pytest.mark.parametrize("template", ["", "x", "-1", "9" * 50])
def test_a_nonsense_template_is_a_clear_error(team: Team, template: str) -> None:
    refused(team, "Choose a template." if not template else "Choose another one.", template=template)


def test_a_template_without_parameters_needs_no_values(team: Team) -> None:
    plain = factories.TemplateFactory(
        channel=team.channel, name="thanks", components=[{"type": "BODY", "text": "Gracias por su visita"}]
    )
    assert post(team, template=plain.pk, p__body__1=None).status_code == 204
    assert FollowUp.objects.get().parameters == {}


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("x" * 500, "x" * 500),
        ("🏡" * 500, "🏡" * 500),
        # A browser sends each line break as two characters.
        ("a\r\n" * 249 + "ab", "a\n" * 249 + "ab"),
    ],
)
def test_a_note_of_500_characters_is_kept(team: Team, note: str, kept: str) -> None:
    """Help page: "Optionally, add a note (maximum 500 characters) explaining the reason for the
    follow-up."
    """
    assert post(team, note=note).status_code == 204
    assert FollowUp.objects.get().note == kept


@pytest.mark.parametrize("length", [501, 10_000])
def test_a_longer_note_is_refused_and_not_cut(team: Team, length: int) -> None:
    html = refused(team, f"Shorten the note to 500 characters: it has {length}.", note="x" * length)
    assert "x" * length in html
    assert f"{length}/500" in html


@pytest.mark.parametrize("submission", ["", "not-a-uuid", None, "\x00"])
def test_a_damaged_submission_comes_back_with_a_new_one(team: Team, submission: str | None) -> None:
    html = refused(team, "on the way. Press the button again.", submission=submission)
    fresh = re.search(r'name="submission" value="([^"]+)"', html)
    assert fresh
    assert uuid.UUID(fresh[1])


def test_the_same_form_twice_makes_one_follow_up(team: Team) -> None:
    data = fields(team)
    client = signed_in(team.agent)
    for _ in range(2):
        assert client.post(dialog_url(team), data, headers=HTMX).status_code == 204
    assert FollowUp.objects.count() == 1


def test_a_form_once_used_and_then_changed_asks_before_it_makes_another(team: Team) -> None:
    data = fields(team)
    client = signed_in(team.agent)
    client.post(dialog_url(team), data)
    data["p-body-2"] = "Casa EC-205"
    response = client.post(dialog_url(team), data)
    assert response.status_code == 422
    html = html_of(response)
    assert "This form has already scheduled a follow-up." in html
    fresh = re.search(r'name="submission" value="([^"]+)"', html)
    assert fresh
    assert client.post(dialog_url(team), {**data, "submission": fresh[1]}).status_code == 302
    assert [row.parameters["body.2"] for row in FollowUp.objects.order_by("pk")] == [
        "Casa EC-204",
        "Casa EC-205",
    ]


def test_without_javascript_choosing_a_template_keeps_what_was_typed(team: Team) -> None:
    other = factories.TemplateFactory(
        channel=team.channel,
        name="plain_offer",
        components=[{"type": "BODY", "text": "Nueva casa en {{1}} para usted"}],
    )
    data = fields(team, template=other.pk, note="Pidió otra zona", when="tomorrow_9", choose="1")
    response = signed_in(team.agent).post(dialog_url(team), data)
    html = html_of(response)
    assert response.status_code == 200
    assert not FollowUp.objects.exists()
    assert "Pidió otra zona" in html
    assert 'value="tomorrow_9" checked' in html
    assert html.count('data-var="') == 1
    assert "Nueva casa en" in html
    assert 'role="alert"' not in html


def test_the_window_of_24_hours_does_not_matter(team: Team) -> None:
    """Help page: "follow-ups use templates, so they don't require an open window"."""
    team.conversation.last_inbound_at = NOW - dt.timedelta(days=30)
    team.conversation.status = "closed"
    team.conversation.save()
    assert post(team).status_code == 204


def test_scheduling_takes_few_queries(team: Team, django_assert_max_num_queries) -> None:
    client = signed_in(team.agent)
    # session, user, membership, conversation, templates, savepoint, contact, count, insert, mark, record,
    # line, release
    with django_assert_max_num_queries(13):
        assert post(team, client).status_code == 204


# The check while people choose


def check(team: Team, **data: Any) -> str:
    url = reverse("followups:check", args=[team.conversation.pk])
    response = signed_in(team.agent).post(url, {**SHOWN, **data}, headers=HTMX)
    assert response.status_code == 200
    return html_of(response)


def test_the_check_says_when_it_will_be_sent(team: Team) -> None:
    html = check(team, when="in_1_week_9")
    assert 'Will be sent to <b>María Jiménez</b>, <span class="phone">+506 8' in html
    assert "Friday 27 November at 9:00 AM" in html
    assert 'id="schedule-summary"' in html
    assert 'hx-swap-oob="true"' in html
    assert 'class="error"' not in html


def test_the_check_puts_a_custom_date_into_words(team: Team) -> None:
    html = check(team, when="custom", date="2026-12-04", time="09:00")
    assert html.count("Friday 4 December at 9:00 AM") == 2


def test_the_check_names_what_is_wrong_with_a_date(team: Team) -> None:
    html = check(team, when="custom", date="2026-11-23", time="09:00")
    assert 'id="schedule-date-error"' in html
    assert "That’s 3 days from now." in html
    assert "Choose a valid date to see when this will be sent." in html


@pytest.mark.parametrize(
    "data", [{}, {"when": "custom", "date": "", "time": "09:00"}, {"when": "custom", "date": "2026-12-04"}]
)
def test_the_check_does_not_scold_what_is_not_finished(team: Team, data: dict[str, str]) -> None:
    html = check(team, **data)
    assert 'class="error"' not in html
    assert "Choose when this will be sent." in html


def test_the_check_shows_the_new_dates_after_midnight(team: Team, friday_afternoon) -> None:
    friday_afternoon.move_to(dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC))
    html = check(team, when="tomorrow_9")
    assert "“Tomorrow 9:00 AM” now means Sun 22 Nov." in html
    assert 'id="schedule-quick" hx-swap-oob="true"' in html


# The banner in the conversation


def banner(team: Team, role: str = "agent") -> str:
    """What stands between the conversation's toolbar and its messages."""
    html = html_of(signed_in(team.member(role)).get(f"/inbox/{team.conversation.pk}/"))
    return html.split(f'id="banner-{team.conversation.pk}"')[1].split('id="thread-')[0]


def waiting(team: Team, **fields: Any) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization, conversation=team.conversation, template=team.template, **fields
    )


def test_the_conversation_shows_that_a_follow_up_is_pending(team: Team) -> None:
    follow_up = waiting(team, scheduled_for=NOW + dt.timedelta(days=7), created_by=team.agent.user)
    html = banner(team)
    assert "Follow-up scheduled: <b>visit_reminder</b>" in html
    assert "Fri 27 Nov, 2:31 PM" in html
    assert reverse("followups:cancel", args=[follow_up.pk]) in html


def test_more_of_them_lead_to_the_follow_ups_page(team: Team) -> None:
    for days in (9, 7, 8):
        waiting(team, scheduled_for=NOW + dt.timedelta(days=days))
    html = banner(team)
    assert "Fri 27 Nov, 2:31 PM" in html
    assert "and 2 more" in html
    assert f"{reverse('followups:index')}?status=pending&amp;q=%2B506" in html


def test_very_many_are_not_all_read_for_the_banner(team: Team, settings) -> None:
    settings.FOLLOWUPS_MAX_WAITING = 3
    for _each in range(5):
        waiting(team, scheduled_for=NOW + dt.timedelta(days=7))
    assert "and 2+ more" in banner(team)


@pytest.mark.parametrize(("role", "may"), [("admin", True), ("agent", False), ("viewer", False)])
def test_cancel_is_offered_only_to_whom_it_is_allowed(team: Team, role: str, may: bool) -> None:
    follow_up = waiting(team, created_by=team.other_agent.user)
    assert (reverse("followups:cancel", args=[follow_up.pk]) in banner(team, role)) is may


def test_without_follow_ups_there_is_no_banner(team: Team) -> None:
    waiting(team, status=Status.SENT)
    assert "follow-up-banner" not in banner(team)


def test_an_open_conversation_follows_what_becomes_of_its_follow_up(team: Team, told) -> None:
    """Scheduled in another tab, sent, canceled by a reply: the page's poll brings it."""
    client = signed_in(team.agent)

    def poll(version: str) -> tuple[int, str]:
        asked = {"open": team.conversation.pk, "v": version}
        response = client.get(reverse("conversations:poll"), asked, headers=HTMX)
        return response.status_code, response.content.decode()

    def version_of(html: str) -> str:
        return re.search(r'name="v" value="([\w.-]+)"', html)[1]

    _code, before = poll("")
    assert poll(version_of(before))[0] == 204
    follow_up = waiting(team, created_by=team.agent.user)
    told([team.organization.pk])
    code, scheduled = poll(version_of(before))
    assert (code, "Follow-up scheduled" in scheduled) == (200, True)
    lifecycle.cancel(follow_up, by=team.agent, now=NOW)
    told([team.organization.pk])
    code, canceled = poll(version_of(scheduled))
    assert (code, "follow-up-banner" in canceled) == (200, False)


def test_a_retry_is_shown_with_its_own_time(team: Team) -> None:
    waiting(team, scheduled_for=NOW, failures=1, next_attempt_at=NOW + dt.timedelta(minutes=5))
    html = banner(team)
    assert "Follow-up will be retried: <b>visit_reminder</b>" in html
    assert "2:36 PM" in html


def test_what_is_held_is_not_called_scheduled(team: Team) -> None:
    waiting(team, held_reason=HeldReason.CONTACT)
    assert "Follow-up on hold: <b>visit_reminder</b>" in banner(team)


def test_what_is_being_sent_is_said_and_can_no_longer_be_canceled(team: Team) -> None:
    follow_up = waiting(team, status=Status.PROCESSING, scheduled_for=NOW)
    html = banner(team, "admin")
    assert "Follow-up being sent: <b>visit_reminder</b>" in html
    assert reverse("followups:cancel", args=[follow_up.pk]) not in html
