"""A follow-up that is repeated: what comes after each one, when, and what ends it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from conversations import erasure
from conversations.models import Conversation, Message
from conversations.signals import contact_opted_out, conversation_merged, messages_received
from followups import lifecycle
from followups.models import CancelCause, FollowUp, FollowUpChange, Series, SeriesEnd, Status
from followups.repeating import EndKind, Repeat, RepeatKind
from followups.tasks import repeat_follow_ups
from followups.wanted import CUSTOM, KEEP, Wanted
from notifications.models import Notification
from tests import factories
from tests.conftest import Team
from tests.followups.engine import refreshed

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)  # Friday 9:00 AM in Costa Rica
FRIDAY = NOW + dt.timedelta(days=7)
WEEK = dt.timedelta(days=7)
YEARS_END = dt.datetime(2026, 12, 31, 15, 0, tzinfo=dt.UTC)
VALUES = {"body.1": "María", "body.2": "Casa EC-204", "body.3": "sábado 28"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def schedule(team: Team, *, at: dt.datetime = FRIDAY, note: str = "", **repeat: Any) -> FollowUp:
    wanted = Wanted(
        conversation=team.conversation,
        template=team.template,
        parameters=VALUES,
        choice=CUSTOM,
        scheduled_for=at,
        note=note,
        repeat=Repeat(**{"kind": RepeatKind.WEEKLY, **repeat}),
    )
    return lifecycle.schedule(wanted, submission=uuid.uuid4(), by=team.agent, now=NOW)


def edit(team: Team, row: FollowUp, *, following: bool = True, **changes: Any) -> FollowUp:
    """Change it to what it is but for the changes, by somebody who sees it and its series as they are."""
    row = refreshed(row)
    wanted = Wanted(
        **{
            "conversation": row.conversation,
            "template": row.template,
            "parameters": row.parameters,
            "choice": KEEP,
            "scheduled_for": row.scheduled_for,
            "note": row.note,
            "kept": row.scheduled_for,
            "repeat": row.series.repeat if row.series else None,
            "underway": row.underway,
            **changes,
        }
    )
    shown = {"version": row.version, "series_version": row.series.version if row.series else None}
    return lifecycle.edit(row, wanted, **shown, by=team.agent, now=NOW, following=following)


def settle(row: FollowUp, status: str = Status.SENT) -> None:
    """Let the row be over, as the engine would leave it."""
    columns = {
        Status.SENT: {"sent_at": row.scheduled_for},
        Status.FAILED: {"failed_at": row.scheduled_for, "failure_kind": "permanent", "failure_code": 131026},
    }[Status(status)]
    if status == Status.SENT:
        columns["message"] = factories.MessageFactory(conversation=row.conversation, kind="template")
    FollowUp.objects.filter(pk=row.pk).update(status=status, next_attempt_at=None, **columns)
    lifecycle.recount()


def make(at: dt.datetime) -> int:
    return lifecycle.make_due(now=at)


def newest() -> FollowUp:
    return FollowUp.objects.latest("occurrence")


def bells(team: Team) -> list[str]:
    return list(Notification.objects.filter(recipient=team.agent.user).values_list("kind", flat=True))


def test_the_next_one_is_made_once_the_one_before_has_gone_out(team):
    first = schedule(team, note="Rent")
    assert make(NOW) == 0  # it waits
    settle(first)
    assert make(FRIDAY) == 1
    second = newest()
    assert (second.occurrence, second.scheduled_for, second.status) == (2, FRIDAY + WEEK, Status.PENDING)
    assert (second.parameters, second.note, second.created_by) == (VALUES, "Rent", team.agent.user)
    assert make(FRIDAY) == 0
    team.conversation.refresh_from_db()
    assert team.conversation.waiting_count == 1


def test_it_is_made_only_when_its_date_lies_within_the_window(team):
    settle(schedule(team, kind=RepeatKind.YEARLY))
    next_year = dt.datetime(2027, 11, 27, 15, 0, tzinfo=dt.UTC)
    assert make(next_year - dt.timedelta(days=90, minutes=1)) == 0
    assert make(next_year - dt.timedelta(days=90)) == 1
    assert newest().scheduled_for == next_year


def test_the_same_submission_twice_begins_one_series(team):
    wanted = Wanted(
        team.conversation, team.template, VALUES, CUSTOM, FRIDAY, repeat=Repeat(RepeatKind.WEEKLY)
    )
    submission = uuid.uuid4()
    rows = {
        lifecycle.schedule(wanted, submission=submission, by=team.agent, now=NOW).pk for _time in range(2)
    }
    assert len(rows) == Series.objects.count() == 1


def test_two_workers_at_once_make_one(team, in_threads):
    settle(schedule(team))
    assert sum(in_threads(lambda _number: make(FRIDAY), 4)) == 1


def test_no_occurrence_is_there_twice(team):
    row = schedule(team)
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.FollowUpFactory(
            organization=team.organization, conversation=team.conversation, series=row.series, occurrence=1
        )


def test_a_worker_that_dies_before_it_is_done_leaves_nothing_behind(team, monkeypatch):
    settle(schedule(team))
    monkeypatch.setattr(Series, "save", lambda *_args, **_named: 1 / 0)
    assert make(FRIDAY) == 0
    assert FollowUp.objects.count() == 1
    monkeypatch.undo()
    assert make(FRIDAY) == 1


def test_the_task_of_every_minute_makes_it(team):
    settle(schedule(team))
    repeat_follow_ups()
    assert newest().occurrence == 2


def test_it_ends_with_its_last_date(team):
    settle(schedule(team, ends=EndKind.COUNT, count=2))
    make(FRIDAY)
    series = Series.objects.get()
    assert (series.end_cause, series.next_at) == (SeriesEnd.DATES, None)
    settle(newest())
    assert make(FRIDAY + WEEK) == 0
    assert bells(team) == []  # what was asked for happened


def test_dates_that_have_passed_meanwhile_are_left_out_and_told(team):
    first = schedule(team, ends=EndKind.COUNT, count=5)
    settle(first)
    make(FRIDAY + 2 * WEEK + dt.timedelta(hours=1))
    assert (newest().occurrence, newest().scheduled_for) == (4, FRIDAY + 3 * WEEK)
    assert bells(team) == ["dates_skipped"]
    note = Message.objects.get(kind="dates_skipped")
    assert note.content["values"]["count"] == 2
    settle(newest())
    make(FRIDAY + 9 * WEEK)
    assert FollowUp.objects.count() == 2
    assert Series.objects.get().end_cause == SeriesEnd.DATES


def test_a_failure_ends_it_where_that_was_chosen(team):
    settle(schedule(team), Status.FAILED)
    assert make(FRIDAY) == 0
    assert Series.objects.get().end_cause == SeriesEnd.FAILURE
    assert bells(team) == ["series_ended"]
    assert Message.objects.filter(kind="series_ended").exists()


def test_a_failure_leaves_it_alone_where_that_was_chosen(team):
    settle(schedule(team, ends_on_failure=False), Status.FAILED)
    assert make(FRIDAY) == 1


def test_an_answer_ends_it_and_cancels_what_waits(team):
    row = schedule(team, ends_on_reply=True)
    answer = factories.MessageFactory(conversation=team.conversation, direction="in", at=NOW)
    messages_received.send(sender=Message, messages=[answer])
    assert refreshed(row).cancel_cause == CancelCause.REPLY
    assert Series.objects.get().end_cause == SeriesEnd.REPLY
    assert make(FRIDAY) == 0


def test_an_answer_from_before_it_was_scheduled_ends_nothing(team):
    schedule(team, ends_on_reply=True)
    old = factories.MessageFactory(
        conversation=team.conversation, direction="in", at=NOW - dt.timedelta(hours=1)
    )
    messages_received.send(sender=Message, messages=[old])
    assert Series.objects.get().is_live


def test_an_answer_that_cancels_one_leaves_the_next_where_that_was_chosen(team):
    row = schedule(team)
    FollowUp.objects.filter(pk=row.pk).update(cancel_on_reply=True)
    answer = factories.MessageFactory(conversation=team.conversation, direction="in", at=NOW)
    messages_received.send(sender=Message, messages=[answer])
    assert refreshed(row).status == Status.CANCELED
    assert make(NOW) == 1


def test_an_opt_out_ends_it(team):
    schedule(team)
    contact = team.conversation.contact
    contact_opted_out.send(sender=type(contact), contact=contact, now=NOW)
    assert Series.objects.get().end_cause == SeriesEnd.OPT_OUT
    assert FollowUp.objects.get().status == Status.CANCELED


def test_one_who_became_one_with_a_contact_that_opted_out_gets_no_more(team):
    settle(schedule(team))
    team.conversation.contact.opted_out_at = NOW
    team.conversation.contact.save()
    assert make(FRIDAY) == 0
    assert Series.objects.get().end_cause == SeriesEnd.OPT_OUT


def test_erasing_a_contact_ends_it_and_forgets_what_it_said(team):
    schedule(team, note="Rent")
    erasure.erase(team.conversation.contact, by=team.admin.user, now=NOW)
    series = Series.objects.get()
    assert (series.end_cause, series.parameters, series.note) == (SeriesEnd.ERASED, {}, "")


def test_it_goes_on_in_the_conversation_that_two_became(team):
    settle(schedule(team))
    kept = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    conversation_merged.send(sender=Conversation, kept=kept, gone=team.conversation)
    make(FRIDAY)
    assert newest().conversation == kept


def test_canceling_one_skips_it_and_the_next_comes(team):
    row = schedule(team)
    lifecycle.cancel(row, by=team.agent, now=NOW)
    make(NOW)
    assert (newest().occurrence, newest().scheduled_for) == (2, FRIDAY + WEEK)


def test_canceling_all_that_follow_ends_it(team):
    row = schedule(team)
    lifecycle.cancel(row, by=team.admin, now=NOW, following=True)
    series = Series.objects.get()
    assert (series.end_cause, series.ended_by) == (SeriesEnd.MEMBER, team.admin.user)
    assert make(NOW) == 0
    assert set(bells(team)) == {"follow_up_canceled", "series_ended"}


def test_moving_one_leaves_the_others_where_they_were(team):
    row = schedule(team)
    to = FRIDAY + dt.timedelta(days=1)
    lifecycle.move(row, choice=CUSTOM, to=to, version=0, by=team.agent, now=NOW)
    settle(refreshed(row))
    make(to)
    assert newest().scheduled_for == FRIDAY + WEEK


def test_moving_all_that_follow_moves_the_rule(team):
    row = schedule(team, ends=EndKind.COUNT, count=3)
    to = FRIDAY + dt.timedelta(days=4, hours=2)
    lifecycle.move(row, choice=CUSTOM, to=to, version=0, by=team.agent, now=NOW, following=True)
    settle(refreshed(row))
    make(to)
    assert newest().scheduled_for == to + WEEK
    settle(newest())
    make(to + WEEK)
    assert Series.objects.get().end_cause == SeriesEnd.DATES
    assert FollowUp.objects.count() == 3


def february_of_the_31st(team: Team) -> FollowUp:
    """Return the third of what is repeated on each month's 31st, which waits."""
    settle(schedule(team, at=YEARS_END, kind=RepeatKind.MONTHLY))
    make(YEARS_END)
    settle(newest())
    make(YEARS_END + dt.timedelta(days=31))
    return newest()


