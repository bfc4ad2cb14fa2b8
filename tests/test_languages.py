"""No sentence that was stored reaches a page: under another language every word of ours is a translated one.

The other language is made up: each letter of a text that gettext is asked for gets a wide twin. A plain
letter on a page then belongs to what people typed, or to a sentence that nobody translated.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from email.message import Message
from html.parser import HTMLParser

import pytest
from django.utils import timezone, translation
from django.utils.translation import trans_real

from conversations import recording
from followups import announcements
from followups.imports.problems import Flaw
from followups.models import BulkChange, CancelCause, FailureKind, FollowUp, Hold, Outcome, SeriesEnd
from followups.wording.failures import Cause
from followups.wording.notices import Kind
from notifications.models import Notification
from tests import factories
from tests.conftest import Team, signed_in
from trochai.paging import Count
from trochai.whatsapp import channels
from trochai.whatsapp.cloud_api.failures import Cause as TheirCause
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.models import UnknownNumber
from trochai.whatsapp.sandbox.media import FILES
from trochai.whatsapp.sandbox.pages import Pages, Request
from trochai.whatsapp.webhooks.parsing import AccountEvent, InboundMessage

# What is no text for people: placeholders, markup, entities.
KEPT = re.compile(r"(%\(\w+\)\w|%[sd%]|<[^>]*>|&\w+;)")
WIDE = {
    letter: chr(ord(letter) + 0xFEE0)
    for letter in map(chr, range(ord("A"), ord("z") + 1))
    if letter.isalpha()
}
TWINS = str.maketrans(WIDE)
SHOWN_ATTRIBUTES = {"title", "aria-label", "placeholder", "alt", "hx-confirm", "data-label"}
# The product's name and people's data; everything else on a page is ours to translate.
DATA = re.compile(
    r"Trochai|WhatsApp$|America/Costa_Rica|person\d+@example\.com|Agency \d+|Person \d+|Number \d+"
    r"|María Jiménez|María|MJ|visit_reminder"
    r"|Hola|le recordamos su visita a|su visita a|Casa EC-204|el|sábado|Responda si desea cambiarla"
    r"|Su visita con Casa Verde|Casa Verde Bienes Raíces|Buenos días|Costa Rica|\bdic\b|Cliente de la feria"
)


def other_language(text: str) -> str:
    parts = KEPT.split(text)
    return "".join(part if index % 2 else part.translate(TWINS) for index, part in enumerate(parts))


@pytest.fixture
def pseudo_locale(monkeypatch):
    catalog = trans_real.translation("es")
    monkeypatch.setattr(catalog, "gettext", lambda text: other_language(text.rpartition("\x04")[2]))
    monkeypatch.setattr(
        catalog,
        "ngettext",
        lambda one, many, count: other_language((one if count == 1 else many).rpartition("\x04")[2]),
    )
    with translation.override("es"):
        yield


class Words(HTMLParser):
    """Collects what a page says, in its text and in the attributes that are shown or read out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag, attributes):
        self.silent += tag in {"script", "style", "svg"}
        self.found += [value for name, value in attributes if name in SHOWN_ATTRIBUTES and value]

    def handle_endtag(self, tag):
        self.silent -= tag in {"script", "style", "svg"}

    def handle_data(self, data):
        if not self.silent:
            self.found.append(data)


def untranslated(html: str) -> list[str]:
    """Return the words in plain letters that are not data."""
    page = Words()
    page.feed(html)
    left = []
    for text in page.found:
        left += [
            f"{text.strip()[:60]!r}: {word}"
            for word in re.findall(r"[A-Za-z]{3,}(?: [A-Za-z]+)*", DATA.sub("", text))
        ]
    return left


def failed(team: Team, kind: FailureKind, failure: Failure, **fields) -> FollowUp:
    follow_up = factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        status="failed",
        failure_kind=kind,
        **failure.columns("failure"),
        **fields,
    )
    announcements.announce_failed(follow_up, now=timezone.now())
    return follow_up


def test_a_page_has_the_words_of_who_looks_whoever_looked_before(team, pseudo_locale):
    factories.FollowUpFactory(organization=team.organization, conversation=team.conversation)
    client = signed_in(team.agent)

    def links() -> list[str]:
        return re.findall(r"(\S+)\s*</a>", client.get("/followups/").content.decode())

    for _each in range(2):
        assert "Ｖｉｅｗ" in links()
        with translation.override("en"):
            assert "View" in links()


