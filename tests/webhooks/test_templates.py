"""What Meta says of templates, posted as Meta posts it: in any order, again, and of another one."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from templates_app import tasks
from templates_app.models import Template
from tests import factories
from tests.conftest import signed_in
from tests.html import html_of
from tests.templates_app.conftest import entry, meta_lists
from tests.webhooks.meta import post
from trochai.clock import database_now
from trochai.whatsapp.models import Channel

__all__ = ["meta_lists"]
NOW = int(timezone.now().timestamp())


@pytest.fixture(autouse=True)
def woken(monkeypatch):
    """The ids of the channels for which a sync was woken."""
    ids = []
    monkeypatch.setattr(tasks.sync_templates, "apply_async", lambda args, *_, **__: ids.extend(args))
    monkeypatch.setattr(tasks.cache, "add", lambda *_args, **_options: True)
    return ids


@pytest.fixture
def visita(team) -> Template:
    return factories.TemplateFactory(channel=team.channel, name="visita", language="es", meta_id="222")


def tell(template, field, at=NOW, **value):
    about = {
        "message_template_id": value.pop("meta_id", template.meta_id),
        "message_template_name": template.name,
        "message_template_language": template.language,
    }
    post(template.channel, field, metadata={}, time=at, **about, **value)


def status(template, event, **more):
    tell(template, "message_template_status_update", event=event, reason="NONE", **more)


def now(template) -> Template:
    return Template.objects.get(pk=template.pk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("field", ["message_template_components_update", "message_template_status_update"])
def test_an_edited_text_is_fetched_at_once(visita, woken, field):
    tell(visita, field, event="APPROVED", message_template_element="Hola {{1}}: recordamos su cita.")
    assert now(visita).status == "APPROVED"
    assert woken == [visita.channel_id]


def test_an_edit_that_arrives_during_a_sync_is_fetched_within_the_minute(visita, meta_lists, monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(tasks.sync_templates, "delay", asked.append)
    meta_lists(visita.channel, [entry("visita", id="222")])
    tasks.sync_wanted_templates()
    assert asked == []
    tell(visita, "message_template_components_update")
    tasks.sync_wanted_templates()
    assert asked == [visita.channel_id]
    tasks.sync_templates(visita.channel_id)
    tasks.sync_wanted_templates()
    assert asked == [visita.channel_id]


def test_a_list_that_cannot_be_fetched_is_not_asked_for_every_minute_for_ever(visita, monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(tasks.sync_templates, "delay", asked.append)
    long_ago = database_now() - tasks.WANTED_FOR
    Channel.objects.filter(pk=visita.channel_id).update(templates_wanted_at=long_ago)
    tasks.sync_wanted_templates()
    assert asked == []


@pytest.mark.django_db(transaction=True)
def test_an_older_event_that_comes_later_has_the_list_asked_and_changes_nothing(visita, woken):
    status(visita, "PAUSED", at=NOW - 60)
    status(visita, "APPROVED", at=NOW)
    woken.clear()
    status(visita, "PAUSED", at=NOW - 30)
    assert now(visita).status == "APPROVED"
    assert woken == [visita.channel_id]


def test_repetitions_change_nothing(visita):
    for _turn in range(3):
        status(visita, "PAUSED", at=NOW - 60)
    status(visita, "APPROVED", at=NOW)
    status(visita, "PAUSED", at=NOW - 60)
    assert now(visita).status == "APPROVED"


@pytest.mark.django_db(transaction=True)
def test_what_is_older_than_the_last_list_has_the_list_asked(visita, woken):
    synced_at = dt.datetime.fromtimestamp(NOW, dt.UTC)
    Channel.objects.filter(pk=visita.channel_id).update(templates_synced_at=synced_at)
    status(visita, "PAUSED", at=NOW - 3600)
    assert now(visita).status == "APPROVED"
    assert woken == [visita.channel_id]
    status(visita, "PAUSED", at=NOW)
    assert now(visita).status == "PAUSED"


@pytest.mark.django_db(transaction=True)
def test_an_event_of_another_template_of_that_name_has_the_list_asked(visita, woken):
    status(visita, "DELETED", meta_id="111")
    assert now(visita).status == "APPROVED"
    assert woken == [visita.channel_id]


def test_a_category_that_is_announced_is_shown_until_it_has_come(team, visita):
    on = dt.datetime(2027, 1, 5, 12, tzinfo=dt.UTC)
    tell(
        visita,
        "template_category_update",
        new_category="UTILITY",
        correct_category="MARKETING",
        category_update_timestamp=int(on.timestamp()),
    )
    assert now(visita).category == "UTILITY"
    html = html_of(signed_in(team.agent).get("/templates/"))
    assert "Becomes Marketing on" in html
    assert "2027" in html
    tell(visita, "template_category_update", at=NOW + 1, new_category="MARKETING", old_category="UTILITY")
    assert now(visita).category == "MARKETING"
    assert "Becomes" not in html_of(signed_in(team.agent).get("/templates/"))
