"""Shares of rows that repeat subjects: limits by subject, honest where subjects are few."""

from __future__ import annotations

import numpy as np
import pytest

from audits.errors import IntervalMalformed
from audits.intervals.clustered import (
    MINIMUM_SUBJECTS,
    ClusteredShare,
    clustered_estimate,
    clustered_limits,
)
from audits.intervals.proportion import clopper_pearson, wilson

WHAT = {"metric": "tpr", "level": 0.95, "unit": "patient"}


def repeated(successes: int, subjects: int, *, rows: int) -> ClusteredShare:
    """Return `subjects` whose rows all agree, `successes` of them with successes."""
    m = np.full(subjects, rows)
    return ClusteredShare.of(np.where(np.arange(subjects) < successes, m, 0), m)


@pytest.mark.parametrize(
    ("successes", "rows"), [([3], [2]), ([-1], [2]), ([1, 1], [2])], ids=["over", "under", "width"]
)
def test_impossible_counts_are_refused(successes: list[int], rows: list[int]) -> None:
    with pytest.raises(IntervalMalformed) as refusal:
        ClusteredShare.of(np.array(successes), np.array(rows))
    assert refusal.value.next_step


@pytest.mark.requirement("P8")
def test_no_row_is_undefined_and_few_subjects_have_no_interval() -> None:
    empty = ClusteredShare.of(np.array([0]), np.array([0]))
    nothing = clustered_estimate(share=empty, **WHAT)  # type: ignore[arg-type]
    assert (nothing.value, nothing.n, nothing.events) == (None, 0, 0)
    few = clustered_estimate(share=repeated(3, MINIMUM_SUBJECTS - 1, rows=6), **WHAT)  # type: ignore[arg-type]
    assert few.value is not None
    assert few.low is None
    assert "fewer" in few.note


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("successes", [0, 1, 4, 20])
def test_rows_that_agree_count_as_one_where_events_are_few(successes: int) -> None:
    for x in (successes, 40 - successes):
        found = clustered_limits(repeated(x, 40, rows=6), level=0.95)
        exact = clopper_pearson(x, 40, level=0.95)
        assert (found == pytest.approx(exact, abs=1e-12)) is (successes < 5)


def test_rows_that_agree_are_worth_one_row_a_subject() -> None:
    """Design effect six: the effective size is that of the subjects, less one for the t reach."""
    low, high = clustered_limits(repeated(200, 400, rows=6), level=0.95) or (0.0, 0.0)
    assert (low, high) == pytest.approx(wilson(200, 400, level=0.95), abs=1e-3)


def test_independent_rows_gain_nothing_from_a_lucky_design_effect() -> None:
    share = ClusteredShare.of(np.full(100, 3), np.full(100, 6))
    assert share.variance == 0.0
    low, high = clustered_limits(share, level=0.95) or (0.0, 0.0)
    plain = wilson(300, 600, level=0.95)
    assert low <= plain[0]
    assert high >= plain[1]


def test_an_estimate_counts_subjects_and_names_rows() -> None:
    found = clustered_estimate(share=repeated(3, 40, rows=6), **WHAT)  # type: ignore[arg-type]
    assert (found.n, found.events, found.unit) == (40, 3, "patient")
    assert found.note == "18 of 240 rows; exact limits: 3 subjects with an event or non-event"


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(("subjects", "p"), [(20, 0.1), (50, 0.1), (200, 0.02), (200, 0.5)])
def test_six_correlated_rows_a_subject_keep_coverage(subjects: int, p: float) -> None:
    """Intraclass correlation .5; 1,500 runs, tolerance 2 points and 2.6 standard errors (1.5)."""
    rng = np.random.default_rng(17)
    chance = rng.beta(p, 1 - p, size=(1500, subjects))
    held = naive = 0
    for successes in rng.binomial(6, chance):
        share = ClusteredShare.of(successes, np.full(subjects, 6))
        low, high = clustered_limits(share, level=0.95) or (0.0, 1.0)
        held += low <= p <= high
        low, high = wilson(share.successes, share.rows, level=0.95)
        naive += low <= p <= high
    assert held / 1500 >= 0.93 - 0.015
    assert naive / 1500 < 0.9
