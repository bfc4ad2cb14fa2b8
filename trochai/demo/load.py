"""Writes the story into the database, once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from conversations import recording
from conversations.media import expecting
from conversations.models import (
    Contact,
    Conversation,
    Delivery,
    Direction,
    Message,
    MessageKind,
    SavedReply,
    Tag,
)
from followups.attention import looking
from followups.models import Preset
from templates_app.models import Template
from trochai.accounts.models import Membership, Organization, SendingHours, User
from trochai.checks import DEMO_PASSWORD
from trochai.demo import past, scenes, story
from trochai.demo.stage import Stage, wamid
from trochai.whatsapp.models import Channel
from trochai.whatsapp.sandbox.accounts import SANDBOX_TOKEN
from trochai.whatsapp.sandbox.catalogue import CATALOGUE
from trochai.whatsapp.sandbox.media import FILES

# What the sandbox signs its webhooks with.
APP_SECRET = "sandbox-app-secret"  # noqa: S105


def is_loaded() -> bool:
    return User.objects.filter(email=story.DANIELA).exists()


@transaction.atomic
def load(now: dt.datetime) -> None:
    """Write everything, with moments relative to ``now``. Raises ``IntegrityError`` the second time."""
    people = {
        # The admin may enter /admin/, as the one does whom create_admin makes.
        email: (User.objects.create_superuser if email == story.DANIELA else User.objects.create_user)(
            email, DEMO_PASSWORD, name=name
        )
        for email, name in story.PEOPLE.items()
    }
    for agency in story.AGENCIES:
        stage = _set_up(agency, people, now)
        for conversation in agency.conversations:
            _play(conversation, stage)
    # What is written here passes by what has changes looked at.
    looking.look_at_all(now=now, stop=lambda: False)


def _set_up(agency: scenes.Agency, people: dict[str, User], now: dt.datetime) -> Stage:
    organization = Organization.objects.create(
        name=agency.name, timezone="America/Costa_Rica", keeps_holidays=True
    )
    channel = Channel.objects.create(
        organization=organization,
        name=agency.name,
        display_phone_number=agency.phone,
        phone_number_id=agency.phone_number_id,
        waba_id=agency.waba_id,
        access_token=SANDBOX_TOKEN,
        app_secret=APP_SECRET,
        templates_synced_at=now,
        messaging_limit="TIER_2K",
        messaging_limit_at=now,
    )
    members = {
        email: Membership.objects.create(user=people[email], organization=organization, role=role)
        for email, role in agency.members.items()
    }
    templates = {entry["name"]: _template(channel, entry, now) for entry in CATALOGUE}
    tags = {
        name: Tag.objects.create(organization=organization, name=name, tone=tone, place=place)
        for place, (name, tone) in enumerate(agency.tags.items())
    }
    SendingHours.objects.bulk_create(
        SendingHours(organization=organization, weekday=day, begin=dt.time(8), end=end)
        for day, end in [*((day, dt.time(20)) for day in range(1, 6)), (6, dt.time(13))]
    )
    Preset.objects.bulk_create(
        Preset(organization=organization, position=position, name=name, kind=kind, number=number, time=time)
        for position, (name, kind, number, time) in enumerate(agency.presets, start=1)
    )
    SavedReply.objects.bulk_create(
        SavedReply(organization=organization, name=name, text=text)
        for name, text in agency.saved_replies.items()
    )
    return Stage(organization, channel, members, templates, tags, now)


def _template(channel: Channel, entry: dict[str, Any], now: dt.datetime) -> Template:
    template = Template(
        channel=channel,
        meta_id=entry["id"],
        name=entry["name"],
        language=entry["language"],
        category=entry["category"],
        status=entry["status"],
        quality=entry["quality_score"]["score"],
        parameter_format=entry["parameter_format"],
        components=entry["components"],
        synced_at=now,
    )
    template.prepare_search()
    template.save()
    return template


# Conversations --------------------------------------------------------------------------------------


def _play(scene: scenes.Conversation, stage: Stage) -> None:
    begin = stage.at(scene.lines[0].when)
    wrote = next((stage.at(line.when) for line in scene.lines if line.by is None), None)
    contact = Contact.objects.create(
        organization=stage.organization,
        name=scene.name,
        phone=scene.phone,
        profile_name=scene.name if wrote else "",
        first_seen_at=wrote,
        opted_out_at=stage.at(scene.opted_out) if scene.opted_out else None,
        created_at=begin,
    )
    conversation = Conversation.objects.create(
        organization=stage.organization,
        channel=stage.channel,
        contact=contact,
        assignee=stage.user(scene.assignee),
        last_message_at=begin,
        created_at=begin,
    )
    conversation.tags.set(stage.tags[name] for name in scene.tags)
    for line in scene.lines:
        _say(line, conversation, stage, language=scene.language)
    for follow_up in scene.follow_ups:
        past.replay(follow_up, conversation, stage)
    # Set last: each inbound message opens the conversation and counts as unread.
    Conversation.objects.filter(pk=conversation.pk).update(status=scene.status, unread_count=scene.unread)


def _say(line: scenes.Said, conversation: Conversation, stage: Stage, *, language: str) -> None:
    at, outbound = stage.at(line.when), line.by is not None
    text = stage.words(line.text, language)
    file = FILES[line.file] if line.file else None
    message = Message.objects.create(
        conversation=conversation,
        channel=stage.channel,
        direction=Direction.OUTBOUND if outbound else Direction.INBOUND,
        kind=file.kind if file else MessageKind.TEXT,
        content={file.kind: file.content(text)} if file else {},
        text=text,
        language=language,
        whatsapp_id="" if line.delivery == Delivery.FAILED else wamid(),
        delivery=line.delivery if outbound else "",
        error_code=line.error_code,
        sent_by=stage.user(line.by),
        at=at,
        created_at=at,
    )
    recording.move_conversation(message, preview=recording.one_line(text))
    expecting.expect([message])
