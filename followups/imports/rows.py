"""One row of a file, read by what its columns become: whom to write to, with what, when."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from followups.imports import moments
from followups.imports.columns import VALUE, Role
from followups.imports.problems import ROW, TIME, Flaw
from followups.scheduling import SchedulingError, SkippedTime, custom
from followups.wanted import CUSTOM, Field, Wanted
from templates_app.forms import key_of_name
from templates_app.models import Template, TemplateQuerySet
from templates_app.parameters import Problem
from trochai.whatsapp import phone_numbers
from trochai.whatsapp.models import Channel

if TYPE_CHECKING:
    from conversations.models import Conversation
    from followups.imports.models import Import
    from trochai.accounts.models import Organization

# Any one would do: the same row has the same id in every import.
_NAMESPACE = uuid.UUID("5ad64a2c-7a7f-4b0a-9d0f-6f2f3c4f8a11")


def offered(channel: Channel) -> TemplateQuerySet:
    """Return the templates that may be scheduled on the channel, but for those that cannot be filled in."""
    approved = Template.objects.for_channel(channel).approved()
    return approved.exclude(category="AUTHENTICATION").defer("search_text")


@dataclass
class Asked:
    """What a row asks for, as far as it could be read, and what could not be."""

    phone: str = ""
    name: str = ""
    template: Template | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    at: dt.datetime | None = None
    note: str = ""
    problems: list[Problem] = field(default_factory=list)
    template_id: int | None = None

    @property
    def canonical_phone(self) -> str:
        return phone_numbers.canonical(self.phone) if self.phone else ""

    def wanted(self, talk: Conversation) -> Wanted:
        """Return the same as the dialog would ask for it in this conversation."""
        return Wanted(
            conversation=talk,
            template=self.template,
            parameters=self.parameters,
            choice=CUSTOM,
            scheduled_for=self.at,
            note=self.note,
        )

    def submission(self, organization: Organization) -> uuid.UUID | None:
        """Return the id of what is asked for: the same to the same number at the same moment is made once."""
        if not self.phone or self.template_id is None or self.at is None:
            return None
        key = [
            organization.pk,
            self.canonical_phone,
            self.at.astimezone(dt.UTC).isoformat(),
            self.template_id,
            self.parameters,
        ]
        return uuid.uuid5(_NAMESPACE, json.dumps(key, sort_keys=True))


class Reader:
    """Reads the rows of one import; ``now`` is for dates without a year."""

    def __init__(self, batch: Import, channel: Channel, *, now: dt.datetime) -> None:
        self.organization, self.channel, self._batch = batch.organization, channel, batch
        self._today = now.astimezone(self.organization.zone).date()
        self._own = phone_numbers.digits(channel.display_phone_number)
        self._column = {role: column for column, role in enumerate(batch.columns) if role}
        self._values = {
            role.removeprefix(VALUE): column
            for role, column in self._column.items()
            if role.startswith(VALUE)
        }
        self._named: dict[str, list[Template]] = {}
        for template in offered(channel):
            if template.is_sendable:
                self._named.setdefault(template.name, []).append(template)
        theirs = (each for several in self._named.values() for each in several)
        self._fixed = next((each for each in theirs if each.pk == batch.template_id), None)

    def read(self, cells: Sequence[str]) -> Asked:
        asked = Asked(note=self._cell(cells, Role.NOTE))
        if len(cells) > len(self._batch.headings):
            asked.problems.append(Problem(ROW, Flaw.MORE_CELLS))
        for part in (self._read_phone, self._read_template, self._read_moment):
            part(cells, asked)
        asked.name = self._name(cells, asked.template)
        return asked

    def _cell(self, cells: Sequence[str], role: str) -> str:
        column = self._column.get(role)
        return "" if column is None else cells[column]

    def _read_phone(self, cells: Sequence[str], asked: Asked) -> None:
        try:
            phone = phone_numbers.read(self._cell(cells, Role.PHONE), self.organization.country).phone
        except phone_numbers.WrongLength as error:
            values = {"country": error.country, "digits": error.digits, "lengths": list(error.lengths)}
            asked.problems.append(Problem(Field.CONTACT, Flaw.WRONG_LENGTH, values))
            return
        except ValueError:
            asked.problems.append(Problem(Field.CONTACT, Flaw.NO_NUMBER))
            return
        if phone_numbers.digits(phone) == self._own:
            asked.problems.append(Problem(Field.CONTACT, Flaw.OWN_NUMBER))
            return
        asked.phone = phone

    def _read_template(self, cells: Sequence[str], asked: Asked) -> None:
        template = self._fixed if self._batch.template_id else self._template_of(cells, asked)
        if template is None:
            return
        asked.template, asked.template_id = template, template.pk
        keys = [parameter.key for parameter in template.parameters]
        asked.parameters = {key: cells[self._values[key]] if key in self._values else "" for key in keys}

    def _template_of(self, cells: Sequence[str], asked: Asked) -> Template | None:
        named = self._named.get(self._cell(cells, Role.TEMPLATE), [])
        if language := self._cell(cells, Role.LANGUAGE):
            named = [template for template in named if template.language == language]
        if len(named) != 1:
            flaw = Flaw.WHICH_LANGUAGE if named else Flaw.UNKNOWN_TEMPLATE
            asked.problems.append(Problem(Field.TEMPLATE, flaw))
            return None
        return named[0]

    def _read_moment(self, cells: Sequence[str], asked: Asked) -> None:
        date, time = self._cell(cells, Role.DATE), self._cell(cells, Role.TIME)
        if not date:
            return
        batch, zone = self._batch, self.organization.zone
        try:
            if exact := moments.exact(date):
                asked.at = exact.replace(second=0, microsecond=0).astimezone(dt.UTC)
                return
            day, clock = moments.read(
                date, time, order=batch.date_order, today=self._today, default=batch.time
            )
            asked.at = custom(day, clock, zone)
        except moments.NotRead as error:
            about = TIME if error.unclear is moments.Unclear.NOT_A_TIME else Field.MOMENT
            asked.problems.append(Problem(about, error.unclear))
        except SkippedTime as error:
            asked.problems.append(Problem(TIME, Flaw.SKIPPED_TIME, {"next": error.next}))
        except (SchedulingError, OverflowError):
            asked.problems.append(Problem(Field.MOMENT, Flaw.FAR_AWAY))

    def _name(self, cells: Sequence[str], template: Template | None) -> str:
        """Return what to call a new contact: what its column says, or else whom the message greets."""
        name = self._cell(cells, Role.NAME)
        key = key_of_name(template) if template is not None and not name else None
        return (cells[self._values[key]] if key in self._values else name)[:200]
