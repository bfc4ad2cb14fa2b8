"""``manage.py hold``: stops sending with a reason, lets it go on, and says what is on hold."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from followups.holds import people, releasing, restored
from followups.models import Hold, HoldCause, HoldScope, Late
from followups.wording import holds as wording
from trochai.accounts.models import Organization
from trochai.clock import database_now
from trochai.whatsapp.models import Channel, ChannelQuerySet

M = TypeVar("M", bound=Model)


class Command(BaseCommand):
    help = "Hold follow-ups: everything, or one organization's or number's. Replies still go out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reason", nargs="?", default="", help="why, for everybody to read")
        scope = parser.add_mutually_exclusive_group()
        scope.add_argument("--organization", metavar="ID|NAME", help="only this organization's")
        scope.add_argument("--channel", metavar="ID|NAME", help="only this number's")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--release", action="store_true", help="let it go on; needs --late")
        what.add_argument("--list", action="store_true", dest="lists", help="only say what is on hold")
        parser.add_argument(
            "--due-between",
            nargs=2,
            metavar=("FROM", "TO"),
            help="each follow-up that is due then, for a person to decide, after a backup was restored",
        )
        parser.add_argument(
            "--late", choices=Late.values, help="what becomes of what would fail as missed by now"
        )

    def handle(
        self,
        *args: Any,
        reason: str,
        organization: str | None,
        channel: str | None,
        release: bool,
        lists: bool,
        due_between: list[str] | None,
        late: str | None,
        **options: Any,
    ) -> None:
        if lists:
            return self._list()
        if release and late is None:
            raise CommandError(f"Say what becomes of what is late: --late {'|'.join(Late.values)}.")
        if not release and not 0 < len(reason.strip()) <= Hold.REASON_LENGTH:
            raise CommandError(f"Give a reason, of at most {Hold.REASON_LENGTH} characters.")
        scope = _scope(organization, channel)
        if due_between is not None:
            return self._rows(scope, due_between, late)
        if late is not None:
            return self._release(scope, Late(late))
        return self._begin(scope, reason.strip())

    def _list(self) -> None:
        holds = Hold.objects.in_force().select_related("organization", "channel", "by")
        for hold in holds:
            state = ", being released" if hold.releasing_since else ""
            reason = wording.reason(hold)
            by = wording.who(hold.cause, str(hold.by or ""))
            self.stdout.write(f"{_named(hold)} since {_local(hold.since)} by {by}{state}: {reason}")
        self.stdout.write(f"{len(holds)} on hold.")

    def _begin(self, scope: dict[str, Any], reason: str) -> None:
        try:
            hold = people.begin(reason=reason, cause=HoldCause.OPERATOR, now=timezone.now(), **scope)
        except people.AlreadyHeld as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{_named(hold)}: on hold. Replies still go out.")

    def _release(self, scope: dict[str, Any], late: Late) -> None:
        hold = _holds_of(scope).select_related("organization", "channel").first()
        if hold is None:
            raise CommandError("That is not on hold; --list says what is.")
        if hold.releasing_since is None:
            releasing.ask_for_release(hold, late=late, by=None, now=timezone.now())
            hold.refresh_from_db()
        # Here, as no worker may be running. Where one does as well, neither does anything twice.
        releasing.release(hold, now=database_now())
        self.stdout.write(f"{_named(hold)}: released. It goes out with the next tick, within a minute.")

    def _rows(self, scope: dict[str, Any], between: list[str], late: str | None) -> None:
        first, last = (_moment(text) for text in between)
        if first > last:
            raise CommandError("FROM is later than TO.")
        channels, now = _channels(scope), database_now()
        if late is not None:
            count = restored.release_due(channels, first=first, last=last, late=Late(late), now=now)
        else:
            count = restored.hold_due(channels, first=first, last=last, now=now)
        done = "on hold, for a person to decide" if late is None else "released"
        self.stdout.write(f"Due from {_local(first)} to {_local(last)}: {count} {done}.")


def _scope(organization: str | None, channel: str | None) -> dict[str, Any]:
    if channel is not None:
        return {"channel": _one(Channel.objects.select_related("organization"), channel)}
    if organization is not None:
        return {"organization": _one(Organization.objects.all(), organization)}
    return {}


def _one(rows: QuerySet[M], named: str) -> M:
    found = list(rows.filter(pk=named) if named.isascii() and named.isdigit() else rows.filter(name=named))
    if len(found) != 1:
        names = ", ".join(f"{row.pk} {row}" for row in (found or rows)[:20])
        raise CommandError(f"“{named}” names {len(found)}. By id and name there are: {names}.")
    return found[0]


def _holds_of(scope: dict[str, Any]) -> QuerySet[Hold]:
    kind = HoldScope.CHANNEL if "channel" in scope else HoldScope.ORGANIZATION
    return Hold.objects.in_force().filter(scope=kind if scope else HoldScope.EVERYTHING, **scope)


def _channels(scope: dict[str, Any]) -> ChannelQuerySet:
    channel = scope.get("channel")
    return Channel.objects.filter(**({"pk": channel.pk} if channel else scope))


def _moment(text: str) -> dt.datetime:
    """Return the moment; without a zone it is in the server's."""
    try:
        moment = parse_datetime(text)
    except ValueError as error:
        raise CommandError(f"“{text}” is no date and time: {error}.") from error
    if moment is None:
        raise CommandError(f"“{text}” is no date and time such as 2026-11-20T09:00-06:00.")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _local(moment: dt.datetime) -> str:
    """Return it with its zone, so that whoever typed none sees which was meant."""
    return timezone.localtime(moment).isoformat(" ", "minutes")


def _named(hold: Hold) -> str:
    whose = hold.channel or hold.organization
    return f"{hold.get_scope_display()}: {whose}" if whose else hold.get_scope_display()
