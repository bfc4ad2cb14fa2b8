"""Templates for property tests: every supported shape, and every kind of nonsense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

BUTTONS = [
    {"type": "QUICK_REPLY", "text": "Confirmar"},
    {
        "type": "URL",
        "text": "See photos",
        "url": "https://casaverde.cr/fotos/{{1}}",
        "example": ["https://casaverde.cr/fotos/ec-204"],
    },
    {"type": "PHONE_NUMBER", "text": "Call us", "phone_number": "+50622014455"},
    {"type": "COPY_CODE", "example": "VERANO20"},
]


@dataclass(frozen=True)
class Shape:
    components: list[dict[str, Any]]
    parameter_format: str


plain_text = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]), max_size=20)
names = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)


@st.composite
def templates(draw: st.DrawFn) -> Shape:
    """Return a template that Meta could have approved, with parameters in any of its parts."""
    parameter_format = draw(st.sampled_from(["POSITIONAL", "NAMED", "positional", "named"]))
    is_named = parameter_format.upper() == "NAMED"
    count = draw(st.integers(0, 12))
    found = (
        draw(st.lists(names, unique=True, min_size=count, max_size=count))
        if is_named
        else [str(number) for number in range(1, count + 1)]
    )
    order = draw(st.permutations([*found, *found[:2]]))
    body = "Hola " + "".join(f"{draw(plain_text)}{{{{{name}}}}}" for name in order) + draw(plain_text)
    components: list[dict[str, Any]] = [{"type": draw(st.sampled_from(["BODY", "body"])), "text": body}]
    header = draw(st.sampled_from(["", "TEXT", "variable", "IMAGE", "video", "DOCUMENT"]))
    if header == "variable":
        name = draw(names) if is_named else "1"
        components.append({"type": "HEADER", "format": "TEXT", "text": f"{draw(plain_text)}{{{{{name}}}}}"})
    elif header:
        components.append({"type": "HEADER", "format": header, "text": draw(plain_text)})
    buttons = draw(st.lists(st.sampled_from(BUTTONS), max_size=4))
    if buttons:
        components.append({"type": "BUTTONS", "buttons": buttons})
    return Shape(draw(st.permutations(components)), parameter_format)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children),
    max_leaves=12,
)
_broken_text = st.one_of(
    anything, st.sampled_from(["{{1}}", "{{", "{{1}} {{x}}", "{{ 9 }}", "{{" + "9" * 5000 + "}}"])
)
malformed = st.lists(
    st.one_of(
        anything,
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL", "", None]),
                "format": st.sampled_from(["TEXT", "IMAGE", "LOCATION", "", None, 7]),
                "text": _broken_text,
                "example": st.one_of(
                    anything,
                    st.dictionaries(
                        st.sampled_from(
                            ["header_text", "body_text", "body_text_named_params", "header_text_named_params"]
                        ),
                        anything,
                    ),
                ),
                "buttons": st.one_of(
                    anything,
                    st.lists(
                        st.fixed_dictionaries(
                            {
                                "type": st.sampled_from(["URL", "COPY_CODE", "QUICK_REPLY", "FLOW", None]),
                                "url": _broken_text,
                                "text": anything,
                                "example": anything,
                            }
                        ),
                        max_size=3,
                    ),
                ),
            }
        ),
    ),
    max_size=5,
)
