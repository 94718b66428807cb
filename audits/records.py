"""Rebuild estimates, spreads and triggers from their records, strictly.

Definition: the inverse of `as_record`, for what is frozen in a plan and used later.
Formula: read(x.as_record()) == x for spreads and triggers, whose numbers are rounded when made; an
    estimate comes back as its record shows it.
Source: the house format of records (numbers as decimal text).
Assumptions: the record's bytes were verified by the caller.
Failure modes: anything missing, superfluous or of another type is refused; nothing is guessed.
Cost: linear in the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from audits.conformal import ConformalSpread, Shape
from audits.errors import AuditError, RecordMalformed
from audits.estimate import Estimate, Json
from audits.series import Month
from audits.trigger import METHOD, Trigger

T = TypeVar("T")


def estimate_from_record(record: Json) -> Estimate:
    """Return the estimate that `record` shows."""
    return _strictly("an estimate", record, _estimate)


def spread_from_record(record: Json) -> ConformalSpread:
    """Return the conformal spread that `record` shows."""
    return _strictly("a conformal spread", record, _spread)


def trigger_from_record(record: Json) -> Trigger:
    """Return the trigger that `record` shows; a record of another method version is refused."""
    return _strictly("a trigger", record, _trigger)


def _strictly(what: str, record: Json, build: Callable[[dict[str, Json]], T]) -> T:
    """Return what `build` makes of a record if the record it would write is the same again."""
    try:
        built = build(_object(record))
        again = built.as_record()  # type: ignore[attr-defined]
    except (AuditError, KeyError, TypeError, ValueError, ArithmeticError) as fault:
        raise _malformed(what, str(fault)) from fault
    if again != record:
        raise _malformed(what, "fields are missing, superfluous or not in normal form")
    return built


def _estimate(record: dict[str, Json]) -> Estimate:
    return Estimate(
        metric=_string(record["metric"]),
        value=_number_or_none(record["value"]),
        low=_number_or_none(record["low"]),
        high=_number_or_none(record["high"]),
        level=_number(record["level"]),
        n=_integer(record["n"]),
        unit=_string(record["unit"]),
        method=_string(record["method"]),
        source=_string(record["source"]),
        population=_string(record["population"]),
        note=_string(record["note"]),
    )


def _spread(record: dict[str, Json]) -> ConformalSpread:
    shape = _string(record["shape"])
    if shape not in ("signed", "symmetric"):
        raise ValueError(f"there is no spread of shape {shape!r}")
    return ConformalSpread(
        shape=cast("Shape", shape),
        levels=tuple(_string(one) for one in _list(record["levels"])),
        bands=tuple(_integer(one) for one in _list(record["bands"])),
        offsets={
            name: tuple(
                {level: _number(x) for level, x in _object(band).items()} for band in _list(bands)
            )
            for name, bands in _object(record["offsets"]).items()
        },
        n={
            name: tuple(_integer(one) for one in _list(counts))
            for name, counts in _object(record["n"]).items()
        },
    )


def _trigger(record: dict[str, Json]) -> Trigger:
    if record["method"] != METHOD:
        raise ValueError(f"the record is of the method {record['method']!r}, not {METHOD!r}")
    return Trigger(
        kind=_string(record["kind"]),
        reference=_number(record["reference"]),
        limit=_number(record["limit"]),
        centre=_number(record["centre"]),
        scale=_number(record["scale"]),
        months=_integer(record["months"]),
        declared_rate=_number(record["declared_rate"]),
        expected_block=_integer(record["expected_block"]),
        stable_start=Month.parse(_string(record["stable_start"])),
        stable_months=_integer(record["stable_months"]),
        false_alarm=estimate_from_record(record["false_alarm"]),
    )


def _object(x: Json) -> dict[str, Json]:
    if not isinstance(x, Mapping):
        raise TypeError("an object was expected")
    return dict(x)


def _list(x: Json) -> list[Json]:
    if not isinstance(x, list):
        raise TypeError("a list was expected")
    return x


def _string(x: Json) -> str:
    if not isinstance(x, str):
        raise TypeError("text was expected")
    return x


def _integer(x: Json) -> int:
    if not isinstance(x, int) or isinstance(x, bool):
        raise TypeError("an integer was expected")
    return x


def _number(x: Json) -> float:
    return float(_string(x))


def _number_or_none(x: Json) -> float | None:
    return None if x is None else _number(x)


def _malformed(what: str, fault: str) -> RecordMalformed:
    return RecordMalformed(
        f"the record is not {what}: {fault}", next_step="Use the record as it was written."
    )
