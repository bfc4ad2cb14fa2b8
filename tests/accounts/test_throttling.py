from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client, RequestFactory
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from tests import factories
from trochai.accounts.tasks import purge_sessions
from trochai.accounts.throttling import Try
from trochai.client_address import client_address


@pytest.fixture(autouse=True)
def nothing_counted():
    cache.clear()


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


def tries(count: int, email: str, **headers: str) -> list[int]:
    """Return the statuses of so many wrong passwords."""
    return [wrong(email, **headers).status_code for _n in range(count)]


def right(email: str, client: Client | None = None, **headers: str) -> int:
    data = {"username": email, "password": factories.PASSWORD}
    return (client or Client()).post("/sign-in/", data, **headers).status_code


def test_behind_a_proxy_a_wrong_password_locks_at_one_address_alone(team, settings):
    settings.TRUSTED_PROXIES = 1
    email = team.agent.user.email
    assert tries(11, email, HTTP_X_FORWARDED_FOR="1.2.3.4") == [200] * 10 + [429]
    assert right(email, HTTP_X_FORWARDED_FOR="5.6.7.8") == 302


def test_a_right_password_forgives_the_wrong_ones_before_it(team):
    email = team.agent.user.email
    for _turn in range(2):
        assert tries(9, email) == [200] * 9
        assert right(email) == 302


def test_another_spelling_of_the_email_is_no_further_chance(team):
    tries(10, team.agent.user.email)
    assert wrong(f" {team.agent.user.email.upper()}").status_code == 429


def test_one_account_guessed_from_many_addresses_is_slowed_down_and_its_owner_gets_in(team, settings):
    settings.TRUSTED_PROXIES = 1
    email, device = team.agent.user.email, Client(HTTP_X_FORWARDED_FOR="9.9.9.9")
    assert right(email, device) == 302
    device.post("/sign-out/")
    found = [wrong(email, HTTP_X_FORWARDED_FOR=f"1.2.3.{n}").status_code for n in range(40)]
    assert found == [200] * 30 + [429] * 10
    assert right(email, HTTP_X_FORWARDED_FOR="1.2.4.1") == 429
    assert right(email, device) == 302
    assert right(team.admin.user.email, HTTP_X_FORWARDED_FOR="1.2.4.1") == 302


def test_a_device_that_somebody_makes_up_is_not_known(team, settings):
    settings.TRUSTED_PROXIES = 1
    email = team.agent.user.email
    for n in range(30):
        wrong(email, HTTP_X_FORWARDED_FOR=f"1.2.3.{n}")
    client = Client(HTTP_X_FORWARDED_FOR="1.2.4.1")
    for made_up in ("x", "W10:1abc:AAAA", "ñ"):
        client.cookies["device"] = made_up
        assert right(email, client) == 429


@pytest.mark.parametrize("address", ["1.2.3.4", "2001:db8::{n:x}"])
def test_one_address_that_tries_many_accounts_is_slowed_down(team, settings, address):
    settings.TRUSTED_PROXIES = 1
    found = [
        wrong(f"somebody{n}@example.com", HTTP_X_FORWARDED_FOR=address.format(n=n)).status_code
        for n in range(52)
    ]
    assert found == [200] * 50 + [429] * 2
    assert right(team.agent.user.email, HTTP_X_FORWARDED_FOR="5.6.7.8") == 302


def test_the_door_of_the_admin_counts_too(team):
    for _n in range(10):
        Client().post("/admin/login/", {"username": team.agent.user.email, "password": "wrong"})
    assert right(team.agent.user.email) == 429


def test_when_the_window_has_passed_everybody_may_try_again(team, time_machine):
    time_machine.move_to(dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC), tick=False)
    tries(10, team.agent.user.email)
    assert right(team.agent.user.email) == 429
    time_machine.shift(dt.timedelta(minutes=15, seconds=1))
    if isinstance(caches["default"], LocMemCache):  # Redis goes by its own clock
        assert right(team.agent.user.email) == 302


def test_of_many_tries_at_once_no_more_get_through_than_one_after_the_other(in_threads, team):
    def attempt(_number):
        request = RequestFactory().post("/", REMOTE_ADDR="10.0.0.9")
        return Try(request, "many@example.com").begin()

    found = in_threads(attempt, 20)
    assert found.count(None) == 10


def test_where_the_cache_is_away_people_can_sign_in(team, settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "trochai.redis_cache.Cache",
            "LOCATION": "redis://127.0.0.1:9/0",
        }
    }
    assert right(team.agent.user.email) == 302


def test_neither_the_cookie_nor_the_cache_names_anybody(team):
    client = Client()
    right(team.agent.user.email, client)
    assert team.agent.user.email.split("@")[0] not in str(client.cookies["device"])


def test_sessions_that_have_ended_are_removed(team):
    right(team.agent.user.email)
    right(team.admin.user.email)
    ended = Session.objects.first()
    Session.objects.filter(pk=ended.pk).update(expire_date=timezone.now() - dt.timedelta(days=1))
    purge_sessions()
    assert Session.objects.count() == 1
    assert PeriodicTask.objects.get(task="trochai.accounts.tasks.purge_sessions").enabled
