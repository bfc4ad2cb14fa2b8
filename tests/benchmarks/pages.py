"""``pages``: what each page costs at any size, beside a trivial signed-in view and Django's own admin.

``python -m tests.benchmarks.pages --rows 1000000`` fills a PostgreSQL database (``table``; the newest
conversations get ``LONG`` messages each, the newest ``LONGEST``), serves it with one gunicorn process, and
asks for every page in turn, round after round, so that noise meets all of them alike. Times are those of the
client on this machine; CPU is that of gunicorn and of the whole PostgreSQL server, as a block of requests for
one page used it.

``--embedded`` copies the rows into SQLite as well (``copied``), serves that with the embedded defaults, which
include DEBUG, and asks both for each page in turn; then all of the database's CPU is gunicorn's.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from html import unescape
from typing import TYPE_CHECKING, Any, TextIO, cast

import django

from tests.benchmarks import processes
from tests.benchmarks.measure import print_table
from tests.benchmarks.table import FIRST_ADDED

if TYPE_CHECKING:
    from trochai.accounts.models import Membership

# How many conversations have how many messages: what the inbox's first page shows.
NEWEST, LONG, LONGEST = 30, 1_700, 50_000
# Requests in a row for one page.
BLOCK = 10
TRIVIAL = "a trivial signed-in view"
CHANGELIST = "/changelist/followups/followup/"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.pages_settings"}
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


@dataclass(frozen=True)
class Page:
    """One address; ``htmx`` asks as an open page does.

    ``shows``: the page that is open, and whose version is sent along. ``after_change``: before each request
    something is told, so that nothing is kept of the one before.
    """

    name: str
    path: str
    htmx: bool = False
    shows: str = ""
    after_change: bool = False


@dataclass
class Cost:
    """What came of asking for one page: of each request its time, of each block its CPU a request, in ms."""

    status: int = 0
    size: int = 0
    milliseconds: list[float] = field(default_factory=list)
    web_cpu: list[float] = field(default_factory=list)
    postgres_cpu: list[float] = field(default_factory=list)

    def add(self, block: Cost) -> None:
        self.status, self.size = block.status, block.size
        self.milliseconds += block.milliseconds
        self.web_cpu += block.web_cpu
        self.postgres_cpu += block.postgres_cpu

    @property
    def of_blocks(self) -> list[float]:
        """CPU milliseconds of a request in each block, gunicorn's and PostgreSQL's."""
        return list(map(sum, zip(self.web_cpu, self.postgres_cpu, strict=True)))

    @property
    def cpu(self) -> float:
        return statistics.median(self.of_blocks)


def pages_of(
    conversation: int, creator: int, deep: str, seen: str, older: str, earlier: str, day: dt.date
) -> list[Page]:
    opened = f"/inbox/{conversation}/"
    follow_ups = "/followups/"
    return [
        Page(TRIVIAL, "/trivial/"),
        Page("admin changelist", CHANGELIST),
        Page("admin changelist, Failed", f"{CHANGELIST}?status__exact=failed"),
        Page(
            "admin changelist, creator + Failed",
            f"{CHANGELIST}?status__exact=failed&created_by__id__exact={creator}",
        ),
        Page("admin changelist, search: every third", f"{CHANGELIST}?q=mar%C3%ADa"),
        Page("admin changelist, search: nobody", f"{CHANGELIST}?q=zqzqzq"),
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


def prepare() -> None:
    """Add to the database that the environment names what pages show besides, and who sees all of it."""
    from django.db import connection

    member = _member()
    member.user.is_staff = member.user.is_superuser = True
    member.user.save()
    member.role = "admin"
    member.save()
    values = {
        "organization": member.organization_id,
        "newest": NEWEST,
        "long": LONG,
        "longest": LONGEST,
        "first": FIRST_ADDED,
    }
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, values)
        cursor.execute(ATTENTION, values)
        cursor.execute("VACUUM ANALYZE")


def serve(questions: TextIO, answers: TextIO) -> None:
    """Serve the database that the environment names: a line of JSON for each question, in turn.

    At first how many follow-ups there are and the names of the pages. Each question is such a name, its
    answer the ``Cost`` of one block of requests.
    """
    from django.conf import settings
    from django.db import connection
    from django.utils import timezone

    from conversations.models import Conversation
    from followups.calendar import kept
    from followups.models import FollowUp
    from followups.pages.listing import Tab
    from tests.conftest import signed_in
    from tests.faults.servers import free_port
    from trochai import changes
    from trochai.whatsapp.models import Channel

    member = _member()
    organization = member.organization
    now = timezone.now()
    Channel.objects.update(messaging_limit="TIER_100K", messaging_limit_at=now)
    kept.count_again(organization, now=now)
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
        # Seconds. The other server is asked between two blocks of this one.
        "--keep-alive",
        "600",
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
        pages = {
            page.name: page
            for page in pages_of(
                newest.pk,
                member.user_id,
                deep,
                seen,
                f"/inbox/older/{unescape(older)}",
                f"/inbox/{newest.pk}/earlier/{unescape(earlier)}",
                timezone.localdate(now) + dt.timedelta(days=30),
            )
            # It is what pages are compared with where they are made for very many rows.
            if connection.vendor == "postgresql" or CHANGELIST not in page.path
        }
        for page in pages.values():
            browser.get(page)
        workers = [parent, *_children(parent)]
        postgres_cpu = _postgres_cpu()
        print(json.dumps([FollowUp.objects.count(), list(pages)]), file=answers, flush=True)
        for question in questions:
            cost = _measured(browser, pages[question.strip()], workers, postgres_cpu, tell)
            print(json.dumps(asdict(cost)), file=answers, flush=True)


def _member() -> Membership:
    from trochai.accounts.models import Membership

    return Membership.objects.select_related("organization", "user").order_by("pk")[0]


def _postgres_cpu() -> Callable[[], float]:
    """Return what reads the CPU seconds of PostgreSQL's processes: none where the database is a file."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return float
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    return partial(processes.server_running_cpu, int(backend))


