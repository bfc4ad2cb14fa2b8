"""Which template, with which values, a message was sent with by hand: kept to be sent again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from conversations.models import Message
from templates_app.models import Template
from trochai.whatsapp.json_reading import mapping


@dataclass(frozen=True)
class Frozen:
    """``shape`` as the template had it when ``values`` (by parameter key) were given for it."""

    template_id: int
    shape: list[str]
    values: dict[str, str]

    # Where it stands in ``Message.content``, beside the message's parts.
    KEY: ClassVar = "sent_with"

    @classmethod
    def of(cls, message: Message) -> Self | None:
        """Return what ``message`` was sent with; None if it was not a person who sent it as a template."""
        kept = mapping(message.content, cls.KEY)
        return cls(**kept) if kept else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def template(self) -> Template:
        """Return the template as it is now. It is never deleted."""
        return Template.objects.get(pk=self.template_id)
