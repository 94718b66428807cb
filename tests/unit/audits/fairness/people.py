"""Invented people for the tests of fairness: groups, labels and decisions of one's choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from audits.sources.sample import Category, Sample


def category(values: Sequence[str | None]) -> Category:
    levels = tuple(sorted({value for value in values if value is not None}))
    codes = np.array(
        [-1 if value is None else levels.index(value) for value in values], dtype=np.int32
    )
    return Category(codes=codes, levels=levels)


def from_counts(groups: dict[str, tuple[int, int, int, int]], *, attribute: str = "race") -> Sample:
    """Return a sample of independent rows: by group TN, FP, FN, TP."""
    label: list[float] = []
    decision: list[int] = []
    names: list[str | None] = []
    for name, counts in groups.items():
        for cell, count in enumerate(counts):
            label += [float(cell // 2)] * count
            decision += [cell % 2] * count
            names += [name] * count
    return Sample(
        subject=np.arange(len(label)),
        label=np.array(label),
        decision=np.array(decision, dtype=np.int8),
        categories={attribute: category(names)},
        unit="patient",
    )


def drawn(
    rng: np.random.Generator,
    *,
    sizes: Sequence[int],
    prevalence: float = 0.3,
    sensitivity: Sequence[float] = (0.7,),
    false_alarm: float = 0.1,
    rows: int = 1,
    likeness: float = 0.0,
) -> Sample:
    """Return patients of groups g0, g1, ... with `rows` each.

    `likeness`: the chance that a row repeats the patient's first label and luck, so that rows of a
    patient depend on each other while every row has the stated rates.
    """
    group = np.repeat(np.arange(len(sizes)), sizes)
    patients = group.size

    def uniform() -> np.ndarray[Any, np.dtype[np.float64]]:
        first = rng.random((patients, 1))
        keep = rng.random((patients, rows)) < likeness
        return np.where(keep, first, rng.random((patients, rows)))

    truth = uniform() < prevalence
    caught = np.resize(sensitivity, len(sizes))[group][:, None]
    act = uniform() < np.where(truth, caught, false_alarm)
    return Sample(
        subject=np.repeat(np.arange(patients), rows),
        label=truth.ravel().astype(np.float64),
        decision=act.ravel().astype(np.int8),
        categories={
            "group": Category(
                codes=np.repeat(group, rows).astype(np.int32),
                levels=tuple(f"g{g}" for g in range(len(sizes))),
            )
        },
        unit="patient",
    )
