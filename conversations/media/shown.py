"""A message's file as its bubble draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.template.defaultfilters import filesizeformat
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations import wording
from conversations.media import naming
from conversations.media.inspection import Fault
from conversations.models import Attachment, AttachmentState, Message

FAULTS: Mapping[str, Promise] = {
    Fault.EMPTY: gettext_lazy("the file is empty."),
    Fault.TOO_LARGE: gettext_lazy("the file is too large to be kept here."),
    Fault.WRONG_TYPE: gettext_lazy("the file is not what it says it is, so it was not kept."),
}
# Those that are shown as a picture, also while that is not there.
PICTURED = frozenset({"image", "video", "sticker"})


@dataclass(frozen=True)
class ShownFile:
    """``attachment`` is None for a message from before files were kept here."""

    message: Message
    attachment: Attachment | None

    @property
    def is_ready(self) -> bool:
        here = {AttachmentState.READY, AttachmentState.SENDING}
        return self.attachment is not None and self.attachment.state in here

    @property
    def is_waiting(self) -> bool:
        return self.attachment is not None and self.attachment.state == AttachmentState.WAITING

    @property
    def form(self) -> str:
        """How it is drawn: picture, video, player, sticker; else as a file that can be saved, or missing."""
        forms = {"image": "picture", "video": "video", "audio": "player", "sticker": "sticker"}
        form = forms.get(self.message.kind, "file")
        return form if self.is_ready or form == "file" else "missing"

    @property
    def is_pictured(self) -> bool:
        return self.message.kind in PICTURED

    @property
    def icon(self) -> str:
        return wording.PICTURES[self.message.shown_kind]

    @property
    def kind(self) -> str:
        return str(wording.KINDS[self.message.shown_kind])

    @property
    def name(self) -> str:
        return naming.given_name(self.message) or self.kind

    @property
    def ending(self) -> str:
        return naming.ending_of(naming.given_name(self.message))

    @property
    def length(self) -> str:
        """How long it takes to play: 0:42, 1:02:03; empty if nobody knows."""
        seconds = self.attachment.seconds if self.attachment is not None else None
        if seconds is None:
            return ""
        minutes, rest = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

    @property
    def state(self) -> str:
        """What there is to say of it: its size, or why it is not here."""
        if self.attachment is None or self.attachment.state == AttachmentState.GONE:
            return _("%(kind)s: WhatsApp no longer has it. Ask for it to be sent again.") % {
                "kind": self.kind
            }
        if self.attachment.state == AttachmentState.WAITING:
            return _("%(kind)s is being fetched") % {"kind": self.kind}
        if self.attachment.state == AttachmentState.REFUSED:
            why = FAULTS.get(self.attachment.fault, FAULTS[Fault.WRONG_TYPE])
            return _("%(kind)s: %(why)s") % {"kind": self.kind, "why": why}
        size = filesizeformat(self.attachment.size or 0)
        return f"{self.ending} · {size}" if self.ending else size


def shown(message: Message) -> ShownFile | None:
    """Return the file of a message whose ``attachment`` was looked up, if its kind is one."""
    if message.kind not in wording.FILES or message.revoked_at is not None:
        return None
    return ShownFile(message, getattr(message, "attachment", None))
