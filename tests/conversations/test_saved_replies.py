"""Saved replies: kept by admins, put into a message by members with the contact's name filled in."""

from __future__ import annotations

import pytest

from conversations.models import SavedReply
from tests.conftest import signed_in
from tests.html import html_of

PAGE = "/inbox/replies/"


def reply(organization, name, text="Atendemos de 9:00 a 5:00."):
    return SavedReply.objects.create(organization=organization, name=name, text=text)


def offered(member, conversation, query=""):
    return html_of(signed_in(member).get(f"/inbox/{conversation.pk}/saved/", {"q": query}))


def filled_in(*lines, there=()):
    """Return the form's data for rows that are there and new ones."""
    data = {"form-TOTAL_FORMS": len(there) + len(lines), "form-INITIAL_FORMS": len(there)}
    for number, row in enumerate(there):
        data |= {f"form-{number}-{key}": getattr(row, key) for key in ("id", "name", "text")}
    for number, (name, text) in enumerate(lines, start=len(there)):
        data |= {f"form-{number}-name": name, f"form-{number}-text": text}
    return data


def test_they_are_offered_with_the_contacts_first_name(team):
    reply(team.organization, "Saludo", "Hola {name}, ¿cómo está?")
    assert 'data-put="Hola María, ¿cómo está?"' in offered(team.agent, team.conversation)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hola {name}, buenas", "Hola, buenas"),
        ("{name}", ""),
        ("¿Bien, {name}?", "¿Bien,?"),
        ("{nombre}", "{nombre}"),
    ],
)
def test_without_a_name_nothing_stands_in_its_place(team, text, said):
    team.conversation.contact.name = ""
    team.conversation.contact.save()
    reply(team.organization, "Saludo", text)
    assert f'data-put="{said}"' in offered(team.agent, team.conversation)


def test_they_are_found_by_words_of_name_and_text_whatever_the_accents(team):
    reply(team.organization, "Horario de visitas")
    reply(team.organization, "Formas de pago", "Por SINPE Móvil.")
    found = offered(team.agent, team.conversation, "MOVIL pago")
    assert "Formas de pago" in found
    assert "Horario de visitas" not in found
    assert "Nothing for “xyz”." in offered(team.agent, team.conversation, "xyz")


def test_what_somebody_wrote_into_one_is_text(team):
    reply(team.organization, "<b>x</b>", '"><script>alert(1)</script>')
    found = signed_in(team.agent).get(f"/inbox/{team.conversation.pk}/saved/").content.decode()
    assert "<script>" not in found
    assert "<b>x</b>" not in found


def test_another_organization_and_viewers_get_none(team, stranger):
    reply(stranger.organization, "Ajeno")
    assert "Ajeno" not in offered(team.agent, team.conversation)
    address = f"/inbox/{team.conversation.pk}/saved/"
    assert signed_in(stranger.admin).get(address).status_code == 404
    assert signed_in(team.viewer).get(address).status_code == 403


def test_an_admin_writes_changes_and_deletes_them(team):
    client = signed_in(team.admin)
    assert client.post(PAGE, filled_in(("Saludo", "Hola {name}"))).status_code == 302
    kept = SavedReply.objects.get()
    assert (kept.organization, kept.name, kept.text) == (team.organization, "Saludo", "Hola {name}")
    kept.text = "Buenas\r\ntardes"
    client.post(PAGE, filled_in(there=[kept]))
    assert SavedReply.objects.get().text == "Buenas\ntardes"
    client.post(PAGE, filled_in(there=[kept]) | {"form-0-DELETE": "on"})
    assert not SavedReply.objects.exists()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([("Saludo", "x" * 4097)], "4096"),
        ([("", "Hola")], "This field is required"),
        ([("Saludo", "")], "This field is required"),
        ([("Saludo", "a"), ("SALUDO", "b")], "Another one has this name."),
    ],
)
def test_what_is_wrong_is_said_beside_it_and_nothing_is_kept(team, lines, words):
    answer = signed_in(team.admin).post(PAGE, filled_in(*lines))
    assert answer.status_code == 422
    assert words in html_of(answer)
    assert not SavedReply.objects.exists()


def test_only_admins_keep_them_and_only_their_own(team, stranger):
    theirs = reply(stranger.organization, "Ajeno")
    assert signed_in(team.agent).get(PAGE).status_code == 403
    assert signed_in(team.agent).post(PAGE, filled_in(("Saludo", "Hola"))).status_code == 403
    theirs.text = "Cambiado"
    signed_in(team.admin).post(PAGE, filled_in(there=[theirs]))
    assert SavedReply.objects.get().text != "Cambiado"


def test_the_number_of_queries_does_not_grow(team, django_assert_num_queries):
    client = signed_in(team.agent)
    for _round in range(2):
        for number in range(3):
            reply(team.organization, f"{SavedReply.objects.count()} {number}")
        with django_assert_num_queries(5):
            client.get(f"/inbox/{team.conversation.pk}/saved/")
