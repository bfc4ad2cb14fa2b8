"""What a server process looks at before it serves: it does not start with an unsafe configuration.

Production is the default everywhere; only what is embedded (``manage.py up``, the tests) turns DEBUG on.
"""

from __future__ import annotations

from django.core.checks import ERROR, Tags, run_checks
from django.core.exceptions import ImproperlyConfigured


def refuse_unsafe() -> None:
    """Raise ``ImproperlyConfigured`` with all that ``trochai.checks`` finds unsafe, unless it is silenced."""
    found = run_checks(tags=[Tags.security, Tags.compatibility])
    unsafe = [each for each in found if each.level >= ERROR and not each.is_silenced()]
    if unsafe:
        reasons = "".join(f"\n- {each.msg} {each.hint or ''} ({each.id})" for each in unsafe)
        raise ImproperlyConfigured(
            f"Trochai does not start:{reasons}\nTo try it on this machine: python3 dev.py up"
        )
