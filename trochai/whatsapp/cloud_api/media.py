"""Where Meta keeps a file (pure). Source: "Media" in Meta's reference: retrieve and download."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

# A token goes nowhere else, whatever an answer says.
HOSTS = ("fbsbx.com", "fbcdn.net", "facebook.com", "whatsapp.net")


class TooLarge(Exception):
    """The file has more bytes than are wanted."""


@dataclass(frozen=True)
class MediaAddress:
    """Good for five minutes. ``size`` is in bytes, 0 where Meta does not say."""

    url: str
    size: int


def is_trusted(url: str, *, base_url: str) -> bool:
    """Whether a token may be sent to ``url``: a host of Meta's, or the API itself (``base_url``)."""
    try:
        address, api = urlsplit(url), urlsplit(base_url)
        port = address.port
    except ValueError:
        return False
    if address.username is not None or address.password is not None:
        return False
    if (address.scheme, address.netloc) == (api.scheme, api.netloc):
        return True
    host = address.hostname or ""
    of_meta = any(host == known or host.endswith(f".{known}") for known in HOSTS)
    return address.scheme == "https" and port in {None, 443} and of_meta
