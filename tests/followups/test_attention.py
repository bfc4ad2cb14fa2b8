"""What needs attention about follow-ups that wait: found and forgotten by what happens, never by a page."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from conversations import consent, erasure, identity, merging
from conversations.identity import Names
from conversations.models import Contact, OptOutSource
from followups import lifecycle
from followups.attention import events, keeping, looking, numbers, tasks
from followups.lifecycle import counts
from followups.models import (
    Attention,
    AttentionCause,
    AttentionLook,
    FollowUp,
    HeldReason,
    NumberChange,
    Status,
)
from followups.wanted import CUSTOM, Wanted
from templates_app import sync
from tests import factories
from tests.conftest import Team, signed_in
from tests.followups.engine import refreshed, tick
from tests.followups.test_quiet_rule import NIGHT
from trochai.accounts.models import DayOff, Membership, Organization, Role, SendingHours, User
from trochai.whatsapp import account_news, limit_reading
from trochai.whatsapp.webhooks.parsing import AccountEvent

pytestmark = pytest.mark.django_db

CHANGED = [{"type": "BODY", "text": "Hola {{1}}, su visita es el {{2}}."}]
CANCELED = {"canceled_at": timezone.now(), "cancel_cause": "member"}
OLD, NEW = "+50688770011", "+50688770022"


class InThisProcess:
    """A task as a worker gets it, at once."""

    def __init__(self, task: Callable[..., None]) -> None:
        self.task, self.calls = task, 0

    def apply_async(self, arguments: Any, **_options: Any) -> None:
        self.calls += 1
        self.task(*json.loads(json.dumps(arguments)))


@pytest.fixture
def worker(monkeypatch) -> InThisProcess:
    worker = InThisProcess(tasks.look)
    monkeypatch.setattr(events, "look", worker)
    monkeypatch.setattr(events, "look_at_days", InThisProcess(tasks.look_at_days))
    monkeypatch.setattr(events.waker, "wake", lambda task, *given: task.apply_async(given, retry=False))
    return worker


@pytest.fixture
def happens(worker, django_capture_on_commit_callbacks):
    """What is done within is committed, and a worker hears of it."""

    @contextlib.contextmanager
    def happen() -> Iterator[None]:
        with django_capture_on_commit_callbacks(execute=True):
            yield

    return happen


def at(hour: int, team: Team, *, days: int = 7) -> dt.datetime:
    """Return a moment in a week, by the organization's clock."""
    day = timezone.now().astimezone(team.organization.zone).date() + dt.timedelta(days=days)
    return dt.datetime.combine(day, dt.time(hour), tzinfo=team.organization.zone)


@pytest.fixture
def waiting(team: Team) -> FollowUp:
    """It goes out at 10 in the morning where its contact is."""
    return make(team)


def make(team: Team, **fields: Any) -> FollowUp:
    return factories.FollowUpFactory(
        **{
            "organization": team.organization,
            "conversation": team.conversation,
            "template": team.template,
            "created_by": team.agent.user,
            "scheduled_for": at(10, team),
            "created_at": timezone.now() - dt.timedelta(days=1),
            **fields,
        }
    )


def found(follow_up: FollowUp) -> dict[str, tuple[str, dict[str, Any]]]:
    kept = Attention.objects.filter(follow_up=follow_up)
    return {each.cause: (each.subject, each.values) for each in kept}


def keep_hours(team: Team, begin: int, end: int) -> None:
    team.organization.sending_hours.all().delete()
    for day in range(1, 8):
        SendingHours.objects.create(
            organization=team.organization, weekday=day, begin=dt.time(begin), end=dt.time(end)
        )


def current(team: Team) -> Organization:
    return Organization.objects.get(pk=team.organization.pk)


# Each cause comes and goes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status"), [({"status": "PAUSED"}, "PAUSED"), ({"components": CHANGED}, "APPROVED")]
)
def test_a_template_that_cannot_be_sent_any_more(team, waiting, happens, fields, status):
    before = {name: getattr(team.template, name) for name in fields}
    with happens():
        sync.update(team.template, fields, timezone.now())
    subject, values = str(team.template.pk), {"template": "visit_reminder", "status": status}
    assert found(waiting) == {AttentionCause.TEMPLATE: (subject, values)}
    with happens():
        sync.update(team.template, before, timezone.now())
    assert found(waiting) == {}


