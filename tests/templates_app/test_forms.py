from __future__ import annotations

import pytest
from django.template.loader import render_to_string

from templates_app.forms import ParametersForm, field_name
from templates_app.models import Template
from tests.templates_app import shapes


def template(body, header="", buttons=(), **fields):
    components = [{"type": "BODY", "text": body, "example": {"body_text": [["María", "Escazú", "lunes"]]}}]
    if header:
        components.append({"type": "HEADER", "format": "TEXT", "text": header})
    if buttons:
        components.append({"type": "BUTTONS", "buttons": list(buttons)})
    return Template(name="t", language="es", components=components, **fields)


def filled(**values):
    return {field_name(key.replace("__", ".")): value for key, value in values.items()}


def draw(form):
    return render_to_string("conversations/_template_fields.html", {"form": {"parameters": form}})


def test_values_come_back_by_parameter_key():
    form = ParametersForm(
        template("Hola {{1}} en {{2}}.", header="Casa {{1}}", buttons=shapes.BUTTONS),
        filled(header="EC", body__1=" María ", body__2="Escazú", button__1="ec-204", button__3="C20"),
    )
    assert form.is_valid(), form.errors
    assert form.values == {
        "header": "EC",
        "body.1": "María",
        "body.2": "Escazú",
        "button.1": "ec-204",
        "button.3": "C20",
    }


def test_every_parameter_is_required_and_the_error_stands_beside_its_field():
    form = ParametersForm(template("Hola {{1}} en {{2}}."), filled(body__1="María"))
    assert not form.is_valid()
    assert list(form.errors) == ["p-body-2"]
    html = draw(form)
    assert 'id="id_p-body-2_error"' in html
    assert 'aria-describedby="id_p-body-2_error"' in html
    assert html.count('aria-invalid="true"') == 1


def test_the_templates_own_example_is_the_placeholder():
    html = draw(ParametersForm(template("Hola {{1}} en {{2}}.")))
    assert 'placeholder="e.g. Escazú"' in html
    assert 'data-var="body.2"' in html


def test_a_line_break_and_too_long_a_whole_are_refused():
    form = ParametersForm(template("Hola {{1}} en {{2}}."), filled(body__1="a\nb", body__2="x"))
    assert "one line" in form.errors["p-body-1"][0]
    form = ParametersForm(template("Hola {{1}} en {{2}}."), filled(body__1="a" * 600, body__2="b" * 700))
    assert list(form.errors) == ["p-body-2"]
    assert "1024" in form.errors["p-body-2"][0]


def test_a_null_character_is_an_error_not_a_crash():
    assert not ParametersForm(template("Hola {{1}}."), filled(body__1="a\x00b")).is_valid()


def test_a_template_without_parameters_is_valid_at_once():
    form = ParametersForm(template("Hola"), {})
    assert form.is_valid()
    assert form.values == {}
    assert '<fieldset id="template-fields" data-draft-part="" hidden>' in draw(form)


@pytest.mark.parametrize(
    "greeting",
    [
        "Hola {{1}}, su visita",
        "¡Hola, {{1}}!",
        "Hi {{1}}",
        "Buenos días {{1}}:",
        "Estimado(a) {{1}}:",
        "Dear {{1}}",
    ],
)
def test_a_variable_after_a_greeting_begins_with_the_contacts_first_name(greeting):
    form = ParametersForm(template(f"{greeting} a {{{{2}}}}."), first_name="María")
    assert form["p-body-1"].value() == "María"
    assert form["p-body-2"].value() is None
    assert "From the contact" in draw(form)


@pytest.mark.parametrize("name", ["name", "first_name", "nombre", "customer_name"])
def test_a_variable_named_after_the_contact_begins_with_the_first_name(name):
    named = template(f"Su visita, {{{{{name}}}}}, a {{{{place}}}}.", parameter_format="NAMED")
    form = ParametersForm(named, first_name="María")
    assert form[f"p-body-{name}"].value() == "María"
    assert form["p-body-place"].value() is None


@pytest.mark.parametrize(
    "text", ["Su pedido {{1}} llegó.", "La cita con Mihola {{1}}", "Hola, pase a {{2}}, {{1}}"]
)
def test_no_name_is_guessed_elsewhere(text):
    assert "Lucía" not in draw(ParametersForm(template(text), first_name="Lucía"))


def test_values_given_by_the_caller_win_over_the_name():
    form = ParametersForm(template("Hola {{1}}."), initial={"body.1": "Don José"}, first_name="María")
    assert form["p-body-1"].value() == "Don José"


def test_the_preview_shows_what_the_fields_hold_finished_or_not():
    form = ParametersForm(template("Hola {{1}} en {{2}}."), first_name="María")
    assert form.preview.body == "Hola María en {{2}}."
    form = ParametersForm(template("Hola {{1}} en {{2}}."), filled(body__1="a\nb", body__2=""))
    assert form.preview.body == "Hola a\nb en {{2}}."
