"""What bins and fixed points cost: how far a number read from a tally may be from the rows' own.

Definition: rows inside a bin may lie anywhere in it. So a distribution function is known exactly at
    the edges and only between two values in between; a mean of fixed-point sums is known to half
    a step.
Formula: F at an edge e: the share of rows (missing ones and others left out) with x < e. Kolmogorov
    distance of F and G: at least max |F(e) - G(e)| over edges; at most the largest over bins [a, b)
    of max(F(b) - G(a), G(b) - F(a)), with F = 0 below the first bin and 1 above the last: inside
    a bin one of them may jump where the other rests. Quantile p: between the edges of the bin in
    which F passes p; unbounded in the outer bins. Mean: |sum of rounding| / n <= 1/(2 S), plus one
    unit in the last place of x S for the product in binary.
Source: exact arithmetic.
Assumptions: both tallies have the same edges.
Failure modes: an outer bin that holds much bounds nothing: choose edges that hold the data.
Cost: linear in the bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from audits.errors import TallyMismatch
from audits.sources.axes import NumberAxis
from audits.sources.tally import Tally
from audits.sources.tally_spec import SumColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """A number that lies from `low` to `high`; None is unbounded. `error` is half the width."""

    low: Fraction | None
    high: Fraction | None

    @property
    def error(self) -> Fraction | None:
        """The resolution error: how far the middle may be from the truth; None is unbounded."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def marginal(tally: Tally, table: str, axis: str) -> tuple[int, ...]:
    """Return the counts along one axis of a table; raise TallyMismatch where it is not of it."""
    axes = tally.spec.table(table).axes
    if axis not in axes:
        raise _mismatch(f"the table {table!r} has no axis {axis!r}")
    others = tuple(place for place, name in enumerate(axes) if name != axis)
    return tuple(int(count) for count in tally.counts(table).sum(axis=others).tolist())


def quantile_bracket(tally: Tally, *, table: str, axis: str, p: Fraction) -> Bracket:
    """Return between which edges the p-quantile of the rows lies: the least x with F(x) >= p."""
    if not 0 < p < 1:
        raise _mismatch("p is not between 0 and 1")
    edges, counts = _bins(tally, table, axis)
    total, seen = sum(counts), 0
    if total == 0:
        raise _mismatch("no row has a number there")
    place = 0
    for place, count in enumerate(counts):  # noqa: B007 - the place where it passes is the answer
        seen += count
        if seen >= p * total:
            break
    return Bracket(
        low=None if place == 0 else Fraction(edges[place - 1]),
        high=None if place == len(edges) else Fraction(edges[place]),
    )


def ks_bracket(left: Tally, right: Tally, *, table: str, axis: str) -> Bracket:
    """Return between what the Kolmogorov distance of the rows of two tallies lies."""
    edges, first = _bins(left, table, axis)
    others, second = _bins(right, table, axis)
    if edges != others:
        raise _mismatch("the tallies have different edges")
    f, g = _shares(first), _shares(second)
    steps = range(len(first))
    inside = (max(f[k + 1] - g[k], g[k + 1] - f[k]) for k in steps)
    return Bracket(low=max(abs(a - b) for a, b in zip(f, g, strict=True)), high=max(inside))


def mean_error(column: SumColumn) -> Fraction:
    """Return by how much a mean of fixed-point values may differ from the mean of the values."""
    largest = max(abs(column.low), abs(column.high))
    return Fraction(1, 2 * column.factor) + Fraction(largest) / 2**52


def _bins(tally: Tally, table: str, axis: str) -> tuple[tuple[Decimal, ...], tuple[int, ...]]:
    """Return the edges, and the counts below, between and above them."""
    found = tally.spec.axis(axis)
    if not isinstance(found, NumberAxis):
        raise _mismatch(f"the axis {axis!r} has no edges")
    return found.edges, marginal(tally, table, axis)[1:-1]


def _shares(counts: Sequence[int]) -> list[Fraction]:
    total = sum(counts)
    if total == 0:
        raise _mismatch("no row has a number there")
    seen, found = 0, [Fraction(0)]
    for count in counts:
        seen += count
        found.append(Fraction(seen, total))
    return found


def _mismatch(fault: str) -> TallyMismatch:
    return TallyMismatch(fault, next_step="Ask for a table and an axis of numbers that both have.")
