"""Expected calibration error: what it is, what of it is chance, and limits that keep their word."""

from __future__ import annotations

import numpy as np
import pytest

from audits.errors import SampleMalformed
from audits.performance.ece import ece
from audits.performance.rows import Rows
from tests.unit.audits.performance.samples import World, rows


def _ece(drawn: Rows, *, bins: int = 10, seed: int = 1) -> dict:
    rng = np.random.default_rng(seed)
    return {one.metric: one for one in ece(drawn, bins=bins, level=0.95, rng=rng)}


def test_hand_worked_error_of_two_bins() -> None:
    # bins (.2: 1 of 4) and (.6: 4 of 4): (|.25 - .2| + |1 - .6|)/2
    eight = rows([1, 0, 0, 0, 1, 1, 1, 1], [0.2] * 4 + [0.6] * 4)
    found = _ece(eight, bins=2)
    assert found["ece"].value == pytest.approx((0.05 + 0.4) / 2)
    assert found["ece"].low is None
    floor = np.sqrt(2 / np.pi) * (np.sqrt(0.16 / 4) + np.sqrt(0.24 / 4)) / 2
    assert found["ece_if_calibrated"].value == pytest.approx(floor)


def test_debiased_square_is_kumars() -> None:
    # per bin gap^2 - y(1 - y)/(n - 1), as Kumar, Liang and Ma (2019) write it
    score = np.repeat([0.2, 0.5, 0.7], 40)
    label = np.concatenate([np.arange(40) < k for k in (18, 20, 36)])
    share = np.array([18, 20, 36]) / 40
    expected = np.mean((share - [0.2, 0.5, 0.7]) ** 2 - share * (1 - share) / 39)
    found = _ece(rows(label, score), bins=3)["calibration_rms_debiased"]
    # our variance is never below that of the stated share: bins 2 and 3 are as observed or wider
    least = np.maximum(share * (1 - share) / 39, np.array([0.16, 0.25, 0.21]) / 40)
    ours = np.mean((share - [0.2, 0.5, 0.7]) ** 2 - least)
    assert found.value == pytest.approx(np.sqrt(ours), abs=1e-12)
    assert abs(ours - expected) < 0.002


def test_floor_is_what_a_calibrated_score_shows_on_average() -> None:
    rng = np.random.default_rng(2)
    errors, floors = [], []
    for _ in range(200):
        found = _ece(World().draw(rng, subjects=300))
        errors.append(found["ece"].value)
        floors.append(found["ece_if_calibrated"].value)
    assert np.mean(errors) == pytest.approx(np.mean(floors), rel=0.04)
    assert np.mean(errors) > 0.03


def test_floor_of_repeated_subjects_counts_their_dependence() -> None:
    rng = np.random.default_rng(3)
    errors, floors = [], []
    for _ in range(150):
        found = _ece(World().draw(rng, subjects=100, rows_each=6))
        errors.append(found["ece"].value)
        floors.append(found["ece_if_calibrated"].value)
    assert np.mean(errors) == pytest.approx(np.mean(floors), rel=0.08)


def test_planted_miscalibration_lies_above_the_floor_and_its_interval_excludes_zero() -> None:
    drawn = World(shift=0.8).draw(np.random.default_rng(4), subjects=2000)
    found = _ece(drawn)
    assert found["ece"].low > 0.05
    assert found["ece"].value > 3 * found["ece_if_calibrated"].value


def test_interval_of_a_calibrated_score_holds_zero() -> None:
    found = _ece(World().draw(np.random.default_rng(5), subjects=2000))
    assert found["ece"].low == 0.0
    assert found["calibration_rms_debiased"].low == 0.0


def test_few_subjects_in_a_bin_give_no_interval() -> None:
    found = _ece(World().draw(np.random.default_rng(6), subjects=90), bins=20)
    assert found["ece"].low is None
    assert "too few" in found["ece"].note


def test_one_class_is_undefined() -> None:
    assert {one.value for one in _ece(rows([0] * 40, [0.1] * 40)).values()} == {None}


def test_a_score_that_is_no_probability_is_refused() -> None:
    with pytest.raises(SampleMalformed):
        _ece(rows([0, 1], [3.0, -1.0]))


def test_the_same_generator_gives_the_same_limits() -> None:
    drawn = World().draw(np.random.default_rng(7), subjects=300)
    assert _ece(drawn) == _ece(drawn)
