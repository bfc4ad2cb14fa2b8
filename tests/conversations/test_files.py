"""What contacts send: fetched by a worker, looked into, shown to whoever may see it, and to nobody else."""

from __future__ import annotations

import datetime as dt
import io
import json
import struct
import zlib
from importlib import import_module

import pytest
from django.apps import apps
from django.conf import settings as project_settings
from PIL import Image
from werkzeug import Response

from conversations.media import fetching, inspection, transfer
from conversations.media.inspection import Fault, NotTaken, inspect
from conversations.models import Attachment, AttachmentState, Message
from conversations.tasks import discard_files
from tests import factories
from tests.conftest import signed_in
from tests.stores import IN_A_BUCKET, IN_EITHER
from tests.webhooks.meta import PERSON, message, post, say
from trochai.whatsapp.cloud_api.client import client_for
from trochai.whatsapp.cloud_api.errors import TemporaryError
from trochai.whatsapp.cloud_api.media import MediaAddress, is_trusted
from trochai.whatsapp.sandbox.media import FILES

CAPTION = "¿Es esta la casa?"


class Meta:
    """Meta's two answers about one file: where it is, and its bytes."""

    def __init__(self, httpserver, settings):
        settings.WHATSAPP_API_URL = httpserver.url_for("").rstrip("/")
        self._server = httpserver
        self.tokens = []
        self.asked = []

    def has(self, data, *, media_id="77", size=None, url=None, status=200):
        address = {"url": url or self._server.url_for(f"/files/{media_id}"), "id": media_id}
        address["file_size"] = str(len(data) if size is None else size)

        def download(request):
            self.tokens.append(request.headers["Authorization"])
            return Response(data, status=status)

        def where(request):
            self.asked.append(request.args["phone_number_id"])
            return Response(json.dumps(address), content_type="application/json")

        path = f"/{project_settings.WHATSAPP_API_VERSION}/{media_id}"
        self._server.expect_request(path).respond_with_handler(where)
        self._server.expect_request(f"/files/{media_id}").respond_with_handler(download)

    def refuses(self, *, code, status=400, media_id="77"):
        path = f"/{project_settings.WHATSAPP_API_VERSION}/{media_id}"
        self._server.expect_request(path).respond_with_json({"error": {"code": code}}, status=status)


@pytest.fixture
def meta(httpserver, settings, store):
    return Meta(httpserver, settings)


def sent(team, kind="image", node=None, **more):
    """A message with a file, as it is after its webhook was read."""
    say(team.channel, kind, {"id": "77", "mime_type": "image/jpeg"} | (node or {}), **more)
    return Attachment.objects.get(message=Message.objects.latest("pk"))


def fetched(attachment):
    assert transfer.do_next()
    attachment.refresh_from_db()
    return attachment


def page(team, attachment, member=None):
    address = f"/inbox/{attachment.message.conversation_id}/"
    return signed_in(member or team.agent).get(address).content.decode()


def body_of(response):
    if not response.streaming:
        return response.content
    body = b"".join(response.streaming_content)
    # What its close() does too, which would take the test's database with it.
    for close in response._resource_closers:
        close()
    return body


# From the webhook to the page --------------------------------------------------------------------------


@IN_EITHER
def test_a_picture_is_being_fetched_and_then_there(team, meta):
    meta.has(FILES["photo"].make())
    attachment = sent(team, node={"caption": CAPTION})
    assert "Photo is being fetched" in page(team, attachment)
    fetched(attachment)
    assert attachment.state == AttachmentState.READY
    assert (attachment.mime_type, attachment.width, attachment.height) == ("image/jpeg", 656, 492)
    html = page(team, attachment)
    assert f'src="/inbox/files/{attachment.pk}/thumbnail/"' in html
    assert CAPTION in html
    assert meta.tokens == ["Bearer test-access-token"]
    assert meta.asked == [team.channel.phone_number_id]
    assert not transfer.do_next()


def test_files_of_many_messages_that_were_read_together_are_all_expected(team):
    say(team.channel)  # now the person is known
    contacts = [{"profile": {"name": "Cliente Inventado"}, "wa_id": PERSON}]
    pictures = [message("image", {"id": str(number)}) for number in range(5)]
    post(team.channel, contacts=contacts, messages=[*pictures, message("text", {"body": "Hola"})])
    assert set(Attachment.objects.values_list("media_id", flat=True)) == {"0", "1", "2", "3", "4"}


