"""The banner of a conversation: what is scheduled for it, the next one and how many more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cache

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from conversations.models import Conversation
from conversations.pages.banners import banners
from followups.models import FollowUp, FollowUpQuerySet
from followups.pages import holds
from followups.policies import Action, allowed_actions
from followups.wording import holds as wording
from followups.wording import repeats
from trochai.accounts.access import MemberRequest
from trochai.accounts.models import Organization
from trochai.paging import Count
from trochai.prepared import Prepared


def waiting_for(conversation: Conversation) -> FollowUpQuerySet:
    """Return what is scheduled for the conversation's contact on any channel, soonest first."""
    return _soonest_first(conversation.organization).filter(conversation__contact_id=conversation.contact_id)


def _soonest_first(organization: Organization) -> FollowUpQuerySet:
    rows = FollowUp.objects.for_organization(organization).unsettled()
    return rows.select_related("template").order_by("scheduled_for", "pk")


def first_waiting(rows: FollowUpQuerySet) -> tuple[FollowUp | None, Count]:
    """Return the first of ``rows`` and how many more there are, without reading very many."""
    most = settings.FOLLOWUPS_MAX_WAITING
    return _first_of(list(rows[: most + 1]), most)


def _first_of(waiting: Sequence[FollowUp], most: int) -> tuple[FollowUp | None, Count]:
    return (waiting[0] if waiting else None), Count.capped(len(waiting) - 1, most - 1)


@cache
def _waiting_in(most: int) -> Prepared:
    """Return the query of what is scheduled for one conversation, up to one more than ``most``."""

    def rows(*, organization: int, conversation: int) -> FollowUpQuerySet:
        waiting = _soonest_first(Organization(pk=organization)).filter(conversation=conversation)
        shown = waiting.select_related("created_by", "series").annotate(may_be_held=holds.ANY_IN_FORCE)
        return shown[: most + 1]

    return Prepared(rows)


def scheduled(request: MemberRequest, conversation: Conversation, now: dt.datetime) -> str:
    most = settings.FOLLOWUPS_MAX_WAITING
    found = _waiting_in(most).rows(organization=conversation.organization_id, conversation=conversation.pk)
    first, more = _first_of(found, most)
    if first is not None:
        first.conversation = conversation
    series = first.series if first is not None else None
    allowed = allowed_actions(request.membership, first, now) if first is not None else frozenset()
    context = {
        "conversation": conversation,
        "follow_up": first,
        "more": more,
        "can_write": request.membership.can_write,
        "repeats": repeats.sentence(series.rule, timezone.localdate(now)) if series else "",
        # Who may cancel may change.
        "can_change": Action.CANCEL in allowed,
        "on_hold": _hold_of(first, conversation, now) if first is not None else "",
        "asks": first is not None and Action.KEEP in allowed and _asks(first, conversation),
        "here": reverse("conversations:conversation", args=[conversation.pk]),
    }
    return render_to_string("followups/_banner.html", context, request)


def _hold_of(follow_up: FollowUp, conversation: Conversation, now: dt.datetime) -> str:
    """Say by what it is on hold, if it is; ``may_be_held`` comes with the row."""
    if not vars(follow_up)["may_be_held"]:
        return ""
    for hold in holds.in_force(conversation.organization):
        if holds.brake_by([hold]).holds(follow_up):
            return wording.in_full(hold, now)
    return ""


def _asks(follow_up: FollowUp, conversation: Conversation) -> bool:
    """Whether the contact has written since it was scheduled, and nobody has decided what that means."""
    wrote_at = conversation.last_inbound_at
    decided = follow_up.cancel_on_reply or follow_up.kept_after_reply or follow_up.held_reason
    return not decided and wrote_at is not None and wrote_at > follow_up.created_at


banners.append(scheduled)