def test_another_hour_for_all_keeps_the_31st(team):
    february = february_of_the_31st(team)
    assert f"{february.scheduled_for:%m-%d}" == "02-28"
    later = february.scheduled_for + dt.timedelta(hours=1)
    now = YEARS_END + dt.timedelta(days=40)
    lifecycle.move(february, choice=CUSTOM, to=later, version=0, by=team.agent, now=now, following=True)
    settle(refreshed(february))
    make(later)
    assert f"{newest().scheduled_for:%m-%d %H}" == "03-31 16"


@pytest.mark.parametrize("following", [True, False])
def test_an_edit_is_of_one_or_of_all_that_follow(team, following):
    row = schedule(team, note="Rent")
    edit(team, row, following=following, note="New")
    settle(refreshed(row))
    make(FRIDAY)
    assert newest().note == ("New" if following else "Rent")
    assert newest().scheduled_for == FRIDAY + WEEK


def test_whoever_it_is_handed_over_to_has_those_that_follow(team):
    row = schedule(team)
    lifecycle.hand_over(row, to=team.other_agent.user, by=team.admin, now=NOW)
    settle(row)
    make(FRIDAY)
    assert (newest().owner, newest().created_by) == (team.other_agent.user, team.agent.user)


def test_those_that_follow_come_along_when_many_are_handed_over(team):
    row = schedule(team)
    lifecycle.hand_over_all([row], to=team.other_agent.user, by=team.admin.user, now=NOW)
    assert Series.objects.get().owner == team.other_agent.user


