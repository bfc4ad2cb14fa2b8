"""What the scenes of one agency need: its rows in the database and the present moment."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conversations.models import Tag
    from templates_app.models import Template
    from trochai.accounts.models import Membership, Organization, User
    from trochai.demo.scenes import When
    from trochai.whatsapp.models import Channel


WEEKDAYS = {
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_DAY = re.compile(r"\{day([+-]\d+)\}")


@dataclass(frozen=True)
class Stage:
    organization: Organization
    channel: Channel
    members: dict[str, Membership]
    templates: dict[str, Template]
    tags: dict[str, Tag]
    now: dt.datetime

    def at(self, when: When) -> dt.datetime:
        return when.at(self.now, self.organization.zone)

    def words(self, text: str, language: str) -> str:
        """Return ``text`` with the names of its weekdays filled in."""
        today = self.now.astimezone(self.organization.zone).date()

        def name(match: re.Match[str]) -> str:
            return WEEKDAYS[language][(today + dt.timedelta(days=int(match[1]))).weekday()]

        return _DAY.sub(name, text)

    def user(self, email: str | None) -> User | None:
        return None if email is None else self.members[email].user


def wamid() -> str:
    """Return a message id that looks like one of Meta's."""
    return f"wamid.DEMO{uuid.uuid4().hex.upper()}"
