"""Performance without labels against a second implementation: every pair and cell, in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from audits.drift.cbpe import METRICS, expected_metrics, metric_bounds

Row = tuple[Fraction, int, int]
"""Calibrated probability, score (a whole number, with ties), decision."""


def naive(rows: list[Row]) -> dict[str, Fraction]:
    """Written from the definitions alone: loops over rows and pairs."""
    tp = sum((p for p, _, d in rows if d), Fraction(0))
    fp = sum((1 - p for p, _, d in rows if d), Fraction(0))
    fn = sum((p for p, _, d in rows if not d), Fraction(0))
    tn = sum((1 - p for p, _, d in rows if not d), Fraction(0))
    wins = pairs = Fraction(0)
    for i, (p, s, _) in enumerate(rows):
        for j, (q, t, _) in enumerate(rows):
            if i != j:
                pairs += p * (1 - q)
                wins += p * (1 - q) * (1 if s > t else Fraction(1, 2) if s == t else 0)
    return {
        "prevalence": (tp + fn) / len(rows),
        "accuracy": (tp + tn) / len(rows),
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "ppv": tp / (tp + fp),
        "npv": tn / (tn + fn),
        "auroc": wins / pairs,
    }


def _rows(seed: int, n: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, max(3, n // 2), size=n)
    found = [(Fraction(int(rng.integers(1, 40)), 40), int(s), int(s >= n // 4)) for s in scores]
    return [*found, (Fraction(1, 3), 0, 0), (Fraction(2, 3), n, 1)]


def _arrays(rows: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, s, d = zip(*rows, strict=True)
    return np.array([float(x) for x in p]), np.array(s, dtype=float), np.array(d, dtype=np.int8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("metric", METRICS)
def test_expected_metric_equals_the_exact_fraction(metric: str, seed: int) -> None:
    rows = _rows(seed, 40)
    found = expected_metrics(*_arrays(rows), np.ones(len(rows)))
    assert found[metric] == pytest.approx(float(naive(rows)[metric]), rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("metric", METRICS)
def test_bounds_are_those_of_all_corners(metric: str, seed: int) -> None:
    """Each probability at either end: the extreme of all 2^n ways is the bound."""
    rows = _rows(seed, 6)
    delta = Fraction(1, 10)
    ends = [
        naive([(p, s, d) for p, (_, s, d) in zip(corner, rows, strict=True)])[metric]
        for corner in product(
            *[(max(Fraction(0), p - delta), min(Fraction(1), p + delta)) for p, _, _ in rows]
        )
    ]
    low, high = metric_bounds(*_arrays(rows), delta=0.1)[metric]
    assert low == pytest.approx(float(min(ends)), abs=1e-12)
    assert high == pytest.approx(float(max(ends)), abs=1e-12)
