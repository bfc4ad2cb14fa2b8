from __future__ import annotations

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _

# Characters. An email is not longer, and hashing a password of megabytes would be work for nothing.
LONGEST_EMAIL = 254
LONGEST_PASSWORD = 1024
WRONG = _("That email and password don’t match. Try again.")


class BoundedFields(AuthenticationForm):
    """Django names a longest username to browsers alone, and none for passwords."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, longest in {"username": LONGEST_EMAIL, "password": LONGEST_PASSWORD}.items():
            self.fields[name].validators.append(MaxLengthValidator(longest, message=WRONG))


class SignInForm(BoundedFields):
    """Email and password; one message for both, so that it does not tell who has an account."""

    error_messages = {
        "invalid_login": WRONG,
        "inactive": WRONG,
    }


class AdminSignInForm(BoundedFields, AdminAuthenticationForm):
    """The same bounds at the door of the admin."""
