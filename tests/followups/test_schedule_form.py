from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followups.models import FollowUp
from followups.pages.forms import CUSTOM, NOTE_LENGTH, NoteField, WhenForm
from followups.scheduling import QUICK_OPTIONS, earliest, latest, quick_options
from trochai.accounts.models import Organization

NOW = dt.datetime(2026, 11, 20, 20, 31, tzinfo=dt.UTC)
OWNER = Organization(timezone="America/Costa_Rica")
KEYS = [option.key for option in QUICK_OPTIONS]

anything = st.text(max_size=20)
dates = st.one_of(anything, st.dates().map(str), st.from_regex(r"\d{4}-\d{2}-\d{2}", fullmatch=True))
times = st.one_of(anything, st.times().map(str), st.from_regex(r"\d{2}:\d{2}", fullmatch=True))


def form(now: dt.datetime = NOW, **data: str) -> WhenForm:
    return WhenForm(data, organization=OWNER, now=now)


@given(when=st.one_of(anything, st.sampled_from([*KEYS, CUSTOM])), date=dates, time=times, shown=anything)
def test_nonsense_is_refused_with_a_sentence_and_never_raises(
    when: str, date: str, time: str, shown: str
) -> None:
    checked = form(when=when, date=date, time=time, **{f"shown_{key}": shown for key in KEYS})
    if checked.is_valid():
        assert when == CUSTOM
        assert checked.scheduled_for is not None
        assert earliest(NOW, OWNER) <= checked.scheduled_for <= latest(NOW, OWNER)
    else:
        assert checked.scheduled_for is None
        assert all(str(error) for errors in checked.errors.values() for error in errors)


@given(now=st.integers(0, 10**8).map(lambda seconds: NOW + dt.timedelta(seconds=seconds)))
def test_a_quick_option_means_the_moment_it_showed_or_is_refused(now: dt.datetime) -> None:
    """However long the dialog stood open."""
    for option in quick_options(NOW, OWNER.zone):
        checked = form(now, when=option.key, **{f"shown_{option.key}": option.at.isoformat()})
        if checked.is_valid():
            assert checked.scheduled_for == option.at
        else:
            assert checked.moved
            assert now.astimezone(OWNER.zone).date() > NOW.astimezone(OWNER.zone).date()


@pytest.mark.parametrize("key", KEYS)
def test_quick_options_are_offered_whatever_the_window_is(key: str) -> None:
    strict = Organization(timezone="America/Costa_Rica", min_days=30, max_days=30)
    shown = {f"shown_{option.key}": option.at.isoformat() for option in quick_options(NOW, strict.zone)}
    assert WhenForm({"when": key, **shown}, organization=strict, now=NOW).is_valid()


def test_the_pickers_bounds_are_days_of_the_organizations_calendar() -> None:
    """At 23:30 in Costa Rica it is already tomorrow in UTC."""
    attributes = form(dt.datetime(2026, 11, 21, 5, 30, tzinfo=dt.UTC)).fields["date"].widget.attrs
    assert (attributes["min"], attributes["max"]) == ("2026-11-25", "2027-02-18")


def test_the_note_is_as_long_as_its_column() -> None:
    assert FollowUp._meta.get_field("note").max_length == NOTE_LENGTH


@pytest.mark.parametrize("note", ["", "   ", "\r\n"])
def test_a_blank_note_is_no_note(note: str) -> None:
    assert NoteField().clean(note) == ""
