"""Hands out a stored file, or a part of it: who plays a recording asks for parts.

Behind nginx only its place is told (``MEDIA_ACCEL_LOCATION``): a slow reader holds none of web's threads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, quote_etag

if TYPE_CHECKING:
    from django.db.models.fields.files import FieldFile
    from django.http import HttpRequest

    from conversations.media.storing import Store

# Shown by themselves; whatever else comes is saved, never opened here.
SHOWN = ("image/", "audio/", "video/")
# A file that turns out to be a page could do nothing.
POLICY = "default-src 'none'; media-src 'self'; sandbox"

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


def handed_out(request: HttpRequest, stored: FieldFile, *, mime_type: str, name: str) -> HttpResponseBase:
    """Return the file, to be asked for again each time, as whoever may see it can change.

    Raises ``Http404`` where it is no longer in its place, as after the database alone was restored.
    """
    etag = quote_etag(stored.name or "")
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    if response is None:
        try:
            response = _through_nginx(stored) if settings.MEDIA_ACCEL_LOCATION else _answer(request, stored)
        except FileNotFoundError:
            raise Http404 from None
        response["Content-Type"] = mime_type
        shown = mime_type.startswith(SHOWN)
        disposition = content_disposition_header(as_attachment=not shown, filename=name)
        if disposition:
            response["Content-Disposition"] = disposition
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["Content-Security-Policy"] = POLICY
    return response


def _through_nginx(stored: FieldFile) -> HttpResponse:
    if not stored.storage.exists(stored.name or ""):
        raise FileNotFoundError
    place = settings.MEDIA_ACCEL_LOCATION + quote(stored.name or "")
    return HttpResponse(headers={"X-Accel-Redirect": place})


def _answer(request: HttpRequest, stored: FieldFile) -> HttpResponseBase:
    store, name = cast("Store", stored.storage), stored.name or ""
    size = store.size(name)
    first, last, status = 0, size - 1, 200
    headers = {"Accept-Ranges": "bytes"}
    wanted = _RANGE.fullmatch(request.headers.get("Range", ""))
    if wanted is not None and wanted[0] != "bytes=-":
        if wanted[1]:
            first, last = int(wanted[1]), min(int(wanted[2] or size), size - 1)
        else:
            first = max(size - int(wanted[2]), 0)
        if first > last:
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        status = 206
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    length = last - first + 1
    headers["Content-Length"] = str(length)
    return StreamingHttpResponse(store.part(name, first, length), status=status, headers=headers)
