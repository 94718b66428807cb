"""Metrics of groups: as fairlearn has them where it is defined, and undefined where it is not."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from audits.fairness.cells import GroupCells, count_cells, decided, second_moments
from audits.fairness.frame import fairness_frame
from audits.fairness.metrics import (
    DECISION_METRICS,
    UNGROUNDED,
    CountMetric,
    by_group,
    covariance,
    error_cost,
    standard_errors,
    subjects_behind,
)
from audits.intervals.proportion import proportion_limits
from audits.sources.sample import Sample
from tests.unit.audits.fairness.people import drawn, from_counts

COUNTS = (31, 7, 5, 17)
COST = error_cost(false_positive=1.0, false_negative=5.0)


def cells_of(sample: Sample, attribute: str = "race") -> GroupCells:
    return count_cells(sample, attributes=[attribute], outcome=decided(sample))


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (DECISION_METRICS["selection_rate"], Fraction(24, 60)),
        (DECISION_METRICS["true_positive_rate"], Fraction(17, 22)),
        (DECISION_METRICS["false_positive_rate"], Fraction(7, 38)),
        (DECISION_METRICS["positive_predictive_value"], Fraction(17, 24)),
        (DECISION_METRICS["negative_predictive_value"], Fraction(31, 36)),
        (DECISION_METRICS["accuracy"], Fraction(48, 60)),
        (COST, Fraction(7 + 25, 60)),
    ],
)
def test_values_are_exact_fractions(metric: CountMetric, value: Fraction) -> None:
    (found,) = by_group(cells_of(from_counts({"a": COUNTS})), metric, level=0.95)
    assert found.value == pytest.approx(float(value), rel=1e-15)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("name", "counts", "noun"),
    [
        ("true_positive_rate", (5, 5, 0, 0), "no positives"),
        ("false_positive_rate", (0, 0, 5, 5), "no negatives"),
        ("positive_predictive_value", (5, 0, 5, 0), "no rows acted on"),
        ("negative_predictive_value", (0, 5, 0, 5), "no rows not acted on"),
    ],
)
def test_nothing_of_nothing_is_undefined_with_its_reason(
    name: str, counts: tuple[int, int, int, int], noun: str
) -> None:
    (found,) = by_group(cells_of(from_counts({"a": counts})), DECISION_METRICS[name], level=0.95)
    assert found.value is None
    assert noun in found.note
    assert found.n == 0


def test_an_interval_of_a_share_is_that_of_a_proportion() -> None:
    (found,) = by_group(
        cells_of(from_counts({"a": COUNTS})), DECISION_METRICS["accuracy"], level=0.9
    )
    assert (found.low, found.high) == proportion_limits(48, 60, level=0.9)


def test_few_errors_give_the_cost_exact_limits() -> None:
    (found,) = by_group(cells_of(from_counts({"a": (30, 1, 1, 30)})), COST, level=0.95)
    low, high = proportion_limits(2, 62, level=0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(5 * high))
    assert "2 errors" in found.note
    clean = by_group(cells_of(from_counts({"a": (30, 0, 0, 30)})), COST, level=0.95)[0]
    assert (clean.value, clean.low) == (0.0, 0.0)
    assert clean.high is not None
    assert clean.high > 0


def repeated(*, rows: int = 6, likeness: float = 0.8, seed: int = 4) -> GroupCells:
    rng = np.random.default_rng(seed)
    sample = drawn(rng, sizes=[80, 60], rows=rows, likeness=likeness)
    return cells_of(sample, "group")


def test_standard_errors_by_subject_are_those_of_the_ratio_estimator() -> None:
    sample = drawn(np.random.default_rng(4), sizes=[80, 60], rows=6, likeness=0.8)
    found = standard_errors(cells_of(sample, "group"), DECISION_METRICS["true_positive_rate"])
    positive = sample.label == 1.0
    for g in range(2):
        mask = positive & (sample.categories["group"].codes == g)
        hit = sample.decision[mask] == 1  # type: ignore[index]
        rate, who = hit.mean(), sample.subject[mask]
        sums = np.bincount(who, weights=hit - rate)
        present = np.unique(who).size
        expected = math.sqrt(present / (present - 1) * float(sums @ sums)) / mask.sum()
        assert found[g] == pytest.approx(expected, rel=1e-12)


def test_covariance_of_independent_rows_is_binomial_and_without_cross_terms() -> None:
    cells = cells_of(from_counts({"a": COUNTS, "b": (10, 20, 30, 40)}))
    found = covariance(cells, DECISION_METRICS["selection_rate"])
    assert found[0, 1] == pytest.approx(0.0, abs=1e-15)
    assert found[0, 0] == pytest.approx(0.4 * 0.6 / 60, rel=1e-12)


def test_correlated_rows_widen_the_interval_and_count_subjects() -> None:
    cells = repeated()
    pretend = replace(cells, repeats=False, pairs=None)
    metric = DECISION_METRICS["selection_rate"]
    for ours, naive in zip(
        by_group(cells, metric, level=0.95), by_group(pretend, metric, level=0.95), strict=True
    ):
        assert None not in (ours.low, ours.high, naive.low, naive.high)
        assert ours.high - ours.low > 1.5 * (naive.high - naive.low)  # type: ignore[operator]
        assert "rows" in ours.note
    assert [one.n for one in by_group(cells, metric, level=0.95)] == [80, 60]


def test_a_tally_with_second_moments_gives_the_limits_of_the_rows() -> None:
    cells = repeated()
    tally = replace(cells, pairs=None, second=second_moments(cells))
    metric = DECISION_METRICS["selection_rate"]
    for ours, theirs in zip(
        by_group(cells, metric, level=0.95), by_group(tally, metric, level=0.95), strict=True
    ):
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)


@pytest.mark.requirement("P8")
def test_counts_that_do_not_say_how_subjects_repeat_have_no_interval() -> None:
    for metric in (DECISION_METRICS["accuracy"], COST):
        found = by_group(replace(repeated(), pairs=None), metric, level=0.95)[0]
        assert found.value is not None
        assert found.low is None
        assert UNGROUNDED in found.note


def test_few_subjects_with_many_rows_have_no_interval() -> None:
    sample = drawn(np.random.default_rng(1), sizes=[5, 100], rows=40, likeness=0.9)
    small, large = by_group(
        cells_of(sample, "group"), DECISION_METRICS["selection_rate"], level=0.95
    )
    assert small.low is None
    assert "5 subjects are fewer" in small.note
    assert large.low is not None


def test_subjects_behind_a_denominator_are_those_with_a_row_in_it() -> None:
    sample = drawn(np.random.default_rng(9), sizes=[30, 30], rows=2, likeness=1.0, prevalence=0.2)
    cells = cells_of(sample, "group")
    behind = subjects_behind(cells, DECISION_METRICS["true_positive_rate"])
    positive = sample.label == 1.0
    codes = sample.categories["group"].codes
    assert behind == [np.unique(sample.subject[positive & (codes == g)]).size for g in (0, 1)]


def everything(sample: Sample) -> tuple[object, object]:
    """Return fairlearn's MetricFrame and ours on the same rows."""
    from fairlearn.metrics import (
        MetricFrame,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )
    from sklearn.metrics import accuracy_score, precision_score

    names = [sample.categories["race"].levels[code] for code in sample.categories["race"].codes]
    theirs = MetricFrame(
        metrics={
            "selection_rate": selection_rate,
            "true_positive_rate": true_positive_rate,
            "false_positive_rate": false_positive_rate,
            "positive_predictive_value": precision_score,
            "accuracy": accuracy_score,
        },
        y_true=sample.label,
        y_pred=sample.decision,
        sensitive_features=names,
    )
    ours = fairness_frame(
        cells_of(sample),
        metrics=[DECISION_METRICS[name] for name in theirs.overall.index],
        level=0.95,
        replicates=200,
        rng=np.random.default_rng(1),
    )
    return theirs, ours


