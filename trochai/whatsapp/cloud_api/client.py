"""The WhatsApp Cloud API as the rest of Trochai sees it: a message id, or one of four errors."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import IO, Any
from urllib.parse import parse_qs, quote, urlsplit

from django.conf import settings

from trochai.whatsapp.cloud_api import payloads
from trochai.whatsapp.cloud_api.errors import (
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    TemporaryError,
    WhatsAppError,
    classify,
    used_up,
)
from trochai.whatsapp.cloud_api.failures import Cause
from trochai.whatsapp.cloud_api.guard import refuse_in_request
from trochai.whatsapp.cloud_api.media import MediaAddress, is_trusted
from trochai.whatsapp.cloud_api.reader import Reader
from trochai.whatsapp.cloud_api.transport import Answer, AsyncTransport, NoAnswer, NotSent
from trochai.whatsapp.fields import Secret
from trochai.whatsapp.json_reading import decode, first, mapping, mappings, text, text_or_number
from trochai.whatsapp.models import Channel

# 100 templates a page; Meta allows 6,000 an account.
MAX_PAGES = 100
TEMPLATE_FIELDS = "id,name,language,status,category,components,parameter_format,rejected_reason,quality_score"
PHONE_NUMBER_FIELDS = "id,display_phone_number,verified_name,quality_rating"

_TOKEN = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True)
class Accepted:
    """Meta took the message. ``wa_id`` is the recipient's WhatsApp id, or empty if Meta did not say.

    ``slow_down`` is how long the whole channel should wait, where Meta says that its limit is used up.
    """

    message_id: str
    wa_id: str = ""
    slow_down: dt.timedelta | None = None


class WhatsAppClient:
    """Sends from one number. Usable by many threads at once; makes no call twice.

    Every method raises ``TemporaryError``, ``PermanentError`` or ``ChannelError``; ``send`` may also raise
    ``OutcomeUnknown``.
    """

    def __init__(self, *, phone_number_id: str, token: str, base_url: str, reader: Reader) -> None:
        self.phone_number_id = phone_number_id
        self._token = Secret(token.strip())
        self._base_url = base_url
        self._reader = reader

    def __repr__(self) -> str:
        return f"<WhatsAppClient {self.phone_number_id}>"

    async def send(
        self,
        *,
        recipient: Mapping[str, str],
        content: Mapping[str, Any],
        reference: str,
        transport: AsyncTransport,
    ) -> Accepted:
        """Send ``content`` (``payloads``) as one of many calls on an event loop, over its ``transport``."""
        try:
            message = payloads.message(recipient=recipient, content=content, reference=reference)
        except payloads.Unsendable as refusal:
            raise PermanentError(cause=refusal.cause) from None
        answer = await self._post(transport, json.dumps(message).encode())
        accepted = _accepted(answer)
        if accepted is None:
            raise classify(answer.status, answer.body, answer.headers)
        return accepted

    def templates(self, waba_id: str) -> Iterator[dict[str, Any]]:
        """Yield every template of the account.

        Raises ``TemporaryError`` also where Meta's pages do not end: what came until then is not
        the whole list.
        """
        params = {"fields": TEMPLATE_FIELDS, "limit": "100"}
        seen: set[str] = set()
        while True:
            page = self._get(f"{quote(waba_id, safe='')}/message_templates", params)
            rows = page.get("data")
            if not isinstance(rows, list):
                raise _unreadable()
            yield from mappings(rows)
            after = _next_cursor(page.get("paging"))
            if after is None:
                return
            if after in seen or len(seen) == MAX_PAGES:
                raise _unreadable()
            seen.add(after)
            params["after"] = after

    def phone_number(self) -> dict[str, Any]:
        """Return what Meta says of the number: proves that the token and the id work."""
        return self._get(quote(self.phone_number_id, safe=""), {"fields": PHONE_NUMBER_FIELDS})

    def portfolio_id(self, waba_id: str) -> str:
        """Return the id of the business portfolio that owns the account; empty if Meta does not say."""
        found = self._get(quote(waba_id, safe=""), {"fields": "owner_business_info"})
        return text_or_number(mapping(found, "owner_business_info").get("id"))[:64]

    def messaging_limit(self) -> str:
        """Return Meta's name of the portfolio's limit (``messaging_limits``); empty if it does not say."""
        field = "whatsapp_business_manager_messaging_limit"
        found = self._get(quote(self.phone_number_id, safe=""), {"fields": field})
        return text_or_number(found.get(field)).upper()[:32]

    def media_address(self, media_id: str) -> MediaAddress:
        """Ask where the file is that a webhook named. Raises ``PermanentError`` where Meta has it no more."""
        path = quote(media_id, safe="")
        found = self._get(path, {"phone_number_id": self.phone_number_id})
        url, size = text(found.get("url")), text_or_number(found.get("file_size"))
        if not is_trusted(url, base_url=self._base_url):
            raise _unreadable(details="the address of a file is not Meta's")
        return MediaAddress(url, int(size) if size.isascii() and size.isdigit() and len(size) < 16 else 0)

    def upload(self, file: IO[bytes], *, mime_type: str, name: str) -> str:
        """Give Meta a file to send, and return its id; harmless to repeat. Source: "Upload media"."""
        url = f"{self._base_url}/{quote(self.phone_number_id, safe='')}/media"
        failure: WhatsAppError
        try:
            answer = self._masked(
                self._reader.upload(
                    url,
                    headers=self._headers(),
                    fields={
                        "messaging_product": "whatsapp",
                        "type": mime_type,
                        "file": (name, file, mime_type),
                    },
                )
            )
        except (NotSent, NoAnswer) as error:
            failure = _unreadable(details=str(error))
        else:
            media_id = text_or_number(mapping(decode(answer.body)).get("id"))
            if answer.status == 200 and media_id:
                return media_id[:64]
            failure = classify(answer.status, answer.body, answer.headers)
            if isinstance(failure, OutcomeUnknown):
                failure = _unreadable(details=failure.details, http_status=failure.http_status)
        raise failure

    def download(self, address: MediaAddress, *, into: IO[bytes], limit: int) -> None:
        """Write a file's bytes. Raises ``TooLarge``, and ``TemporaryError`` where the address is too old."""
        failure: WhatsAppError
        try:
            answer = self._reader.download(address.url, headers=self._headers(), into=into, limit=limit)
        except (NotSent, NoAnswer) as error:
            failure = _unreadable(details=str(error))
        else:
            if answer.status == 200:
                return
            failure = _unreadable(details="no file", http_status=answer.status)
        raise failure

    def _get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        headers = self._headers()
        try:
            answer = self._masked(
                self._reader.get(f"{self._base_url}/{path}", headers=headers, params=params)
            )
            found = decode(answer.body) if answer.status == 200 else None
            if not isinstance(found, dict) or "error" in found:
                raise classify(answer.status, answer.body, answer.headers)
        except (NotSent, NoAnswer) as error:
            failure = _translated(error)
        except OutcomeUnknown as unknown:
            failure = unknown
        else:
            return found
        if isinstance(failure, OutcomeUnknown):
            # Reading changes nothing: it may simply be tried again.
            failure = _unreadable(details=failure.details, http_status=failure.http_status)
        raise failure

    async def _post(self, transport: AsyncTransport, body: bytes) -> Answer:
        url = f"{self._base_url}/{quote(self.phone_number_id, safe='')}/messages"
        headers = self._headers() | {"Content-Type": "application/json"}
        try:
            # Masked at once: a traceback shows what a frame holds.
            return self._masked(await transport.post(url, headers=headers, body=body))
        except (NotSent, NoAnswer) as error:
            failure = _translated(error)
        raise failure

    def _headers(self) -> dict[str, str]:
        if not _TOKEN.fullmatch(self._token):
            raise ChannelError(cause=Cause.NOT_CONNECTED)
        return {"Authorization": Secret(f"Bearer {self._token}")}

    def _masked(self, answer: Answer) -> Answer:
        """Take the token out of an answer: "Malformed access token …", Meta repeats it."""
        token = self._token.encode()
        return replace(answer, body=answer.body.replace(token, b"...")) if token in answer.body else answer


