"""What people do with their phones: what is on the phone afterwards, and the webhook that Meta posts."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trochai.whatsapp.json_reading import mapping, text
from trochai.whatsapp.phone_numbers import digits
from trochai.whatsapp.sandbox import callbacks
from trochai.whatsapp.sandbox.accounts import Account
from trochai.whatsapp.sandbox.arrivals import arrival
from trochai.whatsapp.sandbox.courier import Courier, Watcher
from trochai.whatsapp.sandbox.numbers import DELIVERED
from trochai.whatsapp.sandbox.phones import ASKS_NUMBER, MAX_NAME, Line, Message, Phone, Phones
from trochai.whatsapp.sandbox.validation import MAX_TEXT
from trochai.whatsapp.webhooks.message_text import text_of

# Where each kind that is about another message names that one.
ABOUT = {"edit": "original_message_id", "revoke": "original_message_id", "reaction": "message_id"}


# Why a person's own card was sent, as Meta says it.
ASKED_FOR = "contact_request/other"


class Impossible(Exception):
    """A person cannot do this, as what it is about is not there or not theirs."""


@dataclass
class People:
    """The people of all accounts. ``pace`` multiplies every delay."""

    phones: Phones
    courier: Courier
    pace: float = 1.0

    # What the app sends ------------------------------------------------------------------------------

    def receive(self, account: Account, body: Mapping[str, Any], recipient: str, message_id: str) -> None:
        """Send a message to a phone, on which it arrives with its status "delivered"."""
        phone = self.meet(account, recipient)
        message = arrival(body, account.templates, message_id=message_id, at=time.time())
        self.phones.add(phone.pk, message)

    def tell(
        self,
        account: Account,
        message_id: str,
        name: str,
        *,
        recipient: str,
        reference: str,
        delay: float = 0,
        failure: int = 0,
    ) -> None:
        """Post what became of a message, after ``delay`` seconds, if its phone lets it get there."""
        value = self.status(account, message_id, name, recipient, reference, delay=delay, failure=failure)
        self.courier.post(
            account, value, delay=delay * self.pace, if_so=lambda: self.phones.reach(message_id, name)
        )

    def status(
        self,
        account: Account,
        message_id: str,
        name: str,
        recipient: str,
        reference: str,
        *,
        delay: float,
        failure: int,
    ) -> dict[str, Any]:
        """Return the value that says so. A phone that keeps its number to itself is named by its user id."""
        phone = self.phones.find(account.phone_number_id, recipient)
        return callbacks.status(
            message_id=message_id,
            name=name,
            recipient=phone.user_id if phone and not phone.shares_number else recipient,
            reference=reference,
            at=time.time() + delay * self.pace,
            failure=failure,
        )

    def meet(self, account: Account, person: str, name: str = "") -> Phone:
        """Return the phone of a number or user id, a new one if need be."""
        return self.phones.of(account.phone_number_id, person, at=time.time(), name=name)

    # What a person does ------------------------------------------------------------------------------

    def write(
        self,
        account: Account,
        phone: Phone,
        kind: str,
        content: object,
        *,
        context: object = None,
        delay: float = 0,
        origin: str = "",
    ) -> str:
        """Write to the business: ``content`` is the node of this ``kind``. Return the message's id."""
        message_id, at = new_message_id(), time.time() + delay * self.pace
        value = callbacks.written(
            message_id=message_id,
            sender=phone.told_number,
            name=phone.name,
            kind=kind,
            content=content,
            at=at,
            context=context,
            user_id=phone.user_id,
            origin=origin,
        )
        message = _message(message_id, kind, content, at=at, quoted=text(mapping(context).get("id")))

        def show() -> bool:
            self._show(phone, message, content)
            return True

        if not delay:
            show()
        self.courier.post(
            account,
            value,
            delay=delay * self.pace,
            if_so=show if delay else lambda: True,
            taken=lambda: self.phones.change_message(message_id, tick="delivered"),
        )
        return message_id

    def react(self, account: Account, phone: Phone, message_id: str, emoji: str) -> None:
        """React to a message of the business; with the same emoji again the reaction is taken back."""
        message = self._of_the_business(phone, message_id)
        taken_back = emoji in {"", message.reaction}
        node = {"message_id": message_id} | ({} if taken_back else {"emoji": emoji})
        self.write(account, phone, "reaction", node)

    def edit(self, account: Account, phone: Phone, words: str) -> None:
        """Write something else in the last message."""
        last = phone.last_written
        if last is None or last.kind != "text":
            raise Impossible
        message = {"type": "text", "text": {"body": words}}
        self.write(account, phone, "edit", {"original_message_id": last.id, "message": message})

    def delete(self, account: Account, phone: Phone) -> None:
        """Delete the last message for everybody."""
        last = phone.last_written
        if last is None:
            raise Impossible
        self.write(account, phone, "revoke", {"original_message_id": last.id})

    def tap(self, account: Account, phone: Phone, message_id: str, index: int) -> None:
        """Tap a quick reply of a template, or share the number that it asks for; its buttons answer once."""
        message = self._of_the_business(phone, message_id)
        buttons = message.template.buttons if message.template else ()
        button = buttons[index] if index < len(buttons) else None
        if button is None or not button.answers or message.tapped is not None:
            raise Impossible
        self.phones.change_message(message_id, tapped=index)
        context = context_of(account, message_id)
        if button.kind == ASKS_NUMBER:
            self.write(account, phone, "contacts", [_own_card(phone)], context=context, origin=ASKED_FOR)
        else:
            node = {"payload": button.payload, "text": button.text}
            self.write(account, phone, "button", node, context=context)

    def move(self, account: Account, phone: Phone, number: str) -> None:
        """Change number; the user id changes with it. ``number`` has digits only."""
        other = self.phones.find(account.phone_number_id, number)
        if other is not None or not phone.number:
            raise Impossible
        at = time.time()
        user_id = callbacks.user_id_of(number)
        value = callbacks.moved(
            message_id=new_message_id(),
            old=phone.told_number,
            new=number if phone.shares_number else "",
            user_id=phone.user_id,
            new_user_id=user_id,
            at=at,
        )
        self.phones.change(phone.pk, number=number, user_id=user_id)
        self._happened(phone, "moved", at, number)
        self.courier.post(account, value)

    def choose_marketing(self, account: Account, phone: Phone, *, stop: bool) -> None:
        """Opt out of marketing messages, or in again."""
        at = time.time()
        choice = "stop" if stop else "resume"
        value = callbacks.preference(wa_id=phone.told_number, user_id=phone.user_id, choice=choice, at=at)
        self.phones.change(phone.pk, has_opted_out=stop)
        self._happened(phone, choice, at)
        self.courier.post(account, value, of="user_preferences")

    def answer_from_app(self, account: Account, phone: Phone, words: str) -> None:
        """The business answers from its WhatsApp Business app."""
        message_id, at = new_message_id(), time.time()
        value = callbacks.echo(
            message_id=message_id,
            sender=account.display_phone_number,
            wa_id=phone.told_number,
            user_id=phone.user_id,
            text=words,
            at=at,
        )
        message = Message(message_id, "text", at, False, text=words, tick="read", is_from_app=True)
        self.phones.add(phone.pk, message)
        self.courier.post(account, value, of="smb_message_echoes")

    def switch(
        self,
        account: Account,
        phone: Phone,
        *,
        is_on: bool,
        shows_read: bool,
        shares_number: bool,
        fails_with: str,
    ) -> None:
        """Set the phone's switches. What has waited for it to be switched on arrives now."""
        changed = self.phones.change(
            phone.pk,
            is_on=is_on,
            shows_read=shows_read,
            shares_number=shares_number or not phone.number,
            fails_with=fails_with,
        )
        if not is_on or phone.is_on:
            return
        recipient = changed.number or changed.user_id
        for message in changed.waiting:
            for name, delay in DELIVERED[1:]:
                self.tell(
                    account,
                    message.id,
                    name,
                    recipient=recipient,
                    reference=message.reference,
                    delay=delay - DELIVERED[0][1],
                )

    # ---------------------------------------------------------------------------------------------------

    def _of_the_business(self, phone: Phone, message_id: str) -> Message:
        message = phone.messages.get(message_id)
        if message is None or message.is_mine or not message.has_arrived:
            raise Impossible
        return message

    def _show(self, phone: Phone, message: Message, content: object) -> None:
        """Put on the phone what its person writes, or what that changes of another message."""
        node = mapping(content)
        about = text(node.get(ABOUT.get(message.kind, "")))
        match message.kind:
            case "reaction":
                self.phones.change_message(about, reaction=text(node.get("emoji")))
            case "edit":
                words = text(mapping(node, "message", "text").get("body"))
                self.phones.change_message(about, text=words, is_edited=True)
            case "revoke":
                self.phones.change_message(about, is_deleted=True, reaction="")
            case _:
                self.phones.add(phone.pk, message)

    def _happened(self, phone: Phone, name: str, at: float, words: str = "") -> None:
        event = Message(new_message_id(), "event", at, True, text=words, name=name)
        self.phones.add(phone.pk, event)


