"""Replicates of the counts: how they might have come out, by what the counts know of subjects.

Definition: each replicate is a whole table of cells, so that every metric and every gap read from
    it belongs to the same imagined data.
Formula: one multinomial draw of the same total where rows are independent; Poisson weights by
    subject where they repeat and the rows are at hand; normal with the covariance S/(S - 1) (M - c
    c'/S) where a tally gives the second moments M of S subjects.
Source: as `audits.intervals.bootstrap`; Cochran (1977), Sampling Techniques, section 6.3.
Assumptions: subjects are independent of each other.
Failure modes: a normal draw is no count and may undercut zero, where it is cut; groups with few
    events do not rest on it (`gaps`).
Cost: replicates x cells; for Poisson weights replicates x (subject, cell) pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from audits.fairness.cells import GroupCells, second_moments
from audits.intervals.bootstrap import poisson_weights, resample_cells

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]


def draw(cells: GroupCells, *, replicates: int, rng: np.random.Generator) -> Floats:
    """Return `replicates` of the counts (replicates, groups, outcomes), by what the counts know.

    Raises SampleMalformed where subjects repeat and nothing says how.
    """
    import numpy as np

    shape = (replicates, *cells.counts.shape)
    if cells.n == 0:
        return np.zeros(shape)
    if not cells.repeats:
        return resample_cells(cells.counts, replicates=replicates, rng=rng).astype(np.float64)
    if cells.pairs is not None:
        return _by_subject(cells, replicates, seed=int(rng.integers(2**31))).reshape(shape)
    return _by_moments(cells, replicates, rng).reshape(shape)


def _by_subject(cells: GroupCells, replicates: int, *, seed: int) -> Floats:
    import numpy as np

    pairs = cells.pairs
    if pairs is None:  # pragma: no cover - `draw` asked before
        raise RuntimeError("a subject bootstrap needs the subjects' counts")
    drawn = np.empty((replicates, cells.counts.size))
    for b, weight in enumerate(poisson_weights(pairs.identity, replicates=replicates, seed=seed)):
        drawn[b] = np.bincount(
            pairs.cell, weights=weight[pairs.subject] * pairs.times, minlength=cells.counts.size
        )
    return drawn


def _by_moments(cells: GroupCells, replicates: int, rng: np.random.Generator) -> Floats:
    import numpy as np

    counts = cells.counts.ravel().astype(np.float64)
    subjects = max(2, int(cells.subjects.sum()))
    spread = second_moments(cells) - np.outer(counts, counts) / subjects
    values, vectors = np.linalg.eigh(spread * (subjects / (subjects - 1)))
    root = vectors * np.sqrt(values.clip(min=0.0))
    drawn = counts + rng.standard_normal((replicates, counts.size)) @ root.T
    # a normal draw may undercut zero where a cell is small; such groups take score limits anyway
    return np.asarray(drawn.clip(min=0.0))
