"""People who write in the composer: ``python -m tests.benchmarks.composer --rate 2``, until SIGTERM.

At fixed moments, however long the previous one takes, another message is sent from its own thread. At the
end it prints as JSON how many seconds each took (the stub's latency included), and which were sent.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import django
from django.db import connection
from django.utils import timezone

THREADS = 64


def write(pk: int) -> tuple[float, bool]:
    """Write one message as the composer's view does; return how long Meta's answer took and what it was."""
    from conversations import outbox
    from conversations.models import Conversation, Delivery, Message
    from trochai.accounts.models import User

    begun = time.monotonic()
    try:
        conversation = Conversation.objects.select_related("channel", "contact").get(pk=pk)
        message = outbox.send_reply(
            conversation=conversation, text="Buenos días", by=User.objects.earliest("pk"), now=timezone.now()
        )
        while message.delivery == Delivery.SENDING:
            time.sleep(0.02)
            message.delivery = Message.objects.values_list("delivery", flat=True).get(pk=message.pk)
    finally:
        connection.close()  # as at the end of a request: back into the pool
    return time.monotonic() - begun, message.delivery == Delivery.ACCEPTED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2, help="messages a second")
    options = parser.parse_args()
    django.setup()
    from conversations.models import Conversation

    talking = Conversation.objects.filter(last_inbound_at__isnull=False)
    ids = itertools.cycle(talking.values_list("pk", flat=True))
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_signal: stopped.set())
    with ThreadPoolExecutor(THREADS) as pool:
        written: list[Future[tuple[float, bool]]] = []
        begun = time.monotonic()
        while not stopped.wait(max(0.0, begun + len(written) / options.rate - time.monotonic())):
            written.append(pool.submit(write, next(ids)))
    print(json.dumps([future.result() for future in written]), flush=True)


if __name__ == "__main__":
    main()
