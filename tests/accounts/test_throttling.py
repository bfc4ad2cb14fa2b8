from __future__ import annotations

import pytest
from django.test import Client, RequestFactory

from tests import factories
from trochai.client_address import client_address


def wrong(email: str, **headers: str):
    return Client(**headers).post("/sign-in/", {"username": email, "password": "wrong"})


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, None, "10.0.0.1"),
        (0, "1.2.3.4", "10.0.0.1"),
        (1, "1.2.3.4", "1.2.3.4"),
        (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (2, "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, None, "10.0.0.1"),
        (2, "1.2.3.4", "10.0.0.1"),
        (1, "<script>", "10.0.0.1"),
    ],
)
def test_the_address_is_the_one_that_the_outermost_trusted_proxy_saw(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", **headers)
    assert client_address(request) == address


def test_behind_a_proxy_a_wrong_password_locks_at_one_address_alone(team, settings):
    settings.AXES_FAILURE_LIMIT, settings.TRUSTED_PROXIES = 2, 1
    email = team.agent.user.email
    for _n in range(2):
        answer = wrong(email, HTTP_X_FORWARDED_FOR="1.2.3.4")
    assert answer.status_code == 429
    elsewhere = Client(HTTP_X_FORWARDED_FOR="5.6.7.8")
    data = {"username": email, "password": factories.PASSWORD}
    assert elsewhere.post("/sign-in/", data).status_code == 302


def test_another_spelling_of_the_email_is_no_further_chance(team, settings):
    settings.AXES_FAILURE_LIMIT = 2
    wrong(team.agent.user.email)
    assert wrong(f" {team.agent.user.email.upper()}").status_code == 429