def test_what_a_colleague_sent_from_the_app_is_fetched_as_well(team, meta):
    meta.has(FILES["photo"].make())
    say(team.channel)
    picture = {"id": "wamid.E", "from": "50622014455", "to": PERSON, "type": "image", "image": {"id": "77"}}
    post(team.channel, "smb_message_echoes", message_echoes=[picture])
    attachment = fetched(Attachment.objects.get())
    assert attachment.state == AttachmentState.READY
    assert f"/inbox/files/{attachment.pk}/" in page(team, attachment)


@pytest.mark.parametrize(
    ("name", "mime_type", "marks"),
    [
        ("voice", "audio/ogg", ["<audio", "0:07", "<rect"]),
        ("video", "video/mp4", ["<video", 'poster="', "0:02"]),
        ("sticker", "image/webp", ["bubble--sticker", 'alt="Sticker"']),
        ("document", "application/octet-stream", ["Plano EC-204.pdf", "PDF · ", "download"]),
    ],
)
def test_each_kind_has_a_form_of_its_own(team, meta, name, mime_type, marks):
    file = FILES[name]
    meta.has(file.make())
    attachment = fetched(sent(team, file.kind, file.content() | {"id": "77"}))
    assert attachment.mime_type == mime_type
    html = page(team, attachment)
    for mark in marks:
        assert mark in html


def test_a_page_of_pictures_costs_one_query_more_than_one_of_words(
    team, standing_clock, django_assert_max_num_queries
):
    client, address = signed_in(team.viewer), f"/inbox/{team.conversation.pk}/"
    client.get(address)
    with django_assert_max_num_queries(50) as words:
        client.get(address)
    for number in range(8):
        picture = factories.MessageFactory(conversation=team.conversation, direction="in", kind="image")
        Attachment.objects.create(message=picture, media_id=str(number), due_at=picture.at)
    with django_assert_max_num_queries(len(words) + 1):
        client.get(address)


def test_the_files_that_meta_still_keeps_are_fetched_after_an_update(team):
    for days in (6, 8):
        factories.MessageFactory(
            conversation=team.conversation,
            direction="in",
            kind="image",
            content={"image": {"id": f"of {days}"}},
            at=dt.datetime.now(tz=dt.UTC) - dt.timedelta(days=days),
        )
    import_module("conversations.migrations.0022_transfer_files").expect(apps, None)
    assert [each.media_id for each in Attachment.objects.all()] == ["of 6"]


# Who may see it ----------------------------------------------------------------------------------------


@IN_EITHER
def test_a_file_is_its_organizations_alone(team, stranger, meta, client):
    meta.has(FILES["photo"].make())
    attachment = fetched(sent(team))
    for address in (f"/inbox/files/{attachment.pk}/", f"/inbox/files/{attachment.pk}/thumbnail/"):
        assert body_of(signed_in(team.viewer).get(address))
        assert signed_in(stranger.admin).get(address).status_code == 404
        assert client.get(address).status_code == 302


@IN_EITHER
def test_a_file_is_handed_out_as_what_it_is_and_can_do_nothing(team, meta):
    data = FILES["photo"].make()
    meta.has(data)
    attachment = fetched(sent(team))
    response = signed_in(team.agent).get(f"/inbox/files/{attachment.pk}/")
    assert body_of(response) == data
    assert response["Content-Type"] == "image/jpeg"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["Content-Disposition"].startswith("inline")
    assert response["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("given", "saved"),
    [
        ("Contrato Casa 204.pdf", "Contrato_Casa_204.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.exe", "a.exe"),
        ('x"\r\nSet-Cookie: a=b', "xSet-Cookie_ab"),
        ("..", "document"),
        ("Año\u202efdp.exe", "Añofdp.exe"),
    ],
)
def test_a_document_is_saved_under_its_name_and_never_opened_here(team, meta, given, saved):
    meta.has(b"<script>alert(1)</script>")
    attachment = fetched(sent(team, "document", {"filename": given, "mime_type": "text/html"}))
    response = signed_in(team.agent).get(f"/inbox/files/{attachment.pk}/")
    assert body_of(response) == b"<script>alert(1)</script>"
    assert response["Content-Type"] == "application/octet-stream"
    disposition = response["Content-Disposition"]
    assert disposition.startswith("attachment")
    if saved.isascii():
        assert disposition == f'attachment; filename="{saved}"'
    assert "Set-Cookie" not in response.headers
    assert not {"\r", "\n", "/", "\u202e"} & set(disposition)


