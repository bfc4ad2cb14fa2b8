from __future__ import annotations

from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    """Email and password; one message for both, so that it does not tell who has an account."""

    error_messages = {
        "invalid_login": _("That email and password don’t match. Try again."),
        "inactive": _("That email and password don’t match. Try again."),
    }