def test_it_goes_on_when_the_account_that_scheduled_it_is_gone(team):
    settle(schedule(team))
    team.agent.user.delete()
    make(FRIDAY)
    assert newest().created_by is None


def test_it_keeps_its_hour_when_the_organization_moves_to_another_zone(team):
    settle(schedule(team))
    team.organization.timezone = "Europe/Madrid"
    team.organization.save()
    make(FRIDAY)
    assert f"{newest().scheduled_for:%Y-%m-%d %H:%M}" == "2026-12-04 08:00"  # 9:00 in Madrid


def test_it_waits_while_too_many_wait_for_the_contact(team, settings):
    settings.FOLLOWUPS_MAX_WAITING = 1
    settle(schedule(team))
    other = factories.FollowUpFactory(organization=team.organization, conversation=team.conversation)
    assert make(FRIDAY) == 0
    assert Series.objects.get().is_live
    settle(other)
    assert make(FRIDAY) == 1


def test_the_next_one_waits_for_a_person_while_nobody_knows_whose_the_number_is(team):
    settle(schedule(team))
    team.conversation.contact.in_doubt_since = NOW
    team.conversation.contact.save()
    make(FRIDAY)
    assert newest().held_reason == "contact"
    assert bells(team) == ["follow_up_held"]


def test_the_next_one_of_a_template_that_cannot_be_sent_is_told_of_in_time(team):
    settle(schedule(team))
    team.template.status = "PAUSED"
    team.template.save()
    make(FRIDAY)
    assert newest().status == Status.PENDING
    assert bells(team) == ["template_unusable"]