def _measured(
    browser: Browser,
    page: Page,
    workers: list[int],
    postgres_cpu: Callable[[], float],
    tell: Callable[[], None],
) -> Cost:
    path = page.path + (
        f"{'&' if '?' in page.path else '?'}v={_found(browser, page.shows, VERSION)[0]}" if page.shows else ""
    )
    cost = Cost()
    web, postgres = sum(map(processes.running_cpu, workers)), postgres_cpu()
    for _request in range(BLOCK):
        if page.after_change:
            tell()
        begun = time.perf_counter()
        cost.status, body = browser.get(page, path)
        cost.milliseconds.append(1000 * (time.perf_counter() - begun))
    cost.size = len(body)
    cost.web_cpu.append(1000 * (sum(map(processes.running_cpu, workers)) - web) / BLOCK)
    cost.postgres_cpu.append(1000 * (postgres_cpu() - postgres) / BLOCK)
    return cost


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


class Server:
    """What serves one database, for the time of a ``with`` block, and what its pages have cost by name."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name, self._environment = name, environment

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(
            processes.python("tests.benchmarks.pages", "--serve"),
            cwd=processes.ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._questions = cast("TextIO", self._process.stdin)
        self.rows, names = self._answer()
        self.costs = {name: Cost() for name in names}
        return self

    def __exit__(self, *_exception: object) -> None:
        # It ends after the last question.
        self._questions.close()
        self._process.wait()

    def measure(self, name: str) -> None:
        print(name, file=self._questions, flush=True)
        self.costs[name].add(Cost(**self._answer()))

    def _answer(self) -> Any:
        line = cast("TextIO", self._process.stdout).readline()
        if not line:
            sys.exit(f"{self.name} is not served any more.")
        return json.loads(line)

    def times_trivial(self, name: str) -> float:
        return self.costs[name].cpu / self.costs[TRIVIAL].cpu


def measure(servers: list[Server], rounds: int) -> None:
    """Ask all servers for each page in turn."""
    for turn in range(rounds):
        for name in servers[0].costs:
            for server in servers if turn % 2 == 0 else reversed(servers):
                if name in server.costs:
                    server.measure(name)


def print_costs(server: Server) -> None:
    print(f"\n{server.name}, {server.rows:,} follow-ups")
    header = ["", "status", "KB", "ms, median", "p95", "CPU ms: web", "PostgreSQL", "times the trivial view"]
    rows = []
    for name, cost in server.costs.items():
        ordered = sorted(cost.milliseconds)
        figures = (
            statistics.median(ordered),
            ordered[int(0.95 * len(ordered))],
            statistics.median(cost.web_cpu),
            statistics.median(cost.postgres_cpu),
            server.times_trivial(name),
        )
        rows.append([name, str(cost.status), f"{cost.size / 1024:.0f}", *(f"{each:.1f}" for each in figures)])
    print_table(header, rows)


def print_compared(one: Server, other: Server) -> None:
    """Print the CPU of both; the ratio is the median of the rounds', as the machine's speed changes."""
    header = ["CPU ms"]
    for server in (one, other):
        header += [server.name, "times its trivial view"]
    rows = []
    for name, cost in other.costs.items():
        row = [name]
        for server in (one, other):
            row += [f"{server.costs[name].cpu:.1f}", f"{server.times_trivial(name):.1f}"]
        blocks = zip(one.costs[name].of_blocks, cost.of_blocks, strict=True)
        rows.append([*row, f"{statistics.median(theirs / ours for ours, theirs in blocks):.2f}"])
    print_table([*header, f"{other.name} to {one.name}"], rows)


def _run(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run(processes.python(*arguments), cwd=processes.ROOT, env=environment, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="follow-ups; a multiple of 100")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--embedded", action="store_true", help="the same rows in SQLite beside them")
    parser.add_argument("--prepare", action="store_true", help="add to the database what pages show")
    parser.add_argument("--serve", action="store_true", help="serve the database, and measure it when asked")
    options = parser.parse_args()
    if options.prepare or options.serve:
        django.setup()
        if options.prepare:
            prepare()
        else:
            serve(sys.stdin, sys.stdout)
        return
    processes.stop_on_sigterm()
    with ExitStack() as stack:
        database = stack.enter_context(processes.Database())
        environment = {**database.environment(), **SETTINGS}
        _run(environment, "tests.benchmarks.table", "--rows", str(options.rows), "--others", "200")
        _run(environment, "tests.benchmarks.pages", "--prepare")
        environments = {"PostgreSQL": environment}
        if options.embedded:
            files = stack.enter_context(processes.Embedded())
            environments["SQLite"] = {**files.environment(), **SETTINGS, "DEBUG": "1"}
            _run(environments["SQLite"], "tests.benchmarks.copied", environment["DATABASE_URL"])
        servers = [stack.enter_context(Server(name, each)) for name, each in environments.items()]
        measure(servers, options.rounds)
    print(f"\n{options.rounds} rounds of {BLOCK} requests a page")
    for server in servers:
        print_costs(server)
    if options.embedded:
        print_compared(*servers)


if __name__ == "__main__":
    main()