def test_another_template_repairs_it(team, waiting, happens):
    with happens():
        sync.update(team.template, {"status": "PAUSED"}, timezone.now())
    other = factories.TemplateFactory(channel=team.channel)
    with happens():
        lifecycle.change_template_all(
            {waiting: waiting.parameters}, to=other, by=team.admin.user, now=timezone.now()
        )
    assert found(waiting) == {}


def test_a_contact_who_has_opted_out(team, happens):
    failed, contact = make(team, status=Status.FAILED), team.conversation.contact
    with happens():
        consent.opt_out(contact, at=timezone.now(), source=OptOutSource.WHATSAPP, now=timezone.now())
    with happens():
        signed_in(team.agent).post(f"/followups/{failed.pk}/retry/")
    assert found(failed) == {AttentionCause.OPTED_OUT: (str(contact.pk), {"contact": contact.display_name})}
    with happens():
        signed_in(team.agent).post(f"/inbox/{team.conversation.pk}/wants/", {"messages": "yes"})
    assert found(failed) == {}


@pytest.fixture
def moved(team: Team, happens) -> Callable[[str, str], None]:
    """Return what WhatsApp says of a contact's number."""

    def move(old: str, new: str) -> None:
        now = timezone.now()
        with happens():
            identity.move(team.channel, Names(now, phone=old), phone=new, now=now)

    return move


@pytest.fixture
def with_number(team: Team) -> FollowUp:
    contact = factories.ContactFactory(organization=team.organization, phone=OLD)
    talk = factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=contact
    )
    return make(team, conversation=talk)


def test_a_number_that_has_changed_and_changes_back(with_number, moved):
    moved(OLD, NEW)
    contact = with_number.conversation.contact
    values = {"contact": contact.display_name, "before": "+506 8877 0011", "after": "+506 8877 0022"}
    assert found(with_number) == {AttentionCause.NUMBER: (str(contact.pk), values)}
    moved(NEW, OLD)
    assert found(with_number) == {}


def test_whoever_changes_it_later_knows_of_the_number(team, with_number, moved, happens):
    moved(OLD, NEW)
    with happens():
        lifecycle.hand_over(with_number, to=team.other_agent.user, by=team.admin, now=timezone.now())
    assert AttentionCause.NUMBER in found(with_number)
    with happens():
        lifecycle.keep(with_number, by=team.admin, now=timezone.now())
    assert found(with_number) == {}
    later = make(team, conversation=with_number.conversation, created_at=timezone.now())
    tasks.look_at_all()
    assert found(later) == {}


def test_of_an_erased_contact_no_number_is_left(team, with_number, moved):
    moved(OLD, NEW)
    assert NumberChange.objects.count() == 1
    erasure.erase(with_number.conversation.contact, by=team.admin.user, now=timezone.now())
    assert NumberChange.objects.count() == 0


def deactivate(team: Team) -> None:
    user = User.objects.get(pk=team.agent.user_id)
    user.is_active = False
    user.save()


def may_only_look(team: Team) -> None:
    team.agent.role = Role.VIEWER
    team.agent.save()


def removed(team: Team) -> None:
    Membership.objects.get(pk=team.agent.pk).delete()


@pytest.mark.parametrize("leave", [deactivate, may_only_look, removed])
def test_whoever_is_in_charge_has_left(team, waiting, happens, leave):
    with happens():
        leave(team)
    person = team.agent.user
    assert found(waiting) == {AttentionCause.LEFT: (str(person.pk), {"name": str(person)})}
    with happens():
        lifecycle.hand_over(waiting, to=team.other_agent.user, by=team.admin, now=timezone.now())
    assert found(waiting) == {}


def test_whoever_left_comes_back(team, waiting, happens):
    with happens():
        deactivate(team)
    with happens():
        team.agent.user.save()
    assert found(waiting) == {}


def test_an_owner_who_left_counts_and_who_scheduled_it_does_not(team, waiting, happens):
    with happens():
        lifecycle.hand_over(waiting, to=team.other_agent.user, by=team.admin, now=timezone.now())
        deactivate(team)
    assert found(waiting) == {}
    with happens():
        team.other_agent.delete()
    assert list(found(waiting)) == [AttentionCause.LEFT]


