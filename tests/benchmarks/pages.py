"""``pages``: what each page costs at any size, beside a trivial signed-in view and Django's own admin.

``python -m tests.benchmarks.pages --rows 1000000`` fills a PostgreSQL database (``table``; the newest
conversations get ``LONG`` messages each, the newest ``LONGEST``), serves it with one gunicorn process, and
asks for every page in turn, round after round, so that noise meets all of them alike. Times are those of the
client on this machine; CPU is that of gunicorn and of the whole PostgreSQL server, as a block of requests for
one page used it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import http.client
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from html import unescape

from tests.benchmarks import processes
from tests.benchmarks.table import FIRST_ADDED

# How many conversations have how many messages: what the inbox's first page shows.
NEWEST, LONG, LONGEST = 30, 1_700, 50_000
# Requests in a row for one page.
BLOCK = 10
TRIVIAL = "a trivial signed-in view"
VERSION = b'name="v" value="'

MESSAGES = """
    INSERT INTO conversations_message (id, conversation_id, channel_id, uuid, direction, kind, text, content,
           template_name, language, whatsapp_id, delivery, error_cause, error_values, at, created_at)
    SELECT %(first)s + row_number() OVER (), conversation.id, conversation.channel_id, gen_random_uuid(),
           'in', 'text', 'Buenos días', '{}', '', '', 'wamid.in.' || conversation.id || '.' || n, '', '',
           '{}', last_message_at - (n - 1) * interval '1 minute', now()
      FROM (SELECT *, row_number() OVER (ORDER BY last_message_at DESC) AS place
              FROM conversations_conversation WHERE organization_id = %(organization)s
             ORDER BY last_message_at DESC LIMIT %(newest)s) conversation
     CROSS JOIN LATERAL generate_series(1, CASE place WHEN 1 THEN %(longest)s ELSE %(long)s END) n
"""
# Every second of those that wait is due in quiet hours, every third on a day that is over the limit.
ATTENTION = """
    INSERT INTO followups_attention (organization_id, follow_up_id, cause, subject, "values", found_at)
    SELECT organization_id, id, cause, CASE cause WHEN 'limit' THEN date(scheduled_for)::text ELSE '' END,
           '{}', now()
      FROM (SELECT *, row_number() OVER (ORDER BY scheduled_for) AS place FROM followups_followup
             WHERE organization_id = %(organization)s AND status = 'pending') follow_up
      JOIN (VALUES ('quiet', 2), ('limit', 3)) causes (cause, each) ON place %% each = 0
