"""The banner of a conversation: what is scheduled for it, the next one and how many more."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.template.loader import render_to_string

from conversations.models import Conversation
from conversations.pages.banners import banners
from followups.models import FollowUp, FollowUpQuerySet
from followups.policies import Action, allowed_actions
from trochai.accounts.access import MemberRequest
from trochai.paging import Count


def waiting_for(conversation: Conversation) -> FollowUpQuerySet:
    """Return what is scheduled for the conversation's contact on any channel, soonest first."""
    rows = FollowUp.objects.for_organization(conversation.organization).unsettled()
    theirs = rows.filter(conversation__contact_id=conversation.contact_id).select_related("template")
    return theirs.order_by("scheduled_for", "pk")


def first_waiting(rows: FollowUpQuerySet) -> tuple[FollowUp | None, Count]:
    """Return the first of ``rows`` and how many more there are, without reading very many."""
    most = settings.FOLLOWUPS_MAX_WAITING
    waiting = list(rows[: most + 1])
    return (waiting[0] if waiting else None), Count.capped(len(waiting) - 1, most - 1)


def scheduled(request: MemberRequest, conversation: Conversation, now: dt.datetime) -> str:
    first, more = first_waiting(waiting_for(conversation).filter(conversation=conversation))
    context = {
        "conversation": conversation,
        "follow_up": first,
        "more": more,
        "can_write": request.membership.can_write,
        "can_cancel": first is not None and Action.CANCEL in allowed_actions(request.membership, first, now),
    }
    return render_to_string("followups/_banner.html", context, request)


banners.append(scheduled)