def test_an_account_that_is_removed_leaves_nobody_in_charge(team, waiting, happens):
    with happens():
        team.agent.user.delete()
    assert found(waiting) == {AttentionCause.LEFT: ("", {"name": ""})}


def test_quiet_hours_where_the_contact_is(team, waiting, happens):
    with happens():
        keep_hours(team, 12, 20)
    zone = "America/Costa_Rica"
    assert found(waiting) == {AttentionCause.QUIET: ("", {"zone": zone, "hours": "12:00–20:00"})}
    with happens():
        keep_hours(team, 8, 20)
    assert found(waiting) == {}


def test_a_contact_who_is_elsewhere(team, waiting, happens):
    with happens():
        keep_hours(team, 8, 20)
    page = reverse("conversations:contact", args=[team.conversation.pk])
    with happens():
        signed_in(team.agent).post(page, {"timezone": "Asia/Tokyo"})
    assert found(waiting)[AttentionCause.QUIET][1]["zone"] == "Asia/Tokyo"
    with happens():
        signed_in(team.agent).post(page, {"timezone": ""})
    assert found(waiting) == {}


def test_where_quiet_hours_are_a_rule_it_waits_by_itself(team, waiting, happens):
    with happens():
        keep_hours(team, 12, 20)
    organization = current(team)
    organization.quiet_hours_are_a_rule = True
    with happens():
        organization.save()
    assert found(waiting) == {}
    organization.quiet_hours_are_a_rule = False
    with happens():
        organization.save()
    assert list(found(waiting)) == [AttentionCause.QUIET]


def test_what_is_late_is_not_judged_by_a_moment_that_has_passed(team, due, worker):
    keep_hours(team, 12, 20)
    late = due(channel=team.channel, scheduled_for=at(10, team, days=-1))
    tasks.look_at_all()
    assert found(late) == {}


def test_what_a_person_has_retried_now_is_their_decision(team, waiting, worker):
    keep_hours(team, 12, 20)
    FollowUp.objects.filter(pk=waiting.pk).update(at_any_hour=True)
    tasks.look_at_all()
    assert found(waiting) == {}
    FollowUp.objects.filter(pk=waiting.pk).update(failures=1)
    tasks.look_at_all()
    assert list(found(waiting)) == [AttentionCause.QUIET]


def test_a_day_off_is_repaired_by_another_date(team, waiting, happens):
    day = waiting.scheduled_for.date()
    with happens():
        DayOff.objects.create(organization=team.organization, date=day, name="Inventario")
    values = {"name": "Inventario", "zone": "America/Costa_Rica"}
    assert found(waiting) == {AttentionCause.HOLIDAY: (day.isoformat(), values)}
    with happens():
        move(waiting, at(10, team, days=8), team)
    assert found(waiting) == {}


def test_a_day_off_that_is_none_after_all(team, waiting, happens):
    with happens():
        day_off = DayOff.objects.create(
            organization=team.organization, date=waiting.scheduled_for.date(), name="Inventario"
        )
    with happens():
        day_off.delete()
    assert found(waiting) == {}


# The day's limit ---------------------------------------------------------------------------------------


def may_write_to(team: Team, limit: str, *, hours_ago: int = 0) -> None:
    """WhatsApp says to how many."""
    details = {"limits": {"max_daily_conversations_per_business": limit}}
    event = AccountEvent("business_capability_update", details)
    account_news.keep(team.channel, event, at=timezone.now() - dt.timedelta(hours=hours_ago))


@pytest.fixture
def three(team: Team, happens) -> list[FollowUp]:
    """Three wait for one day, the last of them first, and two people may be written to."""
    with happens():
        may_write_to(team, "TIER_2")
    rows = [make(team, conversation=another(team), scheduled_for=at(hour, team)) for hour in (16, 9, 12)]
    with happens():
        lifecycle.keep(rows[1], by=team.admin, now=timezone.now())
    return rows


def beyond(*rows: FollowUp) -> list[bool]:
    return [AttentionCause.LIMIT in found(row) for row in rows]


