from __future__ import annotations

import datetime as dt
import re
import uuid

import pytest
from django.test import Client

from conversations.models import Conversation, Message, QueuedMessage
from conversations.pages import thread as threads
from notifications.models import Notification
from tests import factories
from tests.conftest import Team, signed_in
from tests.html import html_of
from trochai.clock import database_now
from trochai.whatsapp.webhooks.parsing import STANDBY

HTMX = {"HX-Request": "true"}
NOW = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


@pytest.fixture
def opened(team: Team) -> Conversation:
    """The team's conversation, in which the contact wrote an hour ago."""
    conversation = team.conversation
    factories.MessageFactory(
        conversation=conversation, direction="in", text="¿Sigue disponible?", at=NOW - dt.timedelta(hours=1)
    )
    conversation.last_inbound_at = conversation.last_message_at = NOW - dt.timedelta(hours=1)
    conversation.preview, conversation.unread_count = "¿Sigue disponible?", 2
    conversation.save()
    return conversation


def page(membership, conversation, query="", **headers):
    return signed_in(membership).get(f"/inbox/{conversation.pk}/{query}", headers=headers)


def words(response) -> str:
    return html_of(response)


def post(membership, path, data=None, htmx=False, **extra):
    return signed_in(membership).post(path, data or {}, headers=HTMX if htmx else {}, **extra)


# Opening ----------------------------------------------------------------------------------------------


def test_signed_out_people_are_sent_to_the_sign_in(team):
    response = Client().get("/inbox/")
    assert response.status_code == 302
    assert response["Location"] == "/sign-in/?next=/inbox/"


@pytest.mark.parametrize("role", ["admin", "agent", "viewer"])
def test_everybody_reads_the_conversation(team, opened, role):
    response = page(team.member(role), opened)
    assert response.status_code == 200
    assert "¿Sigue disponible?" in words(response)
    assert "22 h left" not in words(response)
    assert "23 h left" in words(response)


@pytest.mark.parametrize("path", ["", "earlier/?to=1-1", "reply/", "update/"])
def test_another_organizations_conversation_does_not_exist(team, stranger, path):
    client = signed_in(team.admin)
    url = f"/inbox/{stranger.conversation.pk}/{path}"
    posts = path in {"reply/", "update/"}
    assert (client.post(url) if posts else client.get(url)).status_code == 404


def test_another_organizations_conversation_is_not_in_the_list_nor_found(team, stranger):
    stranger.conversation.contact.name = "Nobody’s business"
    stranger.conversation.contact.save()
    client = signed_in(team.admin)
    assert "Nobody’s business" not in words(client.get("/inbox/"))
    assert "Nothing found" in words(client.get("/inbox/?q=business"))
    assert client.get(f"/inbox/poll/?open={stranger.conversation.pk}").status_code == 404


@pytest.mark.parametrize("pk", ["0", "999999", "99999999999999999999999"])
def test_an_id_that_does_not_exist_is_a_404(team, pk):
    client = signed_in(team.agent)
    assert client.get(f"/inbox/{pk}/").status_code == 404
    assert client.get(f"/inbox/poll/?open={pk}").status_code == 404
    assert client.post(f"/inbox/messages/{pk}/retry/").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "?before=x",
        "?before=99999999999999999-1",
        "?since=1-&open=1",
        "?f=nonsense",
        "?q=%00",
        "?to=abc",
        "?q=((([",
    ],
)
def test_a_query_that_makes_no_sense_is_left_out(team, opened, query):
    assert signed_in(team.agent).get(f"/inbox/{query}").status_code == 200
    assert page(team.agent, opened, query).status_code == 200


def test_opening_marks_as_read_for_those_who_may_answer_and_not_for_viewers(team, opened):
    page(team.viewer, opened)
    opened.refresh_from_db()
    assert opened.unread_count == 2
    response = page(team.agent, opened)
    opened.refresh_from_db()
    assert opened.unread_count == 0
    assert "row--unread" not in words(response)


def test_viewers_see_no_control_that_changes_anything(team, opened):
    factories.MessageFactory(conversation=opened, delivery="failed", error_code=131000, at=NOW)
    text = words(page(team.viewer, opened))
    assert "Something went wrong at WhatsApp." in text
    for control in ('name="text"', 'name="status"', 'name="assignee"', "More actions", ">Try again<"):
        assert control not in text
        assert control in words(page(team.agent, opened))


