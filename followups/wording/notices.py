"""What is said in people's bells about follow-ups: what happened, why, and what can be done.

``followups.announcements`` stores the values that are worded here. Rows of years ago are worded as well: a
value that is no longer stored must stay understood.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from followups.models import BulkEnding, CancelCause
from followups.wording import bulk, failures, holds, repeats
from notifications.wording import Words, words_for
from templates_app.models import Template, TemplateStatus
from trochai.paging import Count
from trochai.ui.formatting import day_time, isolated
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.json_reading import mapping, mappings, text_or_number
from trochai.whatsapp.webhooks.parsing import CAPABILITY

CAUSES: Mapping[str, Promise] = {
    CancelCause.MEMBER: gettext_lazy("canceled by %(by)s."),
    CancelCause.REPLY: gettext_lazy("the contact replied. You can restore it on the Follow-ups page."),
    CancelCause.OPT_OUT: gettext_lazy("the contact no longer wants messages."),
}


class Kind(StrEnum):
    FOLLOW_UP_SENT = "follow_up_sent"
    FOLLOW_UP_FAILED = "follow_up_failed"
    FOLLOW_UP_CANCELED = "follow_up_canceled"
    FOLLOW_UP_HELD = "follow_up_held"
    FOLLOW_UP_MOVED = "follow_up_moved"
    FOLLOW_UP_EDITED = "follow_up_edited"
    FOLLOW_UP_HANDED_OVER = "follow_up_handed_over"
    SERIES_ENDED = "series_ended"
    DATES_SKIPPED = "dates_skipped"
    FOLLOW_UPS_RESTORED = "follow_ups_restored"
    BULK_ENDED = "bulk_ended"
    BULK_CONCERNS = "bulk_concerns"
    BULK_HANDED_OVER = "bulk_handed_over"
    FOLLOW_UPS_IMPORTED = "follow_ups_imported"
    CONTACT_MOVED = "contact_moved"
    CONTACTS_ALIKE = "contacts_alike"
    TEMPLATE_UNUSABLE = "template_unusable"
    CHANNEL_STOPPED = "channel_stopped"
    SENDING_INTERRUPTED = "sending_interrupted"
    SENDING_HELD = "sending_held"
    SENDING_RELEASED = "sending_released"
    ACCOUNT_EVENT = "account_event"
    NUMBER_UNKNOWN = "number_unknown"


@words_for(Kind.FOLLOW_UP_SENT, icon="circle-check")
def sent(values: Mapping[str, Any]) -> Words:
    """Values: contact (empty if nameless), template; by, a colleague's name, for who has the conversation."""
    if values.get("by"):
        text = _("to %(contact)s, whose conversation you have: %(template)s, scheduled by %(by)s")
        return Words(_("Follow-up sent"), text % {**_names(values), "by": isolated(values["by"])})
    return Words(_("Follow-up sent"), _("to %(contact)s: %(template)s") % _names(values))


@words_for(Kind.FOLLOW_UP_FAILED, icon="circle-alert", tone="bad")
def failed(values: Mapping[str, Any]) -> Words:
    """Values: contact, template, kind (a FailureKind), failure (the fields of a Failure)."""
    explained = failures.explain(values["kind"], Failure(**values["failure"]))
    text = _("to %(contact)s (%(template)s): %(reason)s") % {**_names(values), "reason": explained.text}
    return Words(_("Follow-up failed"), text)


@words_for(Kind.FOLLOW_UP_CANCELED, icon="circle-slash", tone="mute")
def canceled(values: Mapping[str, Any]) -> Words:
    """Values: contact, template, cause (a CancelCause), by (the name of the member whose doing it was)."""
    cause = str(CAUSES[values["cause"]]) % {"by": isolated(values.get("by", ""))}
    text = _("for %(contact)s (%(template)s): %(cause)s") % {**_names(values), "cause": cause}
    return Words(_("Follow-up canceled"), text)


@words_for(Kind.FOLLOW_UP_HELD, icon="circle-pause", tone="bad")
def held(values: Mapping[str, Any]) -> Words:
    """Values: contact, template, reason (a HeldReason)."""
    text = _(
        "for %(contact)s (%(template)s): WhatsApp says that the contact has another number now, which is "
        "another contact’s here. Cancel the follow-up, or release it on the Follow-ups page."
    )
    return Words(_("Follow-up on hold"), text % _names(values))