def test_those_that_come_last_on_a_day_are_beyond_its_limit(team, three, happens):
    last, first, second = three
    day = last.scheduled_for.date().isoformat()
    assert found(last) == {AttentionCause.LIMIT: (day, {"due": 3, "limit": 2})}
    assert beyond(first, second) == [False, False]
    with happens():
        lifecycle.cancel(first, by=team.agent, now=timezone.now())
    assert beyond(*three) == [False, False, False]


def test_whoever_comes_earlier_makes_another_one_the_last(team, three, happens):
    last, _first, second = three
    with happens():
        move(last, at(8, team), team)
    assert beyond(*three) == [False, False, True]
    with happens():
        move(second, at(12, team, days=8), team)
    assert beyond(*three) == [False, False, False]
    assert found(second) == {}


def test_another_limit_is_one_for_all_days(team, three, happens):
    with happens():
        may_write_to(team, "TIER_1")
    assert beyond(*three) == [True, False, True]
    with happens():
        may_write_to(team, "TIER_UNLIMITED")
    assert beyond(*three) == [False, False, False]


def test_a_limit_that_is_read_counts_as_one_that_is_told(team, three, happens, monkeypatch):
    with happens():
        may_write_to(team, "TIER_UNLIMITED", hours_ago=24)
    monkeypatch.setattr(limit_reading, "_ask_meta", lambda channels: ["TIER_2" for _each in channels])
    with happens():
        limit_reading.read_due(now=timezone.now())
    assert beyond(*three) == [True, False, False]


def test_each_portfolio_has_its_own_limit(team, three, happens):
    other = factories.ChannelFactory(organization=team.organization)
    row = make(
        team,
        conversation=factories.ConversationFactory(organization=team.organization, channel=other),
        scheduled_for=at(20, team),
    )
    with happens():
        lifecycle.keep(row, by=team.admin, now=timezone.now())
    assert beyond(row, *three) == [False, True, False, False]


def test_more_that_wait_are_no_reason_to_ask_anew_and_another_limit_is(team, three, happens):
    keeping.keep(Attention.objects.all(), by=team.admin.user, now=timezone.now())
    of_team = Attention.objects.for_organization(team.organization)
    row = make(team, conversation=another(team), scheduled_for=at(20, team))
    with happens():
        lifecycle.keep(row, by=team.admin, now=timezone.now())
    assert found(three[0])[AttentionCause.LIMIT][1] == {"due": 4, "limit": 2}
    assert [each.follow_up for each in of_team] == [row]
    with happens():
        may_write_to(team, "TIER_3")
    assert beyond(row, *three) == [True, False, False, False]


def test_what_is_held_is_not_sent_that_day(team, three, happens):
    last = three[0]
    with happens():
        lifecycle.hold(FollowUp.objects.filter(pk=last.pk), reason=HeldReason.CONTACT, now=timezone.now())
    assert beyond(*three) == [False, False, False]
    with happens():
        last.refresh_from_db()
        lifecycle.release(last, by=team.admin, now=timezone.now())
    assert beyond(*three) == [True, False, False]


def test_on_the_day_itself_what_is_sent_makes_room_for_nobody(team, three):
    last, first, _second = three
    FollowUp.objects.filter(pk=first.pk).update(status=Status.CANCELED, next_attempt_at=None, **CANCELED)
    counts.add([first.conversation_id], by=-1)
    looking.look(
        looking.concerned(looking.Concerned.CONTACT, [last.conversation.contact_id]), now=at(11, team)
    )
    assert beyond(last) == [True]
    looking.look_at_all(now=at(11, team, days=8), stop=lambda: False)
    assert beyond(last) == [False]


# What happens to a row ---------------------------------------------------------------------------------


def move(row: FollowUp, to: dt.datetime, team: Team) -> None:
    lifecycle.move(row, choice=CUSTOM, to=to, version=row.version, by=team.admin, now=timezone.now())


def wanted(team: Team, **fields: Any) -> Wanted:
    return Wanted(
        **{
            "conversation": team.conversation,
            "template": team.template,
            "parameters": {"body.1": "María", "body.2": "EC-204", "body.3": "sábado"},
            "choice": CUSTOM,
            "scheduled_for": at(22, team),
            "note": "",
            **fields,
        }
    )


