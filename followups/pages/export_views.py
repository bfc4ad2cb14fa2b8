"""What the list shows, as a file."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from followups import export
from followups.pages.page import FollowUpsPage
from trochai.accounts.access import MemberRequest


@require_safe
def export_rows(request: MemberRequest) -> StreamingHttpResponse:
    """Everything that the filters in the query string find, as CSV; whoever sees it may have it."""
    now = timezone.now()
    page = FollowUpsPage(request, now=now, query=request.GET)
    chunks = page.chunks(export.CHUNK, export.with_words)
    pieces = export.csv_of(chunks, organization=request.membership.organization)
    return as_csv(pieces, f"follow-ups-{timezone.localdate(now)}.csv")


def as_csv(pieces: Iterable[str], name: str) -> StreamingHttpResponse:
    """Answer with a file to be saved, as it is made; ``name`` is plain ASCII."""
    return StreamingHttpResponse(
        pieces,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
