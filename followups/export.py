"""Follow-ups as a CSV file, made while it is sent: of any number of rows only a few are in memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from followups.csv_cells import defused
from followups.models import FollowUp, Status
from followups.pages.rows import canceled_words
from followups.wording.failures import explain
from templates_app.models import Template

if TYPE_CHECKING:
    from trochai.accounts.models import Organization

# By it a spreadsheet knows that the file is UTF-8.
BOM = "\ufeff"
CHUNK = 500
# The order of a template's parts, by how their keys begin.
PARTS = ("header", "body", "button")
HEADINGS: Sequence[Promise] = (
    _("Contact"),
    _("Phone"),
    _("Template"),
    _("Language"),
    _("Scheduled for"),
    _("Created by"),
    _("Status"),
    _("Reason"),
    _("Note"),
)
# Values that were given for a place which the template no longer has.
FORMER = _("Former values")


def with_words(rows: QuerySet[FollowUp]) -> QuerySet[FollowUp]:
    """Load what a line of the file says."""
    named = Prefetch("template", Template.objects.only("name", "language"))
    joined = rows.select_related("conversation__contact", "created_by", "canceled_by").prefetch_related(named)
    return joined.only(
        "template_id",
        "parameters",
        "scheduled_for",
        "status",
        "note",
        "failure_kind",
        "failure_code",
        "failure_cause",
        "failure_values",
        "canceled_at",
        "cancel_cause",
        "conversation__contact__name",
        "conversation__contact__phone",
        "created_by__name",
        "created_by__email",
        "canceled_by__name",
        "canceled_by__email",
    )


def csv_of(chunks: Iterable[Sequence[FollowUp]], *, organization: Organization) -> Iterator[str]:
    """Return the file in pieces, one for each chunk of rows that were loaded ``with_words``.

    A column for each value that the organization's scheduled templates need stands after the others, named by
    the value's key. Times are the organization's, with their offset. The words are in the language that is
    active now, which it no longer is when the file is sent.
    """
    language, keys = translation.get_language(), _keys(organization)
    head = BOM + written([[*map(str, HEADINGS), *keys, str(FORMER)]])

    def pieces() -> Iterator[str]:
        yield head
        for rows in chunks:
            # Between two pieces the thread may do something else.
            with translation.override(language), timezone.override(organization.zone):
                piece = written(_line(row, keys) for row in rows)
            yield piece

    return pieces()


def written(lines: Iterable[Sequence[str]]) -> str:
    """Return lines of a CSV file, with formulas defused."""
    text = io.StringIO()
    csv.writer(text).writerows([defused(cell) for cell in line] for line in lines)
    return text.getvalue()


def _keys(organization: Organization) -> list[str]:
    """Return the keys of all values: the header's first, the body's, then the buttons'."""
    used = FollowUp.objects.filter(template=OuterRef("pk"))
    templates = Template.objects.for_organization(organization).filter(Exists(used)).defer("search_text")
    keys = dict.fromkeys(parameter.key for template in templates for parameter in template.parameters)
    return sorted(keys, key=lambda key: next(n for n, part in enumerate(PARTS) if key.startswith(part)))


def _line(row: FollowUp, keys: Sequence[str]) -> list[str]:
    contact, values = row.conversation.contact, row.parameters
    return [
        contact.name,
        contact.display_phone,
        row.template.name,
        row.template.language,
        timezone.localtime(row.scheduled_for).isoformat(timespec="seconds"),
        str(row.created_by or ""),
        str(Status(row.status).label),
        _reason(row),
        row.note,
        *(str(values.get(key, "")) for key in keys),
        "; ".join(f"{key}: {value}" for key, value in values.items() if key not in keys),
    ]


def _reason(row: FollowUp) -> str:
    """Return why it failed, waits for another try, or was canceled."""
    if row.status == Status.CANCELED:
        return canceled_words(row)
    return explain(row.failure_kind, row.failure).text if row.failure_kind else ""
