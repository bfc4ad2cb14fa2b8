from __future__ import annotations

import copy
import datetime as dt
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trochai.whatsapp.cloud_api.codes import CODES
from trochai.whatsapp.cloud_api.errors import (
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    TemporaryError,
    classify,
)
from trochai.whatsapp.cloud_api.failures import Failure, code_of

pytestmark = pytest.mark.pure

R, W, P, T, X = "R", "W", "P", "T", "X"

# The fact sheet's table, row by row; 131063 stops what is sent for marketing alone.
TABLE = {
    P: [
        *(0, 190, 3, 10, *range(200, 300), 131005, 33, 368, 131031, 131037, 131042, 131045, 131048),
        *(133000, 133005, 133006, 133010, 134011),
    ],
    R: [1, 2, 4, 17, 130429, 131000, 131016, 131056, 131057, 133004],
    W: [80007, 80008, 131049, 131064, 132069, 133008, 133009, 133015, 133016, 134101],
    T: [132001, 132005, 132007, 132015, 132016, 132068],
    X: [
        *(100, 130403, 130472, 130497, 131008, 131009, 131021, 131026, 131030, 131047, 131050, 131051),
        *(131052, 131053, 131055, 131063, 134100, 134102, 131062, 132000, 132012, 132018, 135000, 137000),
    ],
}
KINDS = {R: TemporaryError, W: TemporaryError, P: ChannelError, T: PermanentError, X: PermanentError}
ROWS = [(code, act) for act, codes in TABLE.items() for code in codes]


def envelope(code, **more):
    return {"error": {"message": f"(#{code}) Something", "type": "OAuthException", "code": code, **more}}


@pytest.mark.parametrize(("code", "act"), ROWS)
@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_each_code_of_metas_table_has_its_kind_whatever_the_http_status(code, act, status):
    error = classify(status, json.dumps(envelope(code)).encode(), {})
    kind = PermanentError if code == 131049 else KINDS[act]
    assert type(error) is kind
    assert (error.code, error.http_status) == (code, status)
    assert str(code) not in error.reason
    assert len(error.reason) <= 120
    assert error.reason.endswith(".")
    if isinstance(error, PermanentError):
        assert error.template_unusable is (act == T or code in {132000, 132012})
        assert error.opted_out is (code == 131050)
        assert error.retry_after == (dt.timedelta(days=1) if code == 131049 else None)


def test_the_table_has_no_code_that_the_fact_sheet_lacks():
    assert set(CODES) == {code for code, _ in ROWS}
    assert len(ROWS) == len(CODES)


@pytest.mark.parametrize("code", [code for code, act in ROWS if act in {R, W} and code != 131049])
def test_only_rate_limits_and_maintenance_slow_the_channel(code):
    slow_down = classify(400, envelope(code)).slow_down
    assert bool(slow_down) is (code in {130429, 80007, 4, 17, 131056, 131057})


def test_the_limit_of_one_contact_barely_slows_the_others():
    headers = {"Retry-After": "240"}
    assert classify(400, envelope(131056), headers).slow_down <= dt.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("status", "kind"), [(500, TemporaryError), (503, TemporaryError), (400, PermanentError)]
)
def test_an_unknown_code_is_temporary_only_with_a_server_error(status, kind):
    error = classify(status, envelope(987654))
    assert type(error) is kind
    assert error.reason == "WhatsApp refused the message: (#987654) Something"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, TemporaryError),
        (503, TemporaryError),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (504, OutcomeUnknown),
        (200, OutcomeUnknown),
        (302, OutcomeUnknown),
        (400, PermanentError),
        (401, PermanentError),
        (404, PermanentError),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        None,
        b"<html>Bad gateway</html>",
        b'{"error":',
        b"[]",
        b"\xff\xfe",
        b'{"error": "no"}',
        b'{"error": {"message": "no code"}}',
        b'{"error": {"code": true}}',
        b'{"error": {"code": 1e400}}',
        b"[" * 100_000,
    ],
)
def test_without_metas_envelope_the_status_decides(status, kind, body):
    error = classify(status, body, {})
    assert type(error) is kind
    assert error.code is None
    assert error.reason


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 5),
        ({"Retry-After": "90"}, 90),
        ({"retry-after": "2"}, 5),
        ({"Retry-After": "Wed, 21 Oct 2026 07:30:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 120),
        ({"Retry-After": "soon"}, 5),
        ({"Retry-After": "-5"}, 5),
        ({"X-App-Usage": '{"call_count": 100, "total_time": 3}'}, 60),
        ({"X-App-Usage": '{"call_count": 99}'}, 5),
        ({"X-App-Usage": "[1]"}, 5),
        (
            {
                "X-Business-Use-Case-Usage": '{"1": [{"type": "whatsapp",'
                ' "estimated_time_to_regain_access": 7}]}'
            },
            420,
        ),
        (
            {
                "X-Business-Use-Case-Usage": '{"1": [{"type": "whatsapp_business_management",'
                ' "estimated_time_to_regain_access": 7}]}'
            },
            5,
        ),
        ({"X-Business-Use-Case-Usage": '{"1": [null], "2": 3}'}, 5),
        ({"X-Business-Use-Case-Usage": '{"1": [{"estimated_time_to_regain_access": 1e999}]}'}, 5),
    ],
)
def test_a_rate_limit_waits_as_long_as_the_headers_say(headers, seconds):
    assert classify(400, envelope(130429), headers).slow_down == dt.timedelta(seconds=seconds)


def test_503_without_an_envelope_slows_the_channel_only_if_it_says_so():
    assert classify(503, b"").slow_down is None
    assert classify(503, b"", {"Retry-After": "30"}).slow_down == dt.timedelta(seconds=30)


def test_metas_own_words_are_kept_for_operators_not_for_people():
    error = classify(
        400,
        envelope(131026, error_subcode=2494, error_data={"details": "Not in allowed list"}, fbtrace_id="Az"),
    )
    assert error.details == "(#131026) Something · Not in allowed list · subcode 2494 · trace Az"
    assert "Something" not in error.reason


def test_a_code_that_came_as_a_string_counts():
    assert code_of("131049") == 131049
    assert Failure.reported("131026") == Failure(131026)
    assert code_of("x") is code_of(None) is code_of(True) is code_of(2**40) is None


def test_an_unknown_code_shows_metas_words_cut_to_fit():
    assert Failure.reported(777, "Strange thing").words() == "WhatsApp refused the message: Strange thing"
    assert 290 <= len(Failure.reported(777, "x" * 900).words()) <= 320
    assert Failure.reported(None).words() == "WhatsApp refused the message without saying why."


@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_survives_being_copied_between_processes(copied):
    error = copied(classify(400, envelope(131049)))
    assert (type(error), error.code, error.retry_after) == (PermanentError, 131049, dt.timedelta(days=1))
    assert str(error) == "131049", "what a log says"


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["error", "code", "message", "error_data", "details"]), inner)
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(["Retry-After", "X-App-Usage", "X-Business-Use-Case-Usage", "Date"]),
        st.text(max_size=40),
    ),
)
def test_any_answer_at_all_is_one_of_the_four_errors(status, body, headers):
    error = classify(status, body, headers)
    assert isinstance(error, TemporaryError | PermanentError | ChannelError | OutcomeUnknown)
    assert error.reason