def scheduled(team: Team) -> FollowUp:
    return lifecycle.schedule(wanted(team), submission=uuid.uuid4(), by=team.agent, now=timezone.now())


def moved_into_the_night(team: Team) -> FollowUp:
    row = make(team)
    move(row, at(22, team), team)
    return row


def edited(team: Team) -> FollowUp:
    row = make(team)
    lifecycle.edit(row, wanted(team), version=0, by=team.admin, now=timezone.now())
    return row


def restored(team: Team) -> FollowUp:
    row = make(team, status=Status.CANCELED, cancel_cause="reply", scheduled_for=at(22, team))
    return lifecycle.restore(row, by=team.admin, now=timezone.now())


def released(team: Team) -> FollowUp:
    row = make(team, held_reason=HeldReason.CONTACT, scheduled_for=at(22, team))
    return lifecycle.release(row, by=team.admin, now=timezone.now())


def moved_with_many(team: Team) -> FollowUp:
    row = make(team)
    lifecycle.move_all({row: at(22, team)}, by=team.admin.user, now=timezone.now())
    return row


def made_by_a_series(team: Team) -> FollowUp:
    series = factories.SeriesFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        time=dt.time(22),
    )
    return lifecycle.make_next(series, now=timezone.now())


@pytest.mark.parametrize(
    "do", [scheduled, moved_into_the_night, edited, restored, released, moved_with_many, made_by_a_series]
)
def test_whatever_brings_a_row_into_the_night_is_noticed(team, happens, do):
    keep_hours(team, 8, 20)
    with happens():
        row = do(team)
    assert list(found(row)) == [AttentionCause.QUIET]


@pytest.fixture
def tried(team, due, meta, happens) -> Callable[[], FollowUp]:
    """Return what lets something fall due that WhatsApp asks to send later."""
    keep_hours(team, 8, 20)

    def try_it() -> FollowUp:
        row = due()
        Contact.objects.filter(pk=row.conversation.contact_id).update(timezone=NIGHT)
        meta.answer(130429)
        with happens():
            tick()
        assert refreshed(row).failures == 1
        return row

    return try_it


def test_an_automatic_retry_that_falls_into_the_night_is_noticed(tried):
    assert list(found(tried())) == [AttentionCause.QUIET]


@pytest.mark.parametrize(("hours", "rule"), [(None, False), ((8, 20), True)])
def test_where_nothing_is_quiet_or_it_waits_by_itself_a_retry_costs_one_query(
    team, waiting, django_assert_num_queries, hours, rule
):
    if hours:
        keep_hours(team, *hours)
    Organization.objects.update(quiet_hours_are_a_rule=rule)
    with django_assert_num_queries(1):
        looking.look(looking.concerned(looking.Concerned.RETRIES, [waiting.pk]), now=timezone.now())


def test_what_is_canceled_needs_nobody(team, waiting, happens):
    with happens():
        keep_hours(team, 12, 20)
    with happens():
        lifecycle.cancel(waiting, by=team.agent, now=timezone.now())
    assert found(waiting) == {}


def test_what_is_being_sent_keeps_what_is_known_of_it(team, happens, due):
    """A call that fails brings it back without a word."""
    row = due(minutes=-60, created_by=team.viewer.user)
    tasks.look_at_all()
    FollowUp.objects.filter(pk=row.pk).update(
        status=Status.PROCESSING, claim_token=uuid.uuid4(), lease_expires_at=timezone.now()
    )
    tasks.look_at_all()
    assert list(found(row)) == [AttentionCause.LEFT]
    assert not Attention.objects.for_organization(team.organization).exists()


def test_two_contacts_who_turn_out_to_be_one(team, waiting, happens):
    with happens():
        keep_hours(team, 8, 20)
    far = factories.ContactFactory(organization=team.organization, timezone="Asia/Tokyo")
    with happens():
        merging.merge(far, waiting.conversation.contact, now=timezone.now())
    assert list(found(waiting)) == [AttentionCause.QUIET]


# Keep --------------------------------------------------------------------------------------------------


