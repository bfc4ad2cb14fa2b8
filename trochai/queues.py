"""Which queue each task goes to, so that nothing waits for what is of another kind (docs/decisions/0011)."""

from __future__ import annotations

from collections.abc import Mapping

SENDING = "sending"  # follow-ups that are due
INTERACTIVE = "interactive"  # somebody waits for it
WEBHOOKS = "webhooks"
HOUSEKEEPING = "housekeeping"  # whatever is not named here
QUEUES = (SENDING, INTERACTIVE, WEBHOOKS, HOUSEKEEPING)

ROUTES: Mapping[str, Mapping[str, str]] = {
    "followups.tasks.send_due_follow_ups": {"queue": SENDING},
    "followups.tasks.help_to_send": {"queue": SENDING},
    "conversations.tasks.send_replies": {"queue": INTERACTIVE},
    "templates_app.tasks.sync_requested": {"queue": INTERACTIVE},
    "trochai.whatsapp.tasks.process_waiting_webhooks": {"queue": WEBHOOKS},
    "conversations.tasks.apply_early_statuses": {"queue": WEBHOOKS},
}
