"""What stands above the list of conversations, by the apps above this one; each member has their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from conversations.pages.listing import Filters
from trochai.accounts.models import Membership

# Each returns HTML, an element with an id, or nothing, which may be kept since all that was told, if that is
# said (trochai.changes). Apps add theirs in ``ready()``.
Part = Callable[[Membership, Filters, dt.datetime, str], str]
parts: list[Part] = []


def above_list(membership: Membership, query: Filters, now: dt.datetime, *, told: str) -> SafeString:
    """``query``: the list, for links that should lead back to it."""
    return format_html_join("", "{}", ([part(membership, query, now, told)] for part in parts))
