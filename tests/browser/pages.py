"""Every page of the product, for tests that owe something to all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils import timezone

from conversations.models import Attachment
from followups.models import AttentionCause, BulkChange, BulkRefusal, FollowUp
from followups.pages import calendar
from tests import factories

if TYPE_CHECKING:
    from tests.conftest import Team


def every_page(team: Team, *, search: str, **follow_up: Any) -> list[str]:
    """Make a follow-up in each state for the team's conversation; return the addresses of all pages.

    Their admin may open each of them; ``search`` is what the lists are searched for.
    """
    failed, pending, *_ = [
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.agent.user,
            status=status,
            **follow_up,
        )
        for status in ("failed", "pending", "canceled", "sent")
    ]
    shared = {
        "organization": team.organization,
        "conversation": team.conversation,
        "template": team.template,
        "created_by": team.agent.user,
    }
    series = factories.SeriesFactory(**shared)
    repeated = factories.FollowUpFactory(**shared, series=series, occurrence=1, **follow_up)
    # My day, above the list of conversations.
    factories.FollowUpFactory(**shared, owner=team.admin.user, scheduled_for=timezone.now())
    tags = [
        factories.TagFactory(organization=team.organization, name=name, tone=tone)
        for name, tone in (
            ("Documents missing", "red"),
            ("From abroad", "jade"),
            ("W" * 24, "blue"),
            ("Buyer", "grey"),
        )
    ]
    team.conversation.tags.set(tags)
    changes = [
        BulkChange.objects.create(
            organization=team.organization,
            by=team.admin.user,
            action="hand_over",
            values={"to": team.agent.user_id, "name": search},
            selection={},
            total=2,
            refused=1,
            **ended,
        )
        for ended in ({}, {"finished_at": timezone.now(), "ending": "stopped"})
    ]
    for change in changes:
        BulkRefusal.objects.create(bulk_change=change, follow_up=failed, code="sent")
    open_group = _every_cause_of_attention(pending, said=search)
    _every_kind_of_message(team, said=search)
    imports = _an_import_at_each_step(team, said=search)
    # Of another number: from the conversation's one can be sent.
    other = factories.ChannelFactory(organization=team.organization)
    number = {"organization": team.organization, "scope": "channel", "channel": other}
    hold = factories.HoldFactory(**number, by=team.admin.user, reason=search[:200])
    inbox, follow_ups = reverse("conversations:inbox"), reverse("followups:index")
    return [
        inbox,
        f"{inbox}?q={search}",
        f"{inbox}?tag={tags[0].pk},{tags[2].pk}",
        reverse("conversations:tags"),
        reverse("conversations:saved_replies"),
        reverse("conversations:start"),
        (talk := reverse("conversations:conversation", args=[team.conversation.pk])),
        f"{talk}?sheet=contact",
        f"{talk}?sheet=files",
        follow_ups,
        *(reverse("followups:bulk_result", args=[change.pk]) for change in changes),
        (attention := reverse("followups:attention")),
        f"{attention}?open={open_group}",
        reverse("followups:new"),
        reverse("followups:import"),
        *imports,
        reverse("followups:hold"),
        reverse("followups:hold_reason", args=[hold.pk]),
        reverse("followups:release_hold", args=[hold.pk]),
        reverse("followups:calendar"),
        reverse("followups:calendar_week"),
        calendar.day_url(timezone.localdate(pending.scheduled_for, timezone=team.organization.zone)),
        f"{follow_ups}?q={search}&status=canceled",
        reverse("followups:detail", args=[failed.pk]),
        reverse("followups:delete", args=[failed.pk]),
        reverse("followups:cancel", args=[pending.pk]),
        reverse("followups:detail", args=[repeated.pk]),
        reverse("followups:cancel", args=[repeated.pk]),
        reverse("followups:move", args=[repeated.pk]),
        reverse("followups:end_series", args=[repeated.pk]),
        reverse("followups:move", args=[pending.pk]),
        reverse("followups:edit", args=[pending.pk]),
        reverse("followups:send_now", args=[pending.pk]),
        reverse("followups:hand_over", args=[pending.pk]),
        reverse("followups:duplicate", args=[failed.pk]),
        reverse("followups:schedule", args=[team.conversation.pk]) + f"?template={team.template.pk}",
        reverse("conversations:send_template", args=[team.conversation.pk]),
        reverse("conversations:erase", args=[team.conversation.pk]),
        reverse("templates:index"),
        reverse("notifications:index"),
        reverse("accounts:shortcuts"),
    ]


def _an_import_at_each_step(team: Team, *, said: str) -> list[str]:
    """Return the addresses of imports by the team's admin, with ``said`` in each cell that may have it."""
    roles = ["phone", "value:body.1", "value:body.2", "value:body.3", "date", "note"]
    addresses = []
    for step, state in (
        ("columns", "uploaded"),
        ("check", "checked"),
        ("result", "scheduling"),
        ("result", "done"),
    ):
        batch = factories.ImportFactory(
            organization=team.organization,
            created_by=team.admin.user,
            file_name=f"{said}.csv",
            headings=["Phone", said, "Property", "Visit", "Date", "Note"],
            columns=[] if step == "columns" else roles,
            channel=team.channel,
            template=team.template,
            state=state,
            done_at=timezone.now() if state == "done" else None,
        )
        problem = {"field": "contact", "code": "no_number", "values": {}}
        for verdict, problems in (("ready", []), ("refused", [problem]), ("scheduled", [])):
            cells = [said, said, said, said, "2030-12-01", said]
            new = verdict == "ready"
            factories.ImportRowFactory(
                batch=batch, cells=cells, verdict=verdict, problems=problems, is_new=new
            )
        addresses.append(reverse(f"followups:import_{step}", args=[batch.pk]))
    return addresses


