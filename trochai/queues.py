"""Which queue each task goes to, so that nothing waits for what is of another kind (docs/decisions/0011)."""

from __future__ import annotations

from collections.abc import Mapping

SENDING = "sending"  # follow-ups that are due
INTERACTIVE = "interactive"  # somebody waits for it
WEBHOOKS = "webhooks"
MEDIA = "media"  # files, and what else may take minutes
HOUSEKEEPING = "housekeeping"  # whatever is not named here
QUEUES = (SENDING, INTERACTIVE, WEBHOOKS, MEDIA, HOUSEKEEPING)

ROUTES: Mapping[str, Mapping[str, str]] = {
    "followups.tasks.send_due_follow_ups": {"queue": SENDING},
    "followups.tasks.help_to_send": {"queue": SENDING},
    "followups.tasks.release_holds": {"queue": SENDING},
    "conversations.tasks.send_replies": {"queue": INTERACTIVE},
    "followups.tasks.work_on_imports": {"queue": MEDIA},
    "followups.tasks.count_calendar": {"queue": INTERACTIVE},
    "templates_app.tasks.sync_requested": {"queue": INTERACTIVE},
    "trochai.whatsapp.tasks.process_waiting_webhooks": {"queue": WEBHOOKS},
    "conversations.tasks.apply_early_statuses": {"queue": WEBHOOKS},
    "conversations.tasks.transfer_files": {"queue": MEDIA},
    "conversations.tasks.forget_erased": {"queue": MEDIA},
    "followups.tasks.change_many": {"queue": MEDIA},
    "followups.attention.tasks.look_at_all": {"queue": MEDIA},
    "followups.attention.tasks.look_at_overdue": {"queue": MEDIA},
    "conversations.tasks.discard_files": {"queue": MEDIA},
}
