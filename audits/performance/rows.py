"""The rows a performance measure reads: a 0/1 label and a score each, with the subject behind.

Definition: the rows of a `Sample`, or of one population of it, whose label and score are both
    known. `positives` are rows with label 1.
Formula: none; subjects are numbered 0, 1, … in the order of their identities.
Source: the house rule that rows left out are counted and named (P8).
Assumptions: that a label is missing says nothing about its value. Where it does, every measure here
    describes the labelled rows alone.
Failure modes: a label other than 0 and 1 and a score that is infinite are refused, not repaired.
Cost: one sort of the subjects.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import SampleMalformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Bools: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Labelled, scored rows: `label` (n, bool), `score` (n), subjects by `identity` (n)."""

    label: Bools
    score: Floats
    identity: Ints
    unit: str = "subject"
    population: str = "all"

    def __post_init__(self) -> None:
        import numpy as np

        if not self.label.shape == self.score.shape == self.identity.shape or self.label.ndim != 1:
            raise _malformed("label, score and subject have one entry a row")
        if not np.isfinite(self.score).all():
            raise _malformed("a score is a finite number")

    @property
    def n(self) -> int:
        """How many rows there are."""
        return int(self.label.size)

    @property
    def positives(self) -> int:
        """How many rows have label 1."""
        return int(self.label.sum())

    @property
    def negatives(self) -> int:
        """How many rows have label 0."""
        return self.n - self.positives

    @cached_property
    def subject(self) -> Ints:
        """The subject of each row (n), numbered from 0 without gaps."""
        import numpy as np

        return np.unique(self.identity, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def subjects(self) -> int:
        """How many subjects there are."""
        return int(self.subject.max()) + 1 if self.n else 0

    @property
    def repeats(self) -> bool:
        """Whether some subject has more than one row."""
        return self.subjects < self.n

    def subjects_with(self, mask: Bools) -> int:
        """Return how many subjects have a row in `mask` (n, bool)."""
        import numpy as np

        return int(np.unique(self.subject[mask]).size)

    @cached_property
    def events(self) -> int:
        """How many subjects have a positive row: the unit that limits most intervals."""
        return self.subjects_with(self.label)

    @cached_property
    def non_events(self) -> int:
        """How many subjects have a negative row."""
        return self.subjects_with(~self.label)

    @cached_property
    def rarer(self) -> int:
        """How many subjects have a row of the rarer class."""
        return min(self.events, self.non_events)

    def with_score(self, score: Floats) -> Rows:
        """Return the same rows with another model's `score` (n)."""
        return Rows(
            label=self.label,
            score=score,
            identity=self.identity,
            unit=self.unit,
            population=self.population,
        )

    def where(self, mask: Bools, *, population: str) -> Rows:
        """Return the rows of `mask` (n, bool) under the name `population`."""
        return Rows(
            label=self.label[mask],
            score=self.score[mask],
            identity=self.identity[mask],
            unit=self.unit,
            population=population,
        )


def complete(sample: Sample) -> Bools:
    """Return which rows (n, bool) have both a label and a score.

    Raises SampleMalformed where the sample has no labels or no scores at all.
    """
    import numpy as np

    if sample.label is None or sample.score is None:
        raise _malformed("the measures of this audit need a label and a score")
    return np.asarray(~(np.isnan(sample.label) | np.isnan(sample.score)))


def rows_of(sample: Sample, *, population: str = "all") -> Rows:
    """Return the complete rows of `sample`; labels are 0 or 1.

    Raises SampleMalformed for other labels and for scores that are infinite.
    """
    import numpy as np

    kept = sample.where(complete(sample))
    if kept.label is None or kept.score is None:  # pragma: no cover - `complete` refused it
        raise RuntimeError("complete rows have label and score")
    if not np.isin(kept.label, (0.0, 1.0)).all():
        raise _malformed("a label is 0 or 1, or missing")
    return Rows(
        label=kept.label == 1.0,
        score=kept.score.astype(np.float64),
        identity=kept.subject.astype(np.int64),
        unit=sample.unit,
        population=population,
    )


def _malformed(fault: str) -> SampleMalformed:
    return SampleMalformed(fault, next_step="Correct the table or the manifest that describes it.")
