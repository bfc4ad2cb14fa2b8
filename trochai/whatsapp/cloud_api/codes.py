"""Meta's error codes: what each means for sending, and one sentence about it for people.

Source: WhatsApp Cloud API, "Error codes". The sentences say what happened and what can be done.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class Act(enum.Enum):
    """What to do about an error."""

    RETRY = "R"  # again, soon
    LATER = "W"  # again, but not soon
    CHANNEL = "P"  # nothing can be sent until a person has repaired the channel
    TEMPLATE = "T"  # this template cannot be sent
    MESSAGE = "X"  # this message will never be accepted


@dataclass(frozen=True)
class Meaning:
    """``slow_down`` holds back the whole channel; ``retry_after`` only a person's next try."""

    act: Act
    reason: _StrPromise
    slow_down: dt.timedelta | None = None
    retry_after: dt.timedelta | None = None
    opted_out: bool = False
    # What is known of the template here is no longer so at Meta.
    template_changed: bool = False


SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)

_TOKEN = _("The WhatsApp access token is not valid any more. An admin needs to enter a new one.")
_PERMISSION = _("The WhatsApp account lacks a permission for sending. An admin needs to grant it at Meta.")
_LOCKED = _("Meta has restricted the WhatsApp account. An admin can see why in WhatsApp Manager.")
_REGISTRATION = _("The WhatsApp number is not registered for sending. An admin needs to register it at Meta.")
_REGISTRATION_WAIT = _("WhatsApp is still registering the number. Try again later.")
_BUSY = _("WhatsApp is not available at the moment. Try again later.")
_RATE = _("WhatsApp’s rate limit was reached: too many messages in a short time. Try again later.")
_ACCOUNT_RATE = _("The WhatsApp account has reached its limit of calls. Try again later.")
_PARAMETERS = _(
    "WhatsApp refused the template’s values. Check that each is filled in and fits, then schedule again."
)
_MISSING = _("Something in the message is missing or not valid. Check it and send it anew.")
_MARKETING_API = _("This template can’t be sent this way. Choose another template.")
_BAD_REQUEST = _("WhatsApp could not accept this message as it is. Check its values and send it anew.")

_R, _W, _P, _T, _X = Act.RETRY, Act.LATER, Act.CHANNEL, Act.TEMPLATE, Act.MESSAGE

