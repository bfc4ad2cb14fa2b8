"""A backup is restored: what has gone out since it was made is due once more, and must not go out again."""

from __future__ import annotations

import datetime as dt

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from followups.models import FollowUp, Hold, Status, Tick
from notifications.models import Notification
from tests.faults import rows
from tests.faults.course import finish
from tests.faults.servers import wait_until
from trochai.accounts.models import Role


def sent_of(pks: list[int]) -> int:
    return FollowUp.objects.filter(pk__in=pks, status=Status.SENT).count()


def test_what_has_gone_out_since_the_backup_is_held_until_people_decide(installation):
    trochai = installation
    line = rows.make_channel()
    admin = line.organization.memberships.get()
    admin.role = Role.ADMIN
    admin.save()
    [worker] = trochai.workers(1)
    trochai.tick()
    wait_until(Tick.objects.exists, "a tick")
    worker.stop(within=60)

    gone_out = rows.make_follow_ups(line, 60)
    made_at = timezone.now()
    trochai.postgres.back_up(trochai.database)
    [worker] = trochai.workers(1)
    finish(trochai)
    assert sent_of(gone_out) == len(trochai.cloud.calls) == 60
    worker.stop(within=60)

    # Three hours later. Redis still has what nobody has taken, as where only the database is lost.
    connection.close()
    trochai.tick()
    trochai.postgres.restore(trochai.database)
    assert sent_of(gone_out) == 0
    rows.age_last_tick(hours=3)
    trochai.workers(2)
    wait_until(Hold.objects.exists, "sending is held")
    for _n in range(3):
        before = Tick.objects.get().at
        trochai.tick()
        wait_until(lambda before=before: Tick.objects.get().at > before, "the next tick")
    assert Hold.objects.get().organization == line.organization
    notice = Notification.objects.get(recipient=admin.user)
    assert "Follow-ups that are due: 60." in notice.text

    # The operator sets aside what may have gone out, then the rest goes on.
    new = rows.make_follow_ups(line, 5)
    between = [made_at - dt.timedelta(minutes=30), FollowUp.objects.get(pk=gone_out[-1]).next_attempt_at]
    call_command("hold", "Restored", "--due-between", *(moment.isoformat() for moment in between))
    scope = ["--organization", str(line.organization.pk)]
    call_command("hold", "--release", "--late", "send", *scope)
    trochai.tick()
    wait_until(lambda: sent_of(new) == 5, "what was scheduled since is sent")
    assert FollowUp.objects.filter(pk__in=gone_out, held_reason="restored").count() == 60
    assert len(trochai.cloud.calls) == 65
