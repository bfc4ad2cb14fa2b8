"""The customers' phones as pages (docs/decisions/0023-the-sandboxs-phones.md).

Here begins what of the sandbox needs Django: it is imported with the first request for a page.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from trochai.whatsapp import phone_numbers
from trochai.whatsapp.sandbox import media, static_files, visitors
from trochai.whatsapp.sandbox.accounts import Account
from trochai.whatsapp.sandbox.api import Api, Reply
from trochai.whatsapp.sandbox.people import Impossible, context_of
from trochai.whatsapp.sandbox.phone_views import (
    EMOJI,
    FAILURES,
    PHONES,
    SHOWN,
    bubbles,
    line_views,
    mime_type_of,
    phone_view,
)
from trochai.whatsapp.sandbox.phones import MAX_NAME, Phone
from trochai.whatsapp.sandbox.validation import MAX_CAPTION, MAX_TEXT, Refused

PHONE = re.compile(r"/phones/([0-9]{1,9})/(?:([a-z]+)/)?")
FILES, STATIC = "/phones/files/", "/static/"
MAX_FIELDS = 30
POLICY = "; ".join(
    (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# A file that the app sends is somebody's: it may do nothing here.
FILE_HEADERS = {**HEADERS, "Content-Security-Policy": "default-src 'none'; media-src 'self'; sandbox"}
PLACE = {
    "name": "Parque de Alto de las Palomas",
    "address": "Escazú, San José",
    "latitude": 9.9143,
    "longitude": -84.1532,
}


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def is_htmx(self) -> bool:
        return "HX-Request" in self.headers


class Invalid(Exception):
    """What somebody typed cannot be taken; the words say why."""


class Pages:
    """The pages of one sandbox, which listens on ``host``."""

    def __init__(self, api: Api, host: str) -> None:
        self._api = api
        self._host = host
        self._people = api.people
        self._phones = api.people.phones
        # Of this run: a page of an earlier one, whose phones are gone, changes nothing.
        self._token = secrets.token_urlsafe(32)
        self._acts: Mapping[str, Callable[[Account, Phone, dict[str, str]], None]] = {
            "write": self._write,
            "send": self._send,
            "react": self._react,
            "edit": self._edit,
            "delete": self._delete,
            "tap": self._tap,
            "number": self._move,
            "marketing": self._choose_marketing,
            "answer": self._answer_from_app,
            "switches": self._switch,
        }

    def handle(self, request: Request) -> Reply:
        language = translation.get_language() or settings.LANGUAGE_CODE
        with translation.override(language):
            if not visitors.is_known_host(request.headers.get("Host", ""), self._host):
                return self._refused(403, _("This address is not the sandbox’s"))
            try:
                return self._post(request) if request.method == "POST" else self._get(request)
            except Refused as refusal:  # the accounts are not known yet
                return self._refused(refusal.status, _("Not ready yet. Reload the page in a moment."))

    # Looking ---------------------------------------------------------------------------------------

    def _get(self, request: Request) -> Reply:
        address = urlsplit(request.target)
        query = {key: values[-1] for key, values in parse_qs(address.query).items()}
        if address.path.startswith(STATIC):
            return self._static(address.path.removeprefix(STATIC))
        if address.path.startswith(FILES):
            return self._file(address.path.removeprefix(FILES))
        if request.is_htmx and query.get("v") == self._phones.version:
            return Reply(204, b"", headers=HEADERS)
        if address.path == "/":
            return self._first(request, query.get("phone", ""))
        match = PHONE.fullmatch(address.path)
        phone = self._phones.get(int(match[1])) if match and not match[2] else None
        if phone is None:
            # Gone with an earlier run, or for want of room: an open page goes on with another one.
            headers = {"HX-Redirect": "/"} if request.is_htmx else {}
            return self._not_found(headers)
        return self._page(request, phone)

    def _first(self, request: Request, chosen: str) -> Reply:
        """Lead to the phone that was chosen, or to the one with the latest message."""
        phones = self._phones.all()
        pk = int(chosen) if chosen.isascii() and chosen.isdigit() else None
        phone = next((each for each in phones if each.pk == pk), next(iter(phones), None))
        if phone is None:
            return self._page(request, None)
        if request.is_htmx:
            return Reply(200, b"", headers={**HEADERS, "HX-Redirect": f"{PHONES}{phone.pk}/"})
        return _see(phone)

    def _page(
        self,
        request: Request,
        phone: Phone | None,
        *,
        problem: str = "",
        typed: Mapping[str, str] | None = None,
    ) -> Reply:
        accounts = {account.phone_number_id: account for account in self._api.directory()}
        account = accounts.get(phone.account) if phone else next(iter(accounts.values()), None)
        if phone and account is None:
            return self._not_found()
        # Before anything is looked at: what changes meanwhile is another version.
        context: dict[str, Any] = {"version": self._phones.version}
        context |= {
            "csrf_token": self._token,
            "accounts": list(accounts.values()),
            "account": account,
            "all": PHONES,
            "here": f"{PHONES}{phone.pk}/" if phone else "/",
            "inbox": _inbox(account),
            "problem": problem,
            "typed": typed or {},
            "phones": [phone_view(each) for each in self._phones.all()],
            "lines": line_views(self._phones.lines),
            "max_name": MAX_NAME,
            "max_text": MAX_TEXT,
        }
        with timezone.override(_zone(account)):
            if phone and account:
                # As it is now, after what was done.
                phone = self._phones.get(phone.pk) or phone
                context |= {
                    "current": phone_view(phone),
                    "phone": phone,
                    "bubbles": list(bubbles(phone, account, self._api.uploads)),
                    "last": phone.last_written,
                    "emoji": EMOJI,
                    "failures": FAILURES,
                }
            template = "sandbox/_body.html" if request.is_htmx else "sandbox/phones.html"
            html = render_to_string(template, context)
        return Reply(422 if problem else 200, html.encode(), "text/html; charset=utf-8", headers=HEADERS)

    def _static(self, name: str) -> Reply:
        found = static_files.read(name)
        if found is None:
            return self._not_found()
        data, mime_type = found
        return Reply(200, data, mime_type, headers={**HEADERS, "Cache-Control": "no-cache"})

    def _file(self, media_id: str) -> Reply:
        """Answer with a file that is on a phone."""
        if media_id in media.BY_ID:
            sample = media.BY_ID[media_id]
            return Reply(200, sample.make(), sample.mime_type, headers=FILE_HEADERS)
        file = self._api.uploads.get(media_id)
        mime_type = mime_type_of(media_id, self._api.uploads)
        if file is None or mime_type not in SHOWN:
            return self._not_found()
        return Reply(200, file.data, mime_type, headers=FILE_HEADERS)

    # Acting ----------------------------------------------------------------------------------------

    def _post(self, request: Request) -> Reply:
        fields = _fields(request.body)
        token = fields.get("csrfmiddlewaretoken", "")
        if visitors.is_from_elsewhere(request.headers) or not hmac.compare_digest(
            token.encode(), self._token.encode()
        ):
            return self._refused(403, _("This page is of an earlier run. Reload it."))
        if urlsplit(request.target).path == PHONES:
            return self._new_phone(request, fields)
        match = PHONE.fullmatch(urlsplit(request.target).path)
        phone = self._phones.get(int(match[1])) if match else None
        act = self._acts.get(match[2] or "") if match else None
        account = self._account(phone.account) if phone else None
        if phone is None or account is None or act is None:
            return self._not_found()
        # What was written stays in its place, which is not that of what was to be edited.
        typed = fields if act == self._write else {}
        try:
            act(account, phone, fields)
        except Invalid as problem:
            return self._page(request, phone, problem=str(problem), typed=typed)
        except (Impossible, KeyError):
            return self._page(request, phone, problem=_("This is no longer possible."), typed=typed)
        return self._page(request, phone) if request.is_htmx else _see(phone)

    def _account(self, phone_number_id: str) -> Account | None:
        accounts = self._api.directory()
        return next((each for each in accounts if phone_number_id in {"", each.phone_number_id}), None)

    def _new_phone(self, request: Request, fields: dict[str, str]) -> Reply:
        account = self._account(fields.get("account", ""))
        if account is None:
            return self._not_found()
        try:
            number = _number(fields)
        except Invalid as problem:
            return self._page(request, None, problem=str(problem), typed=fields)
        name = fields.get("name", "").strip()
        return _see(self._people.meet(account, number, name))

    def _write(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        quoted = fields.get("quoted", "")
        context = context_of(account, quoted) if quoted in phone.messages else None
        self._people.write(account, phone, "text", {"body": _words(fields)}, context=context)

    def _send(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        name = fields.get("file", "")
        if name == "location":
            self._people.write(account, phone, "location", PLACE)
        elif name in media.FILES:
            file = media.FILES[name]
            caption = fields.get("text", "").strip()[:MAX_CAPTION] if file.kind == "image" else ""
            self._people.write(account, phone, file.kind, file.content(caption))
        else:
            raise Impossible

    def _react(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        emoji = fields.get("emoji", "")
        if emoji not in EMOJI:
            raise Impossible
        self._people.react(account, phone, fields.get("message", ""), emoji)

    def _edit(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        self._people.edit(account, phone, _words(fields))

    def _delete(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        self._people.delete(account, phone)

    def _tap(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        index = fields.get("button", "")
        if not (index.isascii() and index.isdigit() and len(index) < 3):
            raise Impossible
        self._people.tap(account, phone, fields.get("message", ""), int(index))

    def _move(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        number = _number(fields)
        if self._phones.find(phone.account, number):
            raise Invalid(_("Another phone has this number."))
        self._people.move(account, phone, number)

    def _choose_marketing(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        self._people.choose_marketing(account, phone, stop=fields.get("choice") == "stop")

    def _answer_from_app(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        self._people.answer_from_app(account, phone, _words(fields))

    def _switch(self, account: Account, phone: Phone, fields: dict[str, str]) -> None:
        fails_with = fields.get("fails_with", "")
        self._people.switch(
            account,
            phone,
            is_on="is_on" in fields,
            shows_read="shows_read" in fields,
            shares_number="shares_number" in fields,
            fails_with=fails_with if fails_with in FAILURES else "",
        )

    # -------------------------------------------------------------------------------------------------

    def _not_found(self, headers: Mapping[str, str] | None = None) -> Reply:
        return self._refused(404, _("There’s nothing here"), headers)

    def _refused(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> Reply:
        html = render_to_string("sandbox/refused.html", {"words": words})
        headers = {**HEADERS, **(headers or {})}
        return Reply(status, html.encode(), "text/html; charset=utf-8", headers=headers)


def _fields(body: bytes) -> dict[str, str]:
    """Return the fields of a form, each once."""
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:  # too many
        return {}
    return {key: values[-1].replace("\x00", "").replace("\r\n", "\n") for key, values in fields.items()}


def _words(fields: Mapping[str, str]) -> str:
    words = fields.get("text", "").strip()
    if not words:
        raise Invalid(_("Write something first."))
    if len(words) > MAX_TEXT:
        raise Invalid(_("A message has at most 4,096 characters."))
    return words


def _number(fields: Mapping[str, str]) -> str:
    try:
        return phone_numbers.digits(phone_numbers.normalized(fields.get("number", "")[:40]))
    except ValueError:
        raise Invalid(_("Give a number with its country code, such as +506 8888 1234.")) from None


def _zone(account: Account | None) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(account.time_zone if account else "UTC")


def _inbox(account: Account | None) -> str:
    """Return the address of the app's inbox, if it is known where the app runs."""
    app = urlsplit(account.webhook_url if account else "")
    return f"{app.scheme}://{app.netloc}/inbox/" if app.netloc else ""


def _see(phone: Phone) -> Reply:
    return Reply(303, b"", headers={**HEADERS, "Location": f"{PHONES}{phone.pk}/"})
