"""Signal detection against controls: shares, area, and the time until a signal is raised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audits.errors import SampleMalformed
from audits.performance.signals import Controls, signal_detection


def controls(
    positive: Any, detected: Any, *, observed: Any = None, drug: Any = None, statistic: Any = None
) -> Controls:
    found = np.asarray(positive, dtype=bool)
    return Controls(
        positive=found,
        statistic=found * 1.0 if statistic is None else np.asarray(statistic, dtype=float),
        detected_days=np.asarray(detected, dtype=float),
        observed_days=np.full(found.size, 100.0) if observed is None else np.asarray(observed),
        drug=np.arange(found.size) if drug is None else np.asarray(drug),
    )


def named(found: Controls) -> dict:
    return {one.metric: one for one in signal_detection(found, level=0.95)}


NONE = np.nan


def test_shares_and_area_of_controls() -> None:
    found = named(
        controls(
            [1, 1, 1, 1, 0, 0, 0, 0],
            [10, 20, 30, NONE, NONE, NONE, NONE, 50],
            statistic=[4, 3, 3, 1, 0, 1, 0, 3],
        )
    )
    assert found["signal_sensitivity"].value == 0.75
    assert found["signal_specificity"].value == 0.75
    # pairs in order: 4 beats 4, each 3 beats 3 and ties 1, 1 beats 2 and ties 1
    assert found["auroc"].value == pytest.approx((4 + 3.5 + 3.5 + 2.5) / 16)
    assert found["signal_sensitivity"].unit == "drug"


def test_median_time_counts_those_never_signalled() -> None:
    found = named(controls([1] * 5, [10, 20, 30, NONE, NONE]))["median_days_to_detection"]
    assert found.value == 30.0
    without = named(controls([1] * 4, [10, NONE, NONE, NONE]))["median_days_to_detection"]
    assert without.value is None
    assert "not signalled" in without.note


def test_median_is_that_of_kaplan_and_meier_with_censoring() -> None:
    # S: 5/6 at 10, censored 15, then 3/4 of it at 20, 2/3 at 30, ...: 5/6 * 3/4 = .625, .4167
    found = named(
        controls([1] * 6, [10, NONE, 20, 30, 40, NONE], observed=[100, 15, 100, 100, 100, 100.0])
    )
    assert found["median_days_to_detection"].value == 30.0


def test_limits_of_the_median_are_brookmeyers_for_uncensored_times() -> None:
    rng = np.random.default_rng(1)
    days = np.sort(rng.exponential(20, 200)).clip(0.1, 99)
    found = named(controls([1] * 200, days))["median_days_to_detection"]
    # order statistics 86 and 115 hold the median of 200 with about 95 %
    assert found.low == pytest.approx(days[85], rel=0.06)
    assert found.high == pytest.approx(days[114], rel=0.06)


def test_controls_of_one_drug_widen_the_limits() -> None:
    rng = np.random.default_rng(2)
    days = np.repeat(rng.exponential(20, 60).clip(0.1, 99), 6)
    alone = named(controls([1] * 360, days))
    together = named(controls([1] * 360, days, drug=np.repeat(np.arange(60), 6)))
    one, six = (x["median_days_to_detection"] for x in (alone, together))
    assert six.value == one.value
    assert six.high - six.low > 1.5 * (one.high - one.low)
    assert six.n == 60


def test_no_positive_controls_are_undefined() -> None:
    found = named(controls([0] * 5, [NONE] * 5))
    assert found["signal_sensitivity"].value is None
    assert found["median_days_to_detection"].value is None
    assert found["auroc"].value is None


@pytest.mark.parametrize(
    ("detected", "observed"),
    [([120.0], [100.0]), ([-1.0], [100.0]), ([NONE], [0.0])],
    ids=["after the end", "before the start", "not observed"],
)
def test_impossible_times_are_refused(detected: Any, observed: Any) -> None:
    with pytest.raises(SampleMalformed):
        controls([1], detected, observed=observed)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(SampleMalformed):
        controls([1, 0], [1.0])
