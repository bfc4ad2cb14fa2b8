"""Links that are sent along: of which kind they are, and how long they work (pure)."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

# Where Meta keeps the samples of templates: its own addresses fail when they are sent (error 131053).
_METAS_HOSTS = re.compile(r"(^|\.)(whatsapp\.net|fbcdn\.net|fbsbx\.com)$", re.IGNORECASE)
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*:)?//|^www\.", re.IGNORECASE)
_HOST_AND_PATH = re.compile(r"^([a-z0-9-]+\.)+[a-z]{2,}(:\d+)?/", re.IGNORECASE)
_AMAZON_MOMENT = "%Y%m%dT%H%M%SZ"
MAX_FILE_NAME = 240


def is_public(link: str) -> bool:
    """Whether Meta may fetch it: https, with a host."""
    address = _split(link)
    return address is not None and address.scheme == "https" and bool(address.hostname)


def is_metas(link: str) -> bool:
    address = _split(link)
    return address is not None and bool(_METAS_HOSTS.search(address.hostname or ""))


def is_whole(ending: str, *, prefix: str) -> bool:
    """Whether what should be the ending of ``prefix`` is an address by itself.

    After a prefix that ends with "=" it may well be one: of a page that leads there.
    """
    if prefix and ending.startswith(prefix):
        return True
    if prefix.endswith("="):
        return False
    host = (_split(prefix) or SplitResult("", "", "", "", "")).netloc.lower().removeprefix("www.")
    is_host = bool(host) and ending.lower().removeprefix("www.").split("/")[0] == host
    return is_host or bool(_SCHEME.match(ending) or _HOST_AND_PATH.match(ending))


def expires_at(link: str) -> dt.datetime | None:
    """Return when a signed link stops working, as far as it says so itself.

    Amazon: ``X-Amz-Date`` and ``X-Amz-Expires`` (seconds), or ``Expires`` (unix seconds); Meta: ``oe`` (the
    same in hexadecimal); Azure: ``se`` (ISO 8601).
    """
    address = _split(link)
    if address is None:
        return None
    with contextlib.suppress(ValueError, OverflowError, OSError):
        found = parse_qs(address.query, max_num_fields=100)
        query = {name.lower(): values[0] for name, values in found.items()}
        if "x-amz-expires" in query and "x-amz-date" in query:
            signed_at = dt.datetime.strptime(query["x-amz-date"], _AMAZON_MOMENT).replace(tzinfo=dt.UTC)
            return signed_at + dt.timedelta(seconds=int(query["x-amz-expires"]))
        if "expires" in query:
            return dt.datetime.fromtimestamp(int(query["expires"]), tz=dt.UTC)
        if "oe" in query:
            return dt.datetime.fromtimestamp(int(query["oe"], 16), tz=dt.UTC)
        if "se" in query:
            moment = dt.datetime.fromisoformat(query["se"])
            return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return None


def file_name(link: str) -> str:
    """Return what a linked file is called, as people would write it; empty where the link does not say."""
    address = _split(link)
    name = unquote(address.path.rsplit("/", 1)[-1]) if address is not None else ""
    return "".join(each for each in name if each.isprintable() and each not in "/\\").strip()[:MAX_FILE_NAME]


def _split(link: str) -> SplitResult | None:
    try:
        address = urlsplit(link)
        _ = address.hostname, address.port
    except ValueError:
        return None
    return address
