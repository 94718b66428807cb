"""What the audit is handed to train: a function from training rows to a function that scores rows.

Definition: `Learner(training, rng)` returns `Scorer(rows)`, which returns one score a row.
Formula: none.
Source: the house rule that a model under audit is an argument, and its randomness too.
Assumptions: the learner reads only the training rows and the generator it is handed (P9).
Failure modes: a learner whose parameters were chosen on the later rows has seen them whatever it is
    handed. A score that is not finite, or of another length, is refused, not repaired.
Cost: the learner's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import SampleMalformed
from audits.sources.sample import Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

Scorer: TypeAlias = "Callable[[Sample], Floats]"
Learner: TypeAlias = "Callable[[Sample, np.random.Generator], Scorer]"


def scored(rows: Sample, scorer: Scorer) -> Sample:
    """Return `rows` with the scores of `scorer`, which does not get to see their labels.

    Raises SampleMalformed where a score is missing or there is not one a row.
    """
    import numpy as np

    found = np.asarray(scorer(replace(rows, label=None, score=None)), dtype=np.float64)
    if found.shape != (rows.n,) or not np.isfinite(found).all():
        raise SampleMalformed(
            "the learner did not give every row a finite score",
            next_step="Correct the learner; rows it cannot score have to be left out beforehand.",
        )
    return replace(rows, score=found)
