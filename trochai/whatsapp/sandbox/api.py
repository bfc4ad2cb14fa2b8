"""The sandbox's answers: one request in, one reply out, and the webhooks that follow from it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from trochai.whatsapp.sandbox import media
from trochai.whatsapp.sandbox.accounts import Account, Directory
from trochai.whatsapp.sandbox.arrivals import is_marketing
from trochai.whatsapp.sandbox.courier import Courier
from trochai.whatsapp.sandbox.numbers import MAGIC, MESSAGES, OPTED_OUT, Behaviour, behaviour_of
from trochai.whatsapp.sandbox.people import People, new_message_id
from trochai.whatsapp.sandbox.uploads import Uploads
from trochai.whatsapp.sandbox.validation import Refused, check_message

# How many calls are remembered, newest last.
REMEMBERED = 20_000
REPLY_DELAY = 2.0
# How long a webhook that comes first is ahead of the HTTP answer, so that the app can process it.
HEAD_START = 1.0

DOWNLOADS = "/sandbox/files/"
PATH = re.compile(r"/v[0-9]+\.[0-9]+/([0-9A-Za-z_-]+)(/messages|/message_templates|/media)?/?")
HTML = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry</h1></body></html>"


@dataclass(frozen=True)
class Call:
    """One message request that arrived, and what was answered (without its token)."""

    at: float
    phone_number_id: str
    body: Any
    status: int
    code: int | None = None
    message_id: str = ""

    @property
    def recipient(self) -> str:
        return str(self.body.get("to") or self.body.get("recipient") or "") if self._has_body else ""

    @property
    def reference(self) -> str:
        return str(self.body.get("biz_opaque_callback_data", "")) if self._has_body else ""

    @property
    def _has_body(self) -> bool:
        return isinstance(self.body, dict)


@dataclass(frozen=True)
class Reply:
    """What is sent back: nothing if ``then`` is not "answer"."""

    status: int
    body: bytes
    content_type: str = "application/json"
    then: Literal["answer", "hang", "break"] = "answer"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Api:
    """Meta's endpoints for the accounts of a directory.

    ``pace`` multiplies every delay; ``throughput`` is how many messages a number takes in any second;
    ``url`` is where it listens.
    """

    directory: Directory
    courier: Courier
    people: People
    pace: float = 1.0
    throughput: int | None = None
    url: str = ""
    uploads: Uploads = field(default_factory=Uploads)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _turns: dict[str, int] = field(default_factory=dict)
    _recent: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, method: str, target: str, token: str, body: bytes, *, content_type: str = "") -> Reply:
        address = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(address.query).items()}
        try:
            if (method, address.path) == ("POST", "/sandbox/inbound"):
                return self._inbound(body)
            if method == "GET" and address.path.startswith(DOWNLOADS):
                return self._download(address.path.removeprefix(DOWNLOADS), token)
            match = PATH.fullmatch(address.path)
            if match is None:
                raise Refused(404, 2500, "Unknown path components")
            if (method, match[2]) == ("POST", "/media"):
                self._account(match[1], "/media", token)
                return _json(200, {"id": self.uploads.take(body, content_type)})
            return self._graph(method, match[1], match[2] or "", query=query, token=token, body=body)
        except Refused as refusal:
            return _json(refusal.status, refusal.envelope())

    def _graph(
        self, method: str, node: str, edge: str, *, query: dict[str, str], token: str, body: bytes
    ) -> Reply:
        if (method, edge) == ("GET", "") and node in media.BY_ID:
            self._check(token)
            return _json(200, self._media(media.BY_ID[node]))
        account = self._account(node, edge, token)
        if (method, edge) == ("POST", "/messages"):
            return self._message(account, body)
        if (method, edge) == ("GET", "/message_templates"):
            return _templates(account, query)
        if (method, edge) == ("GET", ""):
            return _json(200, _waba(account) if node == account.waba_id else _phone_number(account))
        raise Refused(400, 100, "Unsupported request", "Unsupported method for this path")

    def _account(self, node: str, edge: str, token: str) -> Account:
        for account in self._check(token):
            number = {account.phone_number_id}
            nodes = {"/message_templates": {account.waba_id}, "/messages": number, "/media": number}
            if node in nodes.get(edge, {account.waba_id, account.phone_number_id}) and account.accepts(token):
                return account
        message = f"Unsupported request. Object with ID '{node}' does not exist"
        raise Refused(400, 100, message, subcode=33)

    def _check(self, token: str) -> list[Account]:
        accounts = list(self.directory())
        if not any(account.accepts(token) for account in accounts):
            raise Refused(401, 190, "Invalid OAuth access token - Cannot parse access token")
        return accounts

    def _media(self, file: media.SampleFile) -> dict[str, Any]:
        data = file.make()
        return {
            "messaging_product": "whatsapp",
            "id": file.media_id,
            "url": f"{self.url}{DOWNLOADS}{file.media_id}",
            "mime_type": file.mime_type,
            "sha256": hashlib.sha256(data).hexdigest(),
            "file_size": str(len(data)),
        }

    def _download(self, media_id: str, token: str) -> Reply:
        self._check(token)
        if media_id not in media.BY_ID:
            raise Refused(404, 100, "Not found")
        file = media.BY_ID[media_id]
        return Reply(200, file.make(), file.mime_type)

    def _message(self, account: Account, raw: bytes) -> Reply:
        body = _parse(raw)
        try:
            recipient = check_message(body, account.templates)
            behaviour = self._behaviour(account, body, recipient)
            self._check_throughput(account)
            self._maybe_refuse(behaviour, recipient)
        except Refused as refusal:
            self._note(account, body, refusal.status, code=refusal.code)
            raise
        if behaviour.answer in {"error page", "html"}:
            self._note(account, body, behaviour.status)
            return Reply(behaviour.status, HTML, "text/html; charset=utf-8")
        if behaviour.answer == "broken":
            self._note(account, body, 0)
            return Reply(0, b"", then="break")
        message_id = new_message_id()
        status = 0 if behaviour.answer == "none" else 200
        self._note(account, body, status, message_id=message_id)
        self._follow_up(account, body, recipient, message_id, behaviour)
        return _accepted(recipient, message_id, then="hang" if behaviour.answer == "none" else "answer")

    def _behaviour(self, account: Account, body: dict[str, Any], recipient: str) -> Behaviour:
        """Return what happens to a message: as its phone is set, or else as its number says."""
        phone = self.people.phones.find(account.phone_number_id, recipient)
        if phone and phone.fails_with:
            return MAGIC[phone.fails_with]
        if phone and phone.has_opted_out and is_marketing(body, account.templates):
            return MAGIC[OPTED_OUT]
        return behaviour_of(recipient)

    def _check_throughput(self, account: Account) -> None:
        if self.throughput is None:
            return
        now = time.monotonic()
        with self._lock:
            recent = self._recent[account.phone_number_id]
            while recent and recent[0] <= now - 1:
                recent.popleft()
            if len(recent) >= self.throughput:
                raise Refused(400, 130429, MESSAGES[130429], f"Over {self.throughput} messages a second")
            recent.append(now)

    def _maybe_refuse(self, behaviour: Behaviour, recipient: str) -> None:
        if behaviour.refused is None:
            return
        if behaviour.only_every_other:
            with self._lock:
                turn = self._turns[recipient] = self._turns.get(recipient, 0) + 1
            if turn % 2 == 0:
                return
        status, code = behaviour.refused
        text = MESSAGES.get(code, f"(#{code}) Something new")
        raise Refused(status, code, text, f"Sandbox: {behaviour.summary}")

    def _follow_up(
        self, account: Account, body: dict[str, Any], recipient: str, message_id: str, behaviour: Behaviour
    ) -> None:
        reference = str(body.get("biz_opaque_callback_data", ""))
        if any(name == "delivered" for name, _delay in behaviour.updates):
            self.people.receive(account, body, recipient, message_id)
        for name, delay in behaviour.updates:
            if behaviour.webhook_first:
                value = self.people.status(
                    account, message_id, name, recipient, reference, delay=delay, failure=behaviour.failure
                )
                self.courier.post_now(account, value)
                time.sleep(HEAD_START * self.pace)
                continue
            self.people.tell(
                account,
                message_id,
                name,
                recipient=recipient,
                reference=reference,
                delay=delay,
                failure=behaviour.failure,
            )
        if behaviour.replies:
            phone = self.people.meet(account, recipient)
            phone = self.people.meet(account, recipient, phone.name or "Sandbox")
            words = {"body": "¡Gracias! Quedo atenta."}
            self.people.write(account, phone, "text", words, delay=REPLY_DELAY)

    def _inbound(self, raw: bytes) -> Reply:
        """``POST /sandbox/inbound``: a customer writes, by default to the first number.

        A ``text``, one of ``media.FILES`` (``file``, the text being its caption), or whatever else Meta would
        post: ``type``, and under its name the node. Not part of Meta's API.
        """
        body = _parse(raw)
        if not isinstance(body, dict) or not re.search("[0-9]", str(body.get("from", ""))):
            raise Refused(400, 100, "from is required")
        kind, content = _said(body)
        number = str(body.get("phone_number_id", ""))
        accounts = [account for account in self.directory() if number in {"", account.phone_number_id}]
        if not accounts:
            raise Refused(400, 100, "phone_number_id must name one of the sandbox’s numbers")
        phone = self.people.meet(accounts[0], str(body["from"]), str(body.get("name", "")))
        message_id = self.people.write(accounts[0], phone, kind, content, context=body.get("context"))
        return _json(200, {"id": message_id})

    def _note(
        self, account: Account, body: Any, status: int, *, code: int | None = None, message_id: str = ""
    ) -> None:
        self.calls.append(Call(time.time(), account.phone_number_id, body, status, code, message_id))


def _said(body: dict[str, Any]) -> tuple[str, object]:
    """Return the kind of what a customer sends, and its node."""
    words, name, kind = str(body.get("text", "")), str(body.get("file", "")), str(body.get("type", ""))
    if name:
        if name not in media.FILES:
            raise Refused(400, 100, f"file must be one of {', '.join(media.FILES)}")
        return media.FILES[name].kind, media.FILES[name].content(caption=words)
    if kind in body:
        return kind, body[kind]
    if not words:
        raise Refused(400, 100, "text, file, or a type with its node, is required")
    return "text", {"body": words}


def _accepted(recipient: str, message_id: str, *, then: Literal["answer", "hang"]) -> Reply:
    is_user_id = "." in recipient
    digits = "".join(character for character in recipient if character.isdigit())
    contact = {"input": recipient, **({"user_id": recipient} if is_user_id else {"wa_id": digits})}
    answer = {
        "messaging_product": "whatsapp",
        "contacts": [contact],
        "messages": [{"id": message_id, "message_status": "accepted"}],
    }
    return Reply(200, json.dumps(answer).encode(), then=then)


def _templates(account: Account, query: dict[str, str]) -> Reply:
    rows = [
        template
        for template in account.templates
        if all(query.get(key, template[key]) == template[key] for key in ("name", "status", "language"))
    ]
    fields = query.get("fields", "id,name,language,status,category,components").split(",")
    limit = max(1, min(_int(query.get("limit", ""), 25), 1000))
    start = _int(_decoded(query.get("after", "")), 0)
    page = [{key: row[key] for key in fields if key in row} for row in rows[start : start + limit]]
    end = start + len(page)
    answer: dict[str, Any] = {"data": page}
    if page:
        answer["paging"] = {"cursors": {"before": _encoded(start), "after": _encoded(end)}}
    if end < len(rows):
        answer["paging"]["next"] = f"https://graph.facebook.com/next?after={_encoded(end)}"
    return _json(200, answer)


def _waba(account: Account) -> dict[str, Any]:
    return {"id": account.waba_id, "owner_business_info": {"id": account.portfolio_id, "name": account.name}}


def _phone_number(account: Account) -> dict[str, Any]:
    return {
        "id": account.phone_number_id,
        "display_phone_number": account.display_phone_number,
        "verified_name": account.name,
        "quality_rating": "GREEN",
        "whatsapp_business_manager_messaging_limit": account.messaging_limit,
    }


def _json(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value).encode(), "application/json; charset=UTF-8")


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused(400, 100, "(#100) Invalid parameter", "The body is not JSON") from None


def _encoded(position: int) -> str:
    return base64.b64encode(str(position).encode()).decode().rstrip("=")


def _decoded(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        return ""


def _int(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() else default
