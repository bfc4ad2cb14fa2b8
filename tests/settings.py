"""The project's settings, embedded: with nothing set they are those of production."""

import os

os.environ.setdefault("DEBUG", "1")

from trochai.settings import *  # noqa: F403
