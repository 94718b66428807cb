"""Changes on the same rows: exact values, paired limits, few changes taken for what they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from audits.fairness.cells import GroupCells, count_cells, decided, paired
from audits.fairness.metrics import DECISION_METRICS
from audits.fairness.paired import EXACT, changes, moved
from audits.intervals.proportion import clopper_pearson
from audits.sources.sample import Sample
from tests.unit.audits.fairness.people import category, drawn

SELECTION = DECISION_METRICS["selection_rate"]
PPV = DECISION_METRICS["positive_predictive_value"]


def both(moves: dict[str, Sequence[tuple[int, int, int, int]]]) -> GroupCells:
    """Count rows given by group as (label, before, after, how many)."""
    label, before, after, names = [], [], [], []
    for name, rows in moves.items():
        for truth, one, other, count in rows:
            label += [float(truth)] * count
            before += [one] * count
            after += [other] * count
            names += [name] * count
    sample = Sample(
        subject=np.arange(len(label)),
        label=np.array(label),
        decision=np.array(before, dtype=np.int8),
        categories={"race": category(names)},
    )
    outcome = paired(decided(sample), decided(sample, decision=np.array(after, dtype=np.int8)))
    return count_cells(sample, attributes=["race"], outcome=outcome)


def changed(cells: GroupCells, metric: str = "selection_rate") -> list[tuple[float | None, ...]]:
    found = changes(
        cells,
        metric=DECISION_METRICS[metric],
        level=0.95,
        replicates=500,
        rng=np.random.default_rng(1),
        name="change",
    )
    return [(one.value, one.low, one.high) for one in found]


MANY = ((0, 0, 0, 300), (1, 1, 1, 200), (1, 0, 1, 60), (0, 1, 0, 20))


def test_values_and_directions_are_counted_exactly() -> None:
    cells = both({"a": MANY})
    ((value, low, high),) = changed(cells)
    assert value == pytest.approx(40 / 580, rel=1e-12)
    assert low is not None
    assert high is not None
    assert low < 40 / 580 < high
    assert moved(cells, top=SELECTION.top) == [(60, 20)]


def test_pairing_narrows_the_interval() -> None:
    """The paired standard error of (b - c)/n is sqrt(b + c - (b - c)^2/n)/n."""
    ((_, low, high),) = changed(both({"a": MANY}))
    exact = 2 * 1.96 * (80 - 40**2 / 580) ** 0.5 / 580
    assert high - low == pytest.approx(exact, rel=0.12)  # type: ignore[operator]


def test_few_changes_take_exact_limits_of_both_directions() -> None:
    found = changes(
        both({"a": ((0, 0, 0, 100), (1, 0, 1, 3))}),
        metric=SELECTION,
        level=0.95,
        replicates=500,
        rng=np.random.default_rng(1),
        name="change",
    )[0]
    up, down = clopper_pearson(3, 103, level=0.975), clopper_pearson(0, 103, level=0.975)
    assert (found.low, found.high) == pytest.approx((up[0] - down[1], up[1] - down[0]))
    assert found.method == EXACT


@pytest.mark.requirement("P8")
def test_nothing_changed_is_no_certainty() -> None:
    ((value, low, high),) = changed(both({"a": ((0, 0, 0, 50), (1, 1, 1, 50))}))
    assert value == 0.0
    assert low == pytest.approx(-high)  # type: ignore[operator]
    assert high is not None
    assert high > 0.02


@pytest.mark.requirement("P8")
def test_a_metric_undefined_on_one_side_is_undefined() -> None:
    cells = both({"a": MANY, "b": ((1, 0, 1, 20), (0, 0, 0, 20))})
    found = changed(cells, "positive_predictive_value")
    assert found[1] == (None, None, None)
    assert found[0][1] is not None


def test_few_changes_of_a_moving_denominator_have_no_limits() -> None:
    found = changed(both({"a": ((0, 0, 0, 90), (1, 1, 1, 20), (1, 0, 1, 3))}), PPV.name)
    assert found[0][0] == 0.0
    assert found[0][1] is None


def test_few_changes_of_repeating_subjects_have_no_limits() -> None:
    sample = drawn(np.random.default_rng(1), sizes=[50], rows=4, likeness=0.5)
    after = sample.decision.copy()  # type: ignore[union-attr]
    after[:3] = 1 - after[:3]
    cells = count_cells(
        sample,
        attributes=["group"],
        outcome=paired(decided(sample), decided(sample, decision=after)),
    )
    ((value, low, _),) = changed(cells)
    assert value is not None
    assert low is None
