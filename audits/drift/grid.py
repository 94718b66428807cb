"""A reference column as frozen cells: counted once, compared for ever, exact to a stated bound.

Definition: edges e(0) < ... < e(m-1); the cell of a value x is the number of edges <= x, so cells
    are closed on the left. A value that holds more than half of `SHARE` of the reference has a cell
    of its own, [v, next double), as has every value of a column of few distinct ones. Between them
    cells hold at most `SHARE` of the reference, in the tails fewer, down to single rows.
Formula: for any current data the largest gap of the two distribution functions at the edges is at
    most max min(p, q) below the exact Kolmogorov-Smirnov distance, over cells that are not one
    value: inside a cell F - G rises by at most p and falls by at most q, from either end.
Source: elementary (both distribution functions are monotone); the bound is `ks_resolution`.
Assumptions: numbers are finite; NaN is missing and is counted apart.
Failure modes: a column whose bulk spans many orders of magnitude gets no table of buckets and is
    counted by sorting, ten times slower, to the same counts.
Cost: some 5 ns a value by buckets, 50 ns by sorting; memory of one block, whatever the rows.

The buckets of equal width are a means, never the definition: every edge between the limits of the
table is the least double of a bucket (or the side of a cell of one value), so that counting buckets
and comparing with edges agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import ReferenceMalformed, SampleMalformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

SHARE: Final = 1e-4
"""The share of the reference that a cell of several values may hold, and so the error of KS."""
FEW: Final = 10_000
"""Up to so many distinct values every one has a cell of its own."""
MOST_BUCKETS: Final = 2**18
"""Two megabytes of counters, which a processor's cache still holds."""
BLOCK: Final = 131_072
"""Rows looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """`count` intervals of one width; those numbered 0 and `count` + 1 are open.

    The bucket of x is trunc((x - origin) * scale) in doubles, which never falls as x rises.
    """

    origin: float
    scale: float
    count: int

    def __post_init__(self) -> None:
        usable = math.isfinite(self.origin) and math.isfinite(self.scale) and self.scale > 0
        if not usable or not 1 <= self.count <= MOST_BUCKETS:
            raise malformed("the buckets of a grid have a finite origin, width and number")

    def of(self, values: Floats, *, scratch: Floats | None = None, out: Ints | None = None) -> Ints:
        """Return the bucket of each value; a missing value gets 0, as a low one does."""
        import numpy as np

        scratch = np.empty(values.size) if scratch is None else scratch
        out = np.empty(values.size, dtype=np.int64) if out is None else out
        with np.errstate(over="ignore", invalid="ignore"):
            np.subtract(values, self.origin, out=scratch)
            np.multiply(scratch, self.scale, out=scratch)
        np.fmax(scratch, 0.0, out=scratch)
        np.fmin(scratch, self.count + 1.0, out=scratch)
        np.copyto(out, scratch, casting="unsafe")
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """One column counted in the cells of a grid: integers that add.

    `cells` (m + 1); `missing` rows without a value; `lowest` and `highest` are the extremes of the
    values outside the edges, None where there are none.
    """

    cells: Ints
    missing: int = 0
    lowest: float | None = None
    highest: float | None = None

    @property
    def present(self) -> int:
        """How many rows have a value."""
        return int(self.cells.sum())

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.present + self.missing

    def merge(self, other: Counts) -> Counts:
        """Return the counts of both sets of rows."""
        if self.cells.shape != other.cells.shape:
            raise malformed("counts of two grids do not add")
        return Counts(
            cells=self.cells + other.cells,
            missing=self.missing + other.missing,
            lowest=min((x for x in (self.lowest, other.lowest) if x is not None), default=None),
            highest=max((x for x in (self.highest, other.highest) if x is not None), default=None),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberGrid:
    """The cells of one column of numbers; see the module."""

    edges: Floats
    buckets: Buckets | None = None

    def __post_init__(self) -> None:
        import numpy as np

        if self.edges.ndim != 1 or not self.edges.size or not np.isfinite(self.edges).all():
            raise malformed("a grid has edges, and they are finite")
        if (self.edges[1:] <= self.edges[:-1]).any():
            raise malformed("the edges of a grid rise")

    @property
    def cells(self) -> int:
        """How many cells there are, the two open ones included."""
        return int(self.edges.size) + 1

    @cached_property
    def single(self) -> NDArray[np.bool_]:
        """Which cells (m + 1) hold one double only."""
        import numpy as np

        inner = np.nextafter(self.edges[:-1], np.inf) >= self.edges[1:]
        return np.concatenate(([False], inner, [False]))

    def check(self) -> None:
        """Raise ReferenceMalformed where the buckets do not fit the edges."""
        _ = self._table

    def codes(self, values: Floats) -> Ints:
        """Return the cell of each value, -1 where it is missing."""
        import numpy as np

        found = self.edges.searchsorted(values, side="right")
        return np.where(np.isnan(values), -1, found)

    def tally(self, values: Floats) -> Counts:
        """Return the counts of one column (n); memory does not grow with n."""
        return self.tally_blocks(
            values[begin : begin + BLOCK] for begin in range(0, values.size, BLOCK)
        )

    def tally_blocks(self, blocks: Iterable[Floats]) -> Counts:
        """Return the counts of a column that comes in blocks of any length.

        Raises SampleMalformed for a value that is infinite.
        """
        import numpy as np

        pieces = (
            np.asarray(block[begin : begin + BLOCK], dtype=np.float64)
            for block in blocks
            for begin in range(0, block.size, BLOCK)
        )
        table = self._table
        return self._sorted(pieces) if table is None else self._bucketed(pieces, table)

    @cached_property
    def _table(self) -> _Table | None:
        return None if self.buckets is None else _table(self.buckets, self)

    def _bucketed(self, blocks: Iterator[Floats], table: _Table) -> Counts:
        """Count buckets; what lies outside, or beside the value of a bucket, is compared singly."""
        import numpy as np

        last = table.buckets.count + 1
        counted = np.zeros(last + 1, dtype=np.int64)
        scratch, found = np.empty(BLOCK), np.empty(BLOCK, dtype=np.int64)
        single = Counts(cells=np.zeros(self.cells, dtype=np.int64))
        for block in blocks:
            size = block.size
            bucket = table.buckets.of(block, scratch=scratch[:size], out=found[:size])
            if table.value is not None:
                value = table.value.take(bucket)
                bucket[(block != value) & (value == value)] = 0  # noqa: PLR0124 - NaN: no value
            counted += np.bincount(bucket, minlength=last + 1)
            outside = block[(bucket == 0) | (bucket == last)]
            if outside.size:
                single = single.merge(self._compared(outside))
        inner = np.bincount(table.cell, weights=counted[1:-1], minlength=self.cells)
        return Counts(
            cells=single.cells + inner.astype(np.int64),
            missing=single.missing,
            lowest=single.lowest,
            highest=single.highest,
        )

    def _sorted(self, blocks: Iterator[Floats]) -> Counts:
        import numpy as np

        total = Counts(cells=np.zeros(self.cells, dtype=np.int64))
        for block in blocks:
            total = total.merge(self._compared(block))
        return total

    def _compared(self, values: Floats) -> Counts:
        """Count by sorting the values and finding the edges among them."""
        import numpy as np

        ordered = np.sort(values)
        present = ordered[: ordered.size - int(np.isnan(ordered).sum())]
        if present.size and not (np.isfinite(present[0]) and np.isfinite(present[-1])):
            raise SampleMalformed(
                "a column of numbers holds an infinite value",
                next_step="Correct the value, or leave it out as missing.",
            )
        below = present.searchsorted(self.edges, side="left")
        low = present.size > 0 and present[0] < self.edges[0]
        high = present.size > 0 and present[-1] >= self.edges[-1]
        return Counts(
            cells=np.diff(below, prepend=0, append=present.size).astype(np.int64),
            missing=int(ordered.size - present.size),
            lowest=float(present[0]) if low else None,
            highest=float(present[-1]) if high else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """What the buckets of a grid stand for: the cell of each, and its one value or NaN."""

    buckets: Buckets
    cell: Ints
    value: Floats | None


def _table(buckets: Buckets, grid: NumberGrid) -> _Table:
    """Return the meaning of the buckets 1 to `count` under the edges of the grid.

    An edge is the least double of a bucket, or it is the side of a cell of one value, which is then
    the only value that its bucket counts. Raises ReferenceMalformed for any other edge.
    """
    import numpy as np

    edges = grid.edges
    home, before = buckets.of(edges), buckets.of(np.nextafter(edges, -np.inf))
    inner = (home >= 1) & (home <= buckets.count)
    split = np.zeros(buckets.count + 2, dtype=np.bool_)
    split[home[inner & (home == before)]] = True
    cell = home.searchsorted(np.arange(buckets.count + 2), side="right")
    value = np.full(buckets.count + 2, np.nan)
    lower = np.flatnonzero(grid.single[1:] & inner & split[home])
    value[home[lower]] = edges[lower]
    cell[home[lower]] = lower + 1
    if np.isnan(value[split]).any():
        raise malformed("an edge of the grid splits a bucket of its table")
    return _Table(
        buckets=buckets,
        cell=cell[1:-1].astype(np.int64),
        value=value if split.any() else None,
    )


def malformed(fault: str) -> ReferenceMalformed:
    """Return the refusal of a stored reference."""
    return ReferenceMalformed(fault, next_step="Build the reference again from its rows.")
