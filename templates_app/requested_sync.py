"""A sync that a person asked for: a worker does it, and its result waits for whoever looks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext as _

from templates_app.models import RequestedSync
from trochai.changes import Kind, changed
from trochai.ui.toasts import Toast
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from templates_app.sync import SyncResult
    from trochai.accounts.models import Organization

# After this no worker has taken it, or the one that did has died: Meta's longest list takes less.
BEGIN_WITHIN = dt.timedelta(minutes=2)
END_WITHIN = dt.timedelta(minutes=10)


def request(organization: Organization, *, now: dt.datetime) -> list[int]:
    """Note that the organization's channels are to be synced; return the ids of those that are not yet."""
    channels = Channel.objects.for_organization(organization)
    syncing = RequestedSync.objects.filter(_under_way(now), channel__in=channels).values("channel")
    ids = list(channels.exclude(pk__in=syncing).values_list("pk", flat=True))
    RequestedSync.objects.bulk_create(
        [RequestedSync(channel_id=pk, asked_at=now) for pk in ids],
        update_conflicts=True,
        unique_fields=["channel"],
        update_fields=[field.name for field in RequestedSync._meta.fields if not field.primary_key],
    )
    return ids


def begin(channel: Channel, *, now: dt.datetime) -> None:
    RequestedSync.objects.filter(channel=channel, ended_at=None).update(began_at=now)


def end(channel: Channel, outcome: SyncResult | Failure, *, now: dt.datetime) -> None:
    """Keep what came of it."""
    found = (
        outcome.columns("failure")
        if isinstance(outcome, Failure)
        else {"added": outcome.added, "changed": outcome.changed, "removed": outcome.removed}
    )
    RequestedSync.objects.filter(channel=channel, ended_at=None).update(ended_at=now, **found)
    changed([channel.organization_id], [Kind.TEMPLATES])


@dataclass(frozen=True)
class Syncs:
    """How an organization's numbers stand towards Meta's lists, as of ``now``."""

    channels: Sequence[Channel]
    now: dt.datetime

    @classmethod
    def of(cls, organization: Organization, *, now: dt.datetime) -> Syncs:
        channels = Channel.objects.for_organization(organization).select_related("requested_sync")
        return cls(list(channels.only("name", "templates_synced_at", "requested_sync")), now)

    @property
    def last(self) -> dt.datetime | None:
        """When all of the channels were last synced; None if one never was."""
        moments = [channel.templates_synced_at for channel in self.channels]
        known = [moment for moment in moments if moment is not None]
        return min(known) if known and len(known) == len(moments) else None

    @property
    def is_syncing(self) -> bool:
        return any(self._is_under_way(sync) for _channel, sync in self._requested)

    @property
    def result(self) -> Toast:
        """What came of the syncs. One channel's failure doesn't stop the others."""
        if not self.channels:
            return Toast(_("Nothing to sync"), _("No WhatsApp number is connected yet."), "error")
        problems = [(channel, self._problem(sync)) for channel, sync in self._requested]
        said = [
            f"{channel.name}: {problem}" if len(self.channels) > 1 else problem
            for channel, problem in problems
            if problem
        ]
        if said:
            return Toast(_("Couldn’t sync the templates"), " ".join(said), "error")
        return Toast(_("Templates synced"), self._summary())

    @cached_property
    def _requested(self) -> list[tuple[Channel, RequestedSync]]:
        return [(each, each.requested_sync) for each in self.channels if hasattr(each, "requested_sync")]

    def _is_under_way(self, sync: RequestedSync) -> bool:
        if sync.ended_at is not None:
            return False
        within = BEGIN_WITHIN if sync.began_at is None else END_WITHIN
        return self.now < sync.asked_at + within

    def _problem(self, sync: RequestedSync) -> str:
        if sync.ended_at is None:
            return _("Nothing came back. Try again.")
        return sync.failure.words()

    def _summary(self) -> str:
        """2 added, 1 changed."""
        syncs = [sync for _channel, sync in self._requested]
        parts = [
            (_("%(n)d added"), sum(sync.added for sync in syncs)),
            (_("%(n)d changed"), sum(sync.changed for sync in syncs)),
            (_("%(n)d removed"), sum(sync.removed for sync in syncs)),
        ]
        words = ", ".join(text % {"n": number} for text, number in parts if number)
        return f"{words}." if words else _("Nothing has changed.")


def _under_way(now: dt.datetime) -> Q:
    """The same as ``Syncs._is_under_way``, for the database."""
    unbegun = Q(began_at=None, asked_at__gt=now - BEGIN_WITHIN)
    return Q(ended_at=None) & (unbegun | Q(began_at__isnull=False, asked_at__gt=now - END_WITHIN))
