"""The stored reference: grids, counts and what the rows are worth; read from its record as written.

Definition: for each column its grid (`grid`, or the levels of a category), the counts of the
    reference rows in it, and `effective`, the number of independent rows they are worth.
Formula: effective = n / max(1, d), d the greatest design effect over the bins and the distribution
    function at their edges: variance of the share by subjects, S/(S-1) sum over subjects of
    (sum over their rows of (hit - share))^2 / n^2, over share (1 - share) / n.
Source: Kish (1965), Survey Sampling, section 5.4 (design effect); Cochran (1977), Sampling
    Techniques, 3rd edition, section 11.8 (variance by cluster of a ratio).
Assumptions: subjects are independent. Where no subject repeats, effective = n exactly.
Failure modes: with few subjects the design effect is itself uncertain; the greatest of the bins is
    taken, which errs to the wide side.
Cost: building sorts each column once; the record takes some 20 bytes a cell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.drift.building import number_grid
from audits.drift.distances import (
    Distance,
    Side,
    binned_distances,
    ordered_distances,
)
from audits.drift.grid import Counts, NumberGrid
from audits.errors import ReferenceMalformed
from audits.sources.sample import Category

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

BINS: Final = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class LevelGrid:
    """The cells of a category: one for each level of the reference, and one for every other."""

    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.levels)) != len(self.levels) or not self.levels:
            raise ReferenceMalformed(
                "the levels of a reference column are named once each",
                next_step="Build the reference again from its rows.",
            )

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.levels) + 1

    def codes(self, column: Category) -> Ints:
        """Return the cell of each row, -1 where the value is missing."""
        import numpy as np

        known = {level: cell for cell, level in enumerate(self.levels)}
        cells = [known.get(level, len(self.levels)) for level in column.levels]
        return np.array([*cells, -1], dtype=np.int64)[column.codes]

    def tally(self, column: Category) -> Counts:
        """Return the counts of one column."""
        import numpy as np

        counted = np.bincount(self.codes(column) + 1, minlength=self.cells + 1)
        return Counts(cells=counted[1:].astype(np.int64), missing=int(counted[0]))


Grid: TypeAlias = "NumberGrid | LevelGrid"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One column of the reference."""

    grid: Grid
    counts: Counts
    effective: float

    def __post_init__(self) -> None:
        if self.counts.cells.shape != (self.grid.cells,) or self.counts.present < 1:
            raise ReferenceMalformed(
                "a reference column has a count for each of its cells, and values in them",
                next_step="Build the reference again from its rows.",
            )

    def bin_of(self, count: int) -> Ints:
        """Return the bin of each cell: parts of equal reference share, or the single values.

        A category, or a column of at most `count` different values, has a bin for each and, last,
        one for every value that the reference has not.
        """
        import numpy as np

        seen = self.counts.cells > 0
        if isinstance(self.grid, LevelGrid):
            return np.arange(self.grid.cells)
        if int(seen.sum()) <= count and bool(self.grid.single[seen].all()):
            return np.where(seen, np.cumsum(seen) - 1, int(seen.sum()))
        below = np.cumsum(self.counts.cells)
        wanted = below[-1] * np.arange(1, count) / count
        after = np.minimum(below.searchsorted(wanted, side="left") + 1, self.grid.cells - 1)
        before = np.maximum(after - 1, 1)
        nearer = np.abs(below[after - 1] - wanted) <= np.abs(below[before - 1] - wanted)
        starts = np.unique(np.where(nearer, after, before))
        # A bin without reference rows joins its neighbour: it would only add noise.
        starts = starts[(below[starts - 1] > 0) & (below[starts - 1] < below[-1])]
        starts = starts[np.unique(below[starts - 1], return_index=True)[1]]
        return np.asarray(starts.searchsorted(np.arange(self.grid.cells), side="right"))

    def compare(
        self,
        current: Counts,
        *,
        effective: float,
        methods: Collection[str],
        level: float,
        bins: int = BINS,
    ) -> tuple[Distance, ...]:
        """Return the distances of current rows of which `effective` are independent."""
        bin_of = self.bin_of(bins)
        sides = [
            Side(counts=binned(one.cells, bin_of), effective=worth)
            for one, worth in ((self.counts, self.effective), (current, effective))
        ]
        found: tuple[Distance, ...] = binned_distances(*sides, level=level)
        if isinstance(self.grid, NumberGrid):
            positions, widths = _places(self.grid, self.counts.merge(current))
            found += ordered_distances(
                Side(counts=self.counts.cells, effective=self.effective),
                Side(counts=current.cells, effective=effective),
                positions=positions,
                widths=widths,
                single=self.grid.single,
                scale=_scale(self.counts, positions),
                level=level,
            )
        return tuple(one for one in found if one.method in methods)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The reference of an audit: its columns by name, and how many rows and subjects made it."""

    rows: int
    subjects: int
    unit: str
    columns: Mapping[str, Column] = field(default_factory=dict)


def reference_of(sample: Sample, *, columns: Sequence[str], bins: int = BINS) -> Reference:
    """Return the reference of the named columns of a sample; see `column_of` for the names."""
    found = {}
    for name in columns:
        values = column_of(sample, name)
        if values is None:
            raise ReferenceMalformed(
                f"the reference has no column {name!r}",
                next_step="Name columns that the reference has.",
            )
        grid: Grid = (
            LevelGrid(levels=_present_levels(values, name))
            if isinstance(values, Category)
            else number_grid(values)
        )
        counts = tally(grid, values)
        plain = Column(grid=grid, counts=counts, effective=float(counts.present))
        found[name] = Column(
            grid=grid, counts=counts, effective=effective_rows(plain, values, sample, bins=bins)
        )
    return Reference(rows=sample.n, subjects=sample.subjects, unit=sample.unit, columns=found)


def binned(cells: Ints, bin_of: Ints) -> Ints:
    """Return the counts of the bins of which `bin_of` names each cell's."""
    import numpy as np

    return np.bincount(bin_of, weights=cells, minlength=int(bin_of.max()) + 1).astype(np.int64)


