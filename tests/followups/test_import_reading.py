"""From a file's bytes to what its columns and cells mean."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from followups.imports import columns, moments, reading
from followups.imports.moments import DAY_FIRST, MONTH_FIRST, NotRead
from followups.imports.reading import Fault, Unreadable
from tests.fuzz.strategies import NASTY, bounded

pytestmark = pytest.mark.pure

TODAY = dt.date(2026, 11, 20)
TABLE = [["teléfono", "nota"], ["8712 4490", "señal, “sí” €"], ["8712 4491", "dos\nlíneas"]]
# What a file of text can hold that means something to whoever reads it.
PIECES = [*NASTY, ",", ";", '"', "\n", "\r", "\t", "sep=;\n", "'=1"]


def written(delimiter: str, ending: str) -> bytes:
    """Return the table as spreadsheets write it: a cell with anything special in quotes."""
    quoted = [[f'"{cell}"' if set(cell) & {",", "\n", ";"} else cell for cell in line] for line in TABLE]
    return (ending.join(delimiter.join(line) for line in quoted) + ending).encode()


class TestFiles:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
    @pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
    def test_what_spreadsheets_save_is_read_alike(self, delimiter, encoding, ending):
        sheet = reading.read(written(delimiter, ending).decode().encode(encoding))
        assert [list(sheet.headings), *(cells for _number, cells in sheet.rows)] == TABLE
        assert sheet.delimiter == delimiter

    def test_rows_are_numbered_as_the_spreadsheet_does_and_empty_ones_are_left_out(self):
        sheet = reading.read(b"phone,note\n1,a\n\n,\n2,b\n")
        assert list(sheet.rows) == [(2, ["1", "a"]), (5, ["2", "b"])]

    def test_excels_line_about_the_delimiter_is_no_row(self):
        assert list(reading.read(b"sep=;\nphone;note\n1;a,b,c\n").headings) == ["phone", "note"]

    def test_short_rows_are_filled_up_and_columns_without_a_heading_get_one(self):
        sheet = reading.read(b"phone,,note,,\n1\n1,2,3,4\n")
        assert list(sheet.headings) == ["phone", "Column 2", "note"]
        assert [cells for _number, cells in sheet.rows] == [["1", "", ""], ["1", "2", "3", "4"]]

    @pytest.mark.parametrize(
        ("data", "fault"),
        [
            (b"", Fault.EMPTY),
            (b" \r\n ", Fault.EMPTY),
            (b"\xef\xbb\xbf", Fault.EMPTY),
            (b",,,\n,,\n", Fault.EMPTY),
            (b"phone,date\n", Fault.NO_ROWS),
            (b"phone,date\n,\n\n", Fault.NO_ROWS),
            (b"PK\x03\x04\x14\x00\x06\x00", Fault.WORKBOOK),
            (b"\x89PNG\r\n\x1a\n\x00\x00", Fault.NO_TEXT),
            (b"phone\x00,date\n1,2\n", Fault.NO_TEXT),
            (b"\xff\xfe\x00\xd8", Fault.NO_TEXT),
            (b"\xff\xfea", Fault.NO_TEXT),
            (b'phone,note\n1,"never closed\n2,b\n', Fault.QUOTES),
            (b'phone,note\n1,"a"b\n', Fault.QUOTES),
            (b"phone,note\n1," + b"x" * 200_000, Fault.CELL_TOO_LONG),
            (b"c," * 2000 + b"c\n1\n", Fault.TOO_MANY_COLUMNS),
            (b"phone\n" + b"1\n" * 10_001, Fault.TOO_MANY_ROWS),
            (b"phone\n" + b"1\n" * 2_700_000, Fault.TOO_LARGE),
        ],
        ids=lambda each: each if isinstance(each, str) else "",
    )
    def test_what_cannot_be_read_is_said_in_words(self, data, fault):
        with pytest.raises(Unreadable) as raised:
            reading.read(data)
        assert raised.value.fault == fault
        assert str(raised.value)

    @bounded(300)
    @given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES)).map("".join).map(str.encode))
    @example(b'"')
    def test_whatever_a_file_holds_is_read_or_refused(self, data):
        try:
            sheet = reading.read(data)
        except Unreadable:
            return
        assert sheet.rows
        assert all(len(cells) >= len(sheet.headings) for _number, cells in sheet.rows)
        assert "\0" not in str(sheet)
        columns.guess(sheet.headings, [cells for _number, cells in sheet.rows], [])


def read(date: str, time: str = "", order: str = DAY_FIRST) -> str:
    day, clock = moments.read(date, time, order=order, today=TODAY, default=dt.time(9))
    return dt.datetime.combine(day, clock).isoformat(" ", "minutes")


class TestMoments:
    @pytest.mark.parametrize(
        ("date", "time", "expected"),
        [
            ("2026-12-01", "", "2026-12-01 09:00"),
            ("2026/12/1", "9:00", "2026-12-01 09:00"),
            ("1/12/2026", "14:30", "2026-12-01 14:30"),
            ("1-12-26", "2:30 pm", "2026-12-01 14:30"),
            ("01.12.2026", "2:30 p. m.", "2026-12-01 14:30"),
            ("1/12", "2:30PM", "2026-12-01 14:30"),
            ("1/2", "12 am", "2027-02-01 00:00"),
            ("1 dic", "12:15 pm", "2026-12-01 12:15"),
            ("1 de diciembre de 2026", "9", "2026-12-01 09:00"),
            ("1 December 2026", "14h30", "2026-12-01 14:30"),
            ("Dec 1, 2026", "14.30", "2026-12-01 14:30"),
            ("martes, 1 dic", "9:00:00", "2026-12-01 09:00"),
            ("1-ene", "", "2027-01-01 09:00"),
            ("1/12/2026 14:30", "", "2026-12-01 14:30"),
            ("2026-12-01T14:30", "", "2026-12-01 14:30"),
            ("1/12/2026 2:30 pm", "", "2026-12-01 14:30"),
        ],
    )
    def test_what_people_write_is_understood(self, date, time, expected):
        assert read(date, time) == expected

    @pytest.mark.parametrize(
        ("date", "time"),
        [
            ("1/12/2026 14:30", "8:00"),
            ("31/2/2026", ""),
            ("13/13/2026", ""),
            ("0/1/2026", ""),
            ("1 foo 2026", ""),
            ("1/12/2026", "24:00"),
            ("1/12/2026", "13 pm"),
            ("1/12/2026", "9:60"),
            ("46357", ""),
            ("29/2", ""),
        ],
    )
    def test_what_nobody_can_mean_is_refused(self, date, time):
        with pytest.raises(NotRead):
            read(date, time)

    def test_the_month_may_come_first(self):
        assert read("12/1/2026", order=MONTH_FIRST) == "2026-12-01 09:00"
        assert read("2026-12-01", order=MONTH_FIRST) == "2026-12-01 09:00"

    @pytest.mark.parametrize(
        ("dates", "orders"),
        [
            (["1/12/2026", "13/12/2026"], {DAY_FIRST}),
            (["1/12/2026", "12/13/2026"], {MONTH_FIRST}),
            (["1/12/2026", "2/3/2026"], {DAY_FIRST, MONTH_FIRST}),
            (["13/12/2026", "12/13/2026"], set()),
            (["2026-12-01"], {DAY_FIRST, MONTH_FIRST}),
        ],
    )
    def test_the_order_of_the_dates_is_told_by_all_of_them(self, dates, orders):
        assert moments.orders(dates) == orders

    def test_what_says_its_offset_is_that_moment(self):
        assert moments.exact("2026-12-01T09:00:00-06:00") == dt.datetime(2026, 12, 1, 15, tzinfo=dt.UTC)
        assert moments.exact("2026-12-01T09:00:00") is None

    @bounded(300)
    @given(st.text(max_size=30) | st.sampled_from(NASTY), st.text(max_size=20) | st.sampled_from(NASTY))
    def test_whatever_stands_there_is_read_or_refused(self, date, time):
        for order in (DAY_FIRST, MONTH_FIRST):
            with contextlib.suppress(NotRead):
                read(date, time, order)
        moments.orders([date])
        moments.exact(date)
