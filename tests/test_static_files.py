"""What a page needs besides itself, as collected for production."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.template import Context, Template
from django.urls import reverse

from tests.conftest import signed_in
from trochai.static_files import BUNDLES, BundlingStorage
from trochai.ui import template_tags

STATIC = Path(settings.BASE_DIR) / "static"


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> BundlingStorage:
    """All static files as ``collectstatic`` leaves them."""
    storage = BundlingStorage(location=str(tmp_path_factory.mktemp("static")), base_url="/static/")
    paths = {}
    for finder in get_finders():
        for path, source in finder.list(ignore_patterns=["admin/*"]):
            with source.open(path) as file:
                storage.save(path, file)
            paths[path] = (storage, path)
    for _name, _hashed, outcome in storage.post_process(paths):
        assert not isinstance(outcome, Exception)
    return storage


@pytest.fixture
def in_production(collected, monkeypatch):
    monkeypatch.setattr(template_tags, "staticfiles_storage", collected)
    monkeypatch.setattr(template_tags, "static", collected.url)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_bundle_holds_its_parts_in_their_order(collected, bundle):
    joined = (Path(collected.location) / collected.stored_name(bundle)).read_text(encoding="utf-8")
    at = 0
    for source in BUNDLES[bundle]:
        # Any line without a file's name, which is another there.
        part = (STATIC / source).read_text(encoding="utf-8")
        line = max((line for line in part.splitlines() if "url(" not in line), key=len)
        at = joined.index(line, at)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_bundle_is_compressed_in_both_ways(collected, bundle):
    path = Path(collected.location) / collected.stored_name(bundle)
    assert gzip.decompress(Path(f"{path}.gz").read_bytes()) == path.read_bytes()
    assert Path(f"{path}.br").stat().st_size < Path(f"{path}.gz").stat().st_size


@pytest.mark.parametrize("source", [name for parts in BUNDLES.values() for name in parts if "js/" in name])
def test_no_module_of_a_bundle_needs_or_is_needed_by_another(source):
    """Within a block neither ``import`` nor ``export`` is allowed."""
    assert not re.search(
        r"^\s*(import|export)\b", (STATIC / source).read_text(encoding="utf-8"), re.MULTILINE
    )


def test_sheets_and_modules_are_alone_where_nothing_is_collected():
    html = Template('{% bundle "js/frame.js" %}{% bundle "css/frame.css" %}').render(Context())
    for name in (*BUNDLES["js/frame.js"], *BUNDLES["css/frame.css"]):
        assert f'"{StaticFilesStorage(base_url="/static/").url(name)}"' in html


@pytest.mark.parametrize("name", ["conversations:inbox", "followups:index", "templates:index"])
def test_a_cold_page_makes_at_most_ten_requests(team, in_production, name):
    html = signed_in(team.admin).get(reverse(name)).content.decode()
    asked = re.findall(r'<(?:link|script|img)\b[^>]*(?:href|src)="([^"]+)"', html)
    # The page itself, and the arrow in select fields, which the sheet asks for.
    assert 2 + len(asked) <= 10
    assert len(set(asked)) == len(asked)


def test_a_page_is_compressed_for_who_takes_that_and_never_twice_the_same_size(team):
    client = signed_in(team.agent)
    answers = [client.get(reverse("followups:index"), headers={"Accept-Encoding": "gzip"}) for _ in range(9)]
    assert {answer["Content-Encoding"] for answer in answers} == {"gzip"}
    assert "Accept-Encoding" in answers[0]["Vary"]
    assert b"</html>" in gzip.decompress(answers[0].content)
    # Padding: how long it is tells nothing of a guess (BREACH).
    assert len({len(answer.content) for answer in answers}) > 1
    assert "Content-Encoding" not in client.get(reverse("followups:index"))