def test_values_differences_and_ratios_agree_with_fairlearn() -> None:
    sample = from_counts({"a": COUNTS, "b": (40, 20, 11, 9), "c": (3, 4, 5, 6)})
    theirs, ours = everything(sample)
    assert ours.overall.to_numpy() == pytest.approx(theirs.overall.to_numpy(), abs=1e-9)  # type: ignore[attr-defined]
    assert ours.by_group.to_numpy() == pytest.approx(theirs.by_group.to_numpy(), abs=1e-9)  # type: ignore[attr-defined]
    for name in ("group_min", "group_max"):
        found, expected = getattr(ours, name)(), getattr(theirs, name)()
        assert found.to_numpy() == pytest.approx(expected.to_numpy().astype(float), abs=1e-9)
    for name in ("difference", "ratio"):
        for method in ("between_groups", "to_overall"):
            found = getattr(ours, name)(method=method)
            expected = getattr(theirs, name)(method=method)
            assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-9)


@pytest.mark.requirement("P8")
def test_where_fairlearn_says_zero_for_a_group_without_positives_we_say_undefined() -> None:
    theirs, ours = everything(from_counts({"a": COUNTS, "b": (20, 10, 0, 0)}))
    assert theirs.by_group.loc["b", "true_positive_rate"] == 0.0  # type: ignore[attr-defined]
    assert theirs.difference()["true_positive_rate"] == pytest.approx(17 / 22)  # type: ignore[attr-defined]
    assert math.isnan(ours.by_group.loc["race=b", "true_positive_rate"])  # type: ignore[attr-defined]
    assert math.isnan(ours.difference()["true_positive_rate"])  # type: ignore[attr-defined]
    assert "no positives" in ours.undefined["true_positive_rate", "race=b"]  # type: ignore[attr-defined]


@pytest.mark.requirement("P8")
def test_where_fairlearn_takes_an_undefined_group_for_no_difference_we_do_not() -> None:
    from fairlearn.metrics import MetricFrame

    label, score = np.array([0.0, 1, 0, 1, 0, 0]), np.array([0.1, 0.9, 0.4, 0.2, 0.3, 0.6])

    def area(truth: object, given: object) -> float:
        from sklearn.metrics import roc_auc_score

        return float("nan") if len(set(truth)) < 2 else float(roc_auc_score(truth, given))  # type: ignore[arg-type, call-overload]

    theirs = MetricFrame(
        metrics=area, y_true=label, y_pred=score, sensitive_features=list("aaaabb")
    )
    assert theirs.difference() == 0.0
    _, ours = everything(from_counts({"a": COUNTS, "b": (20, 10, 0, 0)}))
    assert math.isnan(ours.difference()["true_positive_rate"])  # type: ignore[attr-defined]