def column_of(sample: Sample, name: str) -> Floats | Category | None:
    """Return the column: a number, a category, `score`, or `decision` as a number."""
    import numpy as np

    if name == "score":
        return sample.score
    if name == "decision":
        if sample.decision is None:
            return None
        found = sample.decision.astype(np.float64)
        return np.where(found < 0, np.nan, found)
    if name in sample.numbers:
        return sample.numbers[name]
    return sample.categories.get(name)


def tally(grid: Grid, values: Floats | Category) -> Counts:
    """Return the counts of a column in a grid of its kind.

    Raises ReferenceMalformed where the column is of the other kind.
    """
    if isinstance(grid, LevelGrid):
        return grid.tally(_category(values))
    return grid.tally(_numbers(values))


def codes_of(grid: Grid, values: Floats | Category) -> Ints:
    """Return the cell of each row, -1 where the value is missing."""
    if isinstance(grid, LevelGrid):
        return grid.codes(_category(values))
    return grid.codes(_numbers(values))


def effective_rows(
    column: Column, values: Floats | Category, sample: Sample, *, bins: int = BINS
) -> float:
    """Return how many independent rows the present rows of `sample` are worth, at least one."""
    import numpy as np

    codes = codes_of(column.grid, values)
    present = codes >= 0
    n = int(present.sum())
    if n == 0 or not sample.repeats:
        return float(max(n, 1))
    bin_of = column.bin_of(bins)[codes[present]]
    _, subject = np.unique(sample.subject[present], return_inverse=True)
    subjects = int(subject.max()) + 1
    if subjects == n:
        return float(n)
    if subjects == 1:
        return 1.0
    size = np.bincount(subject, minlength=subjects)
    worst, below = 1.0, np.zeros(subjects)
    for bin_ in range(int(bin_of.max()) + 1):
        hits = np.bincount(subject[bin_of == bin_], minlength=subjects)
        below = below + hits
        for count in (hits, below):
            share = count.sum() / n
            if n * share * (1 - share) >= 1:
                spread = float(((count - size * share) ** 2).sum()) * subjects / (subjects - 1)
                worst = max(worst, spread / (n * share * (1 - share)))
    return max(1.0, n / worst)


def _places(grid: NumberGrid, both: Counts) -> tuple[Floats, Floats]:
    """Return where each cell lies and how wide it is; open cells end at the extremes."""
    import numpy as np

    first, last = float(grid.edges[0]), float(grid.edges[-1])
    low = first if both.lowest is None else both.lowest
    high = last if both.highest is None else both.highest
    limits = np.concatenate(([low], grid.edges, [high]))
    # The sum of two halves, since the sum of the limits may overflow.
    with np.errstate(over="ignore"):
        return limits[:-1] / 2 + limits[1:] / 2, np.diff(limits)


def _scale(reference: Counts, positions: Floats) -> float:
    import numpy as np

    below = np.cumsum(reference.cells) / reference.present
    low, high = positions[below.searchsorted([0.25, 0.75], side="left")]
    if high > low:
        return float(high) - float(low)
    shares = reference.cells / reference.present
    with np.errstate(over="ignore", invalid="ignore"):
        mean = (shares * positions).sum()
        spread = float(np.sqrt((shares * (positions - mean) ** 2).sum()))
    return spread if np.isfinite(spread) and spread > 1e-12 * abs(high) else 0.0


def _present_levels(column: Category, name: str) -> tuple[str, ...]:
    import numpy as np

    counted = np.bincount(column.codes + 1, minlength=len(column.levels) + 1)[1:]
    found = tuple(level for level, rows in zip(column.levels, counted, strict=True) if rows)
    if not found:
        raise ReferenceMalformed(
            f"the reference column {name!r} has no value",
            next_step="Leave the column out of the audit.",
        )
    return found


def _category(values: Floats | Category) -> Category:
    if not isinstance(values, Category):
        raise _other_kind()
    return values


def _numbers(values: Floats | Category) -> Floats:
    if isinstance(values, Category):
        raise _other_kind()
    return values


def _other_kind() -> ReferenceMalformed:
    return ReferenceMalformed(
        "a column is a category in the reference or in the rows, not in both",
        next_step="Read both from tables of one form.",
    )
