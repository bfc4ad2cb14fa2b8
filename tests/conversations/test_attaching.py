"""Files that people send: taken in, passed on to WhatsApp, and sent once."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.utils import timezone

from conversations.media import passing, transfer, unsent, uploads
from conversations.models import Attachment, Conversation, Delivery, Message, QueuedMessage, Upload
from conversations.tasks import purge_uploads, send_replies, transfer_files
from conversations.wording import Cause
from tests.conftest import signed_in
from tests.html import html_of
from tests.stores import IN_A_BUCKET, IN_EITHER
from trochai.whatsapp.cloud_api.failures import Failure
from trochai.whatsapp.sandbox.media import FILES

PHOTO, PLAN, VOICE = (FILES[name].make() for name in ("photo", "document", "voice"))


@pytest.fixture
def talk(team) -> Conversation:
    """It can be written to."""
    Conversation.objects.filter(pk=team.conversation.pk).update(last_inbound_at=timezone.now())
    team.conversation.refresh_from_db()
    return team.conversation


@pytest.fixture
def sandbox(sandbox, store):
    """It, with files kept in either store."""
    return sandbox


def attach(member, conversation, name, data):
    """Upload a file as the composer does; return the answer."""
    file = SimpleUploadedFile(name, data, content_type="text/html")
    return signed_in(member).post(f"/inbox/{conversation.pk}/files/", {"file": file})


def attached(member, conversation, name="casa.jpg", data=PHOTO) -> str:
    answer = attach(member, conversation, name, data)
    assert answer.status_code == 200, answer.content
    upload = Upload.objects.latest("pk")
    assert f'name="attached" value="{upload.uuid}"' in html_of(answer)
    return str(upload.uuid)


def send(member, conversation, *ids, text="", token=None):
    form = {"text": text, "attached": list(ids), "uuid": str(token or uuid.uuid4())}
    return signed_in(member).post(f"/inbox/{conversation.pk}/reply/", form)


def work():
    """What workers do who are woken."""
    transfer_files()
    send_replies()


def bodies(sandbox):
    return [
        {key: call.body[key] for key in ("type", call.body["type"])}
        for call in sandbox.calls
        if call.status == 200
    ]


def page(team, conversation):
    return html_of(signed_in(team.agent).get(f"/inbox/{conversation.pk}/"))


# The way out -------------------------------------------------------------------------------------------


@IN_EITHER
def test_a_picture_goes_out_with_its_caption(team, talk, sandbox):
    picture = attached(team.agent, talk)
    assert send(team.agent, talk, picture, text="¿Es *esta*?").status_code == 302
    message = Message.objects.latest("pk")
    assert (message.delivery, message.kind) == (Delivery.SENDING, "image")
    work()
    message.refresh_from_db()
    assert message.delivery == Delivery.ACCEPTED
    [body] = bodies(sandbox)
    assert body["type"] == "image"
    assert body["image"]["caption"] == "¿Es *esta*?"
    assert body["image"]["id"] == message.attachment.media_id != ""
    assert f"/inbox/files/{message.attachment.pk}/thumbnail/" in page(team, talk)
    talk.refresh_from_db()
    assert (talk.preview, talk.preview_kind, talk.preview_is_outbound) == ("¿Es *esta*?", "image", True)
    assert not Upload.objects.exists()


def test_several_files_go_out_in_their_order_and_only_the_first_says_something(team, talk, sandbox):
    ids = [attached(team.agent, talk), attached(team.agent, talk, "Ficha EC-204.pdf", PLAN)]
    send(team.agent, talk, *ids, text="Aquí van")
    work()
    first, second = bodies(sandbox)
    assert first["image"]["caption"] == "Aquí van"
    assert {**second["document"], "id": ""} == {"id": "", "filename": "Ficha EC-204.pdf"}
    assert "Ficha EC-204.pdf" in page(team, talk)


def test_an_audio_has_no_caption_so_the_words_go_by_themselves(team, talk, sandbox):
    send(team.agent, talk, attached(team.agent, talk, "nota.ogg", VOICE), text="Escuche")
    work()
    sent = sorted(bodies(sandbox), key=lambda body: body["type"])
    assert [body["type"] for body in sent] == ["audio", "text"]
    assert set(sent[0]["audio"]) == {"id"}
    assert sent[1]["text"]["body"] == "Escuche"


def test_words_too_long_for_a_caption_go_by_themselves(team, talk, sandbox):
    send(team.agent, talk, attached(team.agent, talk), text="x" * 1025)
    work()
    assert sorted(body["type"] for body in bodies(sandbox)) == ["image", "text"]


def test_the_same_form_sent_twice_sends_once(team, talk, sandbox):
    picture, token = attached(team.agent, talk), uuid.uuid4()
    for _time in range(2):
        assert send(team.agent, talk, picture, text="Una vez", token=token).status_code == 302
    work()
    assert len(bodies(sandbox)) == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_form_sent_twice_at_once_sends_once(team, talk, sandbox, in_threads):
    picture, token = attached(team.agent, talk), uuid.uuid4()
    answers = in_threads(lambda _n: send(team.agent, talk, picture, token=token).status_code, 2)
    assert answers == [302, 302]


def test_a_file_is_enough_and_nothing_at_all_is_not(team, talk, sandbox):
    assert send(team.agent, talk, attached(team.agent, talk)).status_code == 302
    answer = send(team.agent, talk)
    assert answer.status_code == 422
    assert "Write a message first." in html_of(answer)


# What is not taken -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("foto.heic", PHOTO, "WhatsApp doesn’t take .heic. Send it as JPEG."),
        ("FOTO.WEBP", FILES["sticker"].make(), "WhatsApp doesn’t take .webp. Send it as JPEG."),
        ("clip.mov", FILES["video"].make(), "WhatsApp doesn’t take .mov. Send it as MP4."),
        ("virus.exe", b"MZ", "WhatsApp doesn’t take .exe."),
        ("nothing", b"x", "WhatsApp doesn’t take files without an ending."),
        ("vacío.pdf", b"", "The file is empty."),
        ("casa.jpg", b"<svg><script>alert(1)</script></svg>", "It is not what its name says."),
        ("casa.png", PHOTO, "It is not what its name says."),
        ("voz.mp3", PHOTO, "It is not what its name says."),
        ("grande.jpg", b"x" * (5 * 1024 * 1024 + 1), "5.0\xa0MB: over 5.0\xa0MB"),
    ],
)
def test_what_whatsapp_does_not_take_is_refused_in_words(team, talk, sandbox, store, name, data, words):
    answer = attach(team.agent, talk, name, data)
    assert (answer.status_code, answer.content.decode()) == (422, words)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert not store.names()


@IN_EITHER
def test_what_is_over_all_limits_is_not_kept_while_it_comes_in(team, talk, sandbox, store, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_BYTES", 100_000)
    answer = attach(team.agent, talk, "plano.pdf", b"x" * 300_000)
    assert answer.status_code == 422
    assert answer.content.decode() == "over 97.7\xa0KB"
    assert not store.names()


def test_only_who_may_write_attaches_and_only_from_our_own_page(team, stranger, talk, sandbox, client):
    address = f"/inbox/{talk.pk}/files/"
    assert attach(team.viewer, talk, "casa.jpg", PHOTO).status_code == 403
    assert attach(stranger.agent, talk, "casa.jpg", PHOTO).status_code == 404
    assert client.post(address, {"file": SimpleUploadedFile("casa.jpg", PHOTO)}).status_code == 302
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(team.agent.user, backend="django.contrib.auth.backends.ModelBackend")
    assert forged.post(address, {"file": SimpleUploadedFile("casa.jpg", PHOTO)}).status_code == 403
    assert not Upload.objects.exists()


@IN_EITHER
def test_what_somebody_is_about_to_send_is_theirs_alone(team, stranger, talk, sandbox):
    picture = attached(team.agent, talk)
    address = f"/inbox/uploads/{picture}/"
    mine = signed_in(team.agent).get(address)
    assert mine["Content-Type"] == "image/webp"
    assert b"".join(mine.streaming_content)
    for close in mine._resource_closers:
        close()
    for member in (team.other_agent, team.admin, stranger.agent):
        assert signed_in(member).get(address).status_code == 404
    answer = send(team.other_agent, talk, picture)
    assert answer.status_code == 422
    assert "A file is no longer here. Attach it again." in html_of(answer)
    assert not Message.objects.filter(kind="image").exists()


@pytest.mark.parametrize("ids", [["nonsense"], [str(uuid.uuid4())], [str(uuid.UUID(int=1))] * 2])
def test_files_that_are_not_there_are_not_sent(team, talk, sandbox, ids):
    assert send(team.agent, talk, *ids).status_code == 422
    assert not Message.objects.filter(kind="image").exists()


def test_nothing_is_lost_where_the_window_has_closed(team, talk, sandbox):
    picture = attached(team.agent, talk)
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(hours=25))
    answer = send(team.agent, talk, picture, text="Tarde")
    assert answer.status_code == 422
    html = html_of(answer)
    assert "The 24-hour window is closed" in html
    assert f'name="attached" value="{picture}"' in html
    assert ">Tarde</textarea>" in html
    assert Upload.objects.filter(uuid=picture).exists()


@IN_EITHER
def test_a_large_file_goes_in_and_out_in_pieces(team, talk, sandbox):
    plan = PLAN + bytes(range(256)) * 40_000
    send(team.agent, talk, attached(team.agent, talk, "plano.pdf", plan))
    work()
    assert [body["type"] for body in bodies(sandbox)] == ["document"]
    response = signed_in(team.agent).get(f"/inbox/files/{Attachment.objects.get().pk}/")
    assert b"".join(response.streaming_content) == plan
    for close in response._resource_closers:
        close()


@IN_A_BUCKET
def test_what_is_passed_on_is_taken_out_of_the_bucket_once(team, talk, sandbox, store):
    waiting(team, talk)
    store.server.asked.clear()
    work()
    assert [method for method, _range in store.server.asked] == ["GET"]
    assert len(bodies(sandbox)) == 1


def test_what_is_attached_while_the_bucket_is_away_is_not_available(team, talk, sandbox, bucket_away):
    bucket_away("refuses")
    client = signed_in(team.agent)
    client.raise_request_exception = False
    file = SimpleUploadedFile("casa.jpg", PHOTO)
    assert client.post(f"/inbox/{talk.pk}/files/", {"file": file}).status_code == 503
    assert not Upload.objects.exists()


# What goes wrong ---------------------------------------------------------------------------------------


def waiting(team, talk) -> Attachment:
    send(team.agent, talk, attached(team.agent, talk), text="Mire")
    return Attachment.objects.select_related("message").latest("pk")


def test_what_whatsapp_refuses_is_said_and_stays_to_be_seen(team, talk, sandbox, settings, httpserver):
    attachment = waiting(team, talk)
    refusal = {"error": {"code": 131053, "error_data": {"details": "Bad file"}}}
    path = f"/{settings.WHATSAPP_API_VERSION}/{team.channel.phone_number_id}/media"
    httpserver.expect_request(path).respond_with_json(refusal, status=400)
    settings.WHATSAPP_API_URL = httpserver.url_for("").rstrip("/")
    work()
    message = Message.objects.get(pk=attachment.message_id)
    assert (message.delivery, message.error_code) == (Delivery.FAILED, 131053)
    assert not QueuedMessage.objects.exists()
    html = page(team, talk)
    assert 'class="problem"' in html
    assert f"/inbox/files/{attachment.pk}/thumbnail/" in html
    talk.refresh_from_db()
    assert talk.last_has_failed


def test_what_cannot_be_passed_on_now_is_tried_again_for_ten_minutes(
    team, talk, sandbox, settings, httpserver
):
    attachment = waiting(team, talk)
    path = f"/{settings.WHATSAPP_API_VERSION}/{team.channel.phone_number_id}/media"
    httpserver.expect_request(path).respond_with_json({"error": {"code": 2}}, status=503)
    settings.WHATSAPP_API_URL = httpserver.url_for("").rstrip("/")
    work()
    assert Message.objects.get(pk=attachment.message_id).delivery == Delivery.SENDING
    Attachment.objects.update(due_at=timezone.now())
    settings.WHATSAPP_API_URL = sandbox.url
    work()
    assert Message.objects.get(pk=attachment.message_id).delivery == Delivery.ACCEPTED


def test_a_worker_that_dies_after_passing_it_on_leaves_it_to_the_next(team, talk, sandbox, monkeypatch):
    attachment = waiting(team, talk)
    with monkeypatch.context() as dying:
        dying.setattr(passing, "_queue", lambda *_what: 1 / 0)
        transfer.do_next()
    assert not QueuedMessage.objects.exists()
    Attachment.objects.filter(pk=attachment.pk).update(due_at=timezone.now())
    work()
    assert len(bodies(sandbox)) == 1


def test_a_worker_that_slept_over_its_lease_has_nothing_sent_twice(team, talk, sandbox):
    asleep = waiting(team, talk)
    work()
    passing.run(asleep)
    work()
    assert len(bodies(sandbox)) == 1


@IN_EITHER
def test_what_was_not_sent_is_sent_again_with_a_file_of_its_own(
    team, talk, sandbox, store, django_capture_on_commit_callbacks
):
    failed = waiting(team, talk).message
    unsent.fail(failed.attachment, Failure(cause=Cause.NOT_UPLOADED))
    assert "Try again</button>" in page(team, talk)
    again = f"/inbox/messages/{failed.pk}/retry/"
    for _time in range(2):
        assert signed_in(team.agent).post(again).status_code == 302
    work()
    [body] = bodies(sandbox)
    assert body["image"]["caption"] == "Mire"
    sent = Message.objects.exclude(pk=failed.pk).get(kind="image")
    assert (sent.delivery, sent.sent_by) == (Delivery.ACCEPTED, team.agent.user)
    with django_capture_on_commit_callbacks(execute=True):
        failed.delete()
    names = {sent.attachment.uuid.hex, f"{sent.attachment.uuid.hex}-small"}
    assert store.names() == names


@IN_A_BUCKET
@pytest.mark.django_db(transaction=True)
def test_what_two_send_again_at_once_is_copied_once(team, talk, sandbox, store, in_threads):
    failed = waiting(team, talk).message
    unsent.fail(failed.attachment, Failure(cause=Cause.NOT_UPLOADED))
    again = f"/inbox/messages/{failed.pk}/retry/"
    assert in_threads(lambda _n: signed_in(team.agent).post(again).status_code, 2) == [302, 302]
    assert len(store.names()) == 4


@IN_A_BUCKET
@pytest.mark.django_db(transaction=True)
def test_a_slow_bucket_holds_no_transaction_open(team, talk, sandbox, store, monkeypatch):
    ours, held = connections["default"], []
    monkeypatch.setattr(store.server, "meanwhile", lambda: held.append(ours.in_atomic_block))
    failed = waiting(team, talk).message
    unsent.fail(failed.attachment, Failure(cause=Cause.NOT_UPLOADED))
    signed_in(team.agent).post(f"/inbox/messages/{failed.pk}/retry/")
    assert Attachment.objects.count() == 2
    failed.delete()
    assert held
    assert not any(held)


def test_a_file_is_not_sent_again_where_the_window_has_closed(team, talk, sandbox):
    failed = waiting(team, talk).message
    unsent.fail(failed.attachment, Failure(cause=Cause.NOT_UPLOADED))
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(hours=25))
    assert "Try again</button>" not in page(team, talk)
    signed_in(team.agent).post(f"/inbox/messages/{failed.pk}/retry/")
    assert Message.objects.filter(kind="image").count() == 1


@pytest.mark.parametrize("who", ["a worker", "somebody who looks"])
def test_where_no_worker_passes_it_on_it_is_not_sent_and_says_so(team, talk, sandbox, who):
    attachment = waiting(team, talk)
    Message.objects.update(created_at=timezone.now() - unsent.WITHIN - dt.timedelta(seconds=1))
    if who == "a worker":
        send_replies()
    html = page(team, talk)
    assert "Its file could not be passed on to WhatsApp within 10 minutes." in html
    work()
    assert not bodies(sandbox)
    assert Message.objects.get(pk=attachment.message_id).delivery == Delivery.FAILED


@IN_EITHER
def test_nobody_fills_the_disk_with_what_is_never_sent(
    team, talk, sandbox, store, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(uploads, "MOST_UNSENT", 2)
    with django_capture_on_commit_callbacks(execute=True):
        ids = [attached(team.agent, talk, "nota.txt", f"nota {number}".encode()) for number in range(4)]
    attached(team.other_agent, talk, "nota.txt", b"otra")
    assert {str(each.uuid) for each in Upload.objects.filter(by=team.agent.user)} == set(ids[2:])
    assert len(store.names()) == 3


@IN_EITHER
def test_what_nobody_sends_within_a_day_is_deleted(
    team, talk, sandbox, store, django_capture_on_commit_callbacks
):
    kept, forgotten = attached(team.agent, talk), attached(team.agent, talk)
    sent = attached(team.agent, talk)
    with django_capture_on_commit_callbacks(execute=True):
        send(team.agent, talk, sent)
    Upload.objects.filter(uuid=forgotten).update(created_at=timezone.now() - dt.timedelta(days=1))
    with django_capture_on_commit_callbacks(execute=True):
        purge_uploads()
    names = {uuid.UUID(each).hex for each in (kept, sent)}
    assert store.names() == names | {f"{name}-small" for name in names}
