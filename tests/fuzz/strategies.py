"""What strangers type, forge and post."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# The same examples at every run, and no clock: a slow machine finds what a fast one finds.
HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def bounded(examples: int) -> settings:
    return settings(
        derandomize=True,
        deadline=None,
        database=None,
        max_examples=examples,
        suppress_health_check=HEALTH,
    )


NASTY = (
    "",
    "\0",
    "foo",
    "inbox/",
    "//host/",
    "/\\host",
    "//[x",
    "/followups/?status=failed",
    "https://testserver//[x",
    "https://testserver/followups/?status=failed",
    "http://[",
    "javascript:alert(1)",
    "-1",
    "0",
    "1",
    "9" * 30,
    "9" * 5000,
    "1e309",
    "٣",
    "²",
    "1-1",
    "1000000-1",
    "99999999999999999-9223372036854775807",
    "99999999999999999-9999999999999999999",
    "%00",
    "%ff",
    "\ud7ff\U0010ffff",
    "\u202e\u200b",
    "{{1}}",
    "{% x %}",
    "%(length)d %s",
    "<script>alert(1)</script>",
    "a" * 300,
    "ñ" * 5000,
    "0000-00-00",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "25:61",
    "24:00",
    "custom",
    "all",
    "pending",
    "00000000-0000-0000-0000-000000000000",
    "on",
    "\r\nSet-Cookie: x=1",
)
# Browsers and servers carry no lone surrogates.
TEXT = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
# What a header can hold at all.
HEADER = st.one_of(
    st.sampled_from([each for each in NASTY if each.isascii() and each.isprintable()]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)


def fields(names: Sequence[str]) -> st.SearchStrategy[dict[str, str]]:
    """A few of the fields that the product knows, with values that it does not."""
    return st.dictionaries(st.sampled_from(sorted(names)), TEXT, max_size=6)


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        TEXT,
        st.sampled_from(["text", "image", "reaction", "failed", "delivered", "50688881234", "1e400"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a JSON document."""
    found = [path] if path else []
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        found += places(child, (*path, key))
    return found


@st.composite
def mutated(draw: st.DrawFn, documents: Sequence[dict[str, Any]]) -> Any:
    """One of the documents, with some of its values replaced by any JSON, or left out."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _change in range(draw(st.integers(0, 3))):
        known = places(document)
        if not known:
            break
        *path, last = draw(st.sampled_from(known))
        node = document
        for key in path:
            node = node[key]
        if draw(st.booleans()) and isinstance(node, dict):
            del node[last]
        else:
            node[last] = draw(JSON)
    return document
