"""What htmx says about the page it asks from."""

from __future__ import annotations

from django_htmx.middleware import HtmxDetails


def path_on_screen(details: HtmxDetails) -> str:
    """Return path and query of the page; empty without htmx, and for an address that is not of this site."""
    try:
        return details.current_url_abs_path or ""
    except ValueError:  # no address at all
        return ""