FAILURES = [
    (FailureKind.TEMPORARY, Failure(130429)),
    (FailureKind.CHANNEL, Failure(190)),
    (FailureKind.PERMANENT, Failure.reported(777, "…")),
    (FailureKind.PERMANENT, Failure(cause=TheirCause.NO_NUMBER)),
    (FailureKind.UNKNOWN, Failure(cause=Cause.UNKNOWN)),
    (FailureKind.MISSED, Failure(cause=Cause.MISSED, values={"hours": 4.0})),
    (FailureKind.RECHECK, Failure(cause=Cause.OPTED_OUT)),
    (FailureKind.RECHECK, Failure(cause=Cause.NOT_APPROVED, values={"status": "PAUSED"})),
    (FailureKind.RECHECK, Failure(cause=Cause.CHANGED)),
    (FailureKind.RECHECK, Failure(cause=Cause.BROKEN)),
    (FailureKind.UNDELIVERED, Failure(cause=Cause.NOT_DELIVERED)),
]


@pytest.mark.parametrize(("kind", "failure"), FAILURES, ids=str)
def test_why_a_follow_up_failed_is_said_in_the_readers_language(team, pseudo_locale, kind, failure):
    with translation.override("en"):  # the worker's
        follow_up = failed(team, kind, failure)
        for outcome, error in ((Outcome.TEMPORARY, 130429), (Outcome.PERMANENT, 777)):
            factories.AttemptFactory(follow_up=follow_up, outcome=outcome, code=error, cause="", details="")
        factories.AttemptFactory(follow_up=follow_up, outcome=Outcome.UNKNOWN, cause=TheirCause.NO_ANSWER)
    client = signed_in(team.agent)
    for path in (f"/followups/{follow_up.pk}/", "/followups/?status=failed", "/notifications/"):
        assert untranslated(client.get(path).text) == []


def test_a_sentence_that_was_stored_would_be_seen(team, pseudo_locale):
    told = Failure(cause=TheirCause.AS_TOLD, values={"text": "It went wrong."})
    failed(team, FailureKind.PERMANENT, told)
    assert any(
        "It went wrong" in each for each in untranslated(signed_in(team.agent).get("/followups/").text)
    )


@pytest.mark.parametrize("status", ["all", "pending", "sent", "failed", "canceled"])
def test_every_tab_is_in_the_readers_language(team, pseudo_locale, status):
    with translation.override("en"):
        channels.stop(team.channel.pk, failure=Failure(131042), now=timezone.now())
        for each in ("pending", "processing", "sent", "failed", "canceled"):
            factories.FollowUpFactory(
                organization=team.organization,
                conversation=team.conversation,
                template=team.template,
                created_by=team.agent.user,
                status=each,
            )
    assert untranslated(signed_in(team.admin).get(f"/followups/?status={status}").text) == []