def watcher(phones: Phones) -> Watcher:
    """Return what keeps the courier's posts for the page to show."""

    def watch(_account: Account, of: str, values: list[dict[str, Any]], status: int) -> None:
        now = time.time()
        for value in values:
            phones.note(Line(now, " · ".join(filter(None, _what(of, value))), status))

    return watch


def context_of(account: Account, message_id: str) -> dict[str, str]:
    """Return what names a message of the business that somebody answers."""
    return {"from": digits(account.display_phone_number), "id": message_id}


def new_message_id() -> str:
    return "wamid.HBg" + base64.b64encode(secrets.token_bytes(24)).decode()


def _message(message_id: str, kind: str, content: object, *, at: float, quoted: str) -> Message:
    node = mapping(content)
    return Message(
        id=message_id,
        kind=kind,
        at=at,
        is_mine=True,
        text=text_of(kind, content)[:MAX_TEXT],
        media_id=text(node.get("id")),
        name=text(node.get("filename"))[:MAX_NAME],
        quoted=quoted,
    )


def _what(of: str, value: dict[str, Any]) -> tuple[str, str]:
    """Return the field of a change, or what of it concerns people most, and its kind."""
    for key, named in (("statuses", "status"), ("messages", "type"), ("message_echoes", "type")):
        for item in value.get(key, []):
            return key if of == "messages" else of, str(item[named])
    return of, next((str(item["value"]) for item in value.get(of, [])), "")


def _own_card(phone: Phone) -> dict[str, Any]:
    name = phone.name or phone.number
    number = {"phone": f"+{phone.number}", "wa_id": phone.number, "type": "CELL"}
    return {"name": {"formatted_name": name, "first_name": name}, "phones": [number] if phone.number else []}
