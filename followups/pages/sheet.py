"""The follow-ups in the sheet about a contact: what waits, and what has become of the others."""

from __future__ import annotations

import datetime as dt

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from conversations.models import Conversation
from conversations.pages.sheet import sections
from followups.models import FollowUp
from followups.pages.listing import with_row
from followups.pages.rows import row_for
from trochai.accounts.access import MemberRequest

# Of those that wait, and of the others.
MOST = 5


def follow_ups(request: MemberRequest, conversation: Conversation, now: dt.datetime) -> str:
    theirs = FollowUp.objects.visible().filter(conversation=conversation)
    waiting = with_row(theirs.unsettled()).order_by("scheduled_for", "pk")[:MOST]
    settled = with_row(theirs.filter(next_attempt_at=None)).order_by("-scheduled_for", "-pk")[:MOST]
    shown = [*waiting, *settled]
    rows = [row_for(each, membership=request.membership, stopped=(), now=now) for each in shown]
    context = {
        "conversation": conversation,
        "rows": rows,
        "can_schedule": request.membership.can_write and not conversation.contact.is_opted_out,
        "member": request.membership.user_id,
    }
    # In Jinja: plain text to Django, escaped all the same.
    return SafeString(render_to_string("followups/_sheet.html", context, request))


sections.append(follow_ups)
