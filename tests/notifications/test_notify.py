from __future__ import annotations

from django.utils import timezone

from followups.wording.notices import Kind
from notifications.models import Notification
from notifications.notify import notify, recipients_for, recipients_for_all
from tests import factories


def test_each_recipient_gets_one_unread_notification(team):
    now = timezone.now()
    notify(
        organization=team.organization,
        recipients=[team.agent.user, team.admin.user_id],
        kind=Kind.FOLLOW_UP_SENT,
        values={"contact": "María Jiménez", "template": "visit_reminder"},
        url="/inbox/1/",
        now=now,
    )
    assert set(Notification.objects.values_list("recipient_id", "created_at", "read_at")) == {
        (team.agent.user_id, now, None),
        (team.admin.user_id, now, None),
    }


def test_names_are_kept_whole_however_long_they_are(team):
    values = {"contact": "x" * 200, "template": "t" * 512}
    notify(
        organization=team.organization,
        recipients=[team.agent.user],
        kind=Kind.FOLLOW_UP_SENT,
        values=values,
        now=timezone.now(),
    )
    notice = Notification.objects.get()
    assert notice.title == "Follow-up sent"
    assert notice.text == f"to {values['contact']}: {values['template']}"


def test_news_of_a_kind_that_nobody_knows_any_more_is_one_plain_line(team):
    notice = factories.NotificationFactory(recipient=team.agent.user, kind="lottery", values={"number": 7})
    assert (notice.title, notice.text) == ("Something has happened", "Open it to see more.")


def test_the_person_is_told_and_the_admins_only_if_the_person_has_left(team, stranger):
    assert recipients_for(team.organization, team.agent.user_id) == [team.agent.user_id]
    assert recipients_for(team.organization, None) == [team.admin.user_id]
    assert recipients_for(team.organization, stranger.agent.user_id) == [team.admin.user_id]
    user = team.agent.user
    user.is_active = False
    user.save()
    assert recipients_for(team.organization, user.pk) == [team.admin.user_id]
    team.other_agent.delete()
    assert recipients_for(team.organization, team.other_agent.user_id) == [team.admin.user_id]


def test_any_number_of_people_are_looked_up_together(team, stranger, django_assert_num_queries):
    here, there = team.organization.pk, stranger.organization.pk
    agent, admin = team.agent.user_id, team.admin.user_id
    with django_assert_num_queries(2):
        assert recipients_for_all([(here, agent), (here, None), (there, stranger.agent.user_id)]) == {
            (here, agent): [agent],
            (here, None): [admin],
            (there, stranger.agent.user_id): [stranger.agent.user_id],
        }
    # Who is a member elsewhere is none here.
    assert recipients_for_all([(there, agent)]) == {(there, agent): [stranger.admin.user_id]}
