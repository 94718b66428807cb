"""The numbers of one table of a tally: its cells, its moments by subject, its replicates.

Definition, formula, source: see `tally`; `tally_check` says what may stand in them.
Assumptions: cells are numbered as `tally_spec` does.
Failure modes: none of its own.
Cost: moments are sorted once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from audits.sources.exact import sum_by

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Pairs of cells `first` <= `second` (k each), in order, and their `products` (k), not 0."""

    first: Ints
    second: Ints
    products: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """One table: `measures` (measures, cells), `moments`, `replicates` (r, measures, cells)."""

    measures: Ints
    moments: Moments | None = None
    replicates: Ints | None = None


def moments_of(first: Ints, second: Ints, products: Ints, *, cells: int) -> Moments:
    """Return moments from pairs of cells in any order, equal pairs added."""
    import numpy as np

    keys, place = np.unique(first * cells + second, return_inverse=True)
    return Moments(
        first=keys // cells,
        second=keys % cells,
        products=sum_by(place, products, size=keys.size),
    )
