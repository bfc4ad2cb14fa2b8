"""What a list of follow-ups says when it has nothing to show, by its tab (followups.pages.listing.Tab)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from followups.models import Status


class Nothing(NamedTuple):
    title: Promise
    text: Promise


NOTHING: Mapping[str, Nothing] = {
    Status.PENDING: Nothing(
        _("Nothing is waiting to be sent"),
        _("Follow-ups stand here from the moment they are scheduled until they are sent."),
    ),
    Status.SENT: Nothing(
        _("Nothing has been sent yet"), _("Follow-ups that WhatsApp has accepted will be listed here.")
    ),
    Status.FAILED: Nothing(
        _("Nothing has failed"),
        _("Follow-ups that could not be sent will be listed here, each with its reason."),
    ),
    Status.CANCELED: Nothing(
        _("Nothing has been canceled"),
        _("Follow-ups that your team or a contact’s reply stopped will be listed here."),
    ),
}
NO_MATCH: Mapping[str, Promise] = {
    Status.PENDING: _("No pending follow-ups match “%(search)s”"),
    Status.SENT: _("No sent follow-ups match “%(search)s”"),
    Status.FAILED: _("No failed follow-ups match “%(search)s”"),
    Status.CANCELED: _("No canceled follow-ups match “%(search)s”"),
}
NO_MATCH_AT_ALL = _("No follow-ups match “%(search)s”")
