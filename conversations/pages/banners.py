"""What stands between a conversation's toolbar and its messages, by the apps above this one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from conversations.models import Conversation
from trochai.accounts.access import MemberRequest

# Each returns HTML, an element with an id, or nothing. Apps add theirs in ``ready()``.
Banner = Callable[[MemberRequest, Conversation, dt.datetime], str]
banners: list[Banner] = []


def banners_of(request: MemberRequest, conversation: Conversation, now: dt.datetime) -> SafeString:
    return format_html_join("", "{}", ([banner(request, conversation, now)] for banner in banners))
