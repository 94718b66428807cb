"""The frozen protocol of a temporal audit of rows: everything that decides, and its strict reading.

Definition: how rows are split, which instants say what, how long labels ripen, which learner with
    which parameters is trained on each side, what is measured, and in which windows.
Formula: dates are days, UTC; a date stands for the instant at which the day begins.
Source: the house rule that a protocol is frozen before the test rows are scored (P4).
Assumptions: instants of the rows are microseconds UTC.
Failure modes: a member unknown, missing or of another type is refused by name; nothing is guessed.
Cost: constant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal, TypeAlias, TypeVar, cast

from audits.errors import ProtocolMalformed
from audits.estimate import Json, decimal_text

Design: TypeAlias = Literal["hold-out", "expanding", "rolling"]

DESIGNS: Final = ("hold-out", "expanding", "rolling")
METRICS: Final = ("auroc", "average_precision", "brier")
DAY_US: Final = 86_400_000_000
CUTS_MAX: Final = 50
REPEATS_MAX: Final = 100
REPLICATES: Final = (200, 20_000)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER: Final = re.compile(r"0\.[0-9]{1,9}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalRowsProtocol:
    """How the audit is run; frozen before the rows after the cut are scored (P4).

    `at`, `label_known`: instants of prediction and label. `cuts`: dates; `horizon_days` ends each
    test window where there are several, `window_days` the training window where it rolls.
    `random_repeats`: random splits drawn beside each cut, 0 for none. `windows`: bounds of the
    windows of performance. `alpha`: bound on any false suspicion of leakage. `extract_at`: the
    instant after which nothing can have been recorded.
    """

    at: str
    label_known: str | None
    site: str | None
    held_out_sites: tuple[str, ...]
    design: Design
    cuts: tuple[str, ...]
    horizon_days: int | None
    window_days: int | None
    embargo_days: int
    evaluated_at: str | None
    returning: Literal["leave_test", "leave_training"]
    random_repeats: int
    metrics: tuple[str, ...]
    windows: tuple[str, ...]
    minimum_events: int
    level: float
    replicates: int
    alpha: float
    known_at: tuple[tuple[str, str], ...]
    ordered: tuple[tuple[str, str], ...]
    leave_out: tuple[str, ...]
    extract_at: str | None
    learner: str
    parameters: tuple[tuple[str, Json], ...]
    seed: int

    def __post_init__(self) -> None:
        self._check_split()
        if not self.metrics or set(self.metrics) - set(METRICS):
            raise malformed("metrics", f"names at least one of {', '.join(METRICS)}, and no other")
        if len(set(self.metrics)) != len(self.metrics):
            raise malformed("metrics", "names each measure once")
        bounds = [instant(one, "windows") for one in self.windows]
        if len(bounds) == 1 or any(one >= two for one, two in pairwise(bounds)):
            raise malformed("windows", "is empty, or at least two dates in order")
        for name in ("level", "alpha"):
            if not 0 < getattr(self, name) < 1:
                raise malformed(name, "lies strictly between 0 and 1")
        if not 0 <= self.random_repeats <= REPEATS_MAX:
            raise malformed("random_repeats", f"lies between 0 and {REPEATS_MAX}")
        if not REPLICATES[0] <= self.replicates <= REPLICATES[1]:
            raise malformed("replicates", f"lies between {REPLICATES[0]} and {REPLICATES[1]}")
        if self.minimum_events < 1:
            raise malformed("minimum_events", "is at least 1")
        if not 0 <= self.seed < 2**53:
            raise malformed("seed", "is a whole number below 2^53")

    def _check_split(self) -> None:
        if self.design not in DESIGNS:
            raise malformed("design", f"is one of {', '.join(DESIGNS)}")
        if self.returning not in ("leave_test", "leave_training"):
            raise malformed("returning", "is leave_test or leave_training")
        cuts = [instant(one, "cuts") for one in self.cuts]
        if not cuts or len(cuts) > CUTS_MAX or any(one >= two for one, two in pairwise(cuts)):
            raise malformed("cuts", f"are 1 to {CUTS_MAX} dates in order")
        if self.design == "hold-out" and len(cuts) != 1:
            raise malformed("cuts", "is one date where the design is hold-out")
        self._check_spans()
        if self.held_out_sites and self.site is None:
            raise malformed("held_out_sites", "needs a site")
        for name in ("evaluated_at", "extract_at"):
            if getattr(self, name) is not None:
                instant(getattr(self, name), name)

    def _check_spans(self) -> None:
        for name in ("horizon_days", "window_days"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise malformed(name, "is at least 1")
        if self.design != "hold-out" and self.horizon_days is None:
            raise malformed("horizon_days", f"is needed where the design is {self.design}")
        if (self.design == "rolling") != (self.window_days is not None):
            raise malformed("window_days", "goes with the design rolling, and only with it")
        if self.embargo_days < 0:
            raise malformed("embargo_days", "is never negative")

    def as_record(self) -> dict[str, Json]:
        """Return the protocol in the JSON domain; `parse` reads it back."""
        record: dict[str, Json] = {}
        for name in NAMES:
            value = getattr(self, name)
            if name in ("level", "alpha"):
                record[name] = decimal_text(value)
            elif name in ("known_at", "parameters"):
                record[name] = dict(value)
            elif name == "ordered":
                record[name] = [list(pair) for pair in value]
            else:
                record[name] = list(value) if isinstance(value, tuple) else value
        return record


NAMES: Final = tuple(TemporalRowsProtocol.__dataclass_fields__)


def parse(record: Mapping[str, Json]) -> TemporalRowsProtocol:
    """Return the protocol of a record; ProtocolMalformed names the member at fault."""
    for name in sorted(set(record) ^ set(NAMES)):
        raise malformed(name, "is not known" if name in record else "is missing")

    read = _Reader(record)
    return TemporalRowsProtocol(
        at=read.one("at", str),
        label_known=read.maybe("label_known", str),
        site=read.maybe("site", str),
        held_out_sites=read.texts("held_out_sites"),
        design=cast(Design, read.one("design", str)),
        cuts=read.texts("cuts"),
        horizon_days=read.maybe("horizon_days", int),
        window_days=read.maybe("window_days", int),
        embargo_days=read.one("embargo_days", int),
        evaluated_at=read.maybe("evaluated_at", str),
        returning=cast(Literal["leave_test", "leave_training"], read.one("returning", str)),
        random_repeats=read.one("random_repeats", int),
        metrics=read.texts("metrics"),
        windows=read.texts("windows"),
        minimum_events=read.one("minimum_events", int),
        level=read.share("level"),
        replicates=read.one("replicates", int),
        alpha=read.share("alpha"),
        known_at=read.names("known_at"),
        ordered=read.pairs("ordered"),
        leave_out=read.texts("leave_out"),
        extract_at=read.maybe("extract_at", str),
        learner=read.one("learner", str),
        parameters=tuple(sorted(read.one("parameters", dict).items())),
        seed=read.one("seed", int),
    )


class _Reader:
    """Reads the members of a record, each of one type."""

    def __init__(self, record: Mapping[str, Json]) -> None:
        self._record = record

    def one(self, name: str, kind: type[T]) -> T:
        value = self._record[name]
        if type(value) is not kind or value == "":
            raise malformed(name, f"is a {_WORDS[kind]}")
        return value

    def maybe(self, name: str, kind: type[T]) -> T | None:
        return None if self._record[name] is None else self.one(name, kind)

    def texts(self, name: str) -> tuple[str, ...]:
        found = self.one(name, list)
        if not all(isinstance(item, str) and item for item in found):
            raise malformed(name, "is a list of texts")
        return tuple(str(item) for item in found)

    def share(self, name: str) -> float:
        text = self.one(name, str)
        if not _NUMBER.fullmatch(text):
            raise malformed(name, "is decimal text such as 0.95")
        return float(text)

    def names(self, name: str) -> tuple[tuple[str, str], ...]:
        found = self.one(name, dict)
        if not all(isinstance(item, str) for item in found.values()):
            raise malformed(name, "gives an instant, by name, for each feature")
        return tuple(sorted((str(key), str(value)) for key, value in found.items()))

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        found = self.one(name, list)
        if not all(isinstance(p, list) and [type(x) for x in p] == [str, str] for p in found):
            raise malformed(name, "is a list of pairs of instants")
        return tuple((str(first), str(second)) for first, second in found)


_WORDS: Final[Mapping[type, str]] = {
    str: "text",
    int: "whole number",
    list: "list",
    dict: "mapping",
}


def instant(date: str, member: str) -> int:
    """Return the beginning of a day, written YYYY-MM-DD, in microseconds UTC."""
    if not _DATE.fullmatch(date):
        raise malformed(member, "holds what is no date, YYYY-MM-DD")
    try:
        day = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise malformed(member, "holds a day that no calendar has") from error
    return (day - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def day_of(at_us: int) -> str:
    """Return the day of an instant in microseconds UTC."""
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return f"{day:%Y-%m-%d}"


def malformed(member: str, fault: str) -> ProtocolMalformed:
    """Return the refusal of a protocol, naming the member."""
    return ProtocolMalformed(
        f"member {member!r} {fault}", next_step="Correct the protocol before the plan is frozen."
    )
