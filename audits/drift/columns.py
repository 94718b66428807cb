"""One row of the report a column: its distances and its missing values against their limits.

Definition: the verdict of a method on a column is fail when its interval lies wholly beyond the
    limit, pass when it lies wholly within, insufficient otherwise and without an interval.
Formula: missingness: beyond is either way.
Source: the house reading of an interval against a limit (`audits.criteria`).
Assumptions: the limits were fixed beforehand.
Failure modes: a limit of nearly zero is passed by no finite number of rows.
Cost: one pass a column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audits.drift.distances import ORDERED, VERSIONS, Distance
from audits.drift.missingness import missing_change, new_levels
from audits.drift.protocol import DriftProtocol, malformed
from audits.drift.reference import Column, Reference, column_of, effective_rows, tally
from audits.estimate import Estimate, Verdict
from audits.sources.sample import Category

if TYPE_CHECKING:
    from audits.sources.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A distance of a column with its limit and verdict."""

    distance: Distance
    limit: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """What was found about one column; `new` are levels that the reference has not."""

    name: str
    compared: tuple[Compared, ...]
    change: Estimate
    change_verdict: Verdict
    unknown: Estimate | None
    new: tuple[tuple[str, int], ...]
    estimates: tuple[Estimate, ...]
    missing: tuple[str, ...]

    @property
    def drifted(self) -> bool:
        """Whether some interval lies beyond its limit."""
        verdicts = [one.verdict for one in self.compared]
        return Verdict.FAIL in (*verdicts, self.change_verdict)

    @property
    def unsettled(self) -> bool:
        """Whether nothing drifted and some interval, or the lack of any, leaves the matter open."""
        verdicts = [one.verdict for one in self.compared] or [Verdict.INSUFFICIENT]
        return not self.drifted and Verdict.INSUFFICIENT in (*verdicts, self.change_verdict)

    @property
    def unjudged(self) -> bool:
        """Whether nothing drifted and no distance lies on either side of its limit."""
        verdicts = {one.verdict for one in self.compared}
        return not self.drifted and verdicts <= {Verdict.INSUFFICIENT}


def compare_columns(
    reference: Reference, test: Sample, *, protocol: DriftProtocol
) -> tuple[ColumnDrift, ...]:
    """Return what was found about each column of the protocol, in its order."""
    return tuple(_one(reference, test, name, protocol) for name in protocol.columns)


def _one(reference: Reference, test: Sample, name: str, protocol: DriftProtocol) -> ColumnDrift:
    column, values = reference.columns.get(name), column_of(test, name)
    if column is None or values is None:
        side = "reference" if column is None else "current rows"
        raise malformed(f"the {side} have no column {name!r}")
    counts = tally(column.grid, values)
    level = protocol.column_level
    change = missing_change(column, values, test, name=name, level=level)
    unknown: Estimate | None = None
    new: tuple[tuple[str, int], ...] = ()
    if isinstance(values, Category):
        unknown, new = new_levels(column, values, test, name=name, level=level)
    missing: list[str] = []
    distances: tuple[Distance, ...] = ()
    if counts.present:
        worth = effective_rows(column, values, test, bins=protocol.bins)
        distances = column.compare(
            counts, effective=worth, methods=protocol.limits, level=level, bins=protocol.bins
        )
    else:
        missing.append(f"{name}: no current row has a value")
    absent = [m for m in protocol.limits if m in ORDERED and isinstance(values, Category)]
    missing += [f"{name}: {m} needs an order, and a category has none" for m in absent]
    compared = tuple(
        Compared(
            distance=one,
            limit=protocol.limits[one.method],
            verdict=_verdict(one.low, one.high, limit=protocol.limits[one.method]),
        )
        for one in distances
    )
    missing += [f"{name}: {x.distance.method}: {x.distance.note}" for x in compared if _open(x)]
    estimates = [_estimate(x.distance, column, test, name, level) for x in compared]
    return ColumnDrift(
        name=name,
        compared=compared,
        change=change,
        change_verdict=_verdict(change.low, change.high, limit=protocol.missing_limit),
        unknown=unknown,
        new=new,
        estimates=(*estimates, change, *([unknown] if unknown else [])),
        missing=tuple(missing),
    )


def _open(one: Compared) -> bool:
    return one.distance.low is None


def _verdict(low: float | None, high: float | None, *, limit: float) -> Verdict:
    if low is None or high is None:
        return Verdict.INSUFFICIENT
    if low > limit or high < -limit:
        return Verdict.FAIL
    return Verdict.PASS if -limit <= low and high <= limit else Verdict.INSUFFICIENT


def _estimate(one: Distance, column: Column, test: Sample, name: str, level: float) -> Estimate:
    parts = [one.note]
    if one.raw is not None:
        parts.append(f"textbook value {one.raw:.4g}, expected without a change {one.bias:.4g}")
    if one.resolution:
        parts.append(f"resolution {one.resolution:.2g}")
    parts.append(f"reference worth {column.effective:.0f} rows")
    return Estimate(
        metric=one.method,
        population=f"column={name}",
        value=one.value,
        low=one.low,
        high=one.high,
        level=level,
        n=test.subjects,
        unit=test.unit,
        method=VERSIONS[one.method],
        source="sample",
        note="; ".join(x for x in parts if x),
    )
