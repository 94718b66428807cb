"""Reading a record that came from outside: every member there, of its type, and none beside it.

Definition: a reader takes JSON values apart and refuses, naming the member, what is missing, of
    another type, or not asked for. One value has one spelling: a whole number below 2^53 in size is
    a JSON number, a larger one is decimal text; other numbers are decimal text without spare zeros.
Formula: none.
Source: the JSON domain of `estimate`; ADR 0003 says why one spelling.
Assumptions: the bytes were parsed as JSON before.
Failure modes: whatever the record is, the one exception is RecordMalformed.
Cost: one look at every member.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from audits.errors import RecordMalformed
from audits.estimate import Json

EXACT: Final = 2**53
INT64: Final = 2**63
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}", re.ASCII)
_INTEGER: Final = re.compile(r"-?[1-9][0-9]{0,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{0,17}[1-9])?", re.ASCII)
MAX_TEXT: Final = 200


class Members:
    """The members of one object, taken one by one; `done` refuses what nobody took."""

    def __init__(self, record: Json, *, where: str) -> None:
        if not isinstance(record, Mapping):
            raise malformed(where, "is not an object")
        self._left = dict(record)
        self._where = where

    def take(self, name: str) -> Json:
        """Return the member and strike it off."""
        if name not in self._left:
            raise malformed(self.place(name), "is missing")
        return self._left.pop(name)

    def place(self, name: str) -> str:
        """Return where the member stands, for an error."""
        return f"{self._where}.{name}" if self._where else name

    def text(self, name: str) -> str:
        """Return a text of 1 to MAX_TEXT characters."""
        return text_of(self.take(name), where=self.place(name))

    def name(self, name: str) -> str:
        """Return an identifier: a letter, then letters, digits, `_`, `.` and `-`."""
        found = self.text(name)
        if _NAME.fullmatch(found) is None:
            raise malformed(self.place(name), "is not a name of letters, digits, _ . and -")
        return found

    def optional_text(self, name: str) -> str | None:
        """Return a text, or None."""
        found = self.take(name)
        return None if found is None else text_of(found, where=self.place(name))

    def integer(self, name: str, *, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        return integer_of(self.take(name), where=self.place(name), low=low, high=high)

    def boolean(self, name: str) -> bool:
        """Return true or false."""
        found = self.take(name)
        if not isinstance(found, bool):
            raise malformed(self.place(name), "is neither true nor false")
        return found

    def decimal(self, name: str) -> Decimal:
        """Return a number written as decimal text or as a JSON integer."""
        return decimal_of(self.take(name), where=self.place(name))

    def items(self, name: str) -> list[Json]:
        """Return a list."""
        return list_of(self.take(name), where=self.place(name))

    def done(self) -> None:
        """Refuse what was not taken."""
        if self._left:
            raise malformed(self._where or "the record", f"has {len(self._left)} unknown members")


def text_of(value: Json, *, where: str) -> str:
    """Return a text of 1 to MAX_TEXT characters without control characters or surrogates."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
        raise malformed(where, f"is not a text of 1 to {MAX_TEXT} characters")
    if any(ord(one) < 32 or 0xD800 <= ord(one) <= 0xDFFF for one in value):
        raise malformed(where, "holds a control character or half of a surrogate pair")
    return value


def list_of(value: Json, *, where: str) -> list[Json]:
    """Return a list."""
    if not isinstance(value, list):
        raise malformed(where, "is not a list")
    return value


def integer_of(value: Json, *, where: str, low: int = -INT64, high: int = INT64 - 1) -> int:
    """Return a whole number in its one spelling, from `low` to `high`."""
    found: int | None = None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < EXACT:
        found = value
    elif isinstance(value, str) and _INTEGER.fullmatch(value) and abs(int(value)) >= EXACT:
        found = int(value)
    if found is None or not low <= found <= high:
        raise malformed(where, f"is not a whole number from {low} to {high}")
    return found


def integer_record(value: int) -> Json:
    """Return the one spelling of a whole number."""
    return value if abs(value) < EXACT else str(value)


def decimal_of(value: Json, *, where: str) -> Decimal:
    """Return a number written as decimal text, or as a JSON integer."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < EXACT:
        return Decimal(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value) and value != "-0":
        return Decimal(value)
    raise malformed(where, "is not a number as decimal text, at most 18 digits on each side")


def decimal_record(value: Decimal) -> str:
    """Return the one spelling of a decimal number."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def malformed(where: str, fault: str) -> RecordMalformed:
    """Return the refusal."""
    return RecordMalformed(
        f"{where} {fault}",
        next_step="Correct the document; docs/guides/share-counts-not-rows.md shows it.",
    )