def test_more_actions_leads_to_the_follow_up_dialog(team, opened):
    text = words(page(team.agent, opened))
    link = f'<a href="/followups/schedule/{opened.pk}/"[^>]* hx-get="/followups/schedule/{opened.pk}/"'
    assert re.search(link, text)
    assert "Follow-up</a>" in text


def test_htmx_gets_the_inside_and_a_restored_page_the_whole(team, opened):
    fragment = page(team.agent, opened, **HTMX)
    assert "<html" not in words(fragment)
    assert fragment["Vary"].count("HX-Request") == 1
    restored = page(team.agent, opened, **HTMX, **{"HX-History-Restore-Request": "true"})
    assert "<html" in words(restored)


def test_what_people_write_is_text_wherever_it_shows(team, opened):
    evil = "<script>alert(1)</script>"
    opened.contact.name, opened.preview = evil, evil
    opened.contact.save()
    opened.save()
    factories.MessageFactory(conversation=opened, text=evil, at=NOW)
    factories.MessageFactory(
        conversation=opened,
        kind="document",
        direction="in",
        text=evil,
        content={"document": {"filename": evil}},
        at=NOW,
    )
    factories.MessageFactory(
        conversation=opened,
        kind="template",
        template_name=evil,
        attempt=uuid.uuid4(),
        content={"body": evil},
        at=NOW,
    )
    text = words(page(team.agent, opened, f"?q={evil}"))
    assert evil not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 7


# The thread -------------------------------------------------------------------------------------------


def test_a_template_sent_by_a_follow_up_says_so_and_shows_as_the_contact_saw_it(team, opened):
    factories.MessageFactory(
        conversation=opened,
        kind="template",
        template_name="visit_reminder",
        attempt=uuid.uuid4(),
        content={"header": "Su visita", "body": "Hola María", "footer": "Casa Verde", "buttons": []},
        delivery="read",
        at=NOW,
    )
    text = words(page(team.viewer, opened))
    assert "Sent by follow-up · visit_reminder" in text
    assert "Hola María" in text
    assert 'aria-label="Read"' in text


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Adiós"},
        {"language": "pt_BR"},
        {"sent_by": None},
        {"content": {"echo": True}},
        {"content": {"echo": True, STANDBY: True}},
        {"edited_at": NOW},
        {"at": NOW + dt.timedelta(minutes=1)},
        {"direction": "in", "delivery": "", "sent_by": None},
        {"delivery": "read"},
    ],
    ids=str,
)
def test_what_a_message_says_is_drawn_again_when_it_changes_and_only_then(team, opened, change):
    factories.MessageFactory(conversation=opened, text="Hola", sent_by=team.agent.user, at=NOW)

    def said():
        return threads.latest(opened).bubbles[-1].said

    before = said()
    assert said() is before
    Message.objects.filter(text="Hola").update(**change)
    assert said() != before


def test_days_are_separated_in_the_organizations_time_zone(team, opened):
    # 05:30 UTC is still the evening before in Costa Rica.
    factories.MessageFactory(
        conversation=opened, text="Late", at=dt.datetime(2026, 11, 20, 5, 30, tzinfo=dt.UTC)
    )
    factories.MessageFactory(
        conversation=opened, text="Older", at=dt.datetime(2026, 11, 11, 18, 0, tzinfo=dt.UTC)
    )
    separators = re.findall(r'<p class="day"[^>]*><time[^>]*>([^<]+)', words(page(team.agent, opened)))
    assert separators == ["Wed 11 Nov", "Yesterday", "Today"]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("image", "Photo"),
        ("video", "Video"),
        ("audio", "Audio"),
        ("sticker", "Sticker"),
        ("contacts", "Contact card"),
    ],
)
def test_what_the_page_cannot_show_is_named(team, opened, kind, shown):
    message = factories.MessageFactory(conversation=opened, direction="in", kind=kind, text="", at=NOW)
    bubble = words(page(team.agent, opened)).partition(f'id="message-{message.pk}"')[2]
    assert shown in bubble.partition("<time")[0]