@words_for(Kind.FOLLOW_UP_MOVED, icon="calendar-clock")
def rescheduled(values: Mapping[str, Any]) -> Words:
    """Values: contact, template, by (a member's name), at and made (when it is sent, when that was said)."""
    text = _("for %(contact)s (%(template)s): moved to %(when)s by %(by)s.")
    return Words(_("Follow-up moved"), text % {**_names(values), **by_and_when(values)})


@words_for(Kind.FOLLOW_UP_EDITED, icon="pencil")
def edited(values: Mapping[str, Any]) -> Words:
    """Values: as for one that was moved."""
    text = _("for %(contact)s (%(template)s): changed for %(when)s by %(by)s.")
    return Words(_("Follow-up changed"), text % {**_names(values), **by_and_when(values)})


@words_for(Kind.FOLLOW_UP_HANDED_OVER, icon="user-round-check")
def handed_over(values: Mapping[str, Any]) -> Words:
    """Values: contact, template, by (a member's name)."""
    text = _("%(template)s to %(contact)s is yours now, says %(by)s") % {
        **_names(values),
        "by": isolated(values["by"]),
    }
    return Words(_("Follow-up handed over to you"), text)


@words_for(Kind.SERIES_ENDED, icon="repeat", tone="bad")
def series_ended(values: Mapping[str, Any]) -> Words:
    """Values: contact, template, cause (a SeriesEnd), by (a member's name, or nothing)."""
    text = _("%(template)s to %(contact)s: %(cause)s")
    cause = repeats.ended(values["cause"], isolated(values["by"]))
    return Words(_("Not repeated any more"), text % {**_names(values), "cause": cause})


@words_for(Kind.DATES_SKIPPED, icon="repeat", tone="bad")
def dates_skipped(values: Mapping[str, Any]) -> Words:
    """Values: contact, template, dates (moments), count (of all of them), made (when that was said)."""
    text = _("%(template)s to %(contact)s: %(dates)s had passed while the one before was waiting.")
    dates = repeats.skipped(values["dates"], values["count"], values["made"])
    return Words(_("Dates left out"), text % {**_names(values), "dates": dates})


@words_for(Kind.FOLLOW_UPS_RESTORED, icon="circle-pause", tone="bad")
def restored(values: Mapping[str, Any]) -> Words:
    """Values: count (of the person's follow-ups that are held)."""
    text = ngettext(
        "%(count)d follow-up may have gone out before a backup was restored. Cancel it, or release it on the "
        "Follow-ups page.",
        "%(count)d follow-ups may have gone out before a backup was restored. Cancel each, or release it on "
        "the Follow-ups page.",
        values["count"],
    )
    return Words(_("Follow-ups on hold"), text % values)


@words_for(Kind.BULK_ENDED, icon="list-checks")
def bulk_ended(values: Mapping[str, Any]) -> Words:
    """Values: action, changed and refused (numbers of follow-ups), ending (a BulkEnding)."""
    text = bulk.result(values["action"], values["changed"], values["refused"])
    if values["ending"] == BulkEnding.DONE:
        return Words(_("Many follow-ups changed"), text)
    return Words(_("Change of many follow-ups stopped"), f"{text}. {bulk.ENDINGS[values['ending']]}")


@words_for(Kind.BULK_CONCERNS, icon="list-checks")
def bulk_concerns(values: Mapping[str, Any]) -> Words:
    """Values: action, by (a member's name, or nothing), count (of the person's follow-ups)."""
    words = bulk.counted(bulk.VERBS[values["action"]].done, Count(values["count"]))
    title = _("A colleague changed follow-ups of yours")
    return Words(title, f"{isolated(values['by'])}: {words}" if values["by"] else words)


@words_for(Kind.BULK_HANDED_OVER, icon="user-round-check")
def bulk_handed_over(values: Mapping[str, Any]) -> Words:
    """Values: by (a member's name, or nothing), count."""
    count = values["count"]
    text = ngettext("%(count)s is yours now", "%(count)s are yours now", count) % {"count": Count(count)}
    title = _("Follow-ups handed over to you")
    return Words(title, f"{isolated(values['by'])}: {text}" if values["by"] else text)


