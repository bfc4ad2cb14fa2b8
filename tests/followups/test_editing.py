"""Changing what waits: by whom, what the history keeps, and when somebody or something was faster."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from followups import lifecycle
from followups.models import FollowUp
from followups.wanted import KEEP, Wanted
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
FRIDAY = NOW + dt.timedelta(days=7)
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/followups/"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def follow_up(team: Team) -> FollowUp:
    return factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        created_at=NOW - dt.timedelta(days=2),
        scheduled_for=FRIDAY,
        note="They bring the dog",
    )


def as_shown(follow_up: FollowUp, **changes: Any) -> dict[str, Any]:
    """What the form of the dialog sends, with these changes; False leaves a field out."""
    data = {
        "submission": "5b8e0f0e-7a4e-4f0e-9f0e-1f6c1f4dfe11",
        "version": follow_up.version,
        "template": follow_up.template_id,
        **{f"p-{key.replace('.', '-')}": value for key, value in follow_up.parameters.items()},
        "when": "keep",
        "note": follow_up.note,
        **({"cancel_on_reply": "on"} if follow_up.cancel_on_reply else {}),
        **changes,
    }
    return {name: value for name, value in data.items() if value is not False}


def as_repeated(follow_up: FollowUp, **changes: Any) -> dict[str, Any]:
    """The same of one that is repeated, without an end, where all that follow are to be as it is."""
    shown = {"following": "on", "series_version": follow_up.series.version, "repeat": "on"}
    rule = {"repeat_kind": follow_up.series.kind, "repeat_ends": "never", "repeat_ends_on_failure": "on"}
    return as_shown(follow_up, **{**shown, **rule, **changes})


def edit(member: Any, follow_up: FollowUp, *, htmx: bool = True, **changes: Any) -> Any:
    headers = HTMX if htmx else {}
    path = f"/followups/{follow_up.pk}/edit/"
    return signed_in(member).post(path, as_shown(follow_up, **changes), headers=headers)


def page(member: Any, path: str, **headers: str) -> str:
    return html_of(signed_in(member).get(path, headers=headers))


def decided(follow_up: FollowUp) -> tuple[Any, ...]:
    row = FollowUp.objects.get(pk=follow_up.pk)
    return row.template_id, row.parameters, row.scheduled_for, row.note, row.cancel_on_reply


@pytest.mark.parametrize("where", ["/followups/{pk}/menu/", "/followups/{pk}/", "/inbox/{conversation}/"])
def test_the_table_the_drawer_and_the_conversation_lead_there_whoever_may_cancel(team, follow_up, where):
    path = where.format(pk=follow_up.pk, conversation=team.conversation.pk)
    way = f'hx-get="/followups/{follow_up.pk}/edit/"'
    for member in (team.agent, team.admin):
        assert way in page(member, path)
    for member in (team.other_agent, team.viewer):
        assert way not in page(member, path)


def test_only_whoever_may_cancel_may_change(team, follow_up):
    before = decided(follow_up)
    for member in (team.other_agent, team.viewer):
        assert edit(member, follow_up, note="mine").status_code == 403
    assert decided(follow_up) == before


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_the_dialog_is_filled_with_what_is_decided(team, follow_up, headers):
    FollowUp.objects.update(cancel_on_reply=True)
    html = page(team.agent, f"/followups/{follow_up.pk}/edit/", **headers)
    for value in ("María", "Casa EC-204", "sábado 28"):
        assert f'value="{value}"' in html
    assert "Keep <time" in html
    assert "They bring the dog</textarea>" in html
    assert 'name="cancel_on_reply" checked' in html
    assert 'name="version" value="0"' in html


def test_all_of_it_can_be_changed_at_once(team, follow_up):
    other = factories.TemplateFactory(
        channel=team.channel,
        name="oferta",
        parameter_format="NAMED",
        components=[{"type": "BODY", "text": "Buenas, una casa en {{zone}} para usted."}],
    )
    response = edit(
        team.agent,
        follow_up,
        **{"p-body-1": False, "p-body-2": False, "p-body-3": False, "p-body-zone": "Escazú"},
        template=other.pk,
        when="custom",
        date="2026-12-04",
        time="10:30",
        note="Later",
        cancel_on_reply="on",
    )
    assert response.status_code == 200
    assert "Follow-up changed" in response["HX-Trigger"]
    assert "dialog:close" in response["HX-Trigger"]
    at = dt.datetime(2026, 12, 4, 16, 30, tzinfo=dt.UTC)
    assert decided(follow_up) == (other.pk, {"body.zone": "Escazú"}, at, "Later", True)
    row = FollowUp.objects.get()
    assert (row.next_attempt_at, row.shape, row.created_by) == (at, other.shape, team.agent.user)
    # The search finds it by its new note.
    assert "María Jiménez" in page(team.agent, "/followups/?q=later")
    assert "María Jiménez" not in page(team.agent, "/followups/?q=bring+the+dog").split("<table")[-1]


def test_the_date_that_it_has_may_stay_though_it_is_within_the_window_of_no_other(team, follow_up):
    FollowUp.objects.update(scheduled_for=NOW + dt.timedelta(hours=1))
    follow_up.refresh_from_db()
    assert edit(team.agent, follow_up, note="Soon").status_code == 200
    assert decided(follow_up)[2] == NOW + dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"when": "custom", "date": "2026-11-21", "time": "10:00"},
            "That’s tomorrow. Choose a time from",
        ),
        ({"p-body-2": ""}, "Fill this in."),
        ({"note": "x" * 501}, "Shorten the note"),
        ({"when": "never"}, "Choose one of the times below"),
    ],
)
def test_what_could_not_be_scheduled_is_refused_beside_its_field(team, follow_up, changes, words):
    before = decided(follow_up)
    response = edit(team.agent, follow_up, **changes)
    assert response.status_code == 422
    assert words in html_of(response)
    assert decided(follow_up) == before


def test_a_retry_that_waits_keeps_its_time_unless_the_date_is_changed(team, follow_up):
    soon = NOW + dt.timedelta(minutes=5)
    failed = {"failures": 1, "failure_kind": "temporary", "failure_cause": "timeout"}
    FollowUp.objects.update(scheduled_for=NOW, next_attempt_at=soon, **failed)
    follow_up.refresh_from_db()
    edit(team.agent, follow_up, note="Now")
    row = FollowUp.objects.get()
    assert (row.next_attempt_at, row.failures) == (soon, 1)


def test_the_history_and_the_thread_keep_who_changed_what_from_and_to(team, follow_up):
    edit(team.admin, follow_up, **{"p-body-3": "domingo 29"}, note="", cancel_on_reply="on")
    html = page(team.agent, f"/followups/{follow_up.pk}/")
    assert f"Changed by {team.admin.user}" in html
    for before, after in (("sábado 28", "domingo 29"), ("No", "Yes")):
        assert f"<del>{before}</del>" in html
        assert f"<ins>{after}</ins>" in html
    assert "<del>They bring the dog</del>" in html
    assert "<del>María</del>" not in html
    assert "changed visit_reminder" in page(team.agent, f"/inbox/{team.conversation.pk}/")


def test_the_history_names_both_templates_with_the_values_of_each(team, follow_up):
    other = factories.TemplateFactory(channel=team.channel, name="oferta")
    edit(team.agent, follow_up, template=other.pk, **{"p-body-2": "Casa 7"})
    html = page(team.agent, f"/followups/{follow_up.pk}/")
    assert "<del>visit_reminder</del>" in html
    assert "<ins>oferta</ins>" in html
    assert "<ins>Casa 7</ins>" in html


def test_a_form_without_changes_changes_nothing_and_leaves_no_trace(team, follow_up):
    before = decided(follow_up)
    assert edit(team.agent, follow_up).status_code == 200
    assert decided(follow_up) == before
    assert not follow_up.changes.exists()


def test_the_same_form_twice_changes_it_once(team, follow_up):
    for _each in range(2):
        assert edit(team.agent, follow_up, note="Later").status_code == 200
    assert follow_up.changes.count() == 1


def test_a_colleagues_change_is_shown_beside_mine_and_neither_is_lost(team, follow_up):
    edit(team.admin, follow_up, note="Theirs")
    response = edit(team.agent, follow_up, note="Mine")
    assert response.status_code == 409
    html = html_of(response)
    assert f"<b>{team.admin.user} changed it at <time" in html
    assert "<del>Theirs</del>" in html
    assert "<ins>Mine</ins>" in html
    assert "Mine</textarea>" in html
    assert 'name="version" value="1"' in html
    assert decided(follow_up)[3] == "Theirs"
    assert edit(team.agent, follow_up, note="Mine", version=1).status_code == 200
    assert decided(follow_up)[3] == "Mine"


def test_a_form_that_has_lost_what_it_showed_changes_nothing(team, follow_up):
    assert edit(team.agent, follow_up, note="Mine", version="").status_code == 409
    assert decided(follow_up)[3] == "They bring the dog"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("processing", "It is already being sent."),
        ("sent", "It has already been sent."),
        ("canceled", "It is already canceled."),
    ],
)
@pytest.mark.parametrize("htmx", [True, False])
def test_what_waits_no_longer_stays_and_what_was_typed_can_become_another(
    team, follow_up, status, words, htmx
):
    FollowUp.objects.all().delete()
    late = factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        status=status,
    )
    lifecycle.recount()
    response = edit(team.agent, late, note="Mine", htmx=htmx)
    assert response.status_code == 409
    html = html_of(response)
    assert words in html
    assert f'action="/followups/schedule/{team.conversation.pk}/"' in html
    assert "Mine</textarea>" in html
    late.refresh_from_db()
    assert (late.status, late.note) == (status, "")
    again = as_shown(late, note="Mine", when="custom", date="2026-12-04", time="10:30")
    signed_in(team.agent).post(f"/followups/schedule/{team.conversation.pk}/", again)
    assert FollowUp.objects.exclude(pk=late.pk).get().note == "Mine"


def test_what_waits_no_longer_is_not_opened_for_editing(team, follow_up):
    lifecycle.cancel(follow_up, by=team.agent, now=NOW)
    response = signed_in(team.agent).get(f"/followups/{follow_up.pk}/edit/", headers=HTMX)
    assert response.status_code == 409
    assert "It is canceled now." in response["HX-Trigger"]


def test_the_check_lists_and_counts_what_would_change(team, follow_up):
    data = as_shown(follow_up, **{"p-body-3": "domingo 29"}, when="custom", date="2026-12-04", time="10:30")
    response = signed_in(team.agent).post(f"/followups/{follow_up.pk}/edit/check/", data, headers=HTMX)
    html = html_of(response)
    assert "2 changes" in html
    assert "Save 2 changes" in html
    assert "<ins>Fri 4 Dec, 10:30 AM</ins>" in html
    assert decided(follow_up)[2] == FRIDAY


def test_another_template_may_be_chosen_and_the_first_one_again(team, follow_up):
    other = factories.TemplateFactory(channel=team.channel, name="oferta")
    headers = {**HTMX, "HX-Target": "template-fields"}
    path = f"/followups/{follow_up.pk}/edit/?template="
    assert 'value="Casa EC-204"' not in page(team.agent, f"{path}{other.pk}", **headers)
    assert 'value="Casa EC-204"' in page(team.agent, f"{path}{team.template.pk}", **headers)


def test_without_scripts_it_leads_back_and_says_what_happened(team, follow_up):
    back = f"/inbox/{team.conversation.pk}/"
    client = signed_in(team.agent)
    data = as_shown(follow_up, note="Later", next=back)
    assert client.post(f"/followups/{follow_up.pk}/edit/", data)["Location"] == back
    assert "Follow-up changed" in html_of(client.get(back))


def test_opening_and_saving_cost_a_bounded_number_of_queries(team, follow_up, django_assert_max_num_queries):
    client = signed_in(team.agent)
    path = f"/followups/{follow_up.pk}/edit/"
    with django_assert_max_num_queries(10):
        client.get(path, headers=HTMX)
    with django_assert_max_num_queries(24):
        client.post(path, as_shown(follow_up, note="Later"), headers=HTMX)


def with_note(row: FollowUp, note: str) -> Wanted:
    return Wanted(
        conversation=row.conversation,
        template=row.template,
        parameters=row.parameters,
        choice=KEEP,
        scheduled_for=row.scheduled_for,
        note=note,
        kept=row.scheduled_for,
    )
