"""Declared monotonicity: planted violations are found, examples are the worst ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from audits.errors import ExplanationMalformed
from audits.explanation.monotonicity import MonotoneRule, check_monotone
from audits.intervals.proportion import clopper_pearson

RULE = MonotoneRule(feature="dose", direction="never_falls", grid=(0.0, 1.0, 2.0, 3.0))


def columns(n: int = 100) -> dict[str, np.ndarray]:
    return {"dose": np.linspace(0, 3, n), "odd": (np.arange(n) % 10 == 0) * 1.0}


def bent(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rises, but falls by 0.5 between 1 and 2 where `odd`."""
    return rows["dose"] - 1.5 * rows["odd"] * (rows["dose"] >= 2)


def check(scorer: Any, *, rule: MonotoneRule = RULE, n: int = 100, subject: Any = None) -> Any:
    return check_monotone(
        scorer,
        columns(n),
        rule=rule,
        subject=np.arange(n) if subject is None else subject,
        level=0.95,
    )


def test_planted_violations_are_counted_with_their_interval() -> None:
    found = check(bent)
    assert found.share.value == 0.1
    assert found.share.low < 0.1 < found.share.high
    assert found.largest == pytest.approx(0.5)
    assert found.share.metric == "monotonicity_violations@dose"


def test_examples_say_where_and_how_far() -> None:
    first = check(bent).examples[0]
    assert (first.row, first.start, first.end, first.before, first.after) == (0, 1.0, 2.0, 1.0, 0.5)
    assert first.as_record()["after"] == "0.5"
    assert len(check(bent).examples) == 10


def test_examples_are_the_worst_first_and_few() -> None:
    found = check(lambda rows: -rows["dose"] * rows["odd"] * np.arange(200), n=200)
    sizes = [one.before - one.after for one in found.examples]
    assert sizes == sorted(sizes, reverse=True)
    assert found.examples[0].row == 190
    assert found.share.value == 19 / 200
    assert len(found.examples) == 10


def test_no_violation_is_still_an_estimate_with_an_upper_limit() -> None:
    found = check(lambda rows: rows["dose"])
    assert found.share.value == 0.0
    assert found.share.high == clopper_pearson(0, 100, level=0.95)[1]
    assert found.examples == ()


def test_the_other_direction_is_the_other_way_round() -> None:
    falls = MonotoneRule(feature="dose", direction="never_rises", grid=RULE.grid)
    assert check(lambda rows: rows["dose"], rule=falls).share.value == 1.0
    assert check(lambda rows: -rows["dose"], rule=falls).share.value == 0.0


def test_moves_within_the_tolerance_are_no_violation() -> None:
    loose = MonotoneRule(feature="dose", direction="never_falls", grid=RULE.grid, tolerance=0.5)
    assert check(bent, rule=loose).share.value == 0.0
    assert check(bent, rule=loose).largest == pytest.approx(0.5)


def test_repeated_subjects_are_counted_once() -> None:
    found = check(bent, n=120, subject=np.repeat(np.arange(20), 6))
    assert found.share.n == 20


def test_the_rows_are_not_changed() -> None:
    data = columns(10)
    before = data["dose"].copy()
    check_monotone(bent, data, rule=RULE, subject=np.arange(10), level=0.95)
    assert (data["dose"] == before).all()


@pytest.mark.parametrize(
    "change",
    [
        {"grid": (1.0,)},
        {"grid": (1.0, 1.0)},
        {"grid": (1.0, np.nan)},
        {"direction": "up"},
        {"tolerance": -1.0},
        {"grid": tuple(float(k) for k in range(1001))},
    ],
)
def test_malformed_rules_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ExplanationMalformed):
        MonotoneRule(**{"feature": "x", "direction": "never_falls", "grid": (0.0, 1.0), **change})


def test_a_feature_that_the_rows_have_not_is_named() -> None:
    other = MonotoneRule(feature="age", direction="never_falls", grid=(0.0, 1.0))
    with pytest.raises(ExplanationMalformed, match="age"):
        check(bent, rule=other)


@pytest.mark.parametrize(
    "scorer",
    [lambda rows: rows["dose"][:-1], lambda rows: rows["dose"] * np.nan],
    ids=["a row missing", "no number"],
)
def test_a_scorer_without_an_answer_is_refused(scorer: Any) -> None:
    with pytest.raises(ExplanationMalformed, match="one finite number"):
        check(scorer)


def test_rows_without_subjects_are_refused() -> None:
    with pytest.raises(ExplanationMalformed, match="subject"):
        check(bent, subject=np.arange(99))
