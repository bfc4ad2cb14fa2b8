"""The sheets and modules of a page, joined when static files are collected: a cold page makes few requests.

They stay as they are where nothing is collected, and in the order given here. No module imports another, so
each is a block of its own in what they are joined to (``tests/test_static_files.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

BUNDLES: Mapping[str, tuple[str, ...]] = {
    "css/frame.css": (
        "css/tokens.css",
        "css/base.css",
        "css/components.css",
        "css/notices.css",
        "css/palette.css",
    ),
    "css/inbox-page.css": (
        "css/inbox.css",
        "css/files.css",
        "css/schedule.css",
        "css/follow-up.css",
        "css/contact.css",
    ),
    "css/followups-page.css": (
        "css/filters.css",
        "css/followups.css",
        "css/schedule.css",
        "css/follow-up.css",
    ),
    "css/import-page.css": ("css/import.css",),
    "css/templates-page.css": ("css/filters.css", "css/templates.css"),
    "css/sandbox-page.css": ("css/inbox.css", "css/files.css", "css/sandbox.css"),
    "js/frame.js": (
        "js/polling.js",
        "js/connection.js",
        "js/live.js",
        "js/toasts.js",
        "js/dialogs.js",
        "js/focus.js",
        "js/popovers.js",
        "js/forms.js",
        "js/shortcuts.js",
        "js/palette.js",
        "js/combobox.js",
        "js/steady-list.js",
        "js/drafts.js",
    ),
    "js/inbox-page.js": (
        "js/keyed-swap.js",
        "js/thread.js",
        "js/endless-list.js",
        "js/walk-list.js",
        "js/clipboard.js",
        "js/attach.js",
        "js/saved-replies.js",
        "js/writing.js",
        "js/voice.js",
        "js/latest-answer.js",
        "js/schedule.js",
    ),
    "js/followups-page.js": ("js/schedule.js", "js/selection.js"),
    "js/calendar-page.js": ("js/keyed-swap.js", "js/schedule.js", "js/grid.js"),
    "js/attention-page.js": ("js/details.js", "js/keyed-swap.js", "js/schedule.js"),
    "js/sandbox-page.js": ("js/keyed-swap.js", "js/thread.js", "js/sandbox.js"),
}


class BundlingStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it has no types
    """WhiteNoise's storage, which makes the bundles before it names and compresses what was collected."""

    joins = True

    def post_process(
        self, paths: dict[str, Any], dry_run: bool = False, **options: Any
    ) -> Iterator[tuple[str, str | None, bool | Exception]]:
        if not dry_run:
            for name in BUNDLES:
                self.delete(name)
                self._save(name, ContentFile(self._joined(name, paths).encode()))
                paths[name] = (self, name)
        yield from super().post_process(paths, dry_run, **options)

    def _joined(self, name: str, paths: dict[str, Any]) -> str:
        parts = []
        for source in BUNDLES[name]:
            storage, path = paths[source]
            with storage.open(path) as file:
                text = file.read().decode()
            parts.append(f"{{\n{text}}}\n" if name.endswith(".js") else text)
        return "".join(parts)
