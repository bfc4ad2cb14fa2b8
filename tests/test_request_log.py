"""What a request leaves in the logs."""

from __future__ import annotations

import logging
import re

import pytest
import structlog
from django.test import Client
from django.urls import path
from structlog.testing import capture_logs

from tests.conftest import Team, signed_in
from trochai import urls as site


def broken(request: object) -> None:
    raise RuntimeError("broken")


urlpatterns = [*site.urlpatterns, path("broken/", broken)]


def test_a_request_is_one_line_and_never_says_what_was_searched_for(team: Team) -> None:
    client = signed_in(team.agent)
    with capture_logs() as lines:
        client.get("/inbox/", {"q": "+50688887777"}, headers={"user-agent": "Some browser"})

    (line,) = [line for line in lines if line["log_level"] != "debug"]
    assert (line["event"], line["request"], line["code"]) == ("request_finished", "GET /inbox/", 200)
    assert "50688887777" not in str(lines)


@pytest.mark.usefixtures("standing_clock")
def test_a_page_that_asks_and_hears_nothing_leaves_no_line(team: Team) -> None:
    client = signed_in(team.agent)
    page = client.get("/inbox/").content.decode()
    asked = {"open": "", "v": re.search(r'name="v" value="([^"]+)"', page)[1]}
    with capture_logs() as lines:
        assert client.get("/inbox/poll/", asked, headers={"HX-Request": "true"}).status_code == 204
    assert {line["log_level"] for line in lines} == {"debug"}


def test_the_verify_token_of_a_webhook_stays_out_of_the_log(team: Team) -> None:
    with capture_logs() as lines:
        Client().get(f"/webhooks/whatsapp/{team.channel.uuid}/", {"hub.verify_token": "hunter2"})

    assert lines
    assert "hunter2" not in str(lines)


def test_the_address_in_the_log_is_the_one_that_the_sign_in_counts(team: Team, settings) -> None:
    settings.TRUSTED_PROXIES = 1
    headers = {"X-Forwarded-For": "6.6.6.6, 1.2.3.4"}
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        signed_in(team.agent).get("/inbox/", headers=headers)
    assert {line["ip"] for line in lines} == {"1.2.3.4"}


def test_a_host_that_is_not_ours_is_one_line_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("django.security.DisallowedHost")
    logger.addHandler(caplog.handler)
    try:
        assert Client().get("/sign-in/", headers={"host": "evil.example"}).status_code == 400
    finally:
        logger.removeHandler(caplog.handler)
    records = [each for each in caplog.records if "evil.example" in each.getMessage()]
    assert {each.exc_info for each in records} == {None}


@pytest.mark.urls("tests.test_request_log")
def test_a_view_that_breaks_is_logged_once_with_its_traceback(
    team: Team, caplog: pytest.LogCaptureFixture
) -> None:
    client = signed_in(team.agent)
    client.raise_request_exception = False
    with caplog.at_level(logging.INFO), capture_logs() as lines:
        assert client.get("/broken/", {"q": "secret"}).status_code == 500

    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert (line["event"], line["request"], line["exc_info"]) == ("request_failed", "GET /broken/", True)
    assert not caplog.records
