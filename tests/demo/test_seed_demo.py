from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count
from django.test import Client
from django.utils import timezone

from conversations import window
from conversations.models import Conversation, Message
from followups.models import Attention, FailureKind, FollowUp, Status
from notifications.models import Notification
from templates_app.models import Template
from templates_app.parameters import problem_with
from trochai.accounts.models import Membership, Organization, User
from trochai.demo import load

CASA_VERDE = "Casa Verde Bienes Raíces"


def seed() -> str:
    out = StringIO()
    call_command("seed_demo", stdout=out)
    return out.getvalue()


@pytest.fixture
def demo(db: None, settings) -> Organization:
    settings.DEBUG = True
    seed()
    return Organization.objects.get(name=CASA_VERDE)


def test_a_second_run_says_so_and_keeps_the_data(demo):
    Conversation.objects.update(preview="changed since")
    counts = [model.objects.count() for model in (User, Conversation, Message, FollowUp, Notification)]
    assert "is there already" in seed()
    assert [m.objects.count() for m in (User, Conversation, Message, FollowUp, Notification)] == counts
    assert set(Conversation.objects.values_list("preview", flat=True)) == {"changed since"}


@pytest.mark.django_db
def test_demo_data_is_refused_in_production(settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="only with DEBUG on"):
        seed()
    assert not User.objects.exists()


@pytest.mark.django_db
def test_what_needs_attention_is_known_from_the_beginning():
    """On this Monday: one is due in five days, on a Saturday afternoon."""
    load.load(dt.datetime(2026, 11, 30, 14, 0, tzinfo=dt.UTC))
    member = Membership.objects.get(organization__name=CASA_VERDE, role="admin")
    causes = Attention.objects.repairable_by(member).values_list("cause", flat=True)
    assert set(causes) == {"quiet"}


@pytest.mark.parametrize(
    ("person", "role"), [("admin", "admin"), ("agent", "agent"), ("agent2", "agent"), ("viewer", "viewer")]
)
def test_everybody_can_sign_in_with_the_demo_password(demo, person, role):
    email = f"{person}@demo.trochai.test"
    client = Client()
    answer = client.post("/sign-in/", {"username": email, "password": "demo-trochai"})
    assert (answer.status_code, answer["Location"]) == (302, "/inbox/")
    assert Membership.objects.get(user__email=email, organization=demo).role == role
    # README: a number is connected in /admin/, which only the admin enters.
    assert (client.get("/admin/").status_code == 200) is (person == "admin")


def test_the_admin_belongs_to_a_second_organization(demo):
    assert Membership.objects.filter(user__email="admin@demo.trochai.test").count() == 2


def test_the_tabs_look_alive(demo):
    follow_ups = FollowUp.objects.for_organization(demo)
    counts = dict(follow_ups.values_list("status").annotate(n=Count("pk")))
    assert set(counts) == set(Status)
    assert sum(counts.values()) >= 25
    assert set(follow_ups.exclude(failure_kind="").values_list("failure_kind", flat=True)) >= {
        FailureKind.TEMPORARY,
        FailureKind.PERMANENT,
        FailureKind.UNKNOWN,
        FailureKind.MISSED,
        FailureKind.UNDELIVERED,
    }
    assert follow_ups.values("created_by").distinct().count() == 3
    assert follow_ups.filter(attempts__isnull=False).distinct().count() >= 10


@pytest.mark.parametrize("local", ["00:01", "06:30", "12:00", "23:58"])
@pytest.mark.django_db
def test_the_story_holds_at_any_hour(local):
    """Nothing has happened in the future, and nothing is scheduled for before it was made."""
    zone = dt.timezone(dt.timedelta(hours=-6))
    now = dt.datetime.combine(dt.date(2026, 11, 20), dt.time.fromisoformat(local), tzinfo=zone)
    load.load(now)
    assert not Message.objects.filter(at__gt=now).exists()
    assert not Notification.objects.filter(created_at__gt=now).exists()
    for follow_up in FollowUp.objects.prefetch_related("attempts"):
        assert follow_up.created_at < follow_up.scheduled_for
        assert follow_up.created_at < now
        assert all(attempt.finished_at <= now for attempt in follow_up.attempts.all())
        for moment in (follow_up.sent_at, follow_up.failed_at, follow_up.canceled_at):
            assert moment is None or moment <= now
    due_soon = FollowUp.objects.filter(
        status=Status.PENDING, next_attempt_at__range=(now, now + dt.timedelta(minutes=2))
    )
    assert due_soon.count() >= 5
    # Nothing but the planned ones goes out on its own while somebody is looking.
    assert not FollowUp.objects.filter(status=Status.PENDING, next_attempt_at__lt=now).exists()


def test_every_value_is_one_that_whatsapp_takes(demo):
    for follow_up in FollowUp.objects.select_related("template"):
        template = follow_up.template
        assert template.is_approved
        for parameter in template.parameters:
            assert problem_with(parameter, follow_up.parameters[parameter.key]) is None


def test_the_inbox_has_open_and_closed_windows_unread_ones_and_a_failed_bubble(demo):
    conversations = Conversation.objects.for_organization(demo)
    now = timezone.now()
    states = [window.is_open(conversation, now) for conversation in conversations]
    assert len(states) >= 12
    assert {True, False} == set(states)
    assert conversations.filter(unread_count__gt=0).count() >= 4
    assert Message.objects.filter(delivery="failed").exclude(error_code=None).exists()


def test_each_conversation_shows_its_last_message(demo):
    for conversation in Conversation.objects.for_organization(demo):
        last = conversation.messages.exclude(direction="log").order_by("-at", "-pk").first()
        assert conversation.last_message_at == last.at
        assert conversation.preview_is_outbound == last.is_outbound
        assert conversation.preview in (
            " ".join(last.text.split()),
            " ".join(last.content.get("body", "").split()),
        )


def test_the_templates_are_of_different_shapes(demo):
    templates = Template.objects.for_organization(demo)
    shapes = {tuple(template.shape) for template in templates}
    assert templates.count() >= 6
    assert () in shapes
    assert templates.filter(parameter_format="NAMED").exists()
    assert templates.exclude(status="APPROVED").exists()
    assert any("button.0" in shape or "button.1" in shape for shape in shapes)


def test_there_are_read_and_unread_notifications(demo):
    for person in ("admin", "agent", "agent2"):
        notifications = Notification.objects.filter(recipient__email=f"{person}@demo.trochai.test")
        assert {notification.read_at is None for notification in notifications} == {True, False}
