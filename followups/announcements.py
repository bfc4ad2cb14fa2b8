"""What is put into people's bells about a follow-up: what happened, why, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.models import CancelCause, FailureKind, FollowUp, Status
from notifications.models import Kind
from notifications.notify import Notice, notify, notify_all, recipients_for
from trochai.accounts.models import Membership
from trochai.ui.formatting import day_time

if TYPE_CHECKING:
    import datetime as dt

    from templates_app.models import Template
    from trochai.whatsapp.models import Channel

ADVICE: dict[str, Promise] = {
    FailureKind.TEMPORARY: gettext_lazy("3 retries used. You can retry it on the Follow-ups page."),
    FailureKind.CHANNEL: gettext_lazy("3 retries used. Retry it once the channel works again."),
    FailureKind.PERMANENT: gettext_lazy("Open the conversation to decide what to do."),
    FailureKind.UNKNOWN: gettext_lazy("Look at the chat on a phone before you retry it."),
    FailureKind.MISSED: gettext_lazy("Retry it if it still makes sense."),
    FailureKind.RECHECK: gettext_lazy("Schedule another one if it still makes sense."),
    FailureKind.UNDELIVERED: gettext_lazy("Open the conversation to decide what to do."),
}

CAUSES: dict[str, Promise] = {
    CancelCause.REPLY: gettext_lazy("the contact replied. You can restore it on the Follow-ups page."),
    CancelCause.OPT_OUT: gettext_lazy("the contact no longer wants messages."),
}


def announce_sent(follow_ups: Sequence[FollowUp], *, now: dt.datetime) -> None:
    """Tell the creators of any number of follow-ups, in as few statements as there are creators."""
    recipients: dict[tuple[int, int | None], list[int]] = {}
    for follow_up in follow_ups:
        creator = (follow_up.organization_id, follow_up.created_by_id)
        if creator not in recipients:
            recipients[creator] = recipients_for(follow_up.organization, follow_up.created_by_id)
    notices = [
        Notice(
            organization=follow_up.organization,
            recipient_id=recipient_id,
            kind=Kind.FOLLOW_UP_SENT,
            title=_("Follow-up sent"),
            text=_("to %(contact)s: %(template)s") % _names(follow_up),
            url=_conversation_url(follow_up),
        )
        for follow_up in follow_ups
        for recipient_id in recipients[follow_up.organization_id, follow_up.created_by_id]
    ]
    notify_all(notices, now=now)


def announce_failed(follow_up: FollowUp, *, now: dt.datetime) -> None:
    text = _("to %(contact)s (%(template)s): %(reason)s %(advice)s") % {
        **_names(follow_up),
        "reason": follow_up.failure_reason,
        "advice": ADVICE[follow_up.failure_kind],
    }
    _tell_creator(follow_up, Kind.FOLLOW_UP_FAILED, _("Follow-up failed"), text, now)


def announce_canceled(follow_up: FollowUp, *, now: dt.datetime) -> None:
    text = _("to %(contact)s (%(template)s): %(cause)s") % {
        **_names(follow_up),
        "cause": CAUSES[follow_up.cancel_cause],
    }
    _tell_creator(follow_up, Kind.FOLLOW_UP_CANCELED, _("Follow-up canceled"), text, now)


def announce_template_unusable(template: Template, follow_ups: list[FollowUp], *, now: dt.datetime) -> None:
    """Tell each creator, before the send date, how many of their follow-ups wait on the template."""
    organization = template.channel.organization
    waiting: dict[int | None, int] = {}
    for follow_up in follow_ups:
        waiting[follow_up.created_by_id] = waiting.get(follow_up.created_by_id, 0) + 1
    for creator_id, count in waiting.items():
        notify(
            organization=organization,
            recipients=recipients_for(organization, creator_id),
            kind=Kind.TEMPLATE_UNUSABLE,
            title=_("Template can’t be sent"),
            text=_unusable(template)
            % {"template": template.name, "status": template.status_label, "count": count},
            url=f"{reverse('followups:index')}?status=pending",
            now=now,
        )


def _unusable(template: Template) -> str:
    if template.is_approved:
        return _(
            "%(template)s has changed at WhatsApp, and the values of follow-ups that wait on it no longer "
            "fit: %(count)d. They will fail; schedule others in their place."
        )
    return _(
        "%(template)s is now “%(status)s” at WhatsApp. Follow-ups that wait on it: %(count)d. "
        "They will fail unless it is approved again by then."
    )


def announce_channel_stopped(channel: Channel, reason: str, *, now: dt.datetime) -> None:
    admins = Membership.objects.for_organization(channel.organization).admins()
    notify(
        organization=channel.organization,
        recipients=admins.values_list("user_id", flat=True),
        kind=Kind.CHANNEL_STOPPED,
        title=_("WhatsApp channel stopped"),
        text=_("%(channel)s: %(reason)s Follow-ups wait until it works again.")
        % {"channel": channel.name, "reason": reason},
        url=f"{reverse('followups:index')}?status=pending",
        now=now,
    )


def announce_silence(*, since: dt.datetime, now: dt.datetime) -> None:
    """Tell the admins of every organization with follow-ups waiting that nothing is being sent."""
    _tell_waiting_organizations(
        _("Nothing is being sent"),
        _(
            "The scheduler last ran on %(since)s. Follow-ups wait until it runs again; whoever operates "
            "Trochai should look after its beat and worker processes."
        ),
        since=since,
        now=now,
    )


def announce_sending_again(*, since: dt.datetime, now: dt.datetime) -> None:
    """Tell the same people that the silence is over, and how long it was."""
    _tell_waiting_organizations(
        _("Sending again"),
        _(
            "Nothing was sent from %(since)s to %(until)s. What fell due meanwhile is sent now; "
            "what is too late by now fails as missed."
        ),
        since=since,
        now=now,
    )


def _tell_waiting_organizations(title: str, text: str, *, since: dt.datetime, now: dt.datetime) -> None:
    waiting = FollowUp.objects.visible().filter(
        organization=OuterRef("organization"), status__in=[Status.PENDING, Status.PROCESSING]
    )
    admins = Membership.objects.admins().filter(Exists(waiting)).select_related("organization")
    notices = []
    for admin in admins.order_by("pk"):
        with timezone.override(admin.organization.zone):
            words = {"since": day_time(since, now), "until": day_time(now, now)}
        notices.append(
            Notice(
                organization=admin.organization,
                recipient_id=admin.user_id,
                kind=Kind.SENDING_INTERRUPTED,
                title=title,
                text=text % words,
                url=f"{reverse('followups:index')}?status=pending",
            )
        )
    notify_all(notices, now=now)


def _names(follow_up: FollowUp) -> dict[str, str]:
    return {
        "contact": follow_up.conversation.contact.display_name,
        "template": follow_up.template.name,
    }


def _tell_creator(follow_up: FollowUp, kind: Kind, title: str, text: str, now: dt.datetime) -> None:
    notify(
        organization=follow_up.organization,
        recipients=recipients_for(follow_up.organization, follow_up.created_by_id),
        kind=kind,
        title=title,
        text=text,
        url=_conversation_url(follow_up),
        now=now,
    )


def _conversation_url(follow_up: FollowUp) -> str:
    return reverse("conversations:conversation", args=[follow_up.conversation_id])
