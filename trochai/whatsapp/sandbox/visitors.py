"""Whose requests the pages of the sandbox take (pure).

A page of somebody else's may ask this machine for anything; what it must not do is to read or to change.
"""

from __future__ import annotations

import ipaddress
from email.message import Message
from urllib.parse import urlsplit


def is_known_host(host: str, listening_on: str) -> bool:
    """Return whether a request names this machine's loopback, or the host that the sandbox listens on.

    Another name may be one that a stranger has pointed at this machine (DNS rebinding).
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # no host at all
        return False
    if name in {"localhost", listening_on.lower()}:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_from_elsewhere(headers: Message) -> bool:
    """Return whether another site's page sends this. Whoever is no browser does not say where from."""
    origin = headers.get("Origin")
    if origin is not None and origin != f"http://{headers.get('Host', '')}":
        return True
    return headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
