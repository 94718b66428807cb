"""Every site is shown, and a difference between independent places carries both their doubts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audits.errors import PoolingRefused
from audits.estimate import Estimate
from audits.sources.sample import Category, Sample
from audits.temporal.sites import by_site, replication


def share(sample: Sample, population: str) -> Estimate:
    return Estimate(
        metric="share",
        value=float(np.asarray(sample.label).mean()),
        low=None,
        high=None,
        level=0.95,
        n=sample.n,
        unit="patient",
        method="test",
        population=population,
        note="no interval here",
    )


SITES = Sample(
    subject=np.arange(45),
    label=np.array([0.0, 1.0] * 20 + [0.0] * 5),
    categories={
        "site": Category(
            codes=np.array([1] * 40 + [0] * 4 + [-1], dtype=np.int32), levels=("b", "a", "c")
        )
    },
    unit="patient",
)


@pytest.mark.requirement("P8")
def test_every_site_is_listed_in_order_and_small_ones_say_so() -> None:
    found = by_site(SITES, site="site", metric=share, name="share", level=0.95, minimum_events=5)
    assert [one.population for one in found] == ["site=a", "site=b", "site=c"]
    assert found[0].value == 0.5
    assert [one.value for one in found[1:]] == [None, None]
    assert found[1].note == "insufficient: 0 events, 5 are needed"
    assert found[2].n == 0


def test_site_that_is_no_column_is_refused() -> None:
    with pytest.raises(PoolingRefused, match="no category 'clinic'") as refusal:
        by_site(SITES, site="clinic", metric=share, name="share", level=0.95, minimum_events=5)
    assert refusal.value.next_step


DEVELOPMENT = Estimate(
    metric="auroc",
    value=0.85,
    low=0.80,
    high=0.89,
    level=0.95,
    n=400,
    unit="patient",
    method="test",
    population="development",
)
EXTERNAL = replace(DEVELOPMENT, value=0.70, low=0.62, high=0.77, n=90, population="site=a")


def test_replication_is_external_minus_development_with_limits_of_both() -> None:
    found = replication(EXTERNAL, DEVELOPMENT)
    assert found.population == "site=a minus development"
    assert found.value == pytest.approx(-0.15)
    # By hand: sqrt(.08^2 + .04^2) below, sqrt(.07^2 + .05^2) above.
    assert found.low == pytest.approx(-0.15 - 0.0894427191)
    assert found.high == pytest.approx(-0.15 + 0.0860232527)


def test_site_without_an_interval_has_no_replication_and_says_why() -> None:
    small = replace(EXTERNAL, value=None, low=None, high=None, note="insufficient: 2 events")
    for found in (
        replication(small, DEVELOPMENT),
        replication(EXTERNAL, replace(small, population="development")),
    ):
        assert found.value is None
        assert "insufficient: 2 events" in found.note


def test_other_measure_or_level_is_not_compared() -> None:
    with pytest.raises(PoolingRefused, match="cannot be compared"):
        replication(replace(EXTERNAL, metric="brier"), DEVELOPMENT)
    with pytest.raises(PoolingRefused, match="cannot be compared"):
        replication(replace(EXTERNAL, level=0.9), DEVELOPMENT)


def test_interval_of_the_difference_covers() -> None:
    """1,000 pairs of shares with Wilson limits: 95 % less two points less two standard errors."""
    from audits.intervals.proportion import proportion_estimate

    rng = np.random.default_rng(2)
    hits = 0
    for ours, theirs in zip(
        rng.binomial(60, 0.7, 1000), rng.binomial(300, 0.85, 1000), strict=True
    ):
        pair = [
            proportion_estimate(metric="share", successes=int(x), n=n, level=0.95, unit="patient")
            for x, n in ((ours, 60), (theirs, 300))
        ]
        found = replication(*pair)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= -0.15 <= found.high
    assert hits >= 916
