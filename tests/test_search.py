from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.models import Contact
from trochai.search import fold, fold_numbers, search_text

MARIA = Contact(name="María  José Jiménez", phone="+50688881234")


@pytest.mark.parametrize(
    "query",
    [
        "maría",
        "MARIA jose",
        "jimenez",
        "Jime\u0301nez",  # typed as e and a combining accent
        "8888 1234",
        "88881234",
        "+506 8888",
        "(506) 8888-1234",
        "8888.12",
        "  1234  ",
        "perrito",
        "CASA EC-204",
    ],
)
def test_a_contact_is_found_by_name_number_or_note_however_they_are_written(query: str) -> None:
    assert fold_numbers(query) in search_text(*MARIA.known_as, "Traen al perrito.\nCasa EC-204")


@pytest.mark.parametrize("query", ["marta", "8888 9999", "jimenez +506", "1234 traen"])
def test_what_is_not_there_is_not_found(query: str) -> None:
    assert fold_numbers(query) not in search_text(*MARIA.known_as, "Traen al perrito.")


def test_a_contact_without_a_number_is_found_by_the_whatsapp_id() -> None:
    contact = Contact(user_ids="CR.1A2b3C @maria")
    assert fold_numbers("cr.1a2B") in search_text(*contact.known_as)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_note_is_found_by_its_own_words(note: str, name: str) -> None:
    assert fold_numbers(note) in search_text(name, "+50688881234", note)
