from __future__ import annotations

from django.utils import timezone

from notifications.models import Kind, Notification
from notifications.notify import notify, recipients_for


def test_each_recipient_gets_one_unread_notification(team):
    now = timezone.now()
    notify(
        organization=team.organization,
        recipients=[team.agent.user, team.admin.user_id],
        kind=Kind.FOLLOW_UP_SENT,
        title="Follow-up sent",
        url="/inbox/1/",
        now=now,
    )
    assert set(Notification.objects.values_list("recipient_id", "created_at", "read_at")) == {
        (team.agent.user_id, now, None),
        (team.admin.user_id, now, None),
    }


def test_long_texts_are_cut_to_what_the_columns_hold(team):
    notify(
        organization=team.organization,
        recipients=[team.agent.user],
        kind=Kind.FOLLOW_UP_FAILED,
        title="t" * 300,
        text="x" * 900,
        now=timezone.now(),
    )
    notice = Notification.objects.get()
    assert (len(notice.title), len(notice.text)) == (200, 500)


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
