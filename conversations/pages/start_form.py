"""Which number a conversation is started with: read, checked, and said in words."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.utils.text import get_text_list
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from conversations import starting
from conversations.models import Conversation
from trochai.accounts.models import Organization
from trochai.whatsapp import countries, phone_numbers
from trochai.whatsapp.models import Channel
from trochai.whatsapp.phone_numbers import Kind, Number

NO_NUMBER = gettext_lazy("That’s no phone number. Enter one like 8888 1234.")
OWN_NUMBER = gettext_lazy("That’s your own number.")


class StartForm(forms.Form):
    """A number on one of the organization's channels, and a name for its contact.

    After ``is_valid()``, ``number`` is what was typed; ``known`` is the conversation that there is with it.
    """

    phone = forms.CharField(
        max_length=40,
        widget=forms.TextInput(
            attrs={
                "class": "input",
                "type": "tel",
                "inputmode": "tel",
                "autocomplete": "off",
                "autofocus": True,
                "aria-describedby": "phone-found",
            }
        ),
    )
    name = forms.CharField(
        max_length=200,
        required=False,
        widget=forms.TextInput(
            attrs={"class": "input", "autocomplete": "off", "dir": "auto", "aria-describedby": "name-hint"}
        ),
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channels = Channel.objects.for_organization(organization).order_by("name", "pk")
        self.channels = list(channels)
        self.fields["channel"] = forms.ModelChoiceField(
            channels,
            required=len(self.channels) > 1,
            empty_label=None,
            widget=forms.Select(attrs={"class": "input select"}),
        )
        self.names = countries.names(get_language() or "en")
        self.fields["country"] = forms.ChoiceField(
            choices=[(code, f"{countries.calling_code(code)} {name}") for code, name in self.names.items()],
            initial=organization.country,
        )
        self.fields["phone"].error_messages["required"] = _("Enter a number.")

    @property
    def number(self) -> Number | None:
        return self.cleaned_data.get("number") if hasattr(self, "cleaned_data") else None

    @cached_property
    def on(self) -> Channel | None:
        """The channel: the only one, or the one that was chosen."""
        return self.channels[0] if len(self.channels) == 1 else self.cleaned_data.get("channel")

    @cached_property
    def known(self) -> Conversation | None:
        return starting.known(self.on, self.number.phone) if self.number and self.on else None

    @property
    def found(self) -> str:
        """What the number is, in words."""
        if self.number is None:
            return ""
        said = {
            "number": phone_numbers.international(self.number.phone),
            "country": self.names.get(self.number.country, ""),
        }
        if not self.number.country:
            return said["number"]
        match self.number.kind:
            case Kind.MOBILE:
                return _("%(number)s, a mobile number in %(country)s") % said
            case Kind.LANDLINE:
                return _("%(number)s, a landline in %(country)s") % said
        if not self.number.is_known:
            return _("%(number)s: no number in %(country)s is known to begin like this. Look again.") % said
        return _("%(number)s, a number in %(country)s") % said

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        typed, country = cleaned.get("phone", ""), cleaned.get("country", "")
        if not typed or not country:
            return cleaned
        try:
            number = phone_numbers.read(typed, country)
        except phone_numbers.WrongLength as error:
            self.add_error("phone", wrong_length(error))
            return cleaned
        except ValueError:
            self.add_error("phone", NO_NUMBER)
            return cleaned
        own = {phone_numbers.digits(channel.display_phone_number) for channel in self.channels}
        if phone_numbers.digits(number.phone) in own:
            self.add_error("phone", OWN_NUMBER)
            return cleaned
        return {**cleaned, "number": number, "country": number.country or country}


def wrong_length(error: phone_numbers.WrongLength) -> str:
    """Return how many digits a number has in that country, in words."""
    if not error.lengths:
        return str(NO_NUMBER)
    lengths = get_text_list([str(length) for length in error.lengths], _("or"))
    country = countries.names(get_language() or "en").get(error.country, error.country)
    words = _("A number in %(country)s has %(lengths)s digits; this has %(n)d.")
    return words % {"country": country, "lengths": lengths, "n": error.digits}


class NewContactForm(StartForm):
    """The same, for somebody who is written to first: whoever asks says that they have agreed to it."""

    agreed = forms.BooleanField(
        required=False, widget=forms.CheckboxInput(attrs={"aria-describedby": "agreed-error"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        # Asked for by the columns that are clean: what is wrong with the number comes first.
        self.cleaned_data = cleaned
        if self.number and not self.known and not cleaned["agreed"]:
            self.add_error("agreed", _("WhatsApp asks for it: write only to who has agreed."))
        return cleaned
