"""Who hears of what, without a network."""

from __future__ import annotations

import asyncio

import pytest

from trochai.live import streams as module
from trochai.live.streams import Reader, Refused, Stream, Streams
from trochai.news import News, channel

ENOUGH = 5.0


@pytest.fixture
def streams() -> Streams:
    return Streams()


def heard(stream: Stream, *, seconds: float = 0) -> list[str]:
    return asyncio.run(stream.news(seconds))


def test_only_the_organization_in_which_it_happened_hears_of_it(streams):
    ours, theirs = streams.open(Reader(1, organization=1)), streams.open(Reader(2, organization=2))
    streams.hear(News(organizations=[1, 3], kinds=["conversations"]))
    assert heard(ours, seconds=ENOUGH) == ["conversations"]
    assert heard(theirs) == []


def test_what_happens_meanwhile_comes_together_and_once(streams):
    stream = streams.open(Reader(1, organization=1))
    for moment, kinds in (
        ("a", ["notices"]),
        ("b", ["conversations"]),
        ("c", ["conversations", "followups"]),
    ):
        streams.hear(News(organizations=[1], kinds=kinds, moment=moment))
    assert heard(stream, seconds=ENOUGH) == ["conversations", "followups", "notices"]
    assert stream.moment == "c"
    assert heard(stream) == []


def test_whose_access_may_have_ended_is_looked_at_again(streams):
    mine, other = streams.open(Reader(1, organization=1)), streams.open(Reader(2, organization=1))
    streams.hear(News(people=[1]))
    assert (mine.has_ended, other.has_ended) == (True, False)
    assert heard(mine, seconds=ENOUGH) == []


def test_nobody_takes_all_the_room(streams, monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(module, "MOST_OF_A_PERSON", 2)
    first = streams.open(Reader(1, organization=1))
    streams.open(Reader(1, organization=2))
    with pytest.raises(Refused) as refused:
        streams.open(Reader(1, organization=1))
    assert refused.value.of_person
    streams.open(Reader(2, organization=1))
    with pytest.raises(Refused) as refused:
        streams.open(Reader(3, organization=1))
    assert not refused.value.of_person
    streams.close(first)
    streams.open(Reader(1, organization=1))


def test_news_arrive_as_they_were_told():
    news = News(organizations=[1, 2], kinds=["followups"], people=[7], moment="0a1b")
    assert News.load(news.dump().encode()) == news


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"organizations":["1"],"kinds":[],"people":[],"moment":""}',
        '{"organizations":[1],"kinds":[],"people":[],"moment":1}',
        '{"organizations":1}',
        "\xff",
    ],
)
def test_what_is_no_news_is_told_from_it(text):
    with pytest.raises(ValueError, match=r"no news|Expecting value"):
        News.load(text)


def test_two_databases_of_one_redis_do_not_hear_each_other():
    assert channel("redis://:secret@host:6379/1") != channel("redis://:secret@host:6379")
    assert "secret" not in channel("redis://:secret@host:6379/1")
