from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.utils import timezone

from templates_app.models import Template
from templates_app.signals import template_changed
from templates_app.sync import SyncResult, sync_channel
from templates_app.tasks import sync_all_templates, sync_templates
from tests.factories import ChannelFactory, TemplateFactory
from tests.templates_app.conftest import BODY, entry
from trochai.whatsapp.cloud_api.errors import ChannelError, TemporaryError

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(db):
    return ChannelFactory()


@pytest.fixture
def told():
    """The templates that the apps above were told about."""
    seen = []

    def listen(sender, template, **_):
        assert connection.in_atomic_block
        seen.append(template.name)

    template_changed.connect(listen)
    yield seen
    template_changed.disconnect(listen)


def sync(channel):
    return sync_channel(channel, timezone.now())


def test_new_templates_are_added_page_by_page(channel, meta_lists, told):
    rejected = entry("price_drop", status="REJECTED", rejected_reason="INVALID_FORMAT", quality_score=None)
    meta_lists(channel, [entry(), entry(language="en-US")], [rejected])
    assert sync(channel) == SyncResult(added=3, changed=0, removed=0)
    template = Template.objects.get(channel=channel, name="visit_reminder", language="es")
    assert (template.meta_id, template.status, template.quality) == ("id-visit_reminder", "APPROVED", "GREEN")
    assert template.components == [BODY]
    assert template.rejected_reason == ""
    assert Template.objects.filter(language="en_US").exists()
    other = Template.objects.get(name="price_drop")
    assert (other.quality, other.rejected_reason) == ("UNKNOWN", "INVALID_FORMAT")
    assert told == []
    channel.refresh_from_db()
    assert channel.templates_synced_at is not None


def test_syncing_again_changes_nothing(channel, meta_lists, told):
    meta_lists(channel, [entry()])
    sync(channel)
    assert sync(channel) == SyncResult(added=0, changed=0, removed=0)
    assert told == []


@pytest.mark.parametrize(
    "change",
    [
        {"status": "PAUSED"},
        {"category": "MARKETING"},
        {"components": [{"type": "BODY", "text": "Hola {{1}} y {{2}}"}]},
        {"parameter_format": "NAMED"},
    ],
)
def test_what_decides_about_sending_is_told_to_the_apps_above(channel, meta_lists, httpserver, told, change):
    meta_lists(channel, [entry()])
    sync(channel)
    httpserver.clear()
    meta_lists(channel, [entry(**change)])
    assert sync(channel) == SyncResult(added=0, changed=1, removed=0)
    assert told == ["visit_reminder"]


def test_a_new_quality_is_written_without_telling(channel, meta_lists, told):
    template = TemplateFactory(channel=channel, name="visit_reminder", components=[BODY], quality="GREEN")
    meta_lists(channel, [entry(quality_score={"score": "RED"})])
    sync(channel)
    template.refresh_from_db()
    assert template.quality == "RED"
    assert told == []


def test_what_meta_no_longer_lists_is_kept_as_deleted(channel, meta_lists, told):
    gone = TemplateFactory(channel=channel, name="gone")
    elsewhere = TemplateFactory(name="of_another_number")
    meta_lists(channel, [entry()])
    assert sync(channel) == SyncResult(added=1, changed=0, removed=1)
    gone.refresh_from_db()
    elsewhere.refresh_from_db()
    assert gone.status == "DELETED"
    assert elsewhere.status == "APPROVED"
    assert told == ["gone"]
    assert sync(channel).removed == 0


def test_a_deleted_template_comes_back_when_meta_lists_it_again(channel, meta_lists, told):
    template = TemplateFactory(channel=channel, name="visit_reminder", components=[BODY], status="DELETED")
    meta_lists(channel, [entry()])
    sync(channel)
    template.refresh_from_db()
    assert template.status == "APPROVED"
    assert told == ["visit_reminder"]