@words_for(Kind.FOLLOW_UPS_IMPORTED, icon="file-spreadsheet")
def imported(values: Mapping[str, Any]) -> Words:
    """Values: file (its name), scheduled, refused and duplicates (numbers)."""
    text = _("%(file)s: %(scheduled)d scheduled, %(refused)d refused, %(duplicates)d duplicates left out.")
    return Words(_("Import finished"), text % values)


@words_for(Kind.CONTACT_MOVED, icon="contact")
def moved(values: Mapping[str, Any]) -> Words:
    """Values: contact, template, before and number (as people write them; empty without one)."""
    text = (
        _("%(contact)s has the number %(number)s now. What waits is sent there.")
        if values["number"]
        else _("%(contact)s has another number, which WhatsApp doesn’t tell. What waits is sent there.")
    )
    return Words(_("A contact has another number"), text % {**_names(values), "number": values["number"]})


@words_for(Kind.CONTACTS_ALIKE, icon="contact")
def alike(values: Mapping[str, Any]) -> Words:
    """Values: contact and other (names with numbers)."""
    text = _("WhatsApp takes %(contact)s and %(other)s for one person. An operator can merge them.")
    return Words(_("Two contacts may be one"), text % values)


@words_for(Kind.TEMPLATE_UNUSABLE, icon="triangle-alert", tone="bad")
def template_unusable(values: Mapping[str, Any]) -> Words:
    """Values: template, status (at Meta), count (of the person's follow-ups that wait on it)."""
    if values["status"] == TemplateStatus.APPROVED:
        text = _(
            "%(template)s has changed at WhatsApp, and the values of follow-ups that wait on it no longer "
            "fit: %(count)d. They will fail; schedule others in their place."
        )
    else:
        text = _(
            "%(template)s is now “%(status)s” at WhatsApp. Follow-ups that wait on it: %(count)d. "
            "They will fail unless it is approved again by then."
        )
    label = Template(status=values["status"]).status_label
    return Words(_("Template can’t be sent"), text % {**values, "status": label})


@words_for(Kind.CHANNEL_STOPPED, icon="unplug", tone="bad")
def channel_stopped(values: Mapping[str, Any]) -> Words:
    """Values: channel (its name), failure."""
    text = _("%(channel)s: %(reason)s Follow-ups wait until it works again.")
    reason = Failure(**values["failure"]).words()
    return Words(_("WhatsApp channel stopped"), text % {"channel": values["channel"], "reason": reason})


@words_for(Kind.SENDING_INTERRUPTED, icon="circle-alert", tone="bad")
def sending_interrupted(values: Mapping[str, Any]) -> Words:
    """Values: since and at (moments), is_over."""
    since, at = (dt.datetime.fromisoformat(values[name]) for name in ("since", "at"))
    moments = {"since": day_time(since, at), "until": day_time(at, at)}
    if values["is_over"]:
        text = _(
            "Nothing was sent from %(since)s to %(until)s. What fell due meanwhile is sent now; "
            "what is too late by now fails as missed."
        )
        return Words(_("Sending again"), text % moments)
    text = _(
        "The scheduler last ran on %(since)s. Follow-ups wait until it runs again; whoever operates "
        "Trochai should look after its beat and worker processes."
    )
    return Words(_("Nothing is being sent"), text % moments)


@words_for(Kind.SENDING_HELD, icon="circle-pause", tone="bad")
def sending_held(values: Mapping[str, Any]) -> Words:
    """Values: scope, cause and by (as ``followups.wording.holds`` has them), reason, channel (its name).

    Where Trochai itself began it, instead of a reason: since and at (moments), due (how many are).
    """
    if values.get("since"):
        return _held_after_silence(values)
    who = holds.who(values["cause"], isolated(values["by"]))
    text = _("%(who)s: “%(reason)s” Follow-ups wait until somebody releases them; replies still go out.")
    return Words(
        holds.title(values["scope"], isolated(values["channel"])),
        text % {"who": who, "reason": isolated(values["reason"])},
    )


