"""The filter of a search: what a person typed, as what the index understands.

A day is a day in UTC and counts whole at both ends, so `--to 2026-11-24` has the last instant of
that day in it. An instant needs its offset written out: a time of nobody's clock finds nothing.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final

from pydantic import Field

from audits.estimate import Json
from governance.clock import DAY_US, MICROSECONDS
from governance.errors import InvalidInput
from governance.operations.operation import Request
from governance.storage.projection import COLUMNS
from governance.storage.trail.facets import Wanted

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}\S*", re.ASCII)
_KIND: Final = re.compile(r"([a-z][a-z0-9_]*\.)+([a-z][a-z0-9_]*|\*)", re.ASCII)
# Ids and nothing else: an export keeps its filter in the permanent facts, where no free text goes.
_ACTOR: Final = re.compile(r"@?[a-z][a-z0-9.-]{0,62}", re.ASCII)
_KEY: Final = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@._:/*-]{0,199}", re.ASCII)
_MODEL: Final = re.compile(r"[a-z][a-z0-9_.-]{0,62}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TrailFilter(Request):
    """What is looked for; what is left out is not asked for. All that is named must hold.

    `since` and `until` are days or instants, both included. `record` is "table:id". `kind` is
    exact, or a prefix as in "release.*". `answers` lists answers and refusals one by one; without
    it they are counted.
    """

    since: str | None = Field(default=None, max_length=40)
    until: str | None = Field(default=None, max_length=40)
    actor: str | None = Field(default=None, max_length=100)
    record: str | None = Field(default=None, max_length=300)
    kind: str | None = Field(default=None, max_length=66)
    model: str | None = Field(default=None, max_length=100)
    answers: bool = False

    @property
    def wanted(self) -> Wanted:
        """The filter without the times; raise InvalidInput for what no entry can be found by."""
        if self.kind is not None and not _KIND.fullmatch(self.kind):
            raise InvalidInput(
                "a kind is words joined by dots, or a prefix of them that ends in .*",
                next_step="write it like release.opened or release.*; the result lists the kinds",
            )
        _require_id(
            self.actor, _ACTOR, "an actor is the id of a person or of a calling system", "mo"
        )
        _require_id(self.model, _MODEL, "a model is named by its id", "forecasting")
        table, _, key = (self.record or "").partition(":")
        if self.record is not None and not (table in COLUMNS and _KEY.fullmatch(key)):
            raise InvalidInput(
                "a record is named by its table and its id, with a colon between",
                next_step=f"write it like version:forecasting/1; tables are {', '.join(COLUMNS)}",
            )
        return Wanted(kind=self.kind, actor=self.actor, record=self.record, model=self.model)

    @property
    def since_us(self) -> int | None:
        """The first instant that is asked for."""
        return None if self.since is None else _instant_us(self.since, last=False)

    @property
    def until_us(self) -> int | None:
        """The last instant that is asked for."""
        return None if self.until is None else _instant_us(self.until, last=True)

    def told(self) -> dict[str, Json]:
        """Return what was asked for, as a record keeps it."""
        asked = self.model_dump(mode="json", include=set(TrailFilter.model_fields))
        return {name: value for name, value in asked.items() if value not in {None, False}}


def _require_id(text: str | None, pattern: re.Pattern[str], rule: str, example: str) -> None:
    if text is not None and not pattern.fullmatch(text):
        raise InvalidInput(rule, next_step=f"write it like {example}, without spaces")


def _instant_us(text: str, *, last: bool) -> int:
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            begins = int((day - _EPOCH.date()).days) * DAY_US
            return begins + DAY_US - 1 if last else begins
        moment = datetime.fromisoformat(text) if _INSTANT.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput(
            "a time is a day in UTC, or an instant with its offset",
            next_step="write it like 2026-11-24, or like 2026-11-24T08:15:00Z",
        )
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * MICROSECONDS + passed.microseconds
