"""Facts that this app has written and that the apps above listen to."""

from __future__ import annotations

from django.dispatch import Signal

# template: Template, changed: set[str]. These of its fields (templates_app.sync.TELLING) are no longer
# what they were.
template_changed = Signal()