def test_what_is_kept_is_not_asked_again_until_it_is_something_else(team, waiting, happens):
    with happens():
        deactivate(team)
        keep_hours(team, 12, 20)
    of_team = Attention.objects.for_organization(team.organization)
    assert of_team.count() == 2
    assert keeping.keep(of_team, by=team.admin.user, now=timezone.now()) == 2
    tasks.look_at_all()
    assert of_team.count() == 0
    assert set(Attention.objects.values_list("kept_by", flat=True)) == {team.admin.user_id}
    with happens():
        User.objects.get(pk=team.agent.user_id).delete()
        keep_hours(team, 13, 20)
    assert {each.cause for each in of_team} == {AttentionCause.LEFT, AttentionCause.QUIET}


def test_another_name_for_somebody_who_has_left_is_no_other_reason(team, waiting, happens):
    with happens():
        deactivate(team)
    of_team = Attention.objects.for_organization(team.organization)
    keeping.keep(of_team, by=team.admin.user, now=timezone.now())
    user = User.objects.get(pk=team.agent.user_id)
    user.name = "Ana M. Solís"
    with happens():
        user.save()
    assert of_team.count() == 0
    assert found(waiting)[AttentionCause.LEFT][1] == {"name": "Ana M. Solís"}


# Once a night, never at page load, and at no cost for a burst -------------------------------------------


def test_a_page_looks_at_nothing(team, waiting, worker):
    deactivate(team)
    for page in ("/followups/", f"/followups/{waiting.pk}/", f"/inbox/{team.conversation.pk}/"):
        assert signed_in(team.admin).get(page).status_code == 200
    assert (found(waiting), worker.calls) == ({}, 0)


def test_the_night_finds_what_nobody_heard_of(team, waiting):
    deactivate(team)  # the broker was away
    stale = make(team, status=Status.CANCELED)
    Attention.objects.create(
        organization=team.organization,
        follow_up=stale,
        cause=AttentionCause.QUIET,
        found_at=timezone.now(),
    )
    NumberChange.objects.create(
        contact=team.conversation.contact, before="+506 1", at=timezone.now() - numbers.KEPT_FOR
    )
    tasks.look_at_all()
    assert list(found(waiting)) == [AttentionCause.LEFT]
    assert found(stale) == {}
    assert not NumberChange.objects.exists()
    team.agent.user.save()
    tasks.look_at_all()
    assert not Attention.objects.exists()


@pytest.mark.parametrize(
    ("task", "hour", "minute"), [(tasks.look_at_all, "3", "57"), (tasks.look_at_overdue, "*", "*/10")]
)
def test_beat_has_all_looked_at(task, hour, minute):
    entry = PeriodicTask.objects.get(task=task.name)
    assert entry.enabled
    assert (entry.crontab.hour, entry.crontab.minute) == (hour, minute)


@pytest.fixture
def of_an_earlier_version(team, waiting) -> FollowUp:
    """It waited before there was anything that could have been told of it."""
    deactivate(team)
    return waiting


def test_what_no_night_has_looked_at_is_found_by_itself(team, of_an_earlier_version):
    tasks.look_at_overdue()
    assert list(found(of_an_earlier_version)) == [AttentionCause.LEFT]
    assert AttentionLook.objects.get().looked_at is not None


def test_what_was_looked_at_is_left_to_the_night(team, of_an_earlier_version, django_assert_num_queries):
    tasks.look_at_all()
    Attention.objects.all().delete()
    with django_assert_num_queries(1 + (connection.vendor == "postgresql")):
        tasks.look_at_overdue()
    assert found(of_an_earlier_version) == {}
    looking.look_at_overdue(now=timezone.now() + looking.OVERDUE, stop=lambda: False)
    assert list(found(of_an_earlier_version)) == [AttentionCause.LEFT]


def test_a_look_that_is_broken_off_is_taken_up_again(team, of_an_earlier_version):
    looking.look_at_all(now=timezone.now(), stop=lambda: True)
    assert AttentionLook.objects.get().looked_at is None
    tasks.look_at_overdue()
    assert list(found(of_an_earlier_version)) == [AttentionCause.LEFT]


