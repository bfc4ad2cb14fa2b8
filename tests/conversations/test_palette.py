"""The palette: where one can go by a few letters."""

from __future__ import annotations

import re

import pytest

from tests import factories
from tests.conftest import signed_in
from tests.html import html_of

HTMX = {"HX-Request": "true"}


def found(member, query="", **headers):
    html = html_of(signed_in(member).get("/inbox/go/", {"q": query}, headers={**HTMX, **headers}))
    hits = re.findall(r'role="option".*?</a>', html)
    return [" ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", hit.partition(">")[2]).split()) for hit in hits]


def talk_with(team, name, **contact):
    who = factories.ContactFactory(organization=team.organization, name=name, **contact)
    return factories.ConversationFactory(organization=team.organization, channel=team.channel, contact=who)


def test_a_few_letters_find_conversations_however_they_are_written(team, stranger):
    talk_with(team, "Marta Brenes", phone="+50684550921")
    talk_with(stranger, "Marta Ajena")
    assert found(team.viewer, "MÁRTA")[0] == "MB Marta Brenes +506 8455 0921"
    assert found(team.viewer, "8455 0921")[0] == "MB Marta Brenes +506 8455 0921"
    assert not [hit for hit in found(team.viewer, "marta") if "Ajena" in hit]


def test_without_letters_it_offers_who_wrote_last_and_what_one_can_do(team):
    for number in range(8):
        talk_with(team, f"Persona {number}")
    hits = found(team.agent)
    assert [hit.split(" +")[0] for hit in hits[:6]] == [
        f"P{number} Persona {number}" for number in range(7, 1, -1)
    ]
    assert "Follow-up F" in hits
    assert "Follow-up F" not in found(team.viewer)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("unass", "Inbox: Unassigned"),
        ("compra", "Tag: Comprador"),
        ("templ", "Templates"),
        ("close", "Close or reopen E"),
    ],
)
def test_lists_tags_pages_and_actions_are_found_by_name(team, query, place):
    factories.TagFactory(organization=team.organization, name="Comprador")
    assert place in found(team.agent, query)


def test_another_organizations_tags_are_not_found(team, stranger):
    factories.TagFactory(organization=stranger.organization, name="Secreto")
    assert not [hit for hit in found(team.agent, "secreto") if hit.startswith("Tag")]


def test_what_is_not_found_can_be_searched_for_in_messages(team):
    assert found(team.viewer, "xyz") == ["Search messages for “xyz”"]
    html = html_of(signed_in(team.viewer).get("/inbox/go/", {"q": "x&y"}, headers=HTMX))
    assert 'href="/inbox/?q=x%26y"' in html


def test_the_field_gets_what_was_found_alone_and_a_plain_request_the_inbox(team):
    client = signed_in(team.viewer)
    assert "<dialog" in html_of(client.get("/inbox/go/", headers=HTMX))
    assert "<dialog" not in html_of(client.get("/inbox/go/", headers={**HTMX, "HX-Target": "hits"}))
    assert client.get("/inbox/go/?q=x")["Location"] == "/inbox/?q=x"


def test_it_takes_the_same_few_queries_however_many_there_are(team, django_assert_max_num_queries):
    for number in range(20):
        talk_with(team, f"Persona {number}")
    client = signed_in(team.agent)
    client.get("/inbox/go/", headers=HTMX)
    with django_assert_max_num_queries(5):
        client.get("/inbox/go/", {"q": "persona"}, headers=HTMX)
