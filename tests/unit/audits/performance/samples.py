"""Rows to try the measures on: drawn from a model with known truths, subjects repeated or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from audits.performance.rows import Rows
from audits.sources.sample import Sample


def rows(label: Any, score: Any, subject: Any = None, **more: Any) -> Rows:
    truth = np.asarray(label) == 1
    return Rows(
        label=truth,
        score=np.asarray(score, dtype=np.float64),
        identity=np.arange(truth.size) if subject is None else np.asarray(subject, dtype=np.int64),
        **more,
    )


@dataclass(frozen=True, kw_only=True)
class World:
    """Probabilities from a normal logit; a share `own` of its variance belongs to the subject.

    Stated: expit(shift + stretch * logit); drawn: labels from the probability itself, dependent
    within the subject beyond it by a shared normal with weight `bond`.
    """

    centre: float = -1.0
    spread: float = 1.2
    own: float = 0.6
    bond: float = 0.8
    shift: float = 0.0
    stretch: float = 1.0

    def draw(self, rng: np.random.Generator, *, subjects: int, rows_each: int = 1) -> Rows:
        from scipy.special import ndtr

        who = np.repeat(np.arange(subjects), rows_each)
        shared = rng.standard_normal(subjects)[who]
        alone = rng.standard_normal(who.size)
        logit = self.centre + self.spread * (
            np.sqrt(self.own) * shared + np.sqrt(1 - self.own) * alone
        )
        probability = 1 / (1 + np.exp(-logit))
        luck = self.bond * rng.standard_normal(subjects)[who]
        luck = luck + np.sqrt(1 - self.bond**2) * rng.standard_normal(who.size)
        label = ndtr(luck) < probability
        stated = 1 / (1 + np.exp(-(self.shift + self.stretch * logit)))
        return Rows(label=label, score=stated, identity=who, unit="patient")


def sample(drawn: Rows, **more: Any) -> Sample:
    return Sample(
        subject=drawn.identity,
        label=drawn.label.astype(np.float64),
        score=drawn.score,
        unit=drawn.unit,
        **more,
    )