@IN_EITHER
@pytest.mark.parametrize(
    ("asked", "status", "got", "told"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-500", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("nonsense", 200, b"0123456789", None),
    ],
)
def test_a_player_can_ask_for_a_part(team, meta, asked, status, got, told):
    meta.has(b"0123456789")
    attachment = fetched(sent(team, "document"))
    response = signed_in(team.agent).get(f"/inbox/files/{attachment.pk}/", headers={"Range": asked})
    assert (response.status_code, body_of(response)) == (status, got)
    assert response.headers.get("Content-Range") == told


@IN_A_BUCKET
def test_only_the_part_that_is_asked_for_comes_out_of_the_bucket(team, meta, store):
    meta.has(b"0123456789")
    attachment = fetched(sent(team, "document"))
    store.server.asked.clear()
    client, address = signed_in(team.agent), f"/inbox/files/{attachment.pk}/"
    answer = client.get(address, headers={"Range": "bytes=-2"})
    assert body_of(answer) == b"89"
    assert client.get(address, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert store.server.asked == [("HEAD", None), ("GET", "bytes=8-9")]


@IN_A_BUCKET
def test_no_page_tells_where_the_bucket_is(team, meta, store):
    meta.has(FILES["photo"].make())
    attachment = fetched(sent(team))
    html = page(team, attachment)
    response = signed_in(team.agent).get(f"/inbox/files/{attachment.pk}/")
    assert body_of(response)
    for told in (html, str(response.headers)):
        assert store.server.url not in told
        assert store.prefix not in told


@IN_EITHER
def test_a_browser_that_has_it_is_told_so(team, meta):
    meta.has(FILES["photo"].make())
    attachment = fetched(sent(team))
    client, address = signed_in(team.agent), f"/inbox/files/{attachment.pk}/thumbnail/"
    answer = client.get(address)
    assert body_of(answer)
    tag = answer["ETag"]
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304


def test_behind_nginx_only_its_place_is_told(team, meta, settings):
    meta.has(FILES["photo"].make())
    attachment = fetched(sent(team))
    settings.MEDIA_ACCEL_LOCATION = "/stored/"
    response = signed_in(team.agent).get(f"/inbox/files/{attachment.pk}/")
    assert response["X-Accel-Redirect"] == f"/stored/{attachment.file.name}"
    assert response["Content-Type"] == "image/jpeg"
    assert not response.content


# What goes wrong ---------------------------------------------------------------------------------------


def test_what_meta_has_no_more_is_said_to_be_gone(team, meta):
    meta.refuses(code=100)
    attachment = fetched(sent(team))
    assert attachment.state == AttachmentState.GONE
    assert "Photo: WhatsApp no longer has it." in page(team, attachment)


@pytest.mark.parametrize(("code", "status"), [(131000, 500), (190, 401), (2, 503)])
def test_what_cannot_be_fetched_now_is_tried_again_less_and_less_often(team, meta, code, status):
    meta.refuses(code=code, status=status)
    attachment = sent(team)
    waits = []
    for _time in range(3):
        Attachment.objects.update(due_at=attachment.message.at)
        before = dt.datetime.now(tz=dt.UTC)
        fetched(attachment)
        waits.append(round((attachment.due_at - before).total_seconds() / 60))
    assert waits == [1, 5, 30]
    assert not transfer.do_next()
    assert "Photo is being fetched" in page(team, attachment)


def test_it_is_given_up_when_meta_keeps_it_no_longer(team, meta):
    meta.refuses(code=131000, status=500)
    attachment = sent(team)
    Message.objects.update(at=attachment.message.at - dt.timedelta(days=8))
    assert fetched(attachment).state == AttachmentState.GONE


@IN_EITHER
def test_what_a_worker_died_with_is_fetched_by_the_next_and_leaves_no_second_file(team, meta, store):
    meta.has(FILES["photo"].make())
    attachment = fetched(sent(team))
    kept = store.names()
    # As it was before the worker could say that it had it.
    Attachment.objects.update(state="waiting", due_at=attachment.message.at, file="", thumbnail="")
    assert fetched(attachment).state == AttachmentState.READY
    assert store.names() == kept


def test_a_file_that_ends_every_worker_is_left_alone_at_last(team, meta):
    meta.has(FILES["photo"].make())
    attachment = sent(team)
    Attachment.objects.update(tries=fetching.MOST_TRIES)
    assert fetched(attachment).state == AttachmentState.REFUSED
    assert not meta.asked


@IN_EITHER
def test_a_file_that_was_lost_is_not_there(team, meta, store):
    meta.has(FILES["photo"].make())
    attachment = fetched(sent(team))
    store.lose(attachment.file.name)
    assert signed_in(team.agent).get(f"/inbox/files/{attachment.pk}/").status_code == 404


@pytest.mark.parametrize("answers", ["refuses", "never answers", "is overloaded"])
def test_while_the_bucket_is_away_a_file_is_not_available_and_its_page_is(team, bucket_away, answers):
    bucket_away(answers)
    picture = factories.MessageFactory(conversation=team.conversation, direction="in", kind="image")
    attachment = Attachment.objects.create(
        message=picture, media_id="1", state="ready", file="aa/aaa", size=9
    )
    client = signed_in(team.agent)
    client.raise_request_exception = False
    answer = client.get(f"/inbox/files/{attachment.pk}/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "30"
    assert "Nothing is lost. Try again in a minute." in answer.content.decode()
    assert f"/inbox/files/{attachment.pk}/" in page(team, attachment)


def test_what_cannot_be_kept_now_is_fetched_again_later(team, meta, store, bucket_away):
    meta.has(FILES["photo"].make())
    attachment = sent(team)
    bucket_away("refuses")
    assert fetched(attachment).state == AttachmentState.WAITING
    assert attachment.due_at > attachment.message.at


@IN_A_BUCKET
def test_a_file_that_cannot_be_deleted_with_its_message_is_deleted_later(
    team, meta, store, bucket_away, settings, django_capture_on_commit_callbacks
):
    meta.has(FILES["photo"].make())
    attachment = fetched(sent(team))
    bucket_away("refuses")
    with django_capture_on_commit_callbacks(execute=True):
        attachment.message.delete()
    assert not Attachment.objects.exists()
    discard_files()  # it is still away
    settings.STORAGES = {**settings.STORAGES, "default": store.storages}
    assert store.names()
    discard_files()
    assert not store.names()


@IN_EITHER
def test_what_a_worker_that_died_left_is_deleted_later(team, meta, store):
    meta.has(FILES["photo"].make())
    fetched(sent(team)).message.delete()  # and nothing after the commit
    assert store.names()
    discard_files()
    assert not store.names()


def test_a_file_that_comes_short_is_asked_for_again(team, meta):
    meta.has(FILES["photo"].make()[:1000], size=40_000)
    assert fetched(sent(team)).state == AttachmentState.WAITING


def test_an_address_that_has_grown_old_is_asked_for_again(team, meta):
    meta.has(b"gone", status=404)
    assert fetched(sent(team)).state == AttachmentState.WAITING


@IN_EITHER
def test_a_deleted_message_takes_its_file_with_it(team, meta, store, django_capture_on_commit_callbacks):
    meta.has(FILES["photo"].make())
    attachment = fetched(sent(team))
    assert store.names()
    with django_capture_on_commit_callbacks(execute=True):
        say(team.channel, "revoke", {"original_message_id": attachment.message.whatsapp_id})
    assert not store.names()
    html = page(team, attachment)
    assert "Deleted by the contact" in html
    assert signed_in(team.agent).get(f"/inbox/files/{attachment.pk}/").status_code == 404


@IN_EITHER
def test_a_message_that_is_deleted_while_its_file_is_fetched_leaves_none(team, meta, store, monkeypatch):
    meta.has(FILES["photo"].make())
    attachment = sent(team)
    look = inspection.inspect

    def look_while_it_is_deleted(*what):
        Attachment.objects.all().delete()
        return look(*what)

    monkeypatch.setattr(inspection, "inspect", look_while_it_is_deleted)
    assert transfer.do_next()
    assert not Attachment.objects.filter(pk=attachment.pk).exists()
    assert not store.names()


# The token ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "http://lookaside.fbsbx.com/x",
        "https://lookaside.fbsbx.com.evil.example/x",
        "https://evilfbsbx.com/x",
        "https://lookaside.fbsbx.com:8443/x",
        "https://user@lookaside.fbsbx.com/x",
        "https://graph.facebook.com@evil.example/x",
        "file:///etc/passwd",
        "//lookaside.fbsbx.com/x",
        "https://[::1",
        "",
    ],
)
def test_the_token_goes_to_meta_alone(team, meta, url):
    meta.has(b"", url=url or "none")
    with pytest.raises(TemporaryError):
        client_for(team.channel).media_address("77")
    assert not is_trusted(url, base_url="https://graph.facebook.com/v25.0")


