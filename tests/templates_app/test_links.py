"""Links that are sent along: whole ones, Meta's own, those that end, and what a file is called."""

from __future__ import annotations

import datetime as dt

import pytest

from templates_app import links
from templates_app.parameters import Refusal, problems_with
from templates_app.payload import components_payload
from tests.factories import TemplateFactory

PREFIX = "https://casas.example/propiedades/"
BUTTON = {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Ver", "url": PREFIX + "{{1}}"}]}
DOCUMENT = [{"type": "HEADER", "format": "DOCUMENT"}, {"type": "BODY", "text": "Hola"}]


@pytest.mark.parametrize(
    "ending",
    [
        PREFIX + "204",
        "http://casas.example/propiedades/204",
        "HTTPS://otra.example",
        "//otra.example/x",
        "www.casas.example/204",
        "casas.example",
        "www.casas.example",
        "otra.example/204",
        "ftp://casas.example/204",
    ],
)
def test_a_whole_address_is_no_ending(ending):
    (problem,) = problems_with([{"type": "BODY", "text": "Hola"}, BUTTON], "POSITIONAL", {"button.0": ending})
    assert (problem.field, problem.code) == ("button.0", Refusal.WHOLE_LINK)


@pytest.mark.parametrize(
    "ending", ["204", "204?from=wa", "casa.pdf", "v1.2/plano", "a/b.c/d", "#top", "204/https"]
)
def test_an_ending_is_one(ending):
    assert problems_with([{"type": "BODY", "text": "Hola"}, BUTTON], "POSITIONAL", {"button.0": ending}) == []


def test_a_page_that_leads_on_may_be_given_a_whole_address():
    assert not links.is_whole("https://casas.example/204", prefix="https://go.example/?to=")


@pytest.mark.parametrize(
    "link",
    [
        "https://scontent.whatsapp.net/v/t61.29466-34/420_n.jpg?ccb=1-7&oe=68CFBC8A",
        "https://scontent-iad3-1.xx.fbcdn.net/x.jpg",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
    ],
)
def test_metas_own_samples_are_refused(link):
    (problem,) = problems_with(DOCUMENT, "POSITIONAL", {"header_media": link})
    assert problem.code == Refusal.SAMPLE_LINK


ENDS = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Date=20261130T000000Z&X-Amz-Expires=86400&X-Amz-Signature=x",
        f"Expires={int(ENDS.timestamp())}&Signature=x",
        f"oe={int(ENDS.timestamp()):X}",
        "se=2026-12-01T00%3A00%3A00Z&sig=x",
    ],
)
def test_a_link_that_ends_before_it_is_sent_is_refused(query):
    values = {"header_media": f"https://files.example/plan.pdf?{query}"}
    early, late = ENDS - dt.timedelta(hours=1), ENDS + dt.timedelta(hours=1)
    assert problems_with(DOCUMENT, "POSITIONAL", values, until=early) == []
    (problem,) = problems_with(DOCUMENT, "POSITIONAL", values, until=late)
    assert (problem.code, problem.values) == (Refusal.EXPIRES, {"at": ENDS})


@pytest.mark.parametrize(
    "query",
    ["", "Expires=soon", "Expires=" + "9" * 50, "oe=zz", "se=x", "X-Amz-Expires=9", "a=1&" * 500 + "oe=1"],
)
def test_what_does_not_say_when_it_ends_is_taken_at_its_word(query):
    assert links.expires_at(f"https://files.example/plan.pdf?{query}") is None


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("https://files.example/contratos/Contrato%20Casa%20204.pdf", "Contrato Casa 204.pdf"),
        ("https://files.example/a.pdf?x=1#top", "a.pdf"),
        ("https://files.example/%2e%2e%2fetc%2fpasswd", "..etcpasswd"),
        ("https://files.example/a%0Ab.pdf", "ab.pdf"),
        ("https://files.example/" + "a" * 500, "a" * 240),
        ("https://files.example/", ""),
        ("https://[broken", ""),
    ],
)
def test_a_file_is_called_what_its_link_calls_it(link, name):
    assert links.file_name(link) == name


def test_a_document_is_sent_with_its_name_and_a_picture_without():
    for kind, named in (("document", True), ("image", False)):
        template = TemplateFactory.build(components=[{"type": "HEADER", "format": kind}, *DOCUMENT[1:]])
        link = "https://files.example/Contrato%20204.pdf"
        (header,) = components_payload(template.parameters, {"header_media": link}, is_named=False)
        media = header["parameters"][0][kind]
        assert media == ({"link": link, "filename": "Contrato 204.pdf"} if named else {"link": link})