def _every_cause_of_attention(follow_up: FollowUp, *, said: str) -> str:
    """Return the name of a group whose row has a detail, with ``said`` in the words of all groups."""
    values = {"template": said, "status": "PAUSED", "contact": said, "name": said}
    values |= {"before": "+506 8711 2233", "after": "+506 8711 4455", "zone": "America/Costa_Rica"}
    values |= {"hours": "08:00–20:00", "due": 2356, "limit": 2000}
    for cause in AttentionCause:
        of_day = cause in {AttentionCause.HOLIDAY, AttentionCause.LIMIT}
        factories.AttentionFactory(
            follow_up=follow_up, cause=cause, subject="2030-12-25" if of_day else "1", values=values
        )
    return "number:1"


def _every_kind_of_message(team: Team, *, said: str) -> None:
    """What a contact can send that is more than words, with ``said`` wherever words are."""
    person = {"name": {"formatted_name": said}, "phones": [{"phone": "+506 8711 2233"}]}
    article = {"product_retailer_id": said, "quantity": 2, "item_price": 10.5, "currency": "USD"}
    answers = json.dumps({"screen_0_Rating_0": said, f"screen_0_{said}_1": "Sí"})
    quoted = factories.MessageFactory(conversation=team.conversation, text=said, whatsapp_id="wamid.QUOTED")
    nodes: list[tuple[str, Any]] = [
        ("location", {"name": said, "address": said, "latitude": 9.93, "longitude": -84.08}),
        ("contacts", [person]),
        ("order", {"text": said, "product_items": [article]}),
        ("interactive", {"type": "nfm_reply", "nfm_reply": {"response_json": answers}}),
        ("document", {"id": "1", "filename": f"{said}.pdf", "caption": said}),
        *((kind, {"id": "1"}) for kind in ("image", "video", "audio", "sticker")),
    ]
    for kind, node in nodes:
        content = {kind: node, "context": {"id": quoted.whatsapp_id}}
        message = factories.MessageFactory(
            conversation=team.conversation, direction="in", kind=kind, content=content, text=said
        )
        if kind == "location":
            ad = {"headline": said, "body": said, "source_url": "https://fb.example/1"}
            message.content["referral"] = ad
            message.save()
        if kind == "image":
            Attachment.objects.create(message=message, media_id="1", due_at=message.at)