def test_where_meta_keeps_files_is_trusted():
    for host in ("lookaside.fbsbx.com", "scontent.whatsapp.net", "graph.facebook.com"):
        assert is_trusted(f"https://{host}/x?y=1", base_url="https://graph.facebook.com/v25.0")


def test_a_redirect_is_not_followed(team, meta, httpserver):
    httpserver.expect_request("/moved").respond_with_data("", 302, {"Location": httpserver.url_for("/x")})
    with pytest.raises(TemporaryError):
        client_for(team.channel).download(
            MediaAddress(httpserver.url_for("/moved"), 0), into=io.BytesIO(), limit=100
        )


# Hostile files -----------------------------------------------------------------------------------------


def png(width, height):
    """A picture that says that it is so large, with nothing in it."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def gif():
    out = io.BytesIO()
    Image.new("P", (2, 2)).save(out, "GIF")
    return out.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PLAYLIST = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nhttp://127.0.0.1:1/secret.ts\n"
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"


@pytest.mark.parametrize(
    ("kind", "data", "fault"),
    [
        ("image", b"", Fault.EMPTY),
        ("document", b"", Fault.EMPTY),
        ("image", SVG, Fault.WRONG_TYPE),
        ("sticker", SVG, Fault.WRONG_TYPE),
        ("image", b"<html><script>alert(1)</script>", Fault.WRONG_TYPE),
        ("image", gif(), Fault.WRONG_TYPE),
        ("image", FILES["photo"].make()[:900], Fault.WRONG_TYPE),
        ("image", png(60_000, 60_000), Fault.TOO_LARGE),
        ("image", png(5_001, 5_000), Fault.TOO_LARGE),
        ("audio", PLAYLIST, Fault.WRONG_TYPE),
        ("video", PLAYLIST, Fault.WRONG_TYPE),
        ("audio", CONCAT, Fault.WRONG_TYPE),
        ("audio", FILES["photo"].make(), Fault.WRONG_TYPE),
        ("audio", FILES["video"].make(), Fault.WRONG_TYPE),
        ("video", FILES["voice"].make(), Fault.WRONG_TYPE),
        ("video", FILES["video"].make()[:300], Fault.WRONG_TYPE),
        ("audio", b"OggS" + b"\0" * 500, Fault.WRONG_TYPE),
    ],
)
def test_what_is_not_what_it_says_it_is_is_refused(kind, data, fault):
    with pytest.raises(NotTaken) as refusal:
        inspect(kind, io.BytesIO(data))
    assert refusal.value.fault == fault


def test_a_refusal_is_said_and_nothing_is_kept(team, meta, store):
    meta.has(SVG)
    attachment = fetched(sent(team))
    assert attachment.state == AttachmentState.REFUSED
    assert "Photo: the file is not what it says it is, so it was not kept." in page(team, attachment)
    assert not store.names()


@pytest.mark.parametrize("size", [120 * 1024 * 1024, 0])
def test_what_is_too_large_is_not_read_to_its_end(team, meta, monkeypatch, store, size):
    monkeypatch.setattr(inspection, "MAX_BYTES", 10_000)
    meta.has(b"x" * 300_000, size=size)
    attachment = fetched(sent(team, "document"))
    assert attachment.fault == Fault.TOO_LARGE
    assert "too large" in page(team, attachment)
    assert bool(meta.tokens) == (size == 0)
    assert not store.names()


def test_a_picture_lies_as_its_camera_says_and_loses_what_else_it_says():
    turned, small = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    Image.new("RGB", (400, 200), "red").save(turned, "JPEG", exif=exif)
    found = inspect("image", turned)
    assert (found.width, found.height) == (200, 400)
    small.write(found.thumbnail)
    with Image.open(small) as thumbnail:
        assert not thumbnail.getexif()


def test_how_loud_a_recording_is_can_be_seen():
    found = inspect("audio", io.BytesIO(FILES["voice"].make()))
    assert len(found.peaks) == inspection.PEAKS
    assert max(found.peaks) == 100
    assert min(found.peaks) < 30
