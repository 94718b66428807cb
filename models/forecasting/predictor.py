"""The predictor of the forecasting model: a verified table of paths, looked up by row.

Nothing is computed in the request path and no library is imported: a row names a series and a
month ahead, the answer is read from the table. So an answer depends on its row alone, the same
bytes give the same answer, and what was approved is what is served (P1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from audits.errors import AuditError
from audits.estimate import Json
from audits.sources.series import Month
from models.errors import PredictorInvalid
from models.forecasting.contract import MAX_HORIZON, RowContract
from models.predictor import RowAnswer, abstained, answered
from models.rows import RowFaults

KIND: Final = "forecasting/path-table/1"

_NUMBER = re.compile(r"^(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?$")
_KEY = re.compile(r"^[A-Z][0-9]{2}/[A-Za-z][A-Za-z -]{0,39}$")
_TEXT_LIMIT = 200
_TOP = {
    "kind", "origin", "horizon", "unit", "method", "intervals", "levels", "members", "series",
}  # fmt: skip
_ROW = {
    "group", "from", "months", "median", "quantiles", "parts", "members", "seasonal_naive",
    "calibration_errors",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interval:
    level: str
    low: str
    high: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    median: tuple[str, ...]
    quantiles: dict[str, tuple[str, ...]]
    members: dict[str, tuple[str, ...]]
    seasonal_naive: tuple[str, ...]
    calibration_errors: tuple[int, ...]
    parts: tuple[str, ...]
    history: str
    why: tuple[str, ...]


class PathTablePredictor:
    """Answers rows `{"product_class", "concession", "horizon"}` from a table of paths."""

    __slots__ = (
        "_contract", "_intervals", "_method", "_months", "_origin", "_series", "_spread", "_unit",
    )  # fmt: skip

    def __init__(self, parameters: Json) -> None:
        """Parse the artifact; PredictorInvalid unless every part of it is as `fit` writes it."""
        top = _mapping(parameters, _TOP, where="parameters")
        if top["kind"] != KIND:
            raise _invalid(f"kind is not {KIND}")
        horizon = _whole(top["horizon"], 1, MAX_HORIZON, where="horizon")
        self._origin = _text(top["origin"], where="origin")
        self._unit = _text(top["unit"], where="unit")
        self._method = _text(top["method"], where="method")
        self._spread = _text(top["intervals"], where="intervals")
        self._months = _months_after(self._origin, horizon)
        self._intervals = tuple(_interval(level) for level in _names(top["levels"], "levels"))
        members = _names(top["members"], "members")
        self._series = _series_table(top["series"], self._intervals, members, horizon)
        self._contract = RowContract(keys=tuple(self._series), max_horizon=horizon)

    @property
    def kind(self) -> str:
        """Return the kind of parameters that this predictor was built from."""
        return KIND

    def predict(self, rows: Sequence[Mapping[str, object]]) -> list[RowAnswer]:
        """Answer every row in order; bad rows abstain with all of their reasons."""
        return [self._answer(row) for row in rows]

    def _answer(self, row: Mapping[str, object]) -> RowAnswer:
        faults = self._contract.faults(row)
        if faults.reasons:
            return abstained(faults.reasons, explanation=_fault_explanation(faults))
        series = self._series.get(f"{row['product_class']}/{row['concession']}")
        if series is None:
            # Class and concession are known, but not together: a demonstration series has a total
            # and no concession classes.
            return abstained(("row.unknown_series",))
        horizon = row["horizon"]
        assert isinstance(horizon, int), "the row contract lets whole numbers through only"
        step = horizon - 1
        return answered(
            prediction=self._prediction(series, step),
            uncertainty=self._uncertainty(series, step),
            explanation=self._explanation(series, step),
        )

    def _prediction(self, series: _Series, step: int) -> dict[str, Json]:
        quantiles: dict[str, Json] = {
            level: values[step] for level, values in series.quantiles.items()
        }
        return {"month": self._months[step], "unit": self._unit, "quantiles": quantiles}

    def _uncertainty(self, series: _Series, step: int) -> dict[str, Json]:
        intervals: list[Json] = [
            {
                "level": one.level,
                "low": series.quantiles[one.low][step],
                "high": series.quantiles[one.high][step],
            }
            for one in self._intervals
        ]
        return {
            "method": self._spread,
            "intervals": intervals,
            "calibration_errors": series.calibration_errors[step],
        }

    def _explanation(self, series: _Series, step: int) -> dict[str, Json]:
        members: dict[str, Json] = {name: path[step] for name, path in series.members.items()}
        explanation: dict[str, Json] = {
            "origin": self._origin,
            "history": series.history,
            "method": self._method,
            "members": members,
            "seasonal_naive": series.seasonal_naive[step],
            "why": series.why[step],
        }
        if series.parts:
            explanation["sum_of"] = list(series.parts)
        return explanation


def load_path_table(parameters: Json) -> PathTablePredictor:
    """Build the predictor from verified parameters; PredictorInvalid if they are malformed."""
    return PathTablePredictor(parameters)


def _why(
    median: Sequence[str], naive: Sequence[str], members: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Say in a sentence a month how far the forecast is from last year, and how members differ."""
    return tuple(
        f"{_change(Decimal(middle), Decimal(last_year))} the same month of the last year seen; "
        f"the members lie between {min(paths, key=Decimal)} and {max(paths, key=Decimal)}"
        for middle, last_year, *paths in zip(median, naive, *members.values(), strict=True)
    )


