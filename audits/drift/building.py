"""The edges of a grid, read off the rows of the reference once.

Definition: values that hold more than half of `SHARE` of the reference, and all values where they
    are at most `FEW`, get a cell of their own. The rest is cut at the least doubles of equally wide
    buckets, wherever another `SHARE` of it is full; outside the buckets at the reference's own
    values, every half `SHARE` and at the 1st, 2nd, 4th, ... value from either end.
Formula: limits of the buckets: of the trims on either side, the pair that covers most of the
    reference while no bucket holds more than `SHARE` of it (values with a cell of their own aside).
Source: house definition; see `grid` for what it guarantees.
Assumptions: the reference is accepted as it stands; it is not cleaned here.
Failure modes: `FEW` is 1 / `SHARE`, so that a cell can hold one row; were it less, the bound of the
    Kolmogorov-Smirnov distance would be one row's share. Under some 80,000 rows without ties no
    bucket is empty enough, and the column is counted by sorting.
Cost: one sort of the column and some sixty counts of it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import product
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.drift.grid import FEW, MOST_BUCKETS, SHARE, Buckets, NumberGrid
from audits.errors import ReferenceMalformed, SampleMalformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

TRIMS: Final = (0.0, 1e-4, 1e-3, 5e-3, 0.01, 0.02, 0.05, 0.1)
"""Shares that a table may leave to the tail on either side."""
SIZES: Final = (MOST_BUCKETS // 4, MOST_BUCKETS // 2, MOST_BUCKETS)
ENOUGH: Final = 0.97
LEAST: Final = 0.8
"""A table that covers ENOUGH is not made finer; one that covers less than LEAST is not worth it."""


def number_grid(values: Floats) -> NumberGrid:
    """Return the grid of a reference column (n); NaN is missing.

    Raises SampleMalformed for infinite values, ReferenceMalformed where no value is present.
    """
    import numpy as np

    present = np.sort(values[~np.isnan(values)].astype(np.float64))
    if not present.size:
        raise ReferenceMalformed(
            "a reference column has no value", next_step="Leave the column out of the audit."
        )
    if not (np.isfinite(present[0]) and np.isfinite(present[-1])):
        raise SampleMalformed(
            "a column of numbers holds an infinite value",
            next_step="Correct the value, or leave it out as missing.",
        )
    # Negative zero is zero to every comparison; one of them is kept.
    distinct, rows = np.unique(present + 0.0, return_counts=True)
    full = int(SHARE * present.size)
    alone = rows > max(1, full // 2) if distinct.size > FEW else rows > 0
    own, spread = distinct[alone], np.repeat(distinct[~alone], rows[~alone])
    buckets = _buckets(own, spread, full=full)
    pieces = [own, np.nextafter(own, np.inf)]
    if spread.size:
        pieces += _cuts(spread, buckets, full=full)
    edges = np.unique(np.concatenate(pieces))
    grid = NumberGrid(edges=edges, buckets=buckets)
    return grid if _table_holds(grid) else NumberGrid(edges=edges)


def _table_holds(grid: NumberGrid) -> bool:
    """Whether each bucket lies in one cell but for one value; else the grid counts by sorting."""
    try:
        grid.check()
    except ReferenceMalformed:
        return False
    return True


def _buckets(own: Floats, spread: Floats, *, full: int) -> Buckets | None:
    """Return the table that covers most, or None where none covers enough or tells values apart."""
    base, most = (spread, full) if spread.size else (own, 1)
    trims = tuple(product(TRIMS, TRIMS)) if spread.size else ((0.0, 0.0),)
    best, covered = None, LEAST * base.size
    for size, (below, above) in product(SIZES, trims):
        if best is not None and covered >= ENOUGH * base.size:
            break
        low = base[int(below * (base.size - 1))]
        high = base[int((1.0 - above) * (base.size - 1))]
        inside = int(base.searchsorted(high, "right") - base.searchsorted(low, "left"))
        made = _made(low, high, count=size) if inside > covered else None
        if made is not None and int(_counted(made, base)[1:-1].max()) <= most:
            best, covered = made, inside
    return best


def _made(low: float, high: float, *, count: int) -> Buckets | None:
    width = float(high) - float(low)
    scale = (count - 2) / width if 0 < width < math.inf else 1.0
    origin = float(low) - 1.5 / scale if scale > 0 else math.inf
    if not (math.isfinite(width) and math.isfinite(scale) and math.isfinite(origin)):
        return None
    return Buckets(origin=origin, scale=scale, count=count)


def _counted(buckets: Buckets, values: Floats) -> Ints:
    import numpy as np

    return np.bincount(buckets.of(values), minlength=buckets.count + 2)


def _cuts(spread: Floats, buckets: Buckets | None, *, full: int) -> list[Floats]:
    """Return the edges among values that have no cell of their own (sorted, with repeats)."""
    import numpy as np

    step = max(1, full // 2)
    beyond = np.nextafter(spread[-1:], np.inf)
    if buckets is None:
        return [spread[::step], beyond, *_ends(spread)]
    # How many values lie below buckets 1, 2, ..., and below the open one at the end.
    below = np.cumsum(_counted(buckets, spread))[:-1]
    chosen = np.array(_greedy(below.tolist(), full=full)) + 1
    low, high = spread[: below[0]], spread[below[-1] :]
    edges = [_least_doubles(buckets, chosen), low[::step], high[::step], *_ends(low, high)]
    return [*edges, beyond] if high.size else edges


def _least_doubles(buckets: Buckets, wanted: Ints) -> Floats:
    """Return the least double of each bucket in `wanted`, by halving among all doubles."""
    import numpy as np

    low = np.full(wanted.size, _ordinal(np.array([buckets.origin - 1.0 / buckets.scale]))[0])
    end = buckets.origin + (buckets.count + 3.0) / buckets.scale
    high = np.full(wanted.size, _ordinal(np.array([end]))[0])
    while (low + 1 < high).any():
        # Half of the sum without overflow: both may be far from zero on either side.
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        reached = buckets.of(_double(middle)) >= wanted
        high, low = np.where(reached, middle, high), np.where(reached, low, middle)
    return _double(high)


def _ordinal(values: Floats) -> Ints:
    """Number the doubles in their order."""
    import numpy as np

    bits = (values + 0.0).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _double(ordinals: Ints) -> Floats:
    import numpy as np

    bits = np.where(ordinals < 0, np.int64(-(2**63)) - ordinals, ordinals)
    return bits.view(np.float64)


def _greedy(below: list[int], *, full: int) -> list[int]:
    """Return the thresholds to cut at so that no part holds more than `full` values.

    `below` counts the values below each threshold; no bucket alone holds more than `full`.
    """
    chosen = [0]
    while chosen[-1] < len(below) - 1:
        reach = bisect_right(below, below[chosen[-1]] + full) - 1
        chosen.append(max(reach, chosen[-1] + 1))
    return chosen


def _ends(*tails: Floats) -> list[Floats]:
    """Return the 1st, 2nd, 4th, ... value from the outer ends."""
    import numpy as np

    pieces = []
    for tail in tails:
        ranks = 2 ** np.arange(tail.size.bit_length())
        ranks = ranks[ranks <= tail.size] - 1
        pieces += [tail[ranks], tail[tail.size - 1 - ranks]]
    return pieces