def test_one_that_breaks_does_not_keep_the_others_from_going_on(team, monkeypatch):
    settle(schedule(team))
    other = factories.ConversationFactory(organization=team.organization, channel=team.channel)
    Series.objects.update(time=dt.time(8))
    wanted = Wanted(other, team.template, VALUES, CUSTOM, FRIDAY, repeat=Repeat(RepeatKind.WEEKLY))
    settle(lifecycle.schedule(wanted, submission=uuid.uuid4(), by=team.agent, now=NOW))
    broken = Series.objects.earliest("pk")
    FollowUp.objects.filter(series=broken).update(occurrence=2)  # its next one is there already
    assert make(FRIDAY) == 1


def test_a_minute_in_which_nothing_is_to_be_made_asks_little(team, django_assert_num_queries):
    for _number in range(5):
        schedule(team)
    with django_assert_num_queries(2):
        make(NOW)


def test_who_begins_one_is_in_the_history_and_what_it_makes_is_nobodys_doing(team):
    settle(schedule(team))
    make(FRIDAY)
    by = FollowUpChange.objects.filter(kind="scheduled").order_by("pk").values_list("by", flat=True)
    assert list(by) == [team.agent.user_id, None]


def test_an_edit_of_one_alone_can_be_taken_over_by_all_that_follow_later(team):
    row = schedule(team, note="Rent")
    edit(team, row, following=False, note="New")
    edit(team, row)
    assert Series.objects.get().note == "New"


