#!/usr/bin/env python
"""Run an administrative command: ``python manage.py <command>``."""

from __future__ import annotations

import os
import sys

# What is only for this machine, and says so itself; everything else takes production as the default.
EMBEDDED = {"up", "runserver", "seed_demo", "whatsapp_sandbox"}


def main() -> None:
    if EMBEDDED & set(sys.argv[1:2]):
        os.environ.setdefault("DEBUG", "1")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trochai.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