"""


@dataclass
class Page:
    """One address and what came of asking for it; ``htmx`` asks as an open page does.

    ``shows``: the page that is open, and whose version is sent along. ``after_change``: before each request
    something is told, so that nothing is kept of the one before.
    """

    name: str
    path: str
    htmx: bool = False
    shows: str = ""
    after_change: bool = False
    milliseconds: list[float] = field(default_factory=list)
    web_cpu: list[float] = field(default_factory=list)
    postgres_cpu: list[float] = field(default_factory=list)
    status: int = 0
    size: int = 0

    @property
    def cpu(self) -> float:
        """CPU milliseconds of a request, gunicorn's and PostgreSQL's."""
        return statistics.median(map(sum, zip(self.web_cpu, self.postgres_cpu, strict=True)))


def pages_of(
    conversation: int, creator: int, deep: str, seen: str, older: str, earlier: str, day: dt.date
) -> list[Page]:
    opened = f"/inbox/{conversation}/"
    follow_ups, changelist = "/followups/", "/changelist/followups/followup/"
    return [
        Page(TRIVIAL, "/trivial/"),
        Page("admin changelist", changelist),
        Page("admin changelist, Failed", f"{changelist}?status__exact=failed"),
        Page(
            "admin changelist, creator + Failed",
            f"{changelist}?status__exact=failed&created_by__id__exact={creator}",
        ),
        Page("admin changelist, search: every third", f"{changelist}?q=mar%C3%ADa"),
        Page("admin changelist, search: nobody", f"{changelist}?q=zqzqzq"),
        Page("follow-ups", follow_ups),
        Page("follow-ups, after a change", follow_ups, after_change=True),
        Page("follow-ups, Pending", f"{follow_ups}?status=pending"),
        Page("follow-ups, Sent, deep", f"{follow_ups}?status=sent&after={deep}"),
        Page("follow-ups, creator + Failed", f"{follow_ups}?status=failed&by={creator}"),
        Page(
            "follow-ups, creator + template + Pending",
            f"{follow_ups}?status=pending&by={creator}&template=visit_reminder_0",
        ),
        Page("follow-ups, search: a few", f"{follow_ups}?q=sof%C3%ADa+jimenez+granados"),
        Page(
            "follow-ups, search: a few, Failed", f"{follow_ups}?q=sof%C3%ADa+jimenez+granados&status=failed"
        ),
        Page("follow-ups, search: every third", f"{follow_ups}?q=maria"),
        Page("follow-ups, search: every third, Failed", f"{follow_ups}?q=maria&status=failed"),
        Page("follow-ups, search: nobody", f"{follow_ups}?q=zqzqzq"),
        Page("follow-ups, two letters nobody has", f"{follow_ups}?q=zq"),
        Page(
            "follow-ups, an open page without news",
            f"/followups/rows/?seen={seen}",
            htmx=True,
            shows=follow_ups,
        ),
        Page("follow-ups, Needs attention", "/followups/attention/"),
        Page("follow-ups, Needs attention, a group open", "/followups/attention/?open=quiet:"),
        Page("calendar", "/followups/calendar/"),
        Page(
            "calendar, an open page without news",
            "/followups/calendar/",
            htmx=True,
            shows="/followups/calendar/",
        ),
        Page("calendar, a week", f"/followups/calendar/week/?on={day}"),
        Page("calendar, a day", f"/followups/calendar/{day}/"),
        Page("inbox", "/inbox/"),
        Page("inbox, after a change", "/inbox/", after_change=True),
        Page("inbox, search: a few", "/inbox/?q=sof%C3%ADa+jimenez+granados"),
        Page("inbox, search: nobody", "/inbox/?q=zqzqzq"),
        Page(
            "inbox, an open page without news", f"/inbox/poll/?open={conversation}", htmx=True, shows=opened
        ),
        Page("inbox, older conversations", older, htmx=True),
        Page(f"conversation of {LONGEST:,} messages", opened),
        Page(f"conversation of {LONGEST:,} messages, after a change", opened, after_change=True),
        Page("conversation, earlier messages", earlier, htmx=True),
        Page("schedule dialog", f"/followups/schedule/{conversation}/", htmx=True),
        Page("the frame of an open page", "/notifications/bell/", htmx=True),
    ]


class Browser:
    """Asks over one kept connection, as a signed-in member."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Cookie": cookie, "Host": "localhost", "Accept-Encoding": "gzip"}

    def get(self, page: Page, path: str = "") -> tuple[int, bytes]:
        headers = {**self._headers, "HX-Request": "true"} if page.htmx else self._headers
        self._connection.request("GET", path or page.path, headers=headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def html(self, path: str) -> bytes:
        """Return a page's HTML, not compressed and not measured."""
        _status, body = self.get(Page("", path))
        return gzip.decompress(body)


def serve_and_measure(rounds: int) -> None:
    """Ask for the pages of the database that the environment names, and print what they cost."""
    import django

    django.setup()
    from django.conf import settings
    from django.utils import timezone

    from conversations.models import Conversation
    from followups.calendar import kept
    from followups.models import FollowUp
    from followups.pages.listing import Tab
    from tests.conftest import signed_in
    from tests.faults.servers import free_port
    from trochai import changes
    from trochai.accounts.models import Membership
    from trochai.whatsapp.models import Channel

    member = Membership.objects.select_related("organization", "user").order_by("pk")[0]
    organization = member.organization
    member.user.is_staff = member.user.is_superuser = True
    member.user.save()
    Membership.objects.filter(pk=member.pk).update(role="admin")
    now = timezone.now()
    Channel.objects.update(messaging_limit="TIER_100K", messaging_limit_at=now)
    kept.count_again(organization, now=now)
    backend = _fill(organization.pk)
    tell = partial(changes.changed, [organization.pk])
    session = signed_in(member).cookies[settings.SESSION_COOKIE_NAME].value
    newest = Conversation.objects.for_organization(organization).order_by("-last_message_at").first()
    rows = FollowUp.objects.for_organization(organization).filter(status="sent").order_by("-scheduled_for")
    deep = str(Tab.SENT.order.after(rows[rows.count() // 2]))
    port = free_port()
    gunicorn = processes.python(
        "gunicorn",
        "trochai.wsgi",
        "--bind",
        f"127.0.0.1:{port}",
        "--log-level",
        "warning",
        "--no-control-socket",
        "--worker-class",
        "gthread",
        "--threads",
        "4",
    )
    with processes.running([gunicorn]) as (parent,):
        processes.wait_until("serving", lambda: _answers(port), seconds=processes.START)
        browser = Browser(port, f"{settings.SESSION_COOKIE_NAME}={session}")
        seen = "&seen=".join(_found(browser, "/followups/", b'name="seen" value="'))
        # Once for what was unread: having seen it is a change as well.
        browser.html(f"/inbox/{newest.pk}/")
        tell()
        (older,) = _found(browser, "/inbox/", b'hx-get="/inbox/older/')
        (earlier,) = _found(browser, f"/inbox/{newest.pk}/", f'hx-get="/inbox/{newest.pk}/earlier/'.encode())
        pages = pages_of(
            newest.pk,
            member.user_id,
            deep,
            seen,
            f"/inbox/older/{unescape(older)}",
            f"/inbox/{newest.pk}/earlier/{unescape(earlier)}",
            timezone.localdate(now) + dt.timedelta(days=30),
        )
        for page in pages:
            page.status, body = browser.get(page)
            page.size = len(body)
        workers = [parent, *_children(parent)]
        for _round in range(rounds):
            for page in pages:
                _measure(browser, page, workers, backend, tell)
    _print(pages, FollowUp.objects.count(), rounds)


def _fill(organization_id: int) -> int:
    """Add messages and what needs attention; return the process of the server that serves this one."""
    from django.db import connection

    values = {
        "organization": organization_id,
        "newest": NEWEST,
        "long": LONG,
        "longest": LONGEST,
        "first": FIRST_ADDED,
    }
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, values)
        cursor.execute(ATTENTION, values)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    return int(backend)


def _measure(
    browser: Browser, page: Page, workers: list[int], backend: int, tell: Callable[[], None]
) -> None:
    path = page.path + (
        f"{'&' if '?' in page.path else '?'}v={_found(browser, page.shows, VERSION)[0]}" if page.shows else ""
    )
    web, postgres = sum(map(processes.running_cpu, workers)), processes.server_running_cpu(backend)
    for _request in range(BLOCK):
        if page.after_change:
            tell()
        begun = time.perf_counter()
        browser.get(page, path)
        page.milliseconds.append(1000 * (time.perf_counter() - begun))
    page.web_cpu.append(1000 * (sum(map(processes.running_cpu, workers)) - web) / BLOCK)
    page.postgres_cpu.append(1000 * (processes.server_running_cpu(backend) - postgres) / BLOCK)


def _found(browser: Browser, path: str, before: bytes) -> list[str]:
    return [part.split(b'"')[0].decode() for part in browser.html(path).split(before)[1:]]


def _answers(port: int) -> bool:
    try:
        return bool(processes.get(f"http://127.0.0.1:{port}/healthz"))
    except OSError:
        return False


def _children(parent: int) -> list[int]:
    from tests.faults.servers import children

    return children(parent)


def _print(pages: list[Page], rows: int, rounds: int) -> None:
    trivial = next(page.cpu for page in pages if page.name == TRIVIAL)
    print(f"\n{rows:,} follow-ups; {rounds} rounds of {BLOCK} requests a page\n")
    print("| | status | KB | ms, median | p95 | CPU ms: web | PostgreSQL | times the trivial view |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for page in pages:
        ordered = sorted(page.milliseconds)
        print(
            f"| {page.name} | {page.status} | {page.size / 1024:.0f} | {statistics.median(ordered):.1f}"
            f" | {ordered[int(0.95 * len(ordered))]:.1f} | {statistics.median(page.web_cpu):.1f}"
            f" | {statistics.median(page.postgres_cpu):.1f} | {page.cpu / trivial:.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="follow-ups; a multiple of 100")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--serve", action="store_true", help="measure the database that is named by DATABASE_URL"
    )
    options = parser.parse_args()
    if options.serve:
        serve_and_measure(options.rounds)
        return
    processes.stop_on_sigterm()
    with processes.Database() as database:
        environment = {**database.environment(), "DJANGO_SETTINGS_MODULE": "tests.benchmarks.pages_settings"}
        table = processes.python("tests.benchmarks.table", "--rows", str(options.rows), "--others", "200")
        subprocess.run(table, cwd=processes.ROOT, env=environment, check=True)
        pages = processes.python("tests.benchmarks.pages", "--serve", "--rounds", str(options.rounds))
        subprocess.run(pages, cwd=processes.ROOT, env={**os.environ, **environment}, check=True)


if __name__ == "__main__":
    main()