CODES: dict[int, Meaning] = {
    0: Meaning(_P, _TOKEN),
    # Meta advises to try a bad request or a server error twice more. The row's own limit of retries
    # serves for that.
    1: Meaning(_R, _("WhatsApp could not process the message. Try again later.")),
    2: Meaning(_R, _BUSY),
    3: Meaning(_P, _PERMISSION),
    4: Meaning(_R, _ACCOUNT_RATE, slow_down=MINUTE),
    10: Meaning(_P, _PERMISSION),
    17: Meaning(_R, _ACCOUNT_RATE, slow_down=MINUTE),
    33: Meaning(_P, _("WhatsApp does not know this business number. An admin needs to check its ID.")),
    100: Meaning(_X, _BAD_REQUEST),
    190: Meaning(_P, _TOKEN),
    **{code: Meaning(_P, _PERMISSION) for code in range(200, 300)},
    368: Meaning(_P, _LOCKED),
    80007: Meaning(_W, _ACCOUNT_RATE, slow_down=MINUTE),
    # Concerns calls that manage templates, so it does not hold back messages.
    80008: Meaning(_W, _ACCOUNT_RATE),
    130403: Meaning(_X, _("Your business has blocked this contact on WhatsApp. Unblock it, then try again.")),
    130429: Meaning(_R, _RATE, slow_down=5 * SECOND),
    130472: Meaning(
        _X,
        _("WhatsApp keeps marketing messages from this contact for a test. Reach them another way."),
    ),
    130497: Meaning(_X, _("WhatsApp does not deliver this business’s messages in the contact’s country.")),
    131000: Meaning(_R, _("Something went wrong at WhatsApp. Try again later.")),
    131005: Meaning(_P, _PERMISSION),
    131008: Meaning(_X, _MISSING),
    131009: Meaning(_X, _MISSING),
    131016: Meaning(_R, _BUSY),
    131021: Meaning(_X, _("The contact’s number is the business’s own number. Write to another one.")),
    131026: Meaning(
        _X, _("This number isn’t on WhatsApp, or can’t receive this message. Check it with the contact.")
    ),
    131030: Meaning(
        _X, _("The test number may only write to numbers on its list. Add this one at Meta, then try again.")
    ),
    131031: Meaning(_P, _LOCKED),
    131037: Meaning(_P, _("The number’s display name is not approved yet. An admin can see it at Meta.")),
    131042: Meaning(_P, _("Meta reports a billing problem. An admin needs to check the payment method.")),
    131045: Meaning(_P, _REGISTRATION),
    131047: Meaning(_X, _("The contact last wrote more than 24 hours ago. Send a template instead.")),
    131048: Meaning(
        _P,
        _("WhatsApp has restricted the number after reports of spam. See WhatsApp Manager."),
    ),
    131049: Meaning(
        _W,
        _("WhatsApp limits how many marketing messages a contact gets. Try again after 24 hours."),
        retry_after=DAY,
    ),
    131050: Meaning(
        _X,
        _("The contact has opted out of marketing messages. Send none until they opt in again."),
        opted_out=True,
    ),
    131051: Meaning(_X, _("WhatsApp does not support this kind of message. Send a text or a template.")),
    131052: Meaning(_X, _("The file that the contact sent could not be downloaded. Ask for it again.")),
    131053: Meaning(_X, _("The file in the message could not be uploaded. Check its type and size.")),
    131055: Meaning(_X, _MARKETING_API),
    # Concerns one pair of numbers, so other contacts hardly have to wait.
    131056: Meaning(
        _R, _("Too many messages to this contact in a short time. Try again later."), slow_down=SECOND
    ),
    # The whole number is out for up to a minute.
    131057: Meaning(_R, _("WhatsApp is servicing the number. Try again in a minute."), slow_down=MINUTE),
    131062: Meaning(
        _X, _("This message needs the contact’s phone number, which is not known. Ask the contact for it.")
    ),
    131063: Meaning(_X, _("Marketing messages are turned off at Meta. An admin can turn them on.")),
    131064: Meaning(
        _W, _("WhatsApp limits the account because of its templates’ categories. Try again later.")
    ),
    132000: Meaning(_X, _PARAMETERS, template_changed=True),
    132001: Meaning(_T, _("The template is not approved in this language. Choose another template.")),
    132005: Meaning(_T, _("The message is longer than WhatsApp allows. Shorten the values.")),
    132007: Meaning(_T, _("The template breaks a WhatsApp policy. Choose another template.")),
    132012: Meaning(_X, _PARAMETERS, template_changed=True),
    132015: Meaning(_T, _("WhatsApp has paused the template for low quality. Choose another template.")),
    132016: Meaning(_T, _("WhatsApp has disabled the template for low quality. Choose another template.")),
    132018: Meaning(_X, _PARAMETERS),
    132068: Meaning(_T, _("The form in this template is blocked. Choose another template.")),
    132069: Meaning(_W, _("The form in this template was sent too often. Try again later.")),
    133000: Meaning(_P, _REGISTRATION),
    133004: Meaning(_R, _BUSY),
    133005: Meaning(_P, _REGISTRATION),
    133006: Meaning(_P, _REGISTRATION),
    133008: Meaning(_W, _REGISTRATION_WAIT),
    133009: Meaning(_W, _REGISTRATION_WAIT),
    133010: Meaning(_P, _REGISTRATION),
    133015: Meaning(_W, _REGISTRATION_WAIT),
    133016: Meaning(_W, _REGISTRATION_WAIT),
    134011: Meaning(_P, _("The payments terms are not accepted. An admin needs to accept them at Meta.")),
    134100: Meaning(_X, _MARKETING_API),
    134101: Meaning(_W, _("WhatsApp is still preparing the template. Try again in 10 minutes.")),
    134102: Meaning(_X, _MARKETING_API),
    135000: Meaning(_X, _BAD_REQUEST),
    137000: Meaning(_X, _("The contact’s WhatsApp identity has changed. Check with the contact first.")),
}

# Limits whose end Meta may announce in its usage headers.
ANNOUNCED_LIMITS = frozenset({4, 17, 80007, 130429})
