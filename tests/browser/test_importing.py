"""Importing a file, in a real browser: its four steps, on a wide screen and on a phone."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from followups.imports import work
from followups.models import FollowUp
from tests import factories
from tests.browser.workers import in_a_worker

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.browser


def file_of(days: int) -> bytes:
    day = (timezone.now() + dt.timedelta(days=days)).date().isoformat()
    lines = [
        "teléfono;nombre;propiedad;cita;fecha;nota",
        f"8712 4490;José Pablo;Casa EC-204;sábado 5;{day};Feria",
        f"8712 449;Mariana;Casa EC-204;sábado 5;{day};Feria",
        f"8712 4490;José Pablo;Casa EC-204;sábado 5;{day};Feria",
    ]
    return "\r\n".join(lines).encode("cp1252")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_file_goes_through_its_four_steps(team, open_page, width):
    page = open_page(team.agent, "/followups/", width=width)
    page.get_by_role("link", name="Import").click()
    file = {"name": "feria.csv", "mimeType": "text/csv", "buffer": file_of(20)}
    page.get_by_label("Choose a CSV file").set_input_files([file])
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_label("propiedad")).to_have_value("value:body.2")
    page.get_by_role("button", name="Check 3 rows").click()
    rows = page.get_by_role("group", name="Rows of the file")
    expect(rows).to_contain_text("A number in Costa Rica has 8 digits; this has 7.")
    expect(rows).to_contain_text("Same as row 2: only the first is scheduled.")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_label("propiedad")).to_have_value("value:body.2")
    page.get_by_role("button", name="Check 3 rows").click()
    page.get_by_role("button", name="Schedule 1 follow-up").click()
    expect(page.get_by_role("alert")).to_contain_text("Say that the new people have agreed")
    page.get_by_label("These people agreed").check()
    page.get_by_label("Rows", exact=True).get_by_role("link", name="All").click()
    page.wait_for_url("**?rows=all")
    expect(
        page.get_by_label("These people agreed"), "whoever looks at other rows need not say it again"
    ).to_be_checked()
    page.get_by_role("button", name="Schedule 1 follow-up").click()
    expect(page.get_by_text("The follow-ups are being scheduled")).to_be_visible()
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    in_a_worker(schedule)
    # The page asks by itself.
    expect(page.get_by_text("1 follow-up is scheduled.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the 2 rows").click()
    assert "this has 7." in download.value.path().read_text(encoding="utf-8-sig")
    page.get_by_role("link", name="See them in the list").click()
    expect(page.locator("#followups-rows tr")).to_have_count(1)
    assert FollowUp.objects.get().note == "Feria"


def test_another_template_brings_its_own_values_into_the_selects(team, open_page):
    other = factories.TemplateFactory(
        channel=team.channel, name="thanks", components=[{"type": "BODY", "text": "Gracias {{1}} por {{2}}"}]
    )
    page = open_page(team.agent, "/followups/import/")
    file = {"name": "feria.csv", "mimeType": "text/csv", "buffer": file_of(20)}
    page.get_by_label("Choose a CSV file").set_input_files([file])
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("nota").select_option("")
    page.get_by_label("Template").select_option(str(other.pk))
    # It greets nobody, so the names stay names.
    expect(page.get_by_label("propiedad")).to_have_value("value:body.1")
    expect(page.get_by_label("cita")).to_have_value("value:body.2")
    expect(page.get_by_label("nombre")).to_have_value("name")
    expect(page.get_by_label("fecha")).to_have_value("date")


def schedule() -> None:
    while work.do_next(now=timezone.now()):
        pass
