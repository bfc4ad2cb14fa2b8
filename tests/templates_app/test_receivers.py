from __future__ import annotations

import pytest
from django.core.cache import cache

from templates_app.models import Template
from templates_app.signals import template_changed
from templates_app.sync import sync_channel
from tests.factories import ChannelFactory, TemplateFactory
from tests.templates_app.conftest import BODY, entry
from trochai.clock import database_now
from trochai.whatsapp import signals
from trochai.whatsapp.webhooks.parsing import TemplateCategory, TemplateQuality, TemplateStatusUpdate


@pytest.fixture(autouse=True)
def _no_recent_sync():
    cache.clear()


@pytest.fixture
def template(db):
    return TemplateFactory(name="visit_reminder", language="en_US", components=[BODY])


@pytest.fixture
def told():
    seen = []

    def listen(sender, template, **_):
        seen.append(template.status)

    template_changed.connect(listen)
    yield seen
    template_changed.disconnect(listen)


def status(channel, event, *, reason="NONE", name="visit_reminder", language="en-US"):
    fact = TemplateStatusUpdate("", name, language, database_now(), event, reason)
    signals.template_status.send(sender=type(channel), channel=channel, event=fact)


@pytest.mark.parametrize("event", ["PAUSED", "DISABLED", "PENDING_DELETION", "paused"])
def test_a_template_that_stops_being_sendable_is_told_to_the_apps_above(template, told, event):
    status(template.channel, event)
    template.refresh_from_db()
    assert template.status == event.upper()
    assert told == [event.upper()]


def test_a_rejection_keeps_its_reason_and_a_later_approval_drops_it(template):
    status(template.channel, "REJECTED", reason="INVALID_FORMAT")
    template.refresh_from_db()
    assert "format" in template.reason
    status(template.channel, "APPROVED")
    template.refresh_from_db()
    assert (template.status, template.rejected_reason) == ("APPROVED", "")


def test_reinstated_means_approved_again(template):
    template.status = "PAUSED"
    template.save()
    status(template.channel, "REINSTATED")
    template.refresh_from_db()
    assert template.is_approved


def test_the_same_webhook_twice_is_told_once(template, told):
    status(template.channel, "PAUSED")
    status(template.channel, "PAUSED")
    assert told == ["PAUSED"]


def test_quality_and_category_are_written(template, told):
    names = {"meta_id": template.meta_id, "name": template.name, "language": "en-US"}
    channel = template.channel
    quality = TemplateQuality(**names, at=database_now(), score="yellow")
    signals.template_quality.send(sender=type(channel), channel=channel, event=quality)
    assert told == []
    category = TemplateCategory(**names, at=database_now(), category="MARKETING")
    signals.template_category.send(sender=type(channel), channel=channel, event=category)
    template.refresh_from_db()
    assert (template.quality, template.category) == ("YELLOW", "MARKETING")
    assert told == ["APPROVED"]


def test_all_numbers_of_the_account_hear_of_it_and_nobody_else(template, stranger):
    channel = template.channel
    sibling = ChannelFactory(organization=channel.organization, waba_id=channel.waba_id)
    other_account = ChannelFactory(organization=channel.organization)
    rows = [
        TemplateFactory(channel=each, name="visit_reminder", language="en_US")
        for each in (sibling, other_account, stranger.channel)
    ]
    status(channel, "PAUSED")
    assert [Template.objects.get(pk=row.pk).status for row in rows] == ["PAUSED", "APPROVED", "APPROVED"]


@pytest.mark.usefixtures("eager_tasks")
@pytest.mark.parametrize(
    ("event", "name"), [("APPROVED", "brand_new"), ("FLAGGED", "visit_reminder"), ("ODD", "brand_new")]
)
def test_what_the_webhook_does_not_tell_is_fetched(
    template, meta_lists, django_capture_on_commit_callbacks, event, name
):
    meta_lists(template.channel, [entry(language="en_US"), entry("brand_new")])
    with django_capture_on_commit_callbacks(execute=True):
        status(template.channel, event, name=name, language="en-US")
    assert Template.objects.filter(channel=template.channel, name="brand_new").exists()
    template.refresh_from_db()
    assert template.is_approved


@pytest.mark.usefixtures("eager_tasks")
def test_many_unknown_templates_are_one_reason_to_sync(
    template, meta_lists, httpserver, django_capture_on_commit_callbacks
):
    meta_lists(template.channel, [entry()])
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(5):
            status(template.channel, "APPROVED", name=f"new_{number}")
    assert len(httpserver.log) == 1


def test_a_list_fetched_before_the_webhook_does_not_undo_it(template, meta_lists):
    from django.utils import timezone

    began = timezone.now()
    status(template.channel, "APPROVED")
    status(template.channel, "PAUSED")
    meta_lists(template.channel, [entry(language="en_US")])
    sync_channel(template.channel, began)
    template.refresh_from_db()
    assert template.status == "PAUSED"