def test_no_two_workers_look_at_all_of_one_organization(team, of_an_earlier_version):
    begun = timezone.now()
    look = AttentionLook.objects.create(organization=team.organization, begun_at=begun)
    looking.look_at_overdue(now=begun + dt.timedelta(minutes=59), stop=lambda: False)
    assert found(of_an_earlier_version) == {}
    # That worker must have died.
    looking.look_at_overdue(now=begun + looking.LONGEST, stop=lambda: False)
    assert list(found(of_an_earlier_version)) == [AttentionCause.LEFT]
    look.refresh_from_db()
    assert look.begun_at is None


def test_who_has_nothing_waiting_is_not_looked_at(team):
    tasks.look_at_overdue()
    assert not AttentionLook.objects.exists()


def test_a_look_costs_the_same_for_few_and_for_many(team, django_assert_num_queries):
    keep_hours(team, 12, 20)
    team.template.status = "PAUSED"
    team.template.save()

    def queries(count: int) -> int:
        rows = [make(team, conversation=another(team)) for _each in range(count)]
        NumberChange.objects.create(contact=rows[0].conversation.contact, before="+506 1", at=timezone.now())
        chosen = FollowUp.objects.filter(pk__in=[row.pk for row in rows])
        with CaptureQueriesContext(connection) as captured:
            looking.look(chosen, now=timezone.now())
        assert Attention.objects.filter(follow_up__in=rows).count() == 2 * count + 1
        with django_assert_num_queries(len(captured) - 1):  # and writes nothing
            looking.look(chosen, now=timezone.now())
        return len(captured)

    assert queries(2) == queries(20)


def another(team: Team) -> Any:
    return factories.ConversationFactory(organization=team.organization, channel=team.channel)


def test_very_many_are_looked_at_chunk_by_chunk(team, waiting, monkeypatch):
    monkeypatch.setattr(looking, "CHUNK", 2)
    more = [make(team) for _each in range(4)]
    deactivate(team)
    tasks.look_at_all()
    assert all(list(found(row)) == [AttentionCause.LEFT] for row in [waiting, *more])


def test_a_file_of_many_is_few_tasks(team, monkeypatch, django_capture_on_commit_callbacks):
    published, woken = [], []
    monkeypatch.setattr(events.look, "apply_async", lambda arguments, **_options: published.append(arguments))
    monkeypatch.setattr(events.waker, "wake", lambda task, *given: woken.append((task, given)))
    rows = [make(team) for _each in range(3)]
    with django_capture_on_commit_callbacks(execute=True):
        for row in rows:
            lifecycle.keep(row, by=team.admin, now=timezone.now())
    for task, given in woken:
        task.apply_async(given, retry=False)
    assert published == [(looking.Concerned.FOLLOW_UPS, [row.pk for row in rows])]


def test_sending_reads_and_writes_nothing_of_it(team, due, meta, worker, django_capture_on_commit_callbacks):
    due(), due()
    with (
        CaptureQueriesContext(connection) as captured,
        django_capture_on_commit_callbacks(execute=True),
    ):
        tick()
    assert FollowUp.objects.filter(status=Status.SENT).count() == 2
    assert not [each["sql"] for each in captured if Attention._meta.db_table in each["sql"]]
    assert worker.calls == 0


# Each its own ------------------------------------------------------------------------------------------


def test_what_happens_to_one_organization_is_nothing_to_another(team, stranger, waiting, happens):
    theirs = make(stranger)
    with happens():
        keep_hours(team, 12, 20)
        deactivate(team)
    assert len(found(waiting)) == 2
    assert found(theirs) == {}
    assert not Attention.objects.for_organization(stranger.organization).exists()


def test_somebody_who_left_one_organization_works_on_for_the_other(team, stranger, waiting, happens):
    factories.MembershipFactory(organization=stranger.organization, user=team.agent.user)
    theirs = make(stranger, created_by=team.agent.user)
    with happens():
        team.agent.delete()
    assert list(found(waiting)) == [AttentionCause.LEFT]
    assert found(theirs) == {}


def test_open_pages_hear_of_what_is_found_and_of_nothing_else(team, waiting, happens, monkeypatch):
    told = []
    monkeypatch.setattr(keeping, "changed", lambda pks, _kinds: told.append(set(pks)))
    with happens():
        deactivate(team)
    tasks.look_at_all()
    assert [pks for pks in told if pks] == [{team.organization.pk}]
