"""House rules that a machine can check. CONTRIBUTING.md says why each of them is there."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from django.urls import URLPattern, URLResolver, get_resolver

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("trochai", "followups", "conversations", "templates_app", "notifications")
MODULES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
)
TEMPLATES = sorted(path.relative_to(ROOT) for path in (ROOT / "templates").rglob("*.html"))

WRITERS = {"update", "create", "bulk_create", "update_or_create", "get_or_create", "bulk_update"}


def tree_of(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def names(node: ast.AST) -> str:
    return ast.unparse(node)


def where(path: Path, node: ast.AST) -> str:
    return f"{path}:{getattr(node, 'lineno', 0)}: {ast.unparse(node).splitlines()[0]}"


def status_writes(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what sets a status: ``x.status = …``, ``.update(status=…)``, ``FollowUp(status=…)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets):
                yield node
        if isinstance(node, ast.Call) and any(keyword.arg == "status" for keyword in node.keywords):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else names(node.func)
            if name in WRITERS or name == "FollowUp":
                yield node


def clock_reads(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield calls of now(), today() and time.time(), but not a default such as ``default=timezone.now``."""
    always = re.compile(r"(^|\.)(timezone|datetime|date)\.(now|today|utcnow)$|^time\.time$")
    without_argument = re.compile(r"(^|\.)(localdate|localtime)$")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = names(node.func)
        if always.search(name) or (without_argument.search(name) and not node.args):
            yield node


def imported(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node, node.module


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] == "followups"], ids=str)
def test_only_lifecycle_writes_a_follow_ups_status(path):
    """One writer means one place where a transition can be wrong."""
    if not path.is_relative_to("followups/lifecycle"):
        assert [where(path, node) for node in status_writes(tree_of(path))] == []


def test_no_app_below_writes_follow_ups():
    """The layers forbid the import: only the demo data makes rows, and the routes name the pages."""
    allowed = (Path("trochai/demo"), Path("trochai/urls.py"))
    offenders = [
        where(path, node)
        for path in MODULES
        if path.parts[0] != "followups" and not any(map(path.is_relative_to, allowed))
        for node, module in imported(tree_of(path))
        if module.split(".")[0] == "followups"
    ]
    assert offenders == []


def test_every_module_of_trochai_stands_in_a_layer():
    """What no layer names may import anything."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = {name for layer in linter["contracts"][0]["layers"] for name in layer.split(" | ")}
    there = {path.stem for path in (ROOT / "trochai").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {f"trochai.{name}" for name in there if not name.startswith("__")} <= layers


def test_only_the_whatsapp_package_calls_over_http():
    """Everybody else asks its client, which knows the errors and keeps tokens out of the log."""
    clients = {"requests", "urllib3", "httpx", "http.client", "urllib.request", "aiohttp"}
    offenders = [
        where(path, node)
        for path in MODULES
        if not path.is_relative_to("trochai/whatsapp")
        for node, module in imported(tree_of(path))
        if module in clients or module.split(".")[0] in clients
    ]
    assert offenders == []


# The edges read the clock once and pass it on. What a template tag shows is about the moment of showing.
CLOCK_EDGES = re.compile(
    r"(^|/)(\w*views|tasks|receivers|admin|clock|health|template_tags|drawn)\.py$"
    r"|/views/|/management/commands/|/templatetags/|^trochai/demo/|^trochai/whatsapp/sandbox/"
)


def test_the_clock_is_read_at_the_edges_alone():
    """What is passed in can be tested at midnight, on the day the clocks change, and twice."""
    offenders = [
        where(path, node)
        for path in MODULES
        if not CLOCK_EDGES.search(path.as_posix())
        for node in clock_reads(tree_of(path))
    ]
    assert offenders == []


# Each builds HTML from constants or from parts that were escaped one by one.
MARKS_SAFE = {Path("trochai/ui/template_tags.py")}


def test_nothing_else_declares_text_safe():
    """A contact's name is typed by a stranger."""
    offenders = [
        where(path, node)
        for path in MODULES
        if path not in MARKS_SAFE
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Name | ast.Attribute)
        and names(node).split(".")[-1] in {"mark_safe", "SafeText"}
        and isinstance(node.ctx, ast.Load)
    ]
    assert offenders == []


