"""What htmx says about the page that a request comes from."""

from __future__ import annotations

from django_htmx.middleware import HtmxDetails


def path_on_screen(details: HtmxDetails) -> str:
    """Return the page's path and query; empty without htmx, or if the page is not on this site."""
    try:
        return details.current_url_abs_path or ""
    except ValueError:  # no address at all
        return ""
