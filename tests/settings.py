"""The project's settings, embedded: with nothing set they are those of production."""

import os

os.environ.setdefault("DEBUG", "1")

from trochai.settings import *  # noqa: F403
from trochai.settings import CACHES

# Of this process alone: other processes' tests have organizations with the same ids.
CACHES["hints"] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "hints"}