KINDS = [
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "order",
    "reaction",
    "hologram",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_without_words_is_named_in_the_readers_language(team, pseudo_locale, kind):
    contact = team.conversation.contact
    with translation.override("en"):  # the webhook's
        event = InboundMessage(
            id="wamid.IN",
            from_phone=contact.phone,
            from_user_id="",
            profile_name="",
            at=timezone.now(),
            kind=kind,
            text="",
            content={kind: {"voice": True}},
        )
        recording.record_inbound(channel=team.channel, event=event, now=timezone.now())
    client = signed_in(team.agent)
    team.conversation.refresh_from_db()
    assert team.conversation.preview_words
    for path in ("/inbox/", f"/inbox/{team.conversation.pk}/"):
        assert untranslated(client.get(path).text) == []


@pytest.mark.parametrize(
    ("delivery", "failure"),
    [
        ("failed", Failure(131047)),
        ("failed", Failure(cause=TheirCause.NO_SLOT)),
        ("failed", Failure()),
        ("unknown", Failure()),
    ],
)
def test_what_did_not_arrive_says_so_in_the_readers_language(team, pseudo_locale, delivery, failure):
    message = factories.MessageFactory(
        conversation=team.conversation, delivery=delivery, **failure.columns("error")
    )
    client = signed_in(team.agent)
    assert untranslated(client.get(f"/inbox/{team.conversation.pk}/").text) == []
    refused = client.post(f"/inbox/messages/{message.pk}/retry/", follow=True)
    assert untranslated(refused.text) == []


def test_a_stopped_channel_says_why_in_the_readers_language(team, pseudo_locale):
    with translation.override("en"):
        channels.stop(team.channel.pk, failure=Failure(131042), now=timezone.now())
    client = signed_in(team.admin)
    schedule = f"/followups/schedule/{team.conversation.pk}/"
    for path in ("/inbox/", "/followups/", "/templates/", "/notifications/", schedule):
        assert untranslated(client.get(path).text) == []


def test_a_hold_is_spoken_of_in_the_readers_language(team, pseudo_locale):
    late = timezone.now() - dt.timedelta(hours=9)
    factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        scheduled_for=late,
    )
    team.admin.user.name = "María Jiménez"
    team.admin.user.save()
    hold = factories.HoldFactory(organization=team.organization, by=team.admin.user, reason="María")
    client = signed_in(team.admin)
    talk = f"/inbox/{team.conversation.pk}/"
    of_one = f"/followups/holds/{hold.pk}"
    for path in ("/followups/", "/followups/hold/", f"{of_one}/reason/", f"{of_one}/release/", talk):
        assert untranslated(client.get(path).text) == []
    for path in ("/followups/hold/", f"{of_one}/reason/", f"{of_one}/release/"):
        answer = client.post(path, {})
        assert answer.status_code == 422
        assert untranslated(answer.text) == []
    Hold.objects.update(reason="", cause="silence", silent_since=late, by=None)
    assert untranslated(client.get("/followups/").text) == []


def test_what_is_wrong_in_the_schedule_dialog_is_said_in_the_readers_language(team, pseudo_locale):
    client = signed_in(team.agent)
    form = {"template": team.template.pk, "when": "custom", "time": "09:00"}
    for date in (
        "",
        "2001-01-01",
        "9999-12-31",
        (timezone.now() + dt.timedelta(days=400)).date().isoformat(),
    ):
        answer = client.post(f"/followups/schedule/{team.conversation.pk}/", {**form, "date": date})
        assert answer.status_code == 422
        assert untranslated(answer.text) == []


@pytest.mark.parametrize("state", ["uploaded", "checking", "checked", "scheduling", "done"])
def test_every_step_of_an_import_is_in_the_readers_language(team, pseudo_locale, state):
    with translation.override("en"):
        batch = factories.ImportFactory(
            organization=team.organization,
            created_by=team.agent.user,
            state=state,
            file_name="María",
            headings=["María"] * 3,
            columns=["phone", "value:body.1", "date"] if state != "uploaded" else [],
            channel=team.channel,
            template=team.template,
            done_at=timezone.now() if state == "done" else None,
        )
        values = {"row": 2, "next": timezone.now().isoformat(), "country": "XX", "digits": 6, "lengths": [9]}
        problems = [{"field": "contact", "code": flaw, "values": values} for flaw in Flaw]
        for verdict in ("ready", "refused", "duplicate"):
            factories.ImportRowFactory(batch=batch, cells=["1"] * 3, verdict=verdict, problems=problems)
    step = {"uploaded": "columns", "checking": "check", "checked": "check"}.get(state, "result")
    client = signed_in(team.agent)
    for path in ("/followups/import/", f"/followups/import/{batch.pk}/{step}/"):
        assert untranslated(client.get(path).text) == []