def test_another_rule_counts_on_from_the_one_that_waits(team):
    settle(schedule(team, ends=EndKind.COUNT, count=5))
    make(FRIDAY)
    second = newest()  # Friday 4 December
    edit(team, second, repeat=Repeat(RepeatKind.MONTHLY, EndKind.COUNT, count=3))
    settle(second)
    make(FRIDAY + WEEK)
    third = newest()
    assert (third.occurrence, f"{third.scheduled_for:%Y-%m-%d %H}") == (3, "2027-01-04 15")
    assert Series.objects.get().end_cause == SeriesEnd.DATES  # three times in all


def test_one_that_was_moved_by_itself_leaves_day_and_hour_of_the_rule(team):
    row = schedule(team)
    to = FRIDAY + dt.timedelta(days=2, hours=5)
    lifecycle.move(row, choice=CUSTOM, to=to, version=0, by=team.agent, now=NOW)
    edit(team, row, repeat=Repeat(RepeatKind.MONTHLY))
    settle(refreshed(row))
    make(to)
    assert f"{newest().scheduled_for:%Y-%m-%d %H}" == "2026-12-27 15"


def test_another_end_leaves_the_31st_and_where_it_was_counted_from(team):
    february = february_of_the_31st(team)
    edit(team, february, repeat=Repeat(RepeatKind.MONTHLY, EndKind.DATE, until=dt.date(2027, 4, 1)))
    settle(february)
    make(february.scheduled_for)
    assert f"{newest().scheduled_for:%m-%d}" == "03-31"
    assert Series.objects.get().end_cause == SeriesEnd.DATES


def test_repeating_no_longer_leaves_the_one_that_waits_with_what_was_changed(team):
    row = schedule(team)
    edit(team, row, repeat=None, note="The last one")
    series = Series.objects.get()
    assert (series.end_cause, series.ended_by) == (SeriesEnd.MEMBER, team.agent.user)
    row = refreshed(row)
    assert (row.status, row.note) == (Status.PENDING, "The last one")
    settle(row)
    assert make(FRIDAY) == 0


def test_one_that_waits_can_be_repeated_from_its_date_on_by_whoever_is_in_charge_of_it(team):
    row = factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.other_agent.user,
        owner=team.agent.user,
        scheduled_for=FRIDAY,
    )
    edit(team, row, repeat=Repeat(RepeatKind.WEEKLY))
    settle(refreshed(row))
    make(FRIDAY)
    following = newest()
    assert (following.occurrence, following.scheduled_for) == (2, FRIDAY + WEEK)
    assert (following.created_by, following.owner) == (team.other_agent.user, team.agent.user)


def test_a_row_keeps_what_it_was_where_its_series_is_another_by_now(team):
    row = schedule(team, note="Rent")
    Series.objects.update(version=1)  # a colleague's change
    wanted = Wanted(
        team.conversation, team.template, VALUES, KEEP, FRIDAY, kept=FRIDAY, repeat=Repeat(RepeatKind.YEARLY)
    )
    with pytest.raises(lifecycle.TransitionRefused):
        lifecycle.edit(row, wanted, version=0, series_version=0, by=team.agent, now=NOW, following=True)
    assert (refreshed(row).note, refreshed(row).version) == ("Rent", 0)
    assert Series.objects.get().kind == RepeatKind.WEEKLY


def test_dates_that_passed_while_one_waited_are_told_also_after_an_edit(team):
    row = schedule(team)
    FollowUp.objects.filter(pk=row.pk).update(scheduled_for=FRIDAY - 3 * WEEK)
    Series.objects.update(first_on=(FRIDAY - 3 * WEEK).date(), next_at=FRIDAY - 2 * WEEK)
    edit(team, row, note="Late")
    settle(refreshed(row))
    make(NOW)
    assert (newest().occurrence, newest().scheduled_for) == (4, FRIDAY)
    assert Message.objects.get(kind="dates_skipped").content["values"]["count"] == 2
