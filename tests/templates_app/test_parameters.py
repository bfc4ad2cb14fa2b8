from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app import parameters as p
from templates_app.forms import words as words_for
from templates_app.parameters import ParameterKind, Refusal, is_supported, parameters_of, problem_with
from tests.templates_app import shapes

pytestmark = pytest.mark.pure

BODY = {"type": "BODY", "text": "Hola {{1}}, su visita a {{2}}."}


def keys(components, parameter_format="POSITIONAL"):
    return [each.key for each in parameters_of(components, parameter_format)]


def the(key, components, parameter_format="POSITIONAL"):
    return next(each for each in parameters_of(components, parameter_format) if each.key == key)


def said(problem):
    """What people read about the problem; nothing where there is none."""
    return words_for(problem) if problem else ""


def told(components, values):
    """By key, what people read when the finished message is too long."""
    found = p.rendered_problems(components, "POSITIONAL", values)
    return {problem.field: words_for(problem) for problem in found}


def test_every_kind_of_parameter_is_found_header_first_buttons_last():
    components = [
        {"type": "BUTTONS", "buttons": shapes.BUTTONS},
        BODY,
        {"type": "HEADER", "format": "TEXT", "text": "Casa {{1}}"},
    ]
    assert keys(components) == ["header", "body.1", "body.2", "button.1", "button.3"]


def test_a_placeholder_that_stands_twice_is_asked_for_once():
    assert keys([{"type": "BODY", "text": "{{2}} y {{1}} y otra vez {{2}}"}]) == ["body.2", "body.1"]


def test_a_media_header_asks_for_a_link():
    parameter = the("header_media", [{"type": "HEADER", "format": "IMAGE"}, BODY])
    assert parameter.kind == ParameterKind.HEADER_MEDIA
    assert (parameter.name, parameter.label) == ("image", "Image link")


def test_named_parameters_carry_their_name_as_words_and_metas_example():
    components = [
        {
            "type": "body",
            "text": "Hi {{first_name}}, see you at {{place}}.",
            "example": {
                "body_text_named_params": [
                    {"param_name": "place", "example": "Escazú"},
                    {"param_name": "first_name", "example": "Ana"},
                ]
            },
        }
    ]
    first, second = parameters_of(components, "named")
    assert (first.key, first.label, first.example) == ("body.first_name", "First name", "Ana")
    assert (second.label, second.example) == ("Place", "Escazú")


def test_positional_parameters_carry_metas_examples():
    components = [
        {"type": "HEADER", "format": "TEXT", "text": "A {{1}}", "example": {"header_text": ["EC-204"]}},
        {"type": "BODY", "text": "B {{2}} {{1}}.", "example": {"body_text": [["uno", "dos"]]}},
    ]
    assert {each.key: each.example for each in parameters_of(components, "POSITIONAL")} == {
        "header": "EC-204",
        "body.1": "uno",
        "body.2": "dos",
    }


@pytest.mark.parametrize(
    ("body", "labels"),
    [
        (
            "Hola {{1}}, le recordamos su visita a {{2}} el {{3}}.",
            ["1. Hola [1]", "2. … su visita a [2]", "3. … el [3]"],
        ),
        ("{{1}}, le esperamos mañana.", ["1. [1] , le esperamos …"]),
        ("{{1}} {{2}}", ["Value 1", "Value 2"]),
        ("Llega {{2}} y {{1}}", ["2. Llega [2]", "1. … y [1]"]),
        ("Hola {{1}} y {{1}}", ["1. Hola [1]"]),
    ],
)
def test_a_number_is_said_with_the_words_around_its_place(body, labels):
    components = [{"type": "BODY", "text": body}]
    assert [each.label for each in parameters_of(components, "POSITIONAL")] == labels


def test_a_links_example_is_shown_without_the_part_that_is_fixed():
    components = [BODY, {"type": "BUTTONS", "buttons": shapes.BUTTONS}]
    link = the("button.1", components)
    assert link.label == "Link ending for “See photos”"
    assert (link.prefix, link.example) == ("https://casaverde.cr/fotos/", "ec-204")
    assert the("button.3", components).label == "Coupon code"


