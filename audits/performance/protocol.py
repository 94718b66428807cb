"""What the audits of discrimination and calibration share: protocol members, populations, verdicts.

Definition: a population is a level of a category ("sex=F") or of several at once ("race=Black &
    sex=F"); a window is a stretch of `window_days` days of one time column, from the first day
    seen.
Formula: none. Every criterion is paired with the estimate of its metric and population.
Source: the house rules that what decides is fixed beforehand (P4) and that nothing is dropped (P8).
Assumptions: categories are those the protocol names; a level without rows keeps its place.
Failure modes: rows without a value of a category belong to none of its populations; they are
    counted in `missing`. Populations overlap, so their verdicts are not independent.
Cost: one pass a population.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.criteria import Criterion, Judgement, judge
from audits.errors import ProtocolMalformed
from audits.estimate import RECORD_DIGITS, Estimate, Json, decimal_text
from audits.performance.rows import Rows, complete, rows_of
from audits.report import Cell, Table
from audits.sources.sample import MISSING_TIME

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Bools: TypeAlias = NDArray[np.bool_]

DAY_US: Final = 86_400_000_000
WINDOWS_MAX: Final = 600
"""Windows of one report: fifty years of months; more is a slip of the unit."""
WINDOW_DAYS_MAX: Final = 36_525
POPULATIONS_MAX: Final = 2_000
COLUMNS: Final = (
    "metric",
    "population",
    "value",
    "low",
    "high",
    "n",
    "unit",
    "note",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Members that both protocols have.

    `level`: of every interval. `minimum_events`: subjects of the rarer class that a population
    needs before anything is said of it. `populations`: each a tuple of category names. `time` and
    `window_days`: windows of that time column, or neither.
    """

    level: float
    minimum_events: int
    populations: tuple[tuple[str, ...], ...]
    time: str | None
    window_days: int | None

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise malformed("level", "lies strictly between 0 and 1")
        if self.minimum_events < 1:
            raise malformed("minimum_events", "is at least 1")
        if any(not one or len(set(one)) != len(one) for one in self.populations):
            raise malformed("populations", "name each category once, and at least one")
        if len(set(self.populations)) != len(self.populations):
            raise malformed("populations", "are named once each")
        if (self.time is None) != (self.window_days is None):
            raise malformed("time", "goes with window_days, and only with it")
        if self.window_days is not None and not 1 <= self.window_days <= WINDOW_DAYS_MAX:
            raise malformed("window_days", f"is at least 1 and at most {WINDOW_DAYS_MAX}")

    def as_record(self) -> dict[str, Json]:
        """Return the members in the JSON domain."""
        return {
            "level": decimal_text(self.level),
            "minimum_events": self.minimum_events,
            "populations": [list(one) for one in self.populations],
            "time": self.time,
            "window_days": self.window_days,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The rows of an audit: all, by population, by window, and what was left out."""

    rows: Rows
    populations: tuple[Rows, ...]
    windows: tuple[Rows, ...]
    data: tuple[tuple[str, Cell], ...]
    missing: tuple[str, ...]


def malformed(member: str, fault: str) -> ProtocolMalformed:
    """Return the refusal of a protocol, naming the member."""
    return ProtocolMalformed(
        f"member {member!r} {fault}", next_step="Correct the protocol before the plan is frozen."
    )


class Members:
    """Reads a protocol's record strictly: every member once, none unknown, none missing."""

    def __init__(self, record: Mapping[str, Json], *, names: Iterable[str]) -> None:
        names = set(names)
        for name in sorted(set(record) - names):
            raise malformed(name, "is not known")
        for name in sorted(names - set(record)):
            raise malformed(name, "is missing")
        self._record = record

    def number(self, name: str) -> float:
        """Return a number, written as decimal text or a whole number."""
        return _number(self._record[name], name)

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a list of different numbers."""
        found = tuple(_number(one, name) for one in self._list(name))
        if len(set(found)) != len(found):
            raise malformed(name, "names each number once")
        return found

    def whole(self, name: str) -> int:
        """Return a whole number."""
        value = self._record[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise malformed(name, "is a whole number")
        return value

    def text(self, name: str) -> str:
        """Return a text that is not empty."""
        value = self._record[name]
        if not isinstance(value, str) or not value:
            raise malformed(name, "is a text")
        return value

    def common(self) -> Common:
        """Return the members that both protocols have."""
        populations = []
        for one in self._list("populations"):
            if not isinstance(one, list) or not all(isinstance(name, str) for name in one):
                raise malformed("populations", "are lists of category names")
            populations.append(tuple(str(name) for name in one))
        return Common(
            level=self.number("level"),
            minimum_events=self.whole("minimum_events"),
            populations=tuple(populations),
            time=None if self._record["time"] is None else self.text("time"),
            window_days=(
                None if self._record["window_days"] is None else self.whole("window_days")
            ),
        )

    def _list(self, name: str) -> list[Json]:
        value = self._record[name]
        if not isinstance(value, list):
            raise malformed(name, "is a list")
        return value


COMMON: Final = ("level", "minimum_events", "populations", "time", "window_days")


def parts_of(sample: Sample, common: Common) -> Parts:
    """Return the rows of the audit in their populations and windows.

    Raises ProtocolMalformed for a category or time column that the sample has not.
    """
    import numpy as np

    kept = complete(sample)
    rows = rows_of(sample)
    populations: list[Rows] = []
    windows: list[Rows] = []
    missing = _left_out(sample)
    for names in common.populations:
        if absent := [name for name in names if name not in sample.categories]:
            raise malformed("populations", f"names {absent[0]!r}, which the rows have not")
        levels = [range(len(sample.categories[name].levels)) for name in names]
        if math.prod(map(len, levels)) > POPULATIONS_MAX:
            raise malformed("populations", f"makes more than {POPULATIONS_MAX} populations")
        codes = [sample.categories[name].codes[kept] for name in names]
        for chosen in product(*levels):
            mask = np.all([c == k for c, k in zip(codes, chosen, strict=True)], axis=0)
            title = " & ".join(
                f"{name}={sample.categories[name].levels[k]}"
                for name, k in zip(names, chosen, strict=True)
            )
            populations.append(rows.where(mask, population=title))
        if without := int((np.min(codes, axis=0) < 0).sum()):
            missing.append(f"{without} rows have no value of {' & '.join(names)}")
    if common.time is not None and common.window_days is not None:
        if common.time not in sample.times:
            raise malformed("time", f"names {common.time!r}, which the rows have not")
        times = sample.times[common.time][kept]
        if without := int((times == MISSING_TIME).sum()):
            missing.append(f"{without} rows have no {common.time}")
        windows = list(_windows(rows, times, common.window_days))
    return Parts(
        rows=rows,
        populations=tuple(populations),
        windows=tuple(windows),
        data=_facts(sample, rows),
        missing=tuple(missing),
    )


def _windows(rows: Rows, times: NDArray[np.int64], days: int) -> Iterable[Rows]:
    import numpy as np

    known = times[times != MISSING_TIME]
    if not known.size:
        return
    start = int(known.min()) // DAY_US
    count = (int(known.max()) // DAY_US - start) // days + 1
    if count > WINDOWS_MAX:
        raise malformed("window_days", f"makes {count} windows, more than {WINDOWS_MAX}")
    place = (times // DAY_US - start) // days
    for k in range(count):
        # numpy's days go beyond the years 1 to 9999 of datetime
        first = np.datetime64(start + k * days, "D")
        mask = (times != MISSING_TIME) & (place == k)
        yield rows.where(mask, population=f"window={first}")


def _left_out(sample: Sample) -> list[str]:
    import numpy as np

    found = []
    if sample.label is not None and (gone := int(np.isnan(sample.label).sum())):
        found.append(f"{gone} rows have no label (not known, or not yet)")
    if sample.score is not None and (gone := int(np.isnan(sample.score).sum())):
        found.append(f"{gone} rows have no score")
    return found


def _facts(sample: Sample, rows: Rows) -> tuple[tuple[str, Cell], ...]:
    return (
        ("rows", sample.n),
        ("rows with label and score", rows.n),
        (f"{rows.unit}s", rows.subjects),
        ("positive rows", rows.positives),
        (f"{rows.unit}s with a positive row", rows.events),
        (f"{rows.unit}s with a negative row", rows.non_events),
        ("share of positive rows", text(rows.positives / rows.n) if rows.n else None),
        ("subjects repeat", "yes" if rows.repeats else "no"),
    )


def floored(estimates: Iterable[Estimate], rows: Rows, common: Common) -> tuple[Estimate, ...]:
    """Return the estimates of `rows`, undefined where the protocol's minimum is not reached."""
    if rows.rarer >= common.minimum_events:
        return tuple(
            replace(one, events=rows.rarer if one.events is None else one.events)
            for one in estimates
        )
    why = f"{rows.rarer} subjects of the rarer class, the protocol asks for {common.minimum_events}"
    return tuple(
        replace(
            one,
            value=None,
            low=None,
            high=None,
            events=rows.rarer,
            note=one.note if one.value is None else why,
        )
        for one in estimates
    )


def judge_all(
    criteria: Sequence[Criterion], estimates: Iterable[Estimate]
) -> tuple[Judgement, ...]:
    """Return each criterion's judgement.

    Raises ProtocolMalformed where a criterion is about an estimate that was not made, or about two
    (populations may share a name), or shares its id with another.
    """
    if len({one.id for one in criteria}) != len(criteria):
        raise malformed("criteria", "share an id")
    made = [*estimates]
    found = {(one.metric, one.population): one for one in made}
    often = Counter((one.metric, one.population) for one in made)
    for one in criteria:
        if often[one.metric, one.population] > 1:
            raise malformed(
                "criteria", f"ask about {one.metric} of {one.population}, which is measured twice"
            )
        if (one.metric, one.population) not in found:
            raise malformed(
                "criteria",
                f"ask about {one.metric} of {one.population}, which this protocol does not measure",
            )
    return tuple(judge(one, found[one.metric, one.population]) for one in criteria)


def estimates_table(ident: str, caption: str, estimates: Iterable[Estimate]) -> Table:
    """Return a table with one line an estimate."""
    return Table(
        id=ident,
        caption=caption,
        columns=COLUMNS,
        rows=tuple(
            (
                one.metric,
                one.population,
                text(one.value),
                text(one.low),
                text(one.high),
                one.n,
                one.unit,
                one.note,
            )
            for one in estimates
        ),
    )


def unclear(estimates: Iterable[Estimate]) -> tuple[str, ...]:
    """Return a sentence for every estimate that is undefined or has no interval."""
    return tuple(
        f"{one.metric} of {one.population} "
        f"{'is undefined' if one.value is None else 'has no interval'}: {one.note}"
        for one in estimates
        if one.low is None
    )


def text(x: float | None) -> str | None:
    """Return a number as the text of a table; None and what is not finite stay empty."""
    return None if x is None or not math.isfinite(x) else decimal_text(x, digits=RECORD_DIGITS)


def _number(value: Json, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise malformed(name, "is a number, written as decimal text")
    try:
        number = float(value)
    except ValueError as error:
        raise malformed(name, f"is a number, and {value!r} is none") from error
    if not math.isfinite(number):
        raise malformed(name, "is a finite number")
    return number
