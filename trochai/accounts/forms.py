from __future__ import annotations

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from trochai.accounts.throttling import Try

# Characters. An email is not longer, and hashing a password of megabytes would be work for nothing.
LONGEST_EMAIL = 254
LONGEST_PASSWORD = 1024
THROTTLED = "throttled"
WRONG = _("That email and password don’t match. Try again.")


class BoundedFields(AuthenticationForm):
    """Django names a longest username to browsers alone, none for passwords, and lets everybody guess."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, longest in {"username": LONGEST_EMAIL, "password": LONGEST_PASSWORD}.items():
            self.fields[name].validators.append(MaxLengthValidator(longest, message=WRONG))

    def clean(self) -> dict[str, Any]:
        """Look at the password, unless there were too many wrong ones."""
        email = self.cleaned_data.get("username")
        if self.request is None or not email or not self.cleaned_data.get("password"):
            return super().clean()
        this = Try(self.request, email)
        if minutes := this.begin():
            words = ngettext(
                "Too many tries. Wait %(minutes)d minute, then try again.",
                "Too many tries. Wait %(minutes)d minutes, then try again.",
                minutes,
            )
            raise ValidationError(words, code=THROTTLED, params={"minutes": minutes})
        cleaned = super().clean()
        this.was_right()
        return cleaned


class SignInForm(BoundedFields):
    """Email and password; one message for both, so that it does not tell who has an account."""

    error_messages = {
        "invalid_login": WRONG,
        "inactive": WRONG,
    }


class AdminSignInForm(BoundedFields, AdminAuthenticationForm):
    """The same bounds at the door of the admin."""
