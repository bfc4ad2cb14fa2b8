"""From the bytes of a file to rows of cells (pure): what spreadsheets save as CSV, in their several ways."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.csv_cells import undefused

MAX_BYTES = 5 * 1024 * 1024
MAX_ROWS = 10_000
MAX_COLUMNS = 50
DELIMITERS = (",", ";", "\t", "|")
# Lines by which the delimiter is told.
SAMPLE = 20
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# What no text has: control characters other than tabs, line breaks and form feeds.
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f]")
# With what Excel may name the delimiter, in a line of its own.
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


class Fault(StrEnum):
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    WORKBOOK = "workbook"
    NO_TEXT = "no_text"
    QUOTES = "quotes"
    CELL_TOO_LONG = "cell_too_long"
    NO_ROWS = "no_rows"
    TOO_MANY_ROWS = "too_many_rows"
    TOO_MANY_COLUMNS = "too_many_columns"


WORDS = {
    Fault.EMPTY: gettext_lazy("The file is empty."),
    Fault.TOO_LARGE: gettext_lazy("The file is larger than 5 MB. Split it into several."),
    Fault.WORKBOOK: gettext_lazy(
        "That’s a workbook. In your spreadsheet save it as CSV, and choose that file."
    ),
    Fault.NO_TEXT: gettext_lazy("That’s no CSV file: it holds something else than text."),
    Fault.QUOTES: gettext_lazy("Line %(line)d can’t be read: its quotation marks don’t come in pairs."),
    Fault.CELL_TOO_LONG: gettext_lazy("A cell on line %(line)d is far too long."),
    Fault.NO_ROWS: gettext_lazy("The file has no row below its headings."),
    Fault.TOO_MANY_ROWS: gettext_lazy("The file has more than 10,000 rows. Split it into several."),
    Fault.TOO_MANY_COLUMNS: gettext_lazy("The file has %(columns)d columns; 50 are the most."),
}


class Unreadable(Exception):
    """``str()`` says why, to the person whose file it is."""

    def __init__(self, fault: Fault, **values: int) -> None:
        super().__init__(fault)
        self.fault, self.values = fault, values

    def __str__(self) -> str:
        return str(WORDS[self.fault]) % self.values


@dataclass(frozen=True)
class Sheet:
    """``rows`` are the lines that say anything, each with its number; the headings are row 1."""

    headings: Sequence[str]
    rows: Sequence[tuple[int, list[str]]]
    delimiter: str


def read(data: bytes) -> Sheet:
    """Return what stands in the file; raises ``Unreadable``."""
    if len(data) > MAX_BYTES:
        raise Unreadable(Fault.TOO_LARGE)
    text = _decoded(data)
    named = _SEPARATOR_LINE.match(text)
    delimiter = named[1] if named and named[1] in DELIMITERS else _delimiter(text)
    lines = _lines(text[named.end() :] if named else text, delimiter)
    headings = next(lines, None)
    if headings is None or not any(headings):
        raise Unreadable(Fault.EMPTY)
    while headings and not headings[-1]:
        headings.pop()
    if len(headings) > MAX_COLUMNS:
        raise Unreadable(Fault.TOO_MANY_COLUMNS, columns=len(headings))
    said = ((number, cells) for number, cells in enumerate(lines, start=2) if any(cells))
    # A file of short lines may have a million.
    rows = list(itertools.islice(said, MAX_ROWS + 1))
    if not rows:
        raise Unreadable(Fault.NO_ROWS)
    if len(rows) > MAX_ROWS:
        raise Unreadable(Fault.TOO_MANY_ROWS)
    named_all = [heading or _("Column %(n)d") % {"n": n} for n, heading in enumerate(headings, start=1)]
    return Sheet(named_all, [(number, _as_wide(cells, len(headings))) for number, cells in rows], delimiter)


def _decoded(data: bytes) -> str:
    if not data.strip():
        raise Unreadable(Fault.EMPTY)
    if data.startswith(b"PK\x03\x04"):
        raise Unreadable(Fault.WORKBOOK)
    marked = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), None)
    # What is no UTF-8 was saved by a spreadsheet on Windows that does not say so.
    for encoding in [marked] if marked else ["utf-8", "cp1252"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _NO_TEXT.search(text):
            return text
    raise Unreadable(Fault.NO_TEXT)


def _delimiter(text: str) -> str:
    """Return what separates most lines into equally many cells, more than one; a comma if nothing does."""

    def fit(delimiter: str) -> tuple[int, int]:
        try:
            widths = [len(line) for line in itertools.islice(_lines(text, delimiter), SAMPLE)]
        except Unreadable:
            return (0, 0)
        return (
            (sum(width == widths[0] for width in widths), widths[0]) if widths and widths[0] > 1 else (0, 0)
        )

    return max(DELIMITERS, key=fit)


def _lines(text: str, delimiter: str) -> Iterator[list[str]]:
    """Yield lines of cells without the space around them; raises ``Unreadable``."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield [undefused(cell.strip()) for cell in cells]
    except csv.Error as error:
        fault = Fault.CELL_TOO_LONG if "field limit" in str(error) else Fault.QUOTES
        raise Unreadable(fault, line=reader.line_num) from None


def _as_wide(cells: list[str], width: int) -> list[str]:
    """Return as many cells as there are headings, and more only if they say something."""
    while len(cells) > width and not cells[-1]:
        cells.pop()
    return cells + [""] * (width - len(cells))
