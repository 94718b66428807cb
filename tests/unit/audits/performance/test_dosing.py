"""Prequential error, time in range and doses outside limits that differ on the two sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audits.errors import ProtocolMalformed, SampleMalformed
from audits.performance.dosing import Occasions, dose_error, prequential_error, time_in_range


def _occasions(predicted: Any, measured: Any, subject: Any = None) -> Occasions:
    predicted = np.asarray(predicted, dtype=float)
    who = np.arange(predicted.size) if subject is None else np.asarray(subject)
    return Occasions(predicted=predicted, measured=np.asarray(measured, dtype=float), subject=who)


def test_hand_worked_errors() -> None:
    # errors +10 %, -20 %, +30 %, 0
    found = prequential_error(_occasions([11, 8, 13, 10], [10, 10, 10, 10]), level=0.95)
    named = {one.metric: one for one in found}
    assert named["mpe"].value == pytest.approx(0.05)
    assert named["mape"].value == pytest.approx(0.15)
    assert named["rmspe"].value == pytest.approx(np.sqrt(0.14 / 4))
    assert named["error_within@0.2"].value == pytest.approx(0.75)
    assert named["mpe"].low is None


def test_limits_of_one_occasion_a_patient_are_those_of_students_mean() -> None:
    from scipy.stats import t

    rng = np.random.default_rng(1)
    found = prequential_error(_occasions(10 + rng.normal(size=40), np.full(40, 10.0)), level=0.95)
    error = rng = np.random.default_rng(1).normal(size=40) / 10
    half = t.ppf(0.975, 39) * error.std(ddof=1) / np.sqrt(40)
    assert found[0].high - found[0].value == pytest.approx(half, rel=1e-9)
    assert rng is error


def test_occasions_of_one_patient_do_not_narrow_the_limits() -> None:
    rng = np.random.default_rng(2)
    once = 10 + rng.normal(size=30)
    one = prequential_error(_occasions(once, np.full(30, 10.0)), level=0.95)
    six = prequential_error(
        _occasions(np.repeat(once, 6), np.full(180, 10.0), np.repeat(np.arange(30), 6)), level=0.95
    )
    for first, second in zip(one, six, strict=True):
        assert second.n == 30
        assert second.high - second.low >= (first.high - first.low) * 0.999


def test_time_in_range_weighs_occasions_by_the_time_they_stand_for() -> None:
    values, hours = np.array([5.0, 12.0, 20.0]), np.array([1.0, 6.0, 3.0])
    found = time_in_range(
        values, hours=hours, subject=np.arange(3), low=10.0, high=15.0, level=0.95
    )
    assert found.value == pytest.approx(0.6)
    assert found.low is None


def test_everybody_always_in_range_has_a_limit_by_patients() -> None:
    found = time_in_range(
        np.full(120, 12.0),
        hours=np.ones(120),
        subject=np.repeat(np.arange(20), 6),
        low=10.0,
        high=15.0,
        level=0.95,
    )
    assert (found.value, found.high, found.n) == (1.0, 1.0, 20)
    assert found.low < 0.85


def test_limits_of_a_dose_differ_on_the_two_sides() -> None:
    right = np.full(5, 100.0)
    dose = np.array([111.0, 109.0, 100.0, 81.0, 79.0])
    over, under = dose_error(
        dose, right=right, subject=np.arange(5), upper=0.1, lower=0.2, level=0.95
    )
    assert (over.value, under.value) == (0.2, 0.2)
    same = dose_error(dose, right=right, subject=np.arange(5), upper=0.2, lower=0.1, level=0.95)
    assert [one.value for one in same] == [0.0, 0.4]


@pytest.mark.parametrize(
    ("predicted", "measured"),
    [([1.0], [0.0]), ([1.0], [-2.0]), ([np.nan], [1.0]), ([1.0, 2.0], [1.0])],
    ids=["zero measured", "negative measured", "not a number", "lengths differ"],
)
def test_malformed_occasions_are_refused(predicted: Any, measured: Any) -> None:
    with pytest.raises(SampleMalformed):
        _occasions(predicted, measured)


def test_no_occasions_are_undefined() -> None:
    found = prequential_error(_occasions([], []), level=0.95)
    assert {one.value for one in found} == {None}
    empty = np.array([])
    none = time_in_range(
        empty, hours=empty, subject=empty.astype(int), low=1.0, high=2.0, level=0.95
    )
    assert none.value is None


def test_a_range_that_holds_nothing_is_refused() -> None:
    one = np.ones(1)
    with pytest.raises(ProtocolMalformed):
        time_in_range(one, hours=one, subject=np.zeros(1, int), low=2.0, high=1.0, level=0.95)


@pytest.mark.parametrize(("upper", "lower"), [(-0.1, 0.1), (0.1, 1.0), (0.1, -0.1)])
def test_limits_that_are_no_shares_of_a_dose_are_refused(upper: float, lower: float) -> None:
    one = np.ones(1)
    with pytest.raises(ProtocolMalformed):
        dose_error(one, right=one, subject=np.zeros(1, int), upper=upper, lower=lower, level=0.95)


def test_a_right_dose_of_nothing_is_refused() -> None:
    with pytest.raises(SampleMalformed):
        dose_error(
            np.ones(1), right=np.zeros(1), subject=np.zeros(1, int), upper=0.1, lower=0.1, level=0.9
        )