def test_earlier_messages_come_a_page_at_a_time_none_twice_none_lost(team, opened):
    when = NOW - dt.timedelta(days=3)  # all at one moment: the id decides
    for number in range(threads.PAGE_SIZE * 2):
        factories.MessageFactory(conversation=opened, direction="in", text=f"number {number:03}", at=when)
    seen, response = [], page(team.agent, opened)
    while True:
        seen += re.findall(r"number (\d{3})", words(response))
        link = re.search(r'href="([^"]*to=[^"]*)"', words(response))
        if not link:
            break
        response = signed_in(team.agent).get(link[1])
    assert sorted(seen) == [f"{number:03}" for number in range(threads.PAGE_SIZE * 2)]


def test_earlier_messages_come_as_a_fragment_too(team, opened):
    for number in range(threads.PAGE_SIZE + 5):
        factories.MessageFactory(
            conversation=opened, direction="in", text="old", at=NOW - dt.timedelta(days=2, minutes=number)
        )
    link = re.search(r'hx-get="([^"]*/earlier/[^"]*)"', words(page(team.agent, opened)))
    response = signed_in(team.agent).get(link[1], headers=HTMX)
    assert words(response).count('id="message-') == 6
    assert "<html" not in words(response)
    assert "Load earlier" not in words(response)
    assert signed_in(team.agent).get(f"/inbox/{opened.pk}/earlier/?to=rubbish").status_code == 404


def test_the_page_costs_the_same_however_long_the_thread_and_the_list(
    team, opened, django_assert_num_queries
):
    client = signed_in(team.agent)
    client.get("/inbox/")
    tags = factories.TagFactory.create_batch(5, organization=team.organization)
    for number in range(35):
        conversation = factories.ConversationFactory(organization=team.organization, channel=team.channel)
        conversation.tags.set(tags)
        factories.FollowUpFactory(
            organization=team.organization, conversation=conversation, template=team.template
        )
        factories.MessageFactory(
            conversation=opened,
            sent_by=team.admin.user,
            delivery="failed",
            at=NOW - dt.timedelta(minutes=number),
        )
    # Session, person, memberships; tags, rows, counts, who has which tag; my day; the frame: counts, channel.
    with django_assert_num_queries(10):
        client.get("/inbox/")
    # And the conversation, that it is read, its tags, its messages, who can be assigned, what is scheduled.
    with django_assert_num_queries(10 + 6):
        client.get(f"/inbox/{opened.pk}/")
    with django_assert_num_queries(10 + 5 - 2):
        client.get(f"/inbox/poll/?open={opened.pk}", headers=HTMX)


def test_the_toolbar_says_since_when_somebody_wants_no_messages(team, opened):
    opened.contact.opted_out_at = NOW - dt.timedelta(days=2)
    opened.contact.save()
    assert 'title="Wants no more messages since Wed 18 Nov"' in words(page(team.agent, opened))


# Polling ----------------------------------------------------------------------------------------------


def poll(membership, conversation, state):
    query = {"open": conversation.pk, **state}
    return signed_in(membership).get("/inbox/poll/", query, headers=HTMX)


def state_of(response):
    hidden = r'<input type="hidden" (?:id="version" )?name="(v|since)" value="([^"]*)"'
    return dict(re.findall(hidden, words(response)))


def test_a_poll_answers_nothing_where_nothing_has_changed(team, opened):
    first = poll(team.agent, opened, {})
    assert poll(team.agent, opened, state_of(first)).status_code == 204
    page_itself = page(team.agent, opened)
    assert poll(team.agent, opened, state_of(page_itself)).status_code == 204


@pytest.mark.parametrize("what", ["message", "tick", "status", "other conversation", "an hour"])
def test_a_poll_answers_with_what_has_changed(team, opened, what, clock, told):
    sent = factories.MessageFactory(conversation=opened, delivery="sent", at=NOW)
    state = state_of(poll(team.agent, opened, {}))
    match what:
        case "message":
            factories.MessageFactory(conversation=opened, text="News", at=NOW)
        case "tick":
            Message.objects.filter(pk=sent.pk).update(delivery="read")
        case "status":
            Conversation.objects.filter(pk=opened.pk).update(status="closed")
        case "other conversation":
            factories.ConversationFactory(organization=team.organization, channel=team.channel, preview="Hi")
        case "an hour":
            clock.move_to(NOW + dt.timedelta(hours=1), tick=False)
    if what != "an hour":
        told([team.organization.pk])
    response = poll(team.agent, opened, state)
    assert response.status_code == 200
    assert 'hx-swap-oob="true"' in words(response)


