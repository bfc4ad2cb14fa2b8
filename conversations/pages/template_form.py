"""The part of a form in which people choose a template and fill in its values, to send now or later."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.humanize.templatetags.humanize import apnumber
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from templates_app.forms import ParametersForm, field_name
from templates_app.models import Template, TemplateQuerySet

if TYPE_CHECKING:
    from conversations.models import Conversation

# How many templates the dialog lists before somebody searches, and how many are read at a time.
MOST_OFFERED = 30
PIECE = 100
NO_TEMPLATE = gettext_lazy("Choose a template.")
NOT_SENDABLE = gettext_lazy("This template can’t be sent from here. Choose another one.")


class TemplateForm(forms.Form):
    """A template for ``conversation``; the fields for its values are a form of their own, ``parameters``.

    ``parameters`` is None until a template is chosen that may be sent on the conversation's channel.
    Unbound, the form shows the template in ``initial["template"]`` with the values that ``initial`` has by
    their fields' names.
    """

    # By what it is told apart on the device what somebody typed, and what the form's button says.
    draft: str
    button: Promise

    template = forms.CharField(required=False)
    submission = forms.UUIDField(
        initial=uuid.uuid4,
        error_messages={
            "required": gettext_lazy("A part of the form was lost on the way. Press the button again."),
            "invalid": gettext_lazy("A part of the form was damaged on the way. Press the button again."),
        },
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        conversation: Conversation,
        initial: dict[str, Any] | None = None,
        search: str = "",
        most: int | None = MOST_OFFERED,
        **others: Any,
    ) -> None:
        super().__init__(data, initial=initial, **others)
        self.conversation = conversation
        self.search = search
        self._most = most
        self.is_used = False
        self.parameters = self._parameters_form(data)

    def offers(self, template: Template) -> bool:
        """Whether ``template`` can be chosen here."""
        return template.can_be_sent_on(self.conversation.channel)

    @cached_property
    def templates(self) -> list[Template]:
        """The first of what can be chosen and is found by the search."""
        return self._found[: self._most]

    @property
    def has_more(self) -> bool:
        """Whether there are templates that only the search finds."""
        return len(self._found) > len(self.templates)

    @cached_property
    def choices(self) -> list[tuple[Template, str]]:
        """The templates with their texts, the values still blank; what is chosen stands there in any case."""
        beyond = [self.chosen] if self.chosen and self.chosen not in self.templates else []
        return [(template, template.render({}).body) for template in (*beyond, *self.templates)]

    @cached_property
    def chosen(self) -> Template | None:
        """The template chosen so far; at first the only one, if there is no other."""
        wanted = str(self["template"].value() or "")
        if not wanted and not self.is_bound and not self.search and len(self.templates) == 1:
            return self.templates[0]
        listed = next((template for template in self.templates if str(template.pk) == wanted), None)
        if listed or not re.fullmatch(r"[0-9]{1,18}", wanted):
            return listed
        found = self._approved.filter(pk=wanted).first()
        return found if found and self.offers(found) else None

    @property
    def _approved(self) -> TemplateQuerySet:
        return Template.objects.for_channel(self.conversation.channel).approved()

    @cached_property
    def _found(self) -> list[Template]:
        """What can be chosen and is found; of what is listed up to ``most``, one more."""
        return list(islice(self._offered(), None if self._most is None else self._most + 1))

    def _offered(self) -> Iterator[Template]:
        """Read in pieces: a business may have thousands of templates."""
        rows = self._approved.search(self.search)
        for at in itertools.count(0, PIECE):
            piece = rows[at : at + PIECE]
            yield from filter(self.offers, piece)
            if len(piece) < PIECE:
                return

    @property
    def problem_count(self) -> int:
        return len(self.errors) + (len(self.parameters.errors) if self.parameters else 0)

    @property
    def shown(self) -> list[str]:
        """The names of the fields, top to bottom as people see them."""
        return ["template", *(self.parameters.fields if self.parameters else ())]

    @property
    def first_wrong(self) -> str:
        """Name of the first wrong field; empty if there is none."""
        parameters = self.parameters
        wrong = self.errors.keys() | (parameters.errors.keys() if parameters else set())
        return next((name for name in self.shown if name in wrong), "")

    @property
    def opens_at_picker(self) -> bool:
        """Whether choosing a template is the first thing to do."""
        return self.chosen is None and (self.first_wrong == "template" or not self.is_bound)

    @property
    def summary(self) -> str:
        """How many fields are wrong, in words, or what is wrong with all of it."""
        general = [*self.non_field_errors(), *self.errors.get("submission", [])]
        if general:
            return " ".join(str(error) for error in general)
        count = self.problem_count
        return self.attention(count) % {"n": capfirst(str(apnumber(count)))}

    def attention(self, count: int) -> str:
        """Return the sentence that says how many fields (``%(n)s``) are wrong."""
        return ngettext(
            "%(n)s field needs your attention before this can be sent.",
            "%(n)s fields need your attention before this can be sent.",
            count,
        )

    @property
    def submission_value(self) -> str:
        """The submission to continue with: the one that came in, unless it is damaged or used up."""
        if self.is_used or "submission" in self.errors:
            return str(uuid.uuid4())
        return str(self["submission"].value())

    @property
    def values(self) -> dict[str, str]:
        """The template's values by parameter key, once the form was checked; none if one is wrong."""
        return self.parameters.values if self.parameters and self.parameters.is_valid() else {}

    def refuse_reuse(self) -> None:
        """Ask whether a second message is meant: somebody went back and changed a form already sent."""
        self.is_used = True
        self.add_error(None, self.used_up)

    @property
    def used_up(self) -> str:
        return _("This form has already sent a message. To send another, press Send now again.")

    def is_valid(self) -> bool:
        valid = super().is_valid() and (self.parameters is None or self.parameters.is_valid())
        if not valid:
            self._focus_first_wrong_field()
        return valid

    def clean_template(self) -> Template | None:
        if self.cleaned_data["template"] and self.chosen is None:
            raise forms.ValidationError(NOT_SENDABLE, code="not_sendable")
        return self.chosen

    def _parameters_form(self, data: Mapping[str, Any] | None) -> ParametersForm | None:
        if self.chosen is None:
            return None
        begun = {
            each.key: self.initial[field_name(each.key)]
            for each in self.chosen.parameters
            if field_name(each.key) in self.initial
        }
        first_name = self.conversation.contact.first_name
        return ParametersForm(self.chosen, data, initial=begun, first_name=first_name)

    def _focus_first_wrong_field(self) -> None:
        name = self.first_wrong
        for form in (self, self.parameters):
            if form is not None and name in form.fields:
                form.fields[name].widget.attrs["autofocus"] = True


class SendForm(TemplateForm):
    """The dialog that sends a template now."""

    draft = "template"
    button = gettext_lazy("Send now")

    def clean_template(self) -> Template:
        template = super().clean_template()
        if template is None:
            raise forms.ValidationError(NO_TEMPLATE, code="required")
        return template
