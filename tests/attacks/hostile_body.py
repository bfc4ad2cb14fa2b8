"""``hostile_body``: one signed body with thousands of contacts and messages, as it meets a worker.

``python -m tests.attacks.hostile_body`` reads bodies of growing size and prints seconds and memory of each;
``--long`` goes up to the 4 MB that the webhook takes. Without an index of the contacts the time grows with
the square of the size.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time
import tracemalloc
from dataclasses import dataclass

NOW = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Reading:
    """CPU seconds to read one body, and the most memory beyond the body itself, in megabytes."""

    megabytes: float
    events: int
    seconds: float
    memory: float


def hostile(people: int) -> bytes:
    """As many contacts as messages, each message by the last of them that one looks at."""
    numbers = [str(50600000000 + number) for number in range(people)]
    value = {
        "metadata": {"phone_number_id": "42"},
        "contacts": [{"wa_id": number} for number in numbers],
        "messages": [{"id": number, "from": number, "type": "text"} for number in reversed(numbers)],
    }
    entry = {"id": "77", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"entry": [entry]}, separators=(",", ":")).encode()


def read(body: bytes) -> Reading:
    from trochai.whatsapp.webhooks import parsing

    tracemalloc.start()
    began = time.process_time()
    payload = parsing.decode(body)
    events = sum(1 for _event in parsing.events(payload, received_at=NOW))
    seconds = time.process_time() - began
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Reading(len(body) / MEGABYTE, events, seconds, peak / MEGABYTE)


def main() -> None:
    import django

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="up to the largest body that is taken")
    options = parser.parse_args()
    django.setup()
    print("| MB | events | CPU seconds | MB of memory |\n|---|---|---|---|")
    for people in (1_000, 4_000, 16_000, 40_000) if options.long else (1_000, 4_000):
        reading = read(hostile(people))
        print(
            f"| {reading.megabytes:.1f} | {reading.events:,} | {reading.seconds:.2f} | {reading.memory:.0f} |"
        )


if __name__ == "__main__":
    main()
