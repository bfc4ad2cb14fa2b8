"""``manage.py create_admin``: the first person of an installation, by questions."""

from __future__ import annotations

import getpass
import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from trochai.accounts.models import Membership, Organization, User

PASSWORD = "correct horse battery staple"


@pytest.fixture
def answer(monkeypatch):
    """``answer(…)``: what is typed, in order; returns what was said. After the last, the input ends."""

    def run(*typed: str) -> str:
        left = iter(typed)

        def give(_question: str = "") -> str:
            try:
                return next(left)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", give)
        monkeypatch.setattr(getpass, "getpass", give)
        said = io.StringIO()
        call_command("create_admin", stdout=said, stderr=said)
        return said.getvalue()

    return run


def test_who_answers_is_an_admin_and_may_enter_both(db, answer):
    said = answer("Casa Verde", "", "Ana Solís", "Ana@Casa.example", PASSWORD, PASSWORD)
    assert "Ana Solís is an admin of Casa Verde" in said
    membership = Membership.objects.get(user__email="ana@casa.example")
    assert (membership.role, membership.organization.timezone) == ("admin", "America/Costa_Rica")
    client = Client()
    client.post("/sign-in/", {"username": "ana@casa.example", "password": PASSWORD})
    assert client.get("/followups/").status_code == 200
    assert client.get("/admin/whatsapp/channel/add/").status_code == 200


def test_what_makes_no_sense_is_asked_again(db, answer):
    said = answer(
        *("", "Casa Verde", "Mars/Olympus", "Europe/Madrid", "Ana", "ana", "ana@casa.example"),
        *("12345", PASSWORD, "something else", PASSWORD, PASSWORD),
    )
    for complaint in ("cannot be blank", "not a known time zone", "valid email", "too short", "not the same"):
        assert complaint in said
    assert Organization.objects.get().timezone == "Europe/Madrid"


def test_an_address_that_is_taken_is_asked_again(team, answer):
    taken = team.agent.user.email
    said = answer("Casa", "", "Ana", taken.upper(), "ana@casa.example", PASSWORD, PASSWORD)
    assert "already exists" in said
    assert User.objects.filter(is_superuser=True).get().email == "ana@casa.example"


def test_whoever_stops_in_the_middle_has_made_nothing(db, answer):
    with pytest.raises(CommandError, match=r"Nothing was created\."):
        answer("Casa Verde", "", "Ana")
    assert not Organization.objects.exists()
    assert not User.objects.exists()