def test_an_open_thread_grows_and_leaves_no_gap_to_earlier_messages(team, opened, told):
    for number in range(threads.PAGE_SIZE + 10):
        factories.MessageFactory(
            conversation=opened, text="old", at=NOW - dt.timedelta(days=1, minutes=number)
        )
    state = state_of(poll(team.agent, opened, {}))
    factories.MessageFactory(conversation=opened, text="News", at=NOW)
    told([team.organization.pk])
    grown = poll(team.agent, opened, state)
    assert words(grown).count('id="message-') == threads.PAGE_SIZE + 1
    assert state_of(grown)["since"] == state["since"]


def test_the_draft_in_the_composer_is_kept_by_polls_and_emptied_by_sending(team, opened):
    assert f'id="composer-{opened.pk}" data-keep' in words(poll(team.agent, opened, {}))
    sent = post(team.agent, f"/inbox/{opened.pk}/reply/", {"text": "Hola"}, htmx=True)
    assert f'id="composer-{opened.pk}"' in words(sent)
    assert f'id="composer-{opened.pk}" data-keep' not in words(sent)
    changed = post(team.agent, f"/inbox/{opened.pk}/update/", {"status": "closed"}, htmx=True)
    assert f'id="composer-{opened.pk}" data-keep' in words(changed)


# The 24-hour window -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "badge", "tone", "composer"),
    [
        (dt.timedelta(minutes=1), "23 h left", "ok", True),
        (dt.timedelta(hours=20), "4 h left", "ok", True),
        (dt.timedelta(hours=20, minutes=1), "3 h left", "warn", True),
        (dt.timedelta(hours=23), "1 h left", "warn", True),
        (dt.timedelta(hours=23, minutes=1), "59 min left", "warn", True),
        (dt.timedelta(hours=24) - dt.timedelta(seconds=1), "0 min left", "warn", True),
        (dt.timedelta(hours=24), "Window closed", "failed", False),
        (dt.timedelta(days=9), "Window closed", "failed", False),
        (None, "Window closed", "failed", False),
    ],
)
def test_the_composer_is_there_while_the_window_is_open(team, opened, age, badge, tone, composer):
    opened.last_inbound_at = None if age is None else NOW - age
    opened.save()
    text = words(page(team.agent, opened))
    assert badge in text
    assert f'class="badge badge--{tone}"' in text
    assert ('id="reply"' in text) is composer
    assert ("window-title" in text) is not composer


def test_a_reply_after_the_window_has_closed_says_so_and_keeps_the_text(team, opened, clock):
    clock.move_to(NOW + dt.timedelta(hours=23), tick=False)
    response = post(team.agent, f"/inbox/{opened.pk}/reply/", {"text": "Too late"}, htmx=True)
    assert response.status_code == 422
    assert "24-hour window is closed" in words(response)
    assert "Too late</textarea>" in words(response)
    assert not Message.objects.filter(text="Too late").exists()


# Replying ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["admin", "agent"])
def test_a_reply_is_sent_and_stands_in_the_thread(team, opened, role):
    response = post(team.member(role), f"/inbox/{opened.pk}/reply/", {"text": "Sí,\r\ntodavía"}, htmx=True)
    message = Message.objects.get(direction="out")
    assert (message.text, message.delivery, message.sent_by) == (
        "Sí,\ntodavía",
        "sending",
        team.member(role).user,
    )
    assert f'id="message-{message.pk}"' in words(response)
    assert re.search("You:</span><span [^>]*>Sí, todavía", words(response))


