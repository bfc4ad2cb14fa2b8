"""Tags: on conversations, in the list and its filter, and the page on which admins keep them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from conversations.models import Conversation, Tag
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of

pytestmark = pytest.mark.django_db

TAGS = "/inbox/tags/"


def tag(team: Team, name: str, **fields: Any) -> Tag:
    return factories.TagFactory(organization=team.organization, name=name, **fields)


def converse(team: Team, name: str, *tags: Tag, **fields: Any) -> Conversation:
    contact = factories.ContactFactory(organization=team.organization, name=name)
    conversation = factories.ConversationFactory(
        organization=team.organization, channel=team.channel, contact=contact, **fields
    )
    conversation.tags.set(tags)
    return conversation


def names(team: Team, query: str = "") -> list[str]:
    text = html_of(signed_in(team.agent).get(f"/inbox/{query}"))
    return re.findall(r'<span class="name truncate" dir="auto">([^<]*)', text)


def toggle(team: Team, by: str, **data: Any) -> int:
    url = reverse("conversations:tag", args=[team.conversation.pk])
    return signed_in(team.member(by)).post(url, data, headers={"HX-Request": "true"}).status_code


def test_an_agent_puts_a_tag_on_a_conversation_and_takes_it_off(team):
    buyer = tag(team, "Buyer")
    assert toggle(team, "agent", add=buyer.pk) == 200
    assert toggle(team, "agent", add=buyer.pk) == 200
    assert list(team.conversation.tags.all()) == [buyer]
    assert toggle(team, "agent", remove=buyer.pk) == 200
    assert not team.conversation.tags.exists()


def test_neither_viewers_nor_another_organizations_tags(team, stranger):
    buyer, theirs = tag(team, "Buyer"), tag(stranger, "Theirs")
    assert toggle(team, "viewer", add=buyer.pk) == 403
    toggle(team, "agent", add=theirs.pk)
    toggle(team, "agent", add="nonsense")
    assert not team.conversation.tags.exists()
    assert "Theirs" not in html_of(signed_in(team.agent).get("/inbox/"))


def test_a_row_shows_three_in_the_organizations_order_and_how_many_more(team):
    tags = [tag(team, name, place=place) for place, name in enumerate(["Z", "B", "A", "C", "D"])]
    team.conversation.tags.set(reversed(tags))
    text = html_of(signed_in(team.viewer).get("/inbox/"))
    shown = re.search(r'<span class="tags">(.*?)</a>', text, re.DOTALL)[1]
    assert re.findall(r'<span dir="auto">(\w)</span>', shown) == ["Z", "B", "A"]
    assert "+2" in shown


def test_the_list_is_narrowed_to_those_that_have_all_of_the_tags(team, stranger):
    buyer, seller = tag(team, "Buyer"), tag(team, "Seller")
    theirs = tag(stranger, "Theirs")
    converse(team, "Both", buyer, seller)
    converse(team, "One", buyer, status="closed")
    assert set(names(team, f"?tag={buyer.pk}")) == {"Both", "One"}
    assert names(team, f"?tag={buyer.pk},{seller.pk}") == ["Both"]
    assert names(team, f"?tag={buyer.pk}&f=closed") == ["One"]
    assert len(names(team, f"?tag={theirs.pk}")) == len(names(team, "?tag=x,-1,99999999999999999999")) == 3


def test_the_chips_and_the_menu_keep_what_else_the_list_is_narrowed_by(team):
    buyer, seller = tag(team, "Buyer"), tag(team, "Seller")
    text = html_of(signed_in(team.agent).get(f"/inbox/?tag={buyer.pk}&q=maria"))
    assert f'href="/inbox/?f=mine&amp;q=maria&amp;tag={buyer.pk}"' in text
    assert f'href="/inbox/?q=maria&amp;tag={buyer.pk}%2C{seller.pk}"' in text
    assert 'aria-label="Remove the filter Buyer"' in text
    text = html_of(signed_in(team.agent).get(f"/inbox/?tag={buyer.pk},{seller.pk}"))
    assert "No conversation has Buyer and Seller" in text


def test_an_open_page_hears_of_a_tag(team, told):
    client = signed_in(team.agent)
    url = reverse("conversations:conversation", args=[team.conversation.pk])
    version = re.search(r'name="v" value="([^"]*)"', html_of(client.get(url)))[1]
    poll = {"open": team.conversation.pk, "v": version}
    tag(team, "Buyer")
    told([team.organization.pk])
    assert "Buyer" in html_of(client.get("/inbox/poll/", poll, headers={"HX-Request": "true"}))


def test_the_menu_says_how_many_conversations_have_each(team):
    buyer, rental = tag(team, "Buyer"), tag(team, "Rental")
    for name in ("Ana", "Olga"):
        converse(team, name, buyer)
    menu = html_of(signed_in(team.agent).get("/inbox/"))
    counts = {
        pk: re.search(rf'id="tag-filter-{pk}".*?<span class="n">(\d*)</span>', menu, re.DOTALL)[1]
        for pk in (buyer.pk, rental.pk)
    }
    assert counts == {buyer.pk: "2", rental.pk: ""}


def form_data(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    data: dict[str, Any] = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        fields = {"name": "", "tone": "grey", "place": 0, **row}
        data |= {f"form-{number}-{name}": value for name, value in fields.items()}
    return data


def test_an_admin_adds_renames_and_deletes(team):
    gone, kept = tag(team, "Gone"), tag(team, "Kept", place=1)
    team.conversation.tags.add(gone, kept)
    admin = signed_in(team.admin)
    assert 'value="Gone"' in html_of(admin.get(TAGS))
    data = form_data(
        {"id": gone.pk, "name": "Gone", "DELETE": "on"},
        # The name of the one that goes is free, whatever its capitals.
        {"id": kept.pk, "name": "  gone ", "tone": "blue", "place": 5},
        {"name": "New"},
        {},
        initial=2,
    )
    assert admin.post(TAGS, data).status_code == 302
    tags = Tag.objects.for_organization(team.organization).values_list("name", "tone", "place")
    assert list(tags) == [("New", "grey", 0), ("gone", "blue", 5)]
    assert [each.name for each in team.conversation.tags.all()] == ["gone"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"name": "BUYER"}, "Another one has this name."),
        ({"name": "x" * 25}, "at most 24 characters"),
        ({"name": "New", "tone": "pink"}, "not one of the available choices"),
        ({"name": "New", "place": 1000}, "less than or equal to 999"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_saved(team, row, words):
    buyer = tag(team, "Buyer")
    data = form_data({"id": buyer.pk, "name": "Buyer"}, row, initial=1)
    response = signed_in(team.admin).post(TAGS, data)
    assert response.status_code == 422
    assert words in html_of(response)
    assert Tag.objects.count() == 1


def test_only_admins_keep_tags_and_only_their_own(team, stranger):
    theirs = tag(stranger, "Theirs")
    assert signed_in(team.agent).get(TAGS).status_code == 403
    assert signed_in(team.agent).post(TAGS, form_data({"name": "New"})).status_code == 403
    row = {"id": theirs.pk, "name": "Taken"}
    signed_in(team.admin).post(TAGS, form_data(row, initial=1))
    signed_in(team.admin).post(TAGS, form_data({**row, "DELETE": "on"}, initial=1))
    assert [each.name for each in stranger.organization.tags.all()] == ["Theirs"]


def test_a_name_is_there_once_whatever_its_capitals(team):
    tag(team, "Buyer")
    with pytest.raises(IntegrityError), transaction.atomic():
        tag(team, "buyer")
