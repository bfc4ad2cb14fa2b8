"""Cells of a CSV file that a spreadsheet may open (pure): what would be taken for a formula is defused.

A cell that begins with one of ``=``, ``+``, ``-``, ``@``, a tab or a line break gets an apostrophe in front,
by which spreadsheets themselves say "this is text". Reading takes just that apostrophe away again, so that
what was exported is imported as it was.

Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import re

# Also the wide twins of these, which some spreadsheets take for the same, and behind spaces or apostrophes.
_FORMULA = re.compile(r"'*[ \xa0]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# A number as people write it, +506 8888 1234: digits alone compute nothing, and it must stay readable.
_PHONE = re.compile(r"\+\d{1,3} [\d -]+", re.ASCII)


def defused(text: str) -> str:
    """Return the cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _PHONE.fullmatch(text) else text


def undefused(cell: str) -> str:
    """Return what ``defused`` was given; any other cell as it is."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
