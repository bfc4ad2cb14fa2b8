"""The list of keyboard shortcuts, and the switch for those of a single key."""

from __future__ import annotations

import pytest

from tests.conftest import Team, signed_in
from tests.html import html_of

SHORTCUTS = "/shortcuts/"
HTMX = {"HX-Request": "true"}


@pytest.mark.parametrize("role", ["admin", "agent", "viewer"])
def test_everybody_has_them_and_may_switch_them_off_for_themselves(team: Team, role: str) -> None:
    client = signed_in(team.member(role))
    assert 'name="single_keys" checked' in html_of(client.get(SHORTCUTS))
    assert client.post(SHORTCUTS, {}, headers=HTMX).status_code == 204
    assert 'name="single_keys" checked' not in html_of(client.get(SHORTCUTS))
    assert client.post(SHORTCUTS, {"single_keys": "on"}).url == SHORTCUTS
    assert 'name="single_keys" checked' in html_of(client.get(SHORTCUTS))


def test_pages_know_what_somebody_has_chosen_and_others_are_not_concerned(team: Team) -> None:
    signed_in(team.agent).post(SHORTCUTS, {})
    inbox = {role: html_of(signed_in(team.member(role)).get("/inbox/")) for role in ("agent", "admin")}
    assert 'data-keys="on"' not in inbox["agent"]
    assert 'data-keys="on"' in inbox["admin"]


def test_it_is_a_dialog_for_htmx_and_a_page_otherwise(team: Team) -> None:
    client = signed_in(team.agent)
    assert html_of(client.get(SHORTCUTS, headers=HTMX)).lstrip().startswith("<dialog")
    assert "<h1>Keyboard shortcuts</h1>" in html_of(client.get(SHORTCUTS))