def test_without_javascript_a_reply_leads_back_to_the_conversation(team, opened):
    response = post(team.agent, f"/inbox/{opened.pk}/reply/", {"text": "Sí"})
    assert (response.status_code, response["Location"]) == (302, f"/inbox/{opened.pk}/")
    refused = post(team.agent, f"/inbox/{opened.pk}/reply/", {"text": ""})
    assert refused.status_code == 422
    assert "<html" in words(refused)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 422),
        (" \r\n\t ", 422),
        ("x" * 4097, 422),
        ("nul\0", 422),
        ("x" * 4096, 200),
        ("\r\n".join("x" * 2048), 200),
    ],
    ids=["empty", "blank", "too long", "nul", "longest", "longest in lines"],
)
def test_a_reply_is_between_1_and_4096_characters(team, opened, text, status):
    response = post(team.agent, f"/inbox/{opened.pk}/reply/", {"text": text}, htmx=True)
    assert response.status_code == status
    assert ('role="alert"' in words(response)) is (status == 422)
    assert Message.objects.filter(direction="out").exists() is (status == 200)


def test_the_same_form_sent_twice_is_one_message(team, opened):
    data = {"text": "Once", "uuid": str(uuid.uuid4())}
    for _ in range(2):
        assert post(team.agent, f"/inbox/{opened.pk}/reply/", data).status_code == 302
    assert Message.objects.filter(text="Once").count() == QueuedMessage.objects.count() == 1


def test_viewers_can_change_nothing(team, opened):
    failed = factories.MessageFactory(conversation=opened, delivery="failed")
    for path, data in [
        (f"/inbox/{opened.pk}/reply/", {"text": "x"}),
        (f"/inbox/{opened.pk}/update/", {"status": "closed"}),
        (f"/inbox/messages/{failed.pk}/retry/", {}),
    ]:
        assert post(team.viewer, path, data).status_code == 403
    opened.refresh_from_db()
    assert (opened.status, Message.objects.count()) == ("open", 2)


@pytest.mark.parametrize("path", ["reply/", "update/"])
def test_changes_are_posted(team, opened, path):
    assert signed_in(team.agent).get(f"/inbox/{opened.pk}/{path}").status_code == 405


def test_a_change_without_the_token_is_refused(team, opened):
    client = Client(enforce_csrf_checks=True)
    client.force_login(team.agent.user, backend="django.contrib.auth.backends.ModelBackend")
    response = client.post(f"/inbox/{opened.pk}/reply/", {"text": "x"})
    assert response.status_code == 403
    assert "This page is too old" in words(response)


# Trying again -----------------------------------------------------------------------------------------


def test_a_failed_reply_is_tried_again_as_a_new_message(team, opened):
    failed = factories.MessageFactory(
        conversation=opened, delivery="failed", error_code=131016, text="Again", at=NOW
    )
    text = words(page(team.agent, opened))
    assert "WhatsApp is not available at the moment." in text
    assert f'formaction="/inbox/messages/{failed.pk}/retry/"' in text
    response = post(team.agent, f"/inbox/messages/{failed.pk}/retry/", htmx=True)
    assert response.status_code == 200
    assert list(Message.objects.filter(text="Again").order_by("pk").values_list("delivery", flat=True)) == [
        "failed",
        "sending",
    ]


def test_a_reply_that_may_have_arrived_asks_before_it_is_sent_again(team, opened):
    unknown = factories.MessageFactory(conversation=opened, delivery="unknown", text="Maybe", at=NOW)
    question = post(team.agent, f"/inbox/messages/{unknown.pk}/retry/")
    assert question.status_code == 409
    assert "may already have arrived" in words(question)
    assert not QueuedMessage.objects.exists()
    assert post(team.agent, f"/inbox/messages/{unknown.pk}/retry/", {"anyway": "1"}).status_code == 302
    assert QueuedMessage.objects.count() == 1


def test_where_no_worker_runs_whoever_looks_learns_that_it_was_not_sent(team, opened):
    post(team.agent, f"/inbox/{opened.pk}/reply/", {"text": "Anybody?"})
    text = words(page(team.agent, opened))
    assert ">Try again<" not in text
    QueuedMessage.objects.update(written_at=database_now() - dt.timedelta(minutes=2))
    text = words(page(team.agent, opened))
    assert "It could not be sent within 2 minutes." in text
    assert ">Try again<" in text