FORBIDDEN_IN_TEMPLATES = {
    "|safe turns escaping off": re.compile(r"\|\s*safe(seq)?\b"),
    "autoescape off": re.compile(r"autoescape\s+off"),
    "inline script: the Content-Security-Policy blocks it": re.compile(
        r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")", re.IGNORECASE
    ),
    "inline style: the Content-Security-Policy blocks it": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "inline handler: the Content-Security-Policy blocks it": re.compile(
        r"<[^>]*\son[a-z]+\s*=|hx-on|javascript:", re.IGNORECASE
    ),
    "another host": re.compile(r"(src|href|action)=[\"'](https?:)?//", re.IGNORECASE),
}


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_templates_hold_no_code_and_no_style(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    lines = {
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {rule}"
        for rule, pattern in FORBIDDEN_IN_TEMPLATES.items()
        for match in pattern.finditer(text)
    }
    assert lines == set()


def long_lines(text: str) -> Iterator[int]:
    """Yield the numbers of the lines that no longer fit on a screen."""
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > 140:
            yield number


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_templates_have_lines_that_people_can_read(path):
    """One element a line; inline ones stay together where a space between them would show."""
    assert list(long_lines((ROOT / path).read_text(encoding="utf-8"))) == []


def test_forms_that_change_something_carry_a_token():
    """Every ``<form method="post">`` has the CSRF token beside its fields."""
    forms = re.compile(r"<form\b[^>]*method=\"post\".*?</form>", re.DOTALL | re.IGNORECASE)
    offenders = [
        f"{path}: {form.splitlines()[0]}"
        for path in TEMPLATES
        for form in forms.findall((ROOT / path).read_text(encoding="utf-8"))
        if not re.search(r"\bcsrf_(token|input)\b", form)
    ]
    assert offenders == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (status_writes, "follow_up.status = Status.SENT"),
        (status_writes, "rows.filter(pk=1).update(status='sent')"),
        (status_writes, "FollowUp(organization=1, status='sent')"),
        (clock_reads, "timezone.now()"),
        (clock_reads, "dt.datetime.now(tz=zone)"),
        (clock_reads, "timezone.localdate()"),
    ],
)
def test_the_rules_bite(rule, source):
    assert len(list(rule(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "<a onclick='x()'>",
        '<p style="color: red">',
        "<script>alert(1)</script>",
        "{{ name|safe }}",
        '<img src="https://example.com/x.png">',
    ],
)
def test_the_rules_for_templates_bite(source):
    assert any(pattern.search(source) for pattern in FORBIDDEN_IN_TEMPLATES.values())


def test_the_rule_for_long_lines_bites():
    assert list(long_lines(f"<p>\n{'x' * 140}\n{'x' * 141}\n</p>")) == [3]


def test_modules_are_named_after_what_they_do():
    grab_bags = {"utils.py", "helpers.py", "services.py", "selectors.py", "misc.py", "common.py"}
    assert [path for path in MODULES if path.name in grab_bags] == []


def test_public_views_are_few_and_known():
    """Whoever opens a page to strangers adds it here, and is seen doing so."""
    public = {"home", "SignInView", "webhook", "readyz", "metrics"}
    found = {
        node.name
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        for decorator in node.decorator_list
        if "login_not_required" in names(decorator)
    }
    assert found <= public


def test_every_file_that_the_architecture_names_is_there():
    """Whoever reads in the order that it gives must not meet a dead end."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./-]+\.(?:py|html|js))`", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_a_view_reaches_meta_only_through_a_task():
    """A web thread that waits for Meta answers nobody else; at run time ``cloud_api.guard`` sees to it."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True)
    for module in [each for each in graph.modules if each.split(".")[-1] == "tasks"]:
        graph.remove_module(module)
    views = {
        pattern.callback.__module__
        for pattern in patterns(get_resolver())
        if pattern.callback.__module__.split(".")[0] in PACKAGES
    }
    assert len(views) > 6
    client = "trochai.whatsapp.cloud_api.client"
    assert {view: graph.find_shortest_chain(view, client) for view in views} == dict.fromkeys(views)


def patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern)
        else:
            yield pattern