def client_for(channel: Channel) -> WhatsAppClient:
    """Return the channel's client. Raises ``RuntimeError`` where a request is being answered."""
    refuse_in_request()
    base_url = f"{settings.WHATSAPP_API_URL}/{settings.WHATSAPP_API_VERSION}"
    reader = Reader(settings.WHATSAPP_CONNECT_TIMEOUT, settings.WHATSAPP_READ_TIMEOUT)
    return _client(channel.phone_number_id, channel.access_token, base_url, reader)


@lru_cache(maxsize=1024)
def _client(phone_number_id: str, token: str, base_url: str, reader: Reader) -> WhatsAppClient:
    return WhatsAppClient(phone_number_id=phone_number_id, token=token, base_url=base_url, reader=reader)


def _translated(error: NotSent | NoAnswer) -> WhatsAppError:
    if isinstance(error, NotSent):
        return TemporaryError(cause=Cause.NOT_REACHED, details=str(error))
    return OutcomeUnknown(cause=Cause.NO_ANSWER, details=str(error))


def _accepted(answer: Answer) -> Accepted | None:
    found = mapping(decode(answer.body)) if 200 <= answer.status < 300 else {}
    message_id = text(first(found.get("messages")).get("id"))
    if not message_id or "error" in found:
        return None
    contact = first(found.get("contacts"))
    return Accepted(
        message_id, str(contact.get("wa_id") or contact.get("user_id") or ""), used_up(answer.headers)
    )


def _next_cursor(paging: object) -> str | None:
    """Return where the next page begins. Meta's ``next`` address itself is never followed."""
    address = mapping(paging).get("next")
    if not isinstance(address, str):
        return None
    after = mapping(paging, "cursors").get("after")
    return str(after or parse_qs(urlsplit(address).query).get("after", [""])[0])


def _unreadable(*, details: str = "", http_status: int | None = None) -> TemporaryError:
    return TemporaryError(cause=Cause.UNREADABLE, details=details, http_status=http_status)