def test_what_was_sent_is_not_tried_again_and_follow_ups_are_retried_on_their_own_page(team, opened):
    sent = factories.MessageFactory(conversation=opened, delivery="sent", at=NOW)
    response = post(team.agent, f"/inbox/messages/{sent.pk}/retry/", htmx=True)
    assert "can’t be sent again" in response["HX-Trigger"].encode().decode("unicode_escape")
    factories.MessageFactory(
        conversation=opened,
        kind="template",
        delivery="failed",
        attempt=uuid.uuid4(),
        template_name="t",
        at=NOW,
    )
    assert ">Try again<" not in words(page(team.agent, opened))


def test_another_organizations_message_is_not_tried_again(team, stranger):
    theirs = factories.MessageFactory(conversation=stranger.conversation, delivery="failed")
    assert post(team.admin, f"/inbox/messages/{theirs.pk}/retry/").status_code == 404


# Status and assignee ----------------------------------------------------------------------------------


def test_status_and_assignee_are_set_one_at_a_time_with_a_word(team, opened):
    url = f"/inbox/{opened.pk}/update/"
    assert (
        "Marked as in progress" in post(team.agent, url, {"status": "in_progress"}, htmx=True)["HX-Trigger"]
    )
    said = post(team.agent, url, {"assignee": team.other_agent.user_id}, htmx=True)["HX-Trigger"]
    assert f"Assigned to {team.other_agent.user}" in said
    opened.refresh_from_db()
    assert (opened.status, opened.assignee) == ("in_progress", team.other_agent.user)
    assert "HX-Trigger" not in post(team.agent, url, {"status": "in_progress"}, htmx=True)
    post(team.agent, url, {"assignee": ""}, htmx=True)
    opened.refresh_from_db()
    assert opened.assignee is None


def test_whoever_gets_a_conversation_is_told_and_the_thread_says_it(team, opened):
    url = f"/inbox/{opened.pk}/update/"
    for to in (team.other_agent.user_id, team.agent.user_id, ""):
        post(team.agent, url, {"assignee": to}, htmx=True)
    (notice,) = Notification.objects.all()
    assert notice.recipient == team.other_agent.user
    assert notice.url == f"/inbox/{opened.pk}/"
    bell = words(signed_in(team.other_agent).get("/notifications/"))
    assert f"{team.agent.user} gave you the conversation with {opened.contact.name}" in bell
    thread = words(page(team.viewer, opened))
    mine = str(team.agent.user)
    for line in (f"{mine} assigned it to {team.other_agent.user}", f"{mine} took it", "nobody in particular"):
        assert line in thread


def test_without_javascript_both_go_in_one_form_and_the_next_page_says_it(team, opened):
    client = signed_in(team.agent)
    data = {"status": "closed", "assignee": team.agent.user_id}
    response = client.post(f"/inbox/{opened.pk}/update/", data, follow=True)
    assert "Marked as closed · Assigned to" in words(response)


@pytest.mark.parametrize(
    "data", [{"status": "finished"}, {"assignee": "x"}, {"assignee": "viewer"}, {"assignee": "stranger"}]
)
def test_what_is_not_in_the_list_changes_nothing(team, stranger, opened, data):
    people = {"viewer": team.viewer.user_id, "stranger": stranger.agent.user_id}
    data = {key: people.get(value, value) for key, value in data.items()}
    response = post(team.agent, f"/inbox/{opened.pk}/update/", data, htmx=True)
    assert "Not changed" in response["HX-Trigger"]
    opened.refresh_from_db()
    assert (opened.status, opened.assignee) == ("open", None)


def test_an_assignee_who_has_left_still_shows(team, opened):
    gone = factories.UserFactory(name="Gone Person")
    opened.assignee = gone
    opened.save()
    assert re.search(r"<option[^>]* selected>Gone Person", words(page(team.agent, opened)))


def test_a_conversation_is_marked_as_unread_by_who_may_write_and_keeps_its_count(team, opened):
    address = f"/inbox/{opened.pk}/unread/"
    assert signed_in(team.viewer).post(address).status_code == 403
    for before, after in ((0, 1), (3, 3)):
        Conversation.objects.filter(pk=opened.pk).update(unread_count=before)
        assert signed_in(team.agent).post(address)["Location"] == "/inbox/"
        opened.refresh_from_db()
        assert opened.unread_count == after
