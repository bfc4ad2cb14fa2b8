"""Importing follow-ups: File, Columns, Check, Result, each an address of its own."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from followups import export
from followups.imports import checking, making
from followups.imports.models import Import, ImportRow, State
from followups.pages import import_page
from followups.pages.export_views import as_csv
from followups.pages.import_forms import ColumnsForm, UploadForm
from followups.pages.import_page import CheckedRows, Result, report_of
from followups.tasks import work_on_imports
from trochai.accounts import access
from trochai.accounts.access import MemberRequest
from trochai.waking import waker
from trochai.whatsapp import countries

# By this many of a file's rows it is told what its columns hold.
LOOKED_AT = 1000
# So few are checked while the browser waits; more are a worker's.
AT_ONCE = 200
# A time for rows that have none; on the Columns page it can be another.
TIME = dt.time(9)


@require_http_methods(["GET", "HEAD", "POST"])
def file(request: MemberRequest) -> HttpResponse:
    """What a file needs, and the last ones; POST reads one."""
    access.writer(request.membership)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        return redirect("followups:import_columns", _store(request, form).pk)
    context = {
        "form": form,
        "country": _country(request),
        "imports": Import.objects.made_by(request.membership).order_by("-pk")[:5],
    }
    return _show(request, "file", None, context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def columns(request: MemberRequest, pk: int) -> HttpResponse:
    """What each column becomes; POST has the rows checked. What is begun stands in the query string."""
    batch = _find(request, pk)
    if batch.state in {State.SCHEDULING, State.DONE}:
        return redirect("followups:import_result", batch.pk)
    rows = list(batch.rows.order_by("number").values_list("cells", flat=True)[:LOOKED_AT])
    form = ColumnsForm(request.POST or None, batch=batch, rows=rows, begun=request.GET)
    if not form.is_bound or not form.is_valid():
        context = {"form": form, "row_count": batch.rows.count()}
        return _show(request, "columns", batch, context, status=422 if form.is_bound else 200)
    with transaction.atomic():
        checking.begin(batch, **form.chosen)
        if len(rows) <= AT_ONCE:
            checking.check_all(batch, now=timezone.now())
        else:
            transaction.on_commit(lambda: waker.wake(work_on_imports))
    return redirect("followups:import_check", batch.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def check(request: MemberRequest, pk: int) -> HttpResponse:
    """What would become of each row, once that is known; POST schedules those that can be."""
    batch = _find(request, pk)
    if batch.state == State.UPLOADED:
        return redirect("followups:import_columns", batch.pk)
    if batch.state in {State.SCHEDULING, State.DONE}:
        return redirect("followups:import_result", batch.pk)
    if batch.state == State.CHECKING:
        return _show(request, "check", batch, {"progress": batch.progress})
    rows = CheckedRows(batch, request.GET, now=timezone.now())
    if request.method == "POST" and rows.counts["ready"]:
        consent = "consent" in request.POST
        if consent or not batch.new_contacts:
            if making.begin(batch, consent=consent, now=timezone.now()):
                waker.wake(work_on_imports)
            return redirect("followups:import_result", batch.pk)
        context = {"rows": rows, "error": _("Say that the new people have agreed, or leave their rows out.")}
        return _show(request, "check", batch, context, status=422)
    return _show(request, "check", batch, {"rows": rows})


@require_safe
def result(request: MemberRequest, pk: int) -> HttpResponse:
    """How far it is, and then what became of the rows."""
    batch = _find(request, pk)
    if batch.state not in {State.SCHEDULING, State.DONE}:
        return redirect("followups:import_check", batch.pk)
    return _show(request, "result", batch, {"result": Result(batch)})


@require_safe
def report(request: MemberRequest, pk: int) -> StreamingHttpResponse:
    """The rows that were not scheduled, as the same file with a column that says why."""
    batch = _find(request, pk)
    return as_csv(report_of(batch), f"not-scheduled-{timezone.localdate(batch.created_at)}.csv")


@require_safe
def example(request: MemberRequest) -> StreamingHttpResponse:
    """A file to begin with."""
    access.writer(request.membership)
    day = timezone.localdate() + dt.timedelta(days=request.membership.organization.min_days + 1)
    return as_csv([export.BOM + export.written(import_page.example(day))], "follow-ups-example.csv")


def _country(request: MemberRequest) -> str:
    code = request.membership.organization.country
    return countries.names(get_language() or "en").get(code, code)


def _find(request: MemberRequest, pk: int) -> Import:
    """Return the member's own import; a colleague's is nobody else's business."""
    mine = Import.objects.made_by(request.membership).select_related("organization", "channel", "template")
    return access.get_for_member(request, mine, pk, needs=access.writer)


def _store(request: MemberRequest, form: UploadForm) -> Import:
    sheet, membership = form.sheet, request.membership
    with transaction.atomic():
        batch = Import.objects.create(
            organization=membership.organization,
            created_by=membership.user,
            created_at=timezone.now(),
            file_name=form.cleaned_data["name"],
            delimiter=sheet.delimiter,
            headings=sheet.headings,
            time=TIME,
        )
        rows = (ImportRow(batch=batch, number=number, cells=cells) for number, cells in sheet.rows)
        ImportRow.objects.bulk_create(rows, batch_size=500)
    return batch


def _show(
    request: MemberRequest, step: str, batch: Import | None, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    context |= {
        "section": "followups",
        "batch": batch,
        "step": f"followups/_import_{step}.html",
        "steps": import_page.steps(step),
    }
    return render(request, "followups/import.html", context, status=status)
