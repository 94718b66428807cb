"""Samples with known faults, for the tests of drift."""

from __future__ import annotations

import numpy as np

from audits.sources.sample import Category, Sample


def sample(n: int = 2000, *, seed: int = 1, repeats: int = 1, shift: float = 0.0) -> Sample:
    """Rows with two numbers, a category, a score and a decision; `repeats` rows a subject."""
    rng = np.random.default_rng(seed)
    subject = np.arange(n, dtype=np.int64) // repeats
    own = rng.normal(size=int(subject.max()) + 1)[subject]
    age = 60 + 10 * (own if repeats > 1 else rng.normal(size=n)) + 10 * shift
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + shift)))
    return Sample(
        subject=subject,
        label=(rng.random(n) < score).astype(np.float64),
        score=score,
        decision=(score > 0.5).astype(np.int8),
        numbers={"age": age, "visits": rng.poisson(3, size=n).astype(np.float64)},
        categories={
            "sex": Category(
                codes=rng.integers(0, 2, size=n).astype(np.int32), levels=("female", "male")
            )
        },
        unit="patient",
    )