@pytest.mark.parametrize(
    "components",
    [
        [BODY],
        [{"type": "body", "text": "Nothing to fill in"}],
        [BODY, {"type": "FOOTER", "text": "Casa Verde"}, {"type": "BUTTONS", "buttons": shapes.BUTTONS}],
        [{"type": "HEADER", "format": "video"}, BODY],
    ],
)
def test_templates_that_can_be_filled_are_supported(components):
    assert is_supported(components)


@pytest.mark.parametrize(
    "components",
    [
        [BODY, {"type": "CAROUSEL", "cards": []}],
        [BODY, {"type": "LIMITED_TIME_OFFER"}],
        [{"type": "HEADER", "format": "LOCATION"}, BODY],
        [BODY, {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]}],
        [BODY, {"type": "BUTTONS", "buttons": [{"type": "FLOW"}]}],
        [BODY, {"type": "BUTTONS", "buttons": [{"type": "CATALOG"}]}],
        [BODY, {"type": "BUTTONS", "buttons": [{"type": "SOMETHING_NEW"}]}],
        [BODY, {"type": "BUTTONS", "buttons": [{"type": "URL", "url": "https://{{1}}.cr/{{2}}"}]}],
        [{"type": "HEADER", "format": "TEXT", "text": "{{1}} {{2}}"}, BODY],
        [{"type": "BODY", "text": "A gap: {{1}} {{3}}"}],
        [{"type": "BODY", "text": "No placeholder that we know: {{first name}}"}],
        [{"type": "BODY"}],
        [],
        {"type": "BODY", "text": "not a list"},
        [None],
    ],
)
def test_what_trochai_cannot_fill_is_not_supported(components):
    assert not is_supported(components)


def test_named_placeholders_do_not_fit_a_positional_template():
    named = [{"type": "BODY", "text": "Hi {{name}}."}]
    assert is_supported(named, "NAMED")
    assert not is_supported(named, "POSITIONAL")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "Fill this in"),
        ("   ", "Fill this in"),
        ("\u200b", "Fill this in"),
        (None, "Fill this in"),
        (7, "Fill this in"),
        ("uno\ndos", "one line"),
        ("uno\u2028dos", "one line"),
        ("uno\tdos", "one line"),
        ("uno     dos", "four spaces"),
        ("uno\u00a0    dos", "four spaces"),
        ("uno\x00dos", "can’t be sent"),
        ("uno\x07dos", "can’t be sent"),
        ("x" * 1025, "1024"),
    ],
)
def test_a_value_that_meta_would_refuse_is_named(value, words):
    assert words in said(problem_with(the("body.1", [BODY]), value))


@pytest.mark.parametrize("value", ["María", "uno    dos", "x" * 1024, "👩‍👩‍👧 {{2}} *negrita*"])
def test_a_value_that_meta_takes_has_no_problem(value):
    assert problem_with(the("body.1", [BODY]), value) is None


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("header_media", "http://casaverde.cr/a.jpg", "https://"),
        ("header_media", "javascript:alert(1)", "https://"),
        ("header_media", "https://", "https://"),
        ("header_media", "https://[::1", "https://"),
        ("header_media", "https://casaverde.cr/a b.jpg", "https://"),
        ("button.1", "https://casaverde.cr/fotos/ec-204", "only the ending"),
        ("button.1", "ec 204", "spaces"),
        ("button.1", "x" * 2001, "2000"),
        ("button.3", "x" * 16, "15"),
        ("button.3", "VERANO 20", "spaces"),
    ],
)
def test_links_and_codes_have_rules_of_their_own(key, value, words):
    components = [
        {"type": "HEADER", "format": "IMAGE"},
        BODY,
        {"type": "BUTTONS", "buttons": shapes.BUTTONS},
    ]
    assert words in said(problem_with(the(key, components), value))


def test_a_header_of_60_characters_fits_and_one_of_61_does_not():
    components = [{"type": "HEADER", "format": "TEXT", "text": "Casa {{1}}"}, BODY]
    values = {"body.1": "a", "body.2": "b"}
    assert not p.rendered_problems(components, "POSITIONAL", {**values, "header": "x" * 55})
    problems = told(components, {**values, "header": "x" * 56})
    assert list(problems) == ["header"]
    assert "61" in problems["header"]
    assert "60" in problems["header"]


