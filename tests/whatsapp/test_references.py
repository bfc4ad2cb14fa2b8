from __future__ import annotations

import uuid

import pytest

from trochai.whatsapp.references import Kind, build, parse

ID = uuid.UUID("0f9c6d2e-4f6e-4f8a-9a55-1f5d4b0c9b11")


@pytest.mark.parametrize("kind", Kind)
def test_what_went_to_meta_is_recognized_when_it_comes_back(kind):
    assert parse(kind, build(kind, ID)) == ID


@pytest.mark.parametrize(
    "reference", ["", "message", "message:", "message:nonsense", f"attempt:{ID}", f"message:{ID}:1", str(ID)]
)
def test_what_is_not_a_reference_to_a_message_names_none(reference):
    assert parse(Kind.MESSAGE, reference) is None
