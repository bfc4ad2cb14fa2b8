"""The WhatsApp Cloud API as the rest of Trochai sees it: a message id, or one of four errors."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
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
from trochai.whatsapp.cloud_api.transport import Answer, NoAnswer, NotSent, Transport
from trochai.whatsapp.fields import Secret
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from trochai.whatsapp.cloud_api.async_transport import AsyncTransport

# Idle connections that a channel keeps; more calls at once are made, but not kept alive.
POOL_SIZE = 128
# 100 templates a page; Meta allows 6,000 an account.
MAX_PAGES = 100
TEMPLATE_FIELDS = "id,name,language,status,category,components,parameter_format,rejected_reason,quality_score"
PHONE_NUMBER_FIELDS = "id,display_phone_number,verified_name,quality_rating"

JSON = {"Content-Type": "application/json"}
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

    Every method raises ``TemporaryError``, ``PermanentError`` or ``ChannelError``; the two that
    send may also raise ``OutcomeUnknown``.
    """

    def __init__(self, *, phone_number_id: str, token: str, base_url: str, transport: Transport) -> None:
        self.phone_number_id = phone_number_id
        self._token = Secret(token.strip())
        self._base_url = base_url
        self._transport = transport

    def __repr__(self) -> str:
        return f"<WhatsAppClient {self.phone_number_id}>"

    def send_template(
        self, *, recipient: Mapping[str, str], template: Mapping[str, Any], reference: str
    ) -> Accepted:
        body = _built(payloads.template_message, recipient=recipient, template=template, reference=reference)
        return self._taken(self._call("POST", self._messages, body=body))

    async def asend_template(
        self,
        *,
        recipient: Mapping[str, str],
        template: Mapping[str, Any],
        reference: str,
        transport: AsyncTransport,
    ) -> Accepted:
        """``send_template`` as one of many calls on an event loop, over its ``transport``."""
        body = _built(payloads.template_message, recipient=recipient, template=template, reference=reference)
        failure: WhatsAppError
        try:
            # Masked at once: a traceback shows what a frame holds.
            answer = self._masked(
                await transport.call(
                    "POST", f"{self._base_url}/{self._messages}", headers=self._headers(JSON), body=body
                )
            )
        except (NotSent, NoAnswer) as error:
            failure = _translated(error)
        else:
            return self._taken(answer)
        raise failure

    def send_text(self, *, recipient: Mapping[str, str], text: str, reference: str) -> Accepted:
        body = _built(payloads.text_message, recipient=recipient, text=text, reference=reference)
        return self._taken(self._call("POST", self._messages, body=body))

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
            yield from (row for row in rows if isinstance(row, dict))
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

    @property
    def _messages(self) -> str:
        return f"{quote(self.phone_number_id, safe='')}/messages"

    def _taken(self, answer: Answer) -> Accepted:
        accepted = _accepted(answer)
        if accepted is None:
            raise classify(answer.status, answer.body, answer.headers)
        return accepted

    def _get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        try:
            answer = self._call("GET", path, params=params)
            found = _json_object(answer.body) if answer.status == 200 else None
            if found is None or "error" in found:
                raise classify(answer.status, answer.body, answer.headers)
        except OutcomeUnknown as unknown:
            # Reading changes nothing: it may simply be tried again.
            failure = _unreadable(details=unknown.details, http_status=unknown.http_status)
        else:
            return found
        raise failure

    def _call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        headers = self._headers({} if body is None else JSON)
        failure: WhatsAppError
        try:
            answer = self._transport.call(
                method, f"{self._base_url}/{path}", headers=headers, params=params, body=body
            )
        except (NotSent, NoAnswer) as error:
            failure = _translated(error)
        else:
            return self._masked(answer)
        raise failure

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        if not _TOKEN.fullmatch(self._token):
            raise ChannelError(cause=Cause.NOT_CONNECTED)
        return {**more, "Authorization": Secret(f"Bearer {self._token}")}

    def _masked(self, answer: Answer) -> Answer:
        """Take the token out of an answer: "Malformed access token …", Meta repeats it."""
        token = self._token.encode()
        return replace(answer, body=answer.body.replace(token, b"...")) if token in answer.body else answer


def client_for(channel: Channel) -> WhatsAppClient:
    """Return the channel's client, whose connections are kept alive for this process's life."""
    base_url = f"{settings.WHATSAPP_API_URL}/{settings.WHATSAPP_API_VERSION}"
    timeouts = (settings.WHATSAPP_CONNECT_TIMEOUT, settings.WHATSAPP_READ_TIMEOUT)
    identity = (channel.access_token, channel.phone_number_id, base_url, timeouts)
    with _lock:
        known = _clients.get(channel.pk)
        if known is not None and known[0] == identity:
            return known[1]
        client = WhatsAppClient(
            phone_number_id=channel.phone_number_id,
            token=channel.access_token,
            base_url=base_url,
            transport=Transport(connect_timeout=timeouts[0], read_timeout=timeouts[1], pool_size=POOL_SIZE),
        )
        _clients[channel.pk] = (identity, client)
        return client


# By channel: what a client was made from, and the client. A new token makes a new one.
_clients: dict[int, tuple[tuple[Any, ...], WhatsAppClient]] = {}
_lock = threading.Lock()


def _forget_clients() -> None:
    global _lock  # noqa: PLW0603 (a lock that another thread held at the fork would never be released)
    _lock = threading.Lock()
    _clients.clear()


# Two processes must not share a connection.
os.register_at_fork(after_in_child=_forget_clients)


def _built(build: Callable[..., dict[str, Any]], **content: Any) -> bytes:
    try:
        return json.dumps(build(**content)).encode()
    except payloads.Unsendable as refusal:
        raise PermanentError(cause=refusal.cause) from None


def _translated(error: NotSent | NoAnswer) -> WhatsAppError:
    if isinstance(error, NotSent):
        return TemporaryError(cause=Cause.NOT_REACHED, details=str(error))
    return OutcomeUnknown(cause=Cause.NO_ANSWER, details=str(error))


def _accepted(answer: Answer) -> Accepted | None:
    found = _json_object(answer.body) if 200 <= answer.status < 300 else None
    if found is None or "error" in found:
        return None
    message_id = _first(found.get("messages")).get("id")
    if not isinstance(message_id, str) or not message_id:
        return None
    contact = _first(found.get("contacts"))
    return Accepted(
        message_id, str(contact.get("wa_id") or contact.get("user_id") or ""), used_up(answer.headers)
    )


def _first(items: object) -> dict[str, Any]:
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}


def _next_cursor(paging: object) -> str | None:
    """Return where the next page begins. Meta's ``next`` address itself is never followed."""
    if not isinstance(paging, dict) or not isinstance(paging.get("next"), str):
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return str(after or parse_qs(urlsplit(paging["next"]).query).get("after", [""])[0])


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unreadable(*, details: str = "", http_status: int | None = None) -> TemporaryError:
    return TemporaryError(cause=Cause.UNREADABLE, details=details, http_status=http_status)
