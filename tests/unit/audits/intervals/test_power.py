"""Sample size and power before data are opened: what is refused, and that the chance is true."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audits.criteria import Criterion, judge
from audits.errors import IntervalMalformed, SampleSizeRefused
from audits.estimate import Verdict
from audits.intervals.assumptions import (
    Assumption,
    AurocAssumed,
    AurocDifferenceAssumed,
    MeanAssumed,
    ShareAssumed,
    ShareDifferenceAssumed,
    auroc_variance,
    design_effect,
)
from audits.intervals.power import LOOK_AHEAD, power_at, required_n
from audits.intervals.proportion import proportion_estimate


def above(limit: float, **changes: object) -> Criterion:
    fields: dict[str, object] = {
        "id": "c",
        "metric": "m",
        "direction": "at_least",
        "floor": limit,
        "reading": "excludes_baseline",
        "baseline": limit,
    }
    return Criterion(**{**fields, **changes})  # type: ignore[arg-type]


def compared(reading: str, margin: float, **changes: object) -> Criterion:
    fields: dict[str, object] = {
        "id": "c",
        "metric": "m",
        "direction": "at_least",
        "population": "new minus old",
        "reading": reading,
        "margin": margin,
        "comparator": "old",
        "pairing": "unpaired",
    }
    return Criterion(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ShareAssumed, {"value": 1.0}),
        (ShareAssumed, {"value": 0.5, "design_effect": 0.9}),
        (ShareDifferenceAssumed, {"first": 0.0, "second": 0.5}),
        (ShareDifferenceAssumed, {"first": 0.4, "second": 0.5, "ratio": 0.0}),
        (ShareDifferenceAssumed, {"first": 0.4, "second": 0.5, "variance": "pooled"}),
        (AurocAssumed, {"value": 0.8, "prevalence": 0.0}),
        (AurocAssumed, {"value": 0.8, "prevalence": 0.1, "variance": "delong"}),
        (
            AurocDifferenceAssumed,
            {"first": 0.8, "second": 0.7, "prevalence": 0.1, "paired": False, "correlation": 0.5},
        ),
        (
            AurocDifferenceAssumed,
            {"first": 0.8, "second": 0.7, "prevalence": 0.1, "paired": True, "correlation": 1.0},
        ),
        (MeanAssumed, {"value": math.nan, "standard_deviation": 1.0}),
        (MeanAssumed, {"value": 0.0, "standard_deviation": 0.0}),
    ],
)
def test_an_assumption_that_cannot_be_true_is_refused(
    kind: type, fields: dict[str, object]
) -> None:
    with pytest.raises(SampleSizeRefused) as refusal:
        kind(**fields)
    assert refusal.value.next_step


@pytest.mark.parametrize(("rows", "correlation"), [(0.5, 0.1), (2, -0.1), (2, 1.1)])
def test_a_design_effect_of_nothing_is_refused(rows: float, correlation: float) -> None:
    with pytest.raises(SampleSizeRefused):
        design_effect(rows_per_subject=rows, correlation=correlation)


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("criterion", "assumption"),
    [
        (above(0.8), ShareAssumed(value=0.8)),
        (above(0.8), AurocAssumed(value=0.78, prevalence=0.2)),
        (above(0.0), MeanAssumed(value=0.0, standard_deviation=1.0)),
        (compared("superior", 0.1), ShareDifferenceAssumed(first=0.6, second=0.5)),
    ],
)
def test_what_no_n_can_show_is_refused_and_not_rounded(
    criterion: Criterion, assumption: Assumption
) -> None:
    with pytest.raises(SampleSizeRefused) as refusal:
        required_n(criterion, assumption, limit=3000)
    assert "Assume" in refusal.value.next_step


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_certainty_cannot_be_asked_for(power: float) -> None:
    with pytest.raises(SampleSizeRefused):
        required_n(above(0.8), ShareAssumed(value=0.9), power=power)


def test_what_cannot_be_summed_is_refused() -> None:
    with pytest.raises(SampleSizeRefused):
        power_at(above(0.8), ShareAssumed(value=0.9), n=1)
    with pytest.raises(SampleSizeRefused):
        power_at(above(0.8), ShareAssumed(value=0.9), n=10**6)
    with pytest.raises(SampleSizeRefused):
        power_at(above(0.8), ShareAssumed(value=0.9, design_effect=40.0), n=30)
    with pytest.raises(IntervalMalformed):
        power_at(above(0.8), ShareAssumed(value=0.9), n=30, level=1.0)


def test_power_of_a_share_is_the_chance_that_it_passes() -> None:
    """40,000 draws judged as they would be; three standard errors are .7 points."""
    criterion = above(0.8, floor=0.82, minimum_events=3, maximum_width=0.2)
    power = power_at(criterion, ShareAssumed(value=0.9), n=120)
    drawn, times = np.unique(
        np.random.default_rng(5).binomial(120, 0.9, size=40_000), return_counts=True
    )
    passed = sum(
        count
        for x, count in zip(drawn, times, strict=True)
        if judge(
            criterion,
            proportion_estimate(metric="m", successes=int(x), n=120, level=0.95, unit="unit"),
        ).verdict
        is Verdict.PASS
    )
    assert power.value == pytest.approx(passed / 40_000, abs=0.007)
    assert power.as_record()["n"] == 120


def test_the_required_n_of_a_share_is_steady_and_the_smallest() -> None:
    criterion, assumption = above(0.7), ShareAssumed(value=0.85)
    found = required_n(criterion, assumption)

    def power(n: int) -> float:
        return power_at(criterion, assumption, n=n).value

    assert found.power.value >= 0.8
    assert power(found.n - 1) < 0.8
    assert all(power(n) >= 0.8 for n in range(found.n, found.n + LOOK_AHEAD))
    assert found.groups == {"all": found.n}
    assert found.as_record()["target"] == "0.8"


def test_repeated_rows_ask_for_more_of_them() -> None:
    effect = design_effect(rows_per_subject=6, correlation=0.5)
    assert effect == 3.5
    single = required_n(above(0.0), MeanAssumed(value=0.2, standard_deviation=1.0))
    rows = required_n(
        above(0.0), MeanAssumed(value=0.2, standard_deviation=1.0, design_effect=effect)
    )
    assert rows.n == pytest.approx(3.5 * single.n, rel=0.01)


def test_power_of_a_paired_difference_of_shares_is_that_of_its_mean() -> None:
    """4,000 paired samples judged by the t interval; three standard errors are two points."""
    only_new, only_old = 0.12, 0.05
    difference = only_new - only_old
    deviation = math.sqrt(only_new + only_old - difference**2)
    criterion = compared("superior", 0.0, pairing="paired")
    found = required_n(criterion, MeanAssumed(value=difference, standard_deviation=deviation))
    drawn = np.random.default_rng(9).multinomial(
        found.n, [only_new, only_old, 1 - only_new - only_old], size=4000
    )
    means = (drawn[:, 0] - drawn[:, 1]) / found.n
    spread = np.sqrt(((drawn[:, 0] + drawn[:, 1]) / found.n - means**2) / (found.n - 1))
    assert (means - 1.966 * spread > 0).mean() == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(
    ("criterion", "mirrored", "assumption", "mirror"),
    [
        (
            above(0.1),
            above(-0.1, direction="at_most"),
            MeanAssumed(value=0.3, standard_deviation=1.0),
            MeanAssumed(value=-0.3, standard_deviation=1.0),
        ),
        (
            compared("non_inferior", 0.1),
            compared("non_inferior", 0.1, direction="at_most"),
            ShareDifferenceAssumed(first=0.62, second=0.6),
            ShareDifferenceAssumed(first=0.38, second=0.4),
        ),
        (
            above(0.0, reading="margin", baseline=None, margin=0.1),
            above(0.0, direction="at_most", reading="margin", baseline=None, margin=0.1),
            MeanAssumed(value=0.02, standard_deviation=1.0),
            MeanAssumed(value=-0.02, standard_deviation=1.0),
        ),
    ],
)
def test_at_most_is_at_least_in_a_mirror(
    criterion: Criterion, mirrored: Criterion, assumption: Assumption, mirror: Assumption
) -> None:
    for n in (40, 400):
        there = power_at(mirrored, mirror, n=n).value
        assert power_at(criterion, assumption, n=n).value == pytest.approx(there, abs=1e-9)


def test_a_range_needs_both_limits_excluded() -> None:
    criterion = Criterion(
        id="c", metric="m", direction="within", low=-0.1, high=0.1, reading="margin", margin=0.05
    )
    found = required_n(criterion, MeanAssumed(value=0.0, standard_deviation=0.5), power=0.9)
    rng = np.random.default_rng(6)
    means = rng.normal(scale=0.5 / math.sqrt(found.n), size=40_000)
    deviations = np.sqrt(0.25 * rng.chisquare(found.n - 1, size=40_000) / (found.n - 1))
    reach = 1.98 * deviations / math.sqrt(found.n)
    passed = (abs(means) <= 0.1) & (abs(means) + reach <= 0.15)
    assert passed.mean() == pytest.approx(0.9, abs=0.02)


def test_limits_on_n_events_and_width_are_kept() -> None:
    assumption = AurocAssumed(value=0.85, prevalence=0.05)
    plain = required_n(above(0.75), assumption)
    assert required_n(above(0.75, minimum_n=5000), assumption).n == 5000
    events = required_n(above(0.75, minimum_events=100), assumption)
    assert plain.groups["cases"] < 100 <= events.groups["cases"]
    narrow = required_n(above(0.75, maximum_width=0.02), assumption)
    _, error = assumption.errors(narrow.n, limit=0.75)
    assert 2 * 1.96 * error == pytest.approx(0.02, rel=1e-3)
    shares = ShareDifferenceAssumed(first=0.05, second=0.05)
    rare = required_n(compared("non_inferior", 0.1, minimum_events=20), shares)
    assert min(rare.groups.values()) == 400


def test_the_variance_of_an_auroc_is_that_of_exponential_scores() -> None:
    """2,000 samples; the standard deviation of a standard deviation is 1.6 %."""
    rng = np.random.default_rng(8)
    cases = rng.exponential(3.0, size=(2000, 30, 1))
    others = rng.exponential(1.0, size=(2000, 1, 60))
    found = (cases > others).mean(axis=(1, 2))
    expected = auroc_variance(0.75, cases=30, others=60)
    assert found.std() == pytest.approx(math.sqrt(expected), rel=0.06)


def test_correlated_estimates_need_fewer_units() -> None:
    def n(paired: bool, correlation: float) -> int:
        assumption = AurocDifferenceAssumed(
            first=0.85, second=0.8, prevalence=0.3, paired=paired, correlation=correlation
        )
        return required_n(compared("superior", 0.0), assumption).n

    assert n(True, 0.6) < n(True, 0.0) < n(False, 0.0)
    assert n(False, 0.0) == pytest.approx(2 * n(True, 0.0), rel=0.01)


@pytest.mark.parametrize(
    ("reading", "margin", "first", "second"),
    [("non_inferior", 0.1, 0.8, 0.8), ("superior", 0.0, 0.75, 0.6)],
)
def test_power_of_a_difference_is_the_exact_chance(
    reading: str, margin: float, first: float, second: float
) -> None:
    """Every table that can come out, judged by the score that its limits come from."""
    from scipy import stats

    from audits.intervals.two_proportions import Share, difference_score

    assumption = ShareDifferenceAssumed(first=first, second=second)
    criterion = compared(reading, margin)
    found = required_n(criterion, assumption)
    n1, n2 = found.groups["first"], found.groups["second"]
    limit = -margin if reading == "non_inferior" else margin
    exact = 0.0
    for x1, p1 in enumerate(stats.binom.pmf(np.arange(n1 + 1), n1, first)):
        for x2, p2 in enumerate(stats.binom.pmf(np.arange(n2 + 1), n2, second)):
            if p1 * p2 > 1e-9:
                one, other = Share(successes=x1, n=n1), Share(successes=x2, n=n2)
                exact += p1 * p2 * (difference_score(one, other, null=limit) > 1.959964)
    assert found.power.value >= 0.8
    assert exact == pytest.approx(found.power.value, abs=0.02)