def _change(median: Decimal, naive: Decimal) -> str:
    if naive == 0:
        return "no percentage can be given: there was no demand in"
    percent = (100 * (median - naive) / naive).quantize(Decimal(1))
    return f"{abs(percent)} % {'below' if percent < 0 else 'above'}"


def _fault_explanation(faults: RowFaults) -> dict[str, Json]:
    fields: dict[str, Json] = dict(faults.fields)
    return {"fields": fields, "undeclared_fields": faults.undeclared}


# --- strict parsing ------------------------------------------------------------------------------


def _series_table(
    value: Json, intervals: tuple[_Interval, ...], members: tuple[str, ...], horizon: int
) -> dict[str, _Series]:
    if not isinstance(value, dict) or not value:
        raise _invalid("series is not a mapping with at least one series")
    table = {}
    for key, row in value.items():
        if not _KEY.fullmatch(key):
            raise _invalid("a series key is not of the form class/concession")
        table[key] = _series(row, intervals, members, horizon, where=key)
    for key, one in table.items():
        if any(part == key or part not in table for part in one.parts):
            raise _invalid(f"{key}: parts name no other series of the table")
    return table


def _series(
    value: Json,
    intervals: tuple[_Interval, ...],
    members: tuple[str, ...],
    horizon: int,
    *,
    where: str,
) -> _Series:
    row = _mapping(value, _ROW, where=where)
    if row["group"] is not None:
        _text(row["group"], where=f"{where}: group")
    months = _whole(row["months"], 1, 12_000, where=f"{where}: months")
    median = _path(row["median"], horizon, where=f"{where}: median")
    levels = {level for one in intervals for level in (one.low, one.high)}
    paths = _paths(row["quantiles"], levels, horizon, where=f"{where}: quantiles")
    ladder = dict(sorted((paths | {"0.5": median}).items(), key=lambda item: Decimal(item[0])))
    _refuse_crossing(ladder, where=where)
    counts = row["calibration_errors"]
    if not isinstance(counts, list) or len(counts) != horizon:
        raise _invalid(f"{where}: calibration_errors has not {horizon} numbers")
    naive = _path(row["seasonal_naive"], horizon, where=f"{where}: seasonal_naive")
    by_member = _paths(row["members"], set(members), horizon, where=f"{where}: members")
    return _Series(
        median=median,
        quantiles=ladder,
        members=by_member,
        seasonal_naive=naive,
        calibration_errors=tuple(
            _whole(one, 1, 2**31, where=f"{where}: calibration_errors") for one in counts
        ),
        parts=_names(row["parts"], f"{where}: parts", empty=True),
        history=f"{months} months from {_month(row['from'], where=f'{where}: from')}",
        why=_why(median, naive, by_member),
    )


def _refuse_crossing(ladder: dict[str, tuple[str, ...]], *, where: str) -> None:
    for step, rungs in enumerate(zip(*ladder.values(), strict=True), start=1):
        numbers = [Decimal(rung) for rung in rungs]
        if numbers != sorted(numbers):
            raise _invalid(f"{where}: the quantiles cross at month {step}")


def _paths(value: Json, names: set[str], horizon: int, *, where: str) -> dict[str, tuple[str, ...]]:
    mapping = _mapping(value, names, where=where)
    return {name: _path(path, horizon, where=f"{where} {name}") for name, path in mapping.items()}


def _path(value: Json, horizon: int, *, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) != horizon:
        raise _invalid(f"{where} has not {horizon} months")
    path = []
    for item in value:
        if not isinstance(item, str) or not _NUMBER.fullmatch(item):
            raise _invalid(f"{where} holds something other than a decimal string >= 0")
        path.append(item)
    return tuple(path)


def _mapping(value: Json, names: set[str], *, where: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise _invalid(f"{where} is no mapping")
    if set(value) != names:
        odd = ", ".join(sorted(set(value) ^ names))[:_TEXT_LIMIT]
        raise _invalid(f"{where} has missing or unexpected names: {odd}")
    return value


def _names(value: Json, where: str, *, empty: bool = False) -> tuple[str, ...]:
    if not isinstance(value, list) or not (value or empty):
        raise _invalid(f"{where} is no list of names")
    names = tuple(_text(one, where=where) for one in value)
    if len(set(names)) != len(names):
        raise _invalid(f"{where} names something twice")
    return names


def _interval(level: str) -> _Interval:
    if not re.fullmatch(r"0\.[0-9]{1,4}", level) or not Decimal(level):
        raise _invalid("a level is a coverage between 0 and 1 such as 0.8")
    tail = (1 - Decimal(level)) / 2
    return _Interval(level=level, low=f"{tail.normalize():f}", high=f"{(1 - tail).normalize():f}")


def _month(value: Json, *, where: str) -> Month:
    try:
        return Month.parse(_text(value, where=where))
    except AuditError as error:
        raise _invalid(f"{where} is no month written like 2005-07") from error


def _months_after(origin: str, horizon: int) -> tuple[str, ...]:
    first = _month(origin, where="origin")
    return tuple(str(first.plus(step + 1)) for step in range(horizon))


def _text(value: Json, *, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_LIMIT or not value.isascii():
        raise _invalid(f"{where} is no short ASCII text")
    return value


def _whole(value: Json, low: int, high: int, *, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _invalid(f"{where} is no whole number from {low} to {high}")
    return value


def _invalid(message: str) -> PredictorInvalid:
    return PredictorInvalid(
        f"forecast parameters: {message}",
        next_step="serve only the artifact that the forecasting method wrote, byte for byte",
    )