def test_too_long_a_text_is_told_beside_its_longest_value():
    values = {"body.1": "a" * 300, "body.2": "b" * 800}
    assert list(told([BODY], values)) == ["body.2"]


def test_a_finished_link_may_have_2000_characters():
    components = [BODY, {"type": "BUTTONS", "buttons": shapes.BUTTONS}]
    room = 2000 - len("https://casaverde.cr/fotos/")
    values = {"body.1": "a", "body.2": "b", "button.3": "C"}
    assert not p.rendered_problems(components, "POSITIONAL", {**values, "button.1": "x" * room})
    problems = told(components, {**values, "button.1": "x" * (room + 1)})
    assert list(problems) == ["button.1"]


@given(components=shapes.anything, parameter_format=st.one_of(st.text(), st.none()))
def test_no_json_makes_reading_a_template_fail(components, parameter_format):
    found = parameters_of(components, parameter_format)
    assert is_supported(components, parameter_format) in {True, False}
    for parameter in found:
        assert parameter.key


@given(components=shapes.malformed)
def test_no_broken_component_makes_reading_a_template_fail(components):
    for parameter_format in ("POSITIONAL", "NAMED"):
        parameters_of(components, parameter_format)
        p.rendered_problems(components, parameter_format, {})


@given(template=shapes.templates(), value=st.text())
def test_a_value_without_a_problem_has_nothing_that_meta_refuses(template, value):
    for parameter in parameters_of(template.components, template.parameter_format):
        if problem_with(parameter, value) is None:
            assert value.strip()
            assert not set(value) & set("\n\t\r\x00")
            assert " " * 5 not in value


@given(template=shapes.templates())
def test_each_key_is_asked_for_once_and_generated_templates_are_supported(template):
    found = [each.key for each in parameters_of(template.components, template.parameter_format)]
    assert len(found) == len(set(found))
    assert is_supported(template.components, template.parameter_format)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([{"type": "HEADER", "format": "IMAGE"}, BODY], [{"type": "HEADER", "format": "VIDEO"}, BODY]),
        (
            [BODY, {"type": "BUTTONS", "buttons": [shapes.BUTTONS[1]]}],
            [BODY, {"type": "BUTTONS", "buttons": [shapes.BUTTONS[3]]}],
        ),
    ],
    ids=["image to video", "link to coupon code"],
)
def test_a_parameter_that_takes_another_kind_of_value_is_another_shape(before, after):
    was = [each.shape for each in parameters_of(before, "POSITIONAL")]
    assert was != [each.shape for each in parameters_of(after, "POSITIONAL")]


def test_values_are_checked_against_the_template_without_a_form():
    values = {"body.1": "uno\ndos", "body.9": "x"}
    found = p.problems_with([BODY], "POSITIONAL", values)
    assert [(each.field, each.code) for each in found] == [
        ("body.9", Refusal.UNKNOWN),
        ("body.1", Refusal.LINE_BREAK_OR_TAB),
        ("body.2", Refusal.BLANK),
    ]
    assert p.problems_with([BODY], "POSITIONAL", {"body.1": "María", "body.2": "Escazú"}) == []


def test_how_long_the_whole_is_is_said_once_each_value_is_right():
    values = {"body.1": "a" * 500, "body.2": "b" * 600}
    (problem,) = p.problems_with([BODY], "POSITIONAL", values)
    assert (problem.field, problem.code) == ("body.2", Refusal.TEXT_TOO_LONG)
    assert problem.values == {"length": 1120, "limit": 1024}
    (problem,) = p.problems_with([BODY], "POSITIONAL", {**values, "body.1": " "})
    assert (problem.field, problem.code) == ("body.1", Refusal.BLANK)


@pytest.mark.parametrize("refusal", Refusal)
def test_each_refusal_has_words(refusal):
    at = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    values = {"length": 61, "limit": 60, "prefix": "https://casaverde.cr/", "at": at}
    assert words_for(p.Problem("body.1", refusal, values))