def test_every_notification_is_in_the_readers_language(team, pseudo_locale):
    now = timezone.now()
    with translation.override("en"):
        follow_up = factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.admin.user,
            status="canceled",
            cancel_cause=CancelCause.REPLY,
        )
        waiting = factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.admin.user,
        )
        announcements.announce_sent([follow_up], now=now)
        announcements.announce_canceled(follow_up, now=now)
        failed(team, FailureKind.PERMANENT, Failure(131026))
        team.template.status = "PAUSED"
        announcements.announce_template_unusable(team.template, [waiting], now=now)
        team.channel.stop_code = 190
        announcements.announce_channel_stopped(team.channel, now=now)
        announcements.announce_held(waiting, now=now)
        announcements.announce_moved_to(waiting, by=team.agent.user, now=now)
        announcements.announce_edited(waiting, by=team.agent.user, now=now)
        announcements.announce_handed_over(waiting, by="María", now=now)
        series = factories.SeriesFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.admin.user,
        )
        announcements.announce_dates_skipped(series, [now, now], count=2, now=now)
        for cause in set(SeriesEnd) - {SeriesEnd.DATES}:
            series.end_cause = cause
            announcements.announce_series_ended(series, now=now)
        announcements.announce_restored({(team.organization.pk, team.admin.user_id): 2}, now=now)
        for action, ending in (("move", "stopped"), ("hand_over", "done")):
            values = {"days": 3, "name": "María", "to": team.agent.user_id}
            made = BulkChange(pk=1, organization=team.organization, by=team.admin.user, action=action)
            made.values, made.ending, made.worked_at = values, ending, now
            made.changed, made.refused, made.concerned = 3, 1, {str(team.agent.user_id): 3}
            announcements.announce_bulk_ended(made, now=now)
        imported = factories.ImportFactory(
            organization=team.organization, created_by=team.admin.user, file_name="María"
        )
        announcements.announce_imported(imported, imported.counts(), now=now)
        announcements.announce_moved([waiting], "+506 8888 1111", now=now)
        announcements.announce_alike(follow_up.conversation.contact, waiting.conversation.contact, now=now)
        announcements.announce_account_event(team.channel, AccountEvent("ACCOUNT_RESTRICTION", {}), now=now)
        announcements.announce_number_unknown(team.channel, UnknownNumber(phone_number_id="9"), now=now)
        announcements.announce_silence(since=now - dt.timedelta(hours=1), now=now)
        announcements.announce_sending_again(since=now - dt.timedelta(hours=1), now=now)
        number = {"organization": team.organization, "channel": team.channel}
        silent = {"cause": "silence", "silent_since": now}
        for scope in ({"reason": "1", "scope": "channel", **number}, {"scope": "everything", **silent}):
            hold = Hold(**scope)
            announcements.announce_hold(hold, due=Count(3), now=now)
            hold.late = "tomorrow"
            announcements.announce_hold_released(hold, now=now)
        Notification.objects.update(recipient=team.admin.user)
        factories.NotificationFactory(
            organization=team.organization, recipient=team.admin.user, kind="of tomorrow", values={}
        )
    assert set(Notification.objects.values_list("kind", flat=True)) == {*Kind, "of tomorrow"}
    client = signed_in(team.admin)
    for headers in ({}, {"HX-Request": "true"}):
        assert untranslated(client.get("/notifications/", headers=headers).text) == []


def test_a_refusal_is_said_in_the_readers_language(team, pseudo_locale):
    sent = factories.FollowUpFactory(
        organization=team.organization,
        conversation=team.conversation,
        template=team.template,
        created_by=team.agent.user,
        status="sent",
    )
    answer = signed_in(team.agent).post(f"/followups/{sent.pk}/cancel/", headers={"HX-Request": "true"})
    assert answer.status_code == 409
    toast = json.loads(answer["HX-Trigger"])["toast"]
    assert untranslated(f"{toast['title']} {toast['text']}") == []


def test_the_sandboxs_phones_are_in_the_readers_language(sandbox, pseudo_locale):
    pages = Pages(sandbox._api, "127.0.0.1")
    people, (account,) = sandbox._api.people, sandbox._api.directory()
    phone = people.meet(account, "+50688881234", "María Jiménez")
    people.answer_from_app(account, phone, "Buenos días")
    for file in FILES.values():
        people.write(account, phone, file.kind, file.content())
    people.write(account, phone, "location", {})
    phone = people.meet(account, "+50688881234")
    people.delete(account, phone)
    people.choose_marketing(account, phone, stop=True)
    people.move(account, phone, "50688889999")
    people.switch(account, phone, is_on=False, shows_read=True, shares_number=True, fails_with="1026")
    headers = Message()
    headers["Host"] = "127.0.0.1"
    for path in ("/phones/1/", "/phones/2/"):
        answer = pages.handle(Request("GET", path, headers, b""))
        # Names of files, and of the fields of webhooks.
        html = re.sub(r"Plano EC-204\.pdf|<code[^>]*>[^<]*</code>", "", answer.body.decode())
        assert untranslated(html) == []
