"""Headers that every response has."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Nothing here needs any of these, nor may anything that is embedded.
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer"),
        *("microphone", "midi", "payment", "screen-wake-lock", "usb", "browsing-topics"),
    )
)


class HeadersMiddleware:
    """Keeps what a member sees out of every cache, also the browser's after signing out.

    A file says for itself that it is to be asked for again each time.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if hasattr(request, "membership"):
            response.setdefault("Cache-Control", "no-store, private")
        return response
