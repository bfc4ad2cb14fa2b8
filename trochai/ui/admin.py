"""What several of the admin's pages share."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """An admin's page, or an inline, that is for looking only: no adding, changing or deleting."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