def test_what_a_webhook_wrote_during_the_sync_is_newer_than_the_list(channel, meta_lists):
    began = timezone.now()
    later = began + dt.timedelta(seconds=1)
    paused = TemplateFactory(channel=channel, name="visit_reminder", status="PAUSED", synced_at=later)
    unlisted = TemplateFactory(channel=channel, name="unlisted", synced_at=later)
    meta_lists(channel, [entry()])
    assert sync_channel(channel, began) == SyncResult(added=0, changed=0, removed=0)
    paused.refresh_from_db()
    unlisted.refresh_from_db()
    assert (paused.status, unlisted.status) == ("PAUSED", "APPROVED")


def test_broken_entries_are_left_out_and_odd_values_kept_within_the_columns(channel, meta_lists):
    odd = entry(
        "odd",
        status="SOMETHING_NEW",
        category=None,
        components={"not": "a list"},
        parameter_format=None,
        quality_score="GREEN",
        id=12345,
        rejected_reason="x" * 900,
    )
    meta_lists(channel, [{}, {"name": 7, "language": "es"}, {"name": "no_language"}, odd])
    assert sync(channel).added == 1
    template = Template.objects.get(channel=channel)
    assert (template.status, template.category, template.meta_id) == ("SOMETHING_NEW", "", "12345")
    assert template.components == []
    assert not template.is_sendable
    assert template.status_label == "Something new"
    assert len(template.rejected_reason) == 500


def test_a_refusal_leaves_everything_as_it_was(channel, meta_refuses):
    template = TemplateFactory(channel=channel)
    meta_refuses(channel, 401, {"error": {"code": 190, "message": "Token expired"}})
    with pytest.raises(ChannelError):
        sync(channel)
    template.refresh_from_db()
    channel.refresh_from_db()
    assert template.status == "APPROVED"
    assert channel.templates_synced_at is None


def test_a_page_that_is_no_json_leaves_everything_as_it_was(channel, meta_refuses):
    template = TemplateFactory(channel=channel)
    meta_refuses(channel, 200, "<html>Down for maintenance</html>")
    with pytest.raises(TemporaryError):
        sync(channel)
    template.refresh_from_db()
    assert template.status == "APPROVED"


def test_the_number_of_queries_does_not_grow_with_unchanged_templates(
    channel, meta_lists, django_assert_max_num_queries
):
    names = [f"template_{number}" for number in range(120)]
    meta_lists(channel, [entry(name) for name in names])
    with django_assert_max_num_queries(8):
        sync(channel)
    with django_assert_max_num_queries(6):
        sync(channel)


def test_the_task_syncs_one_channel_and_tolerates_what_it_does_not_know(channel, meta_lists):
    meta_lists(channel, [entry()])
    sync_templates(channel.pk, from_a_newer_version=True)
    assert Template.objects.filter(channel=channel).count() == 1
    sync_templates(channel.pk + 1000)


def test_a_task_that_fails_says_so_in_the_log_only(channel, meta_refuses):
    meta_refuses(channel, 500, {"error": {"code": 131000, "message": "Something went wrong"}})
    sync_templates(channel.pk)
    channel.refresh_from_db()
    assert channel.templates_synced_at is None


@pytest.mark.usefixtures("eager_tasks")
def test_the_hourly_task_syncs_every_channel_that_works(meta_lists):
    works, stopped = (
        ChannelFactory(),
        ChannelFactory(stopped_at=timezone.now(), stop_code=190),
    )
    meta_lists(works, [entry()])
    meta_lists(stopped, [entry()])
    sync_all_templates()
    assert works.templates.count() == 1
    assert stopped.templates.count() == 0


def test_the_hourly_sync_is_installed():
    from django_celery_beat.models import PeriodicTask

    task = PeriodicTask.objects.get(task="templates_app.tasks.sync_all_templates")
    assert task.enabled
    assert task.crontab.hour == "*"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Hola {{customer_name}}, llega el {{day}} sin falta.", "NAMED"),
        ("Hola {{1}}, llega el {{2}}.", "POSITIONAL"),
        ("Hola.", "POSITIONAL"),
    ],
)
def test_where_meta_does_not_say_how_placeholders_are_written_the_text_does(
    channel, meta_lists, body, expected
):
    listed = entry(components=[{"type": "BODY", "text": body}])
    del listed["parameter_format"]
    meta_lists(channel, [listed])
    sync(channel)
    template = Template.objects.get()
    assert (template.parameter_format, template.is_sendable) == (expected, True)
