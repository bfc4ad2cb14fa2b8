"""The list of templates: the tab and filters in its URL, the tabs' counts, and one page of cards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from templates_app.models import Category, Template, TemplateQuerySet, TemplateStatus
from templates_app.requested_sync import Syncs
from trochai.clock import database_now
from trochai.paging import Order, Page, page_of
from trochai.search import typed

if TYPE_CHECKING:
    from django.http import QueryDict

    from trochai.accounts.models import Organization

PAGE_SIZE = 60
ORDER = Order({"name": str, "language": str, "pk": int})

# Other statuses, such as disabled, appear only under All.
TABS = [
    ("", _("All"), None),
    ("approved", _("Approved"), [TemplateStatus.APPROVED]),
    ("in_review", _("In review"), [TemplateStatus.PENDING, TemplateStatus.IN_APPEAL]),
    ("paused", _("Paused"), [TemplateStatus.PAUSED]),
    ("rejected", _("Rejected"), [TemplateStatus.REJECTED]),
]


@dataclass(frozen=True)
class TabLink:
    key: str
    label: str
    count: int
    query: str
    is_current: bool


class Listing:
    """Everything comes from the address; a filter with an unknown value counts as not set."""

    def __init__(self, organization: Organization, params: QueryDict) -> None:
        self._all = Template.objects.for_organization(organization).known_to_meta()
        self._organization = organization
        self.status = self._one_of(params.get("status"), [key for key, _label, _statuses in TABS])
        self.category = self._one_of(params.get("category"), list(Category.values))
        self.language = params.get("language", "").replace("\0", "")
        self.q = typed(params.get("q", ""), most=200)
        self._after = ORDER.parse(params.get("after", ""))

    @property
    def is_filtered(self) -> bool:
        return bool(self.q or self.category or self.language)

    @property
    def query(self) -> str:
        """The address of this list's first page, without its question mark."""
        return self._query(status=self.status)

    @property
    def next_query(self) -> str:
        """The address of the page after this one; empty on the last."""
        following = self._page.following
        return self._query(status=self.status, after=following) if following else ""

    @property
    def is_first_page(self) -> bool:
        return self._page.previous is None

    @property
    def categories(self) -> list[tuple[str, str]]:
        return [(category.value, str(category.label)) for category in Category]

    @cached_property
    def languages(self) -> list[str]:
        return list(self._all.order_by("language").values_list("language", flat=True).distinct())

    @cached_property
    def tabs(self) -> list[TabLink]:
        """The tabs, each with the number of templates that match search and filters."""
        counts = self._filtered.order_by().aggregate(
            **{
                f"count_{key}": Count("pk", filter=Q() if statuses is None else Q(status__in=statuses))
                for key, _label, statuses in TABS
            }
        )
        return [
            TabLink(key, str(label), counts[f"count_{key}"], self._query(status=key), key == self.status)
            for key, label, _statuses in TABS
        ]

    @property
    def templates(self) -> list[Template]:
        return self._page.rows

    @cached_property
    def syncs(self) -> Syncs:
        return Syncs.of(self._organization, now=database_now())

    @cached_property
    def _page(self) -> Page[Template]:
        statuses = next(statuses for key, _label, statuses in TABS if key == self.status)
        found = self._filtered if statuses is None else self._filtered.filter(status__in=statuses)
        return page_of(found, ORDER, size=PAGE_SIZE, after=self._after)

    @cached_property
    def _filtered(self) -> TemplateQuerySet:
        found = self._all.search(self.q)
        if self.category:
            found = found.filter(category=self.category)
        if self.language:
            found = found.filter(language=self.language)
        return found

    def _query(self, **params: Any) -> str:
        filters = {"q": self.q, "category": self.category, "language": self.language}
        return urlencode({name: value for name, value in {**params, **filters}.items() if value})

    @staticmethod
    def _one_of(value: str | None, allowed: list[str]) -> str:
        return value if value and value in allowed else ""
