"""Where a file is while it comes in."""

from __future__ import annotations

import tempfile
from typing import IO

from django.conf import settings


def incoming_file() -> IO[bytes]:
    """Open a new file that is gone once it is closed, where there is room: not in a container's memory."""
    folder = settings.MEDIA_ROOT / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)