def _held_after_silence(values: Mapping[str, Any]) -> Words:
    since, at = (dt.datetime.fromisoformat(values[name]) for name in ("since", "at"))
    text = _(
        "Nothing had been sent since %(since)s. If a backup was restored, some of what is due may have gone "
        "out already, so nothing goes out until you release it. Follow-ups that are due: %(due)s."
    )
    told = {"since": day_time(since, at), "due": values["due"]}
    return Words(holds.title(values["scope"], ""), text % told)


@words_for(Kind.SENDING_RELEASED, icon="play")
def sending_released(values: Mapping[str, Any]) -> Words:
    """Values: scope, channel (its name), by (a member's name, or nothing), late (a ``Late``)."""
    told = {"what": isolated(values["channel"]), "by": isolated(values["by"])}
    title = _("Sending from %(what)s goes on") if values["channel"] else _("Sending goes on")
    by = _("Released by %(by)s.") if values["by"] else _("Released by Trochai’s operator.")
    return Words(title % told, " ".join([by % told, str(holds.LATE[values["late"]])]))


# Meta’s events of an account that say by themselves what they mean; any other is shown by its name.
ACCOUNT_EVENTS: Mapping[str, Promise] = {
    "DISABLED_UPDATE": gettext_lazy("WhatsApp disables the account, or has announced it."),
    "ACCOUNT_RESTRICTION": gettext_lazy("WhatsApp has restricted what the account may send."),
    "ACCOUNT_VIOLATION": gettext_lazy("WhatsApp says that the account has broken its rules."),
    "ACCOUNT_DELETED": gettext_lazy("The WhatsApp Business account has been deleted."),
    "VERIFIED_ACCOUNT": gettext_lazy("WhatsApp has verified the account."),
    "ONBOARDING": gettext_lazy("The number is ready to send."),
    "FLAGGED": gettext_lazy("Many people block or report the number. If that goes on, it may send less."),
    "UNFLAGGED": gettext_lazy("Fewer people block or report the number: its quality is good again."),
    "UPGRADE": gettext_lazy("More people a day may be written to."),
    "DOWNGRADE": gettext_lazy("Fewer people a day may be written to."),
    "THROUGHPUT_UPGRADE": gettext_lazy("The number may send more messages a second."),
    CAPABILITY: gettext_lazy("What the business may send has changed."),
}


@words_for(Kind.ACCOUNT_EVENT, icon="triangle-alert", tone="bad")
def account_event(values: Mapping[str, Any]) -> Words:
    """Values: channel (its name), event and details (Meta's)."""
    said = ACCOUNT_EVENTS.get(values["event"], values["event"])
    text = " ".join([f"{values['channel']}: {said}", *_details(values["details"])])
    return Words(_("News of the WhatsApp account"), text)


@words_for(Kind.NUMBER_UNKNOWN, icon="circle-question-mark", tone="bad")
def number_unknown(values: Mapping[str, Any]) -> Words:
    """Values: channel (its name), number (Meta's id of a number or an account)."""
    text = _(
        "WhatsApp reports to the address of %(channel)s about the number with the id %(number)s, which is "
        "not connected here. What it reports is kept for 30 days; an operator can add the number."
    )
    return Words(_("A number is not connected"), text % values)


def _details(details: object) -> Iterator[str]:
    """Yield what Meta tells with an event: "waba ban date: 2026-11-30"."""
    for info in mapping(details).values():
        for part in mappings(info if isinstance(info, list) else [info]):
            yield from (f"{key.replace('_', ' ')}: {text_or_number(value)}." for key, value in part.items())


def _names(values: Mapping[str, Any]) -> dict[str, str]:
    return {"contact": isolated(values["contact"]) or _("WhatsApp user"), "template": values["template"]}


def by_and_when(values: Mapping[str, Any]) -> dict[str, str]:
    """Word the member's name ``by``, and ``at`` as it was called when it was ``made`` (both UTC, ISO)."""
    at, made = (timezone.localtime(dt.datetime.fromisoformat(values[name])) for name in ("at", "made"))
    return {"by": isolated(values["by"]), "when": day_time(at, made)}
