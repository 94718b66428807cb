"""What the audit is handed to train: a function from training rows to a function that scores rows.

Definition: `Learner(training, rng)` returns `Scorer(rows)`, which returns one score a row.
Formula: none.
Source: the house rule that a model under audit is an argument, and its randomness too.
Assumptions: the learner reads only the training rows and the generator it is handed (P9).
Failure modes: a learner whose parameters were chosen on the later rows has seen them whatever it is
    handed. A score that is not finite, or of another length, is refused, not repaired; so are
    sides whose labelled rows teach or test nothing, before the learner sees them.
Cost: the learner's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import SampleMalformed, SplitRefused
from audits.sources.sample import Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

Scorer: TypeAlias = "Callable[[Sample], Floats]"
Learner: TypeAlias = "Callable[[Sample, np.random.Generator], Scorer]"


def check_sides(training: Sample, test: Sample, *, where: str) -> None:
    """Raise SplitRefused where labelled training rows lack a class, or no labelled row is tested.

    `where` names the split.
    """
    import numpy as np

    fault = ""
    if np.unique(np.asarray(training.label)).size < 2:
        held = "hold one class only" if training.n else "are none"
        fault = f"the training rows with a label, {where}, {held}"
    elif not test.n:
        fault = f"the test rows with a label, {where}, are none"
    if fault:
        raise SplitRefused(
            fault,
            next_step="Move the cut, wait for labels, or widen the rows; where only a random draw "
            "is at fault, draw fewer or none (random_repeats).",
        )


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
