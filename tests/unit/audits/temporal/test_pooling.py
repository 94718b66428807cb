"""Pooling over sites: the published tables, the definitions, and what too few sites give."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audits.errors import PoolingRefused
from audits.estimate import Estimate
from audits.temporal.pooling import combine, new_site, pool, shrink, shrunken

# Colditz et al. (1994), as dat.bcg of metadat: vaccinated with and without, controls with and
# without tuberculosis.
BCG = np.array(
    [
        (4, 119, 11, 128),
        (6, 300, 29, 274),
        (3, 228, 11, 209),
        (62, 13536, 248, 12619),
        (33, 5036, 47, 5761),
        (180, 1361, 372, 1079),
        (8, 2537, 10, 619),
        (505, 87886, 499, 87892),
        (29, 7470, 45, 7232),
        (17, 1699, 65, 1600),
        (186, 50448, 141, 27197),
        (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ],
    dtype=float,
)


def log_ratios() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    a, b, c, d = BCG.T
    y = np.log((a / (a + b)) / (c / (c + d)))
    return y, 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)


def test_dersimonian_laird_is_that_of_the_bcg_trials() -> None:
    """Viechtbauer (2010), Journal of Statistical Software 36(3): tau2 .3088, I2 92.12 %."""
    found = combine(*log_ratios(), method="DL")
    assert found.tau2 == pytest.approx(0.3088, abs=5e-5)
    assert found.mean == pytest.approx(-0.7141, abs=5e-5)
    assert found.q == pytest.approx(152.2330, abs=5e-5)
    assert found.i2 == pytest.approx(0.9212, abs=5e-5)


def test_plain_standard_error_of_the_bcg_trials_is_published_and_ours_is_not_below_it() -> None:
    y, v = log_ratios()
    found = combine(y, v, method="DL")
    plain = 1 / math.sqrt((1 / (v + found.tau2)).sum())
    assert plain == pytest.approx(0.1787, abs=5e-5)
    assert found.se >= plain


def test_paule_mandel_solves_its_equation_on_the_bcg_trials() -> None:
    y, v = log_ratios()
    found = combine(y, v, method="PM")
    weight = 1 / (v + found.tau2)
    mean = weight @ y / weight.sum()
    assert weight @ (y - mean) ** 2 == pytest.approx(12, abs=1e-9)
    assert found.tau2 == pytest.approx(0.318, abs=5e-4)


def test_sites_that_agree_have_no_heterogeneity() -> None:
    found = combine(np.array([0.5, 0.5, 0.5]), np.array([0.1, 0.2, 0.3]), method="PM")
    assert (found.tau2, found.i2, found.q) == (0.0, 0.0, 0.0)
    assert found.se == pytest.approx(1 / math.sqrt(10 + 5 + 10 / 3))


# Efron and Morris (1977), Scientific American 236(5), 119-127: hits in the first 45 at bats.
HITS = np.array([18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]) / 45


def test_shrinkage_of_the_batting_averages_is_that_of_efron_and_morris() -> None:
    """Published: grand mean .265, shrinking factor .212, Clemente .294, Alvis .242."""
    mean = HITS.mean()
    variance = np.full(18, mean * (1 - mean) / 45)
    drawn, _, b = shrink(HITS, variance)
    assert mean == pytest.approx(0.265, abs=5e-4)
    assert 1 - b[0] == pytest.approx(0.212, abs=5e-4)
    assert drawn[0] == pytest.approx(0.294, abs=5e-4)
    assert drawn[-1] == pytest.approx(0.242, abs=5e-4)
    # Equal variances: exactly the James-Stein rule with k - 3.
    assert b[0] == pytest.approx(15 * variance[0] / ((HITS - mean) ** 2).sum(), rel=1e-9)


def site(name: str, value: float | None, reach: float = 0.05, metric: str = "auroc") -> Estimate:
    return Estimate(
        metric=metric,
        value=value,
        low=None if value is None else value - reach,
        high=None if value is None else value + reach,
        level=0.95,
        n=80,
        unit="patient",
        method="test",
        population=f"site={name}",
        note="too few" if value is None else "",
    )


FIVE = [site(n, v) for n, v in zip("ABCDE", (0.70, 0.78, 0.81, 0.66, 0.90), strict=True)]


def test_new_site_may_expect_less_than_the_mean_promises() -> None:
    found = pool(FIVE, level=0.95)
    assert found.mean.low is not None
    assert found.new_site.low is not None
    assert found.new_site.low < found.mean.low
    assert found.mean.value == pytest.approx(found.new_site.value)
    assert found.tau2 is not None
    assert found.tau2 > 0
    assert (found.mean.unit, found.mean.n) == ("site", 5)
    assert 0 < found.new_site.low < 1


def test_site_without_an_interval_or_at_the_end_of_the_scale_is_left_out_by_name() -> None:
    perfect = Estimate(
        metric="auroc",
        value=1.0,
        low=0.8,
        high=1.0,
        level=0.95,
        n=9,
        unit="patient",
        method="test",
        population="site=P",
    )
    found = pool([*FIVE, site("F", None), perfect], level=0.95)
    assert found.left_out == ("site=F", "site=P")
    assert found.sites == 5


@pytest.mark.parametrize(
    ("sites", "mean", "new"),
    [(0, False, False), (1, False, False), (2, True, False), (3, True, True)],
)
def test_too_few_sites_give_what_they_can_and_say_what_they_cannot(
    sites: int, mean: bool, new: bool
) -> None:
    found = pool([*FIVE[:sites], site("F", None)], level=0.95)
    assert (found.mean.value is not None, found.new_site.value is not None) == (mean, new)
    for one in (found.mean, found.new_site):
        assert one.value is not None or "insufficient" in one.note


def test_each_site_is_drawn_towards_the_mean_and_never_past_it() -> None:
    drawn = shrunken(FIVE, level=0.95)
    mean = pool(FIVE, level=0.95).mean.value
    for before, after in zip(FIVE, drawn, strict=True):
        assert before.value is not None
        assert after.value is not None
        assert min(before.value, mean) <= after.value <= max(before.value, mean)  # type: ignore[type-var]
        assert after.population == before.population
        assert after.n == before.n


def test_shrunken_site_without_an_interval_is_still_listed() -> None:
    drawn = shrunken([*FIVE, site("F", None)], level=0.95)
    assert [one.population for one in drawn] == [f"site={name}" for name in "ABCDEF"]
    assert drawn[-1].value is None
    assert all(one.value is None for one in shrunken(FIVE[:3], level=0.95))


def test_measures_are_not_mixed() -> None:
    with pytest.raises(PoolingRefused, match="one measure"):
        pool([FIVE[0], site("B", 0.7, metric="brier")], level=0.95)
    with pytest.raises(PoolingRefused, match="at least one"):
        pool([], level=0.95)
    with pytest.raises(PoolingRefused, match="one measure"):
        shrunken([FIVE[0], site("B", 0.7, metric="brier")], level=0.95)


def test_malformed_effects_are_refused() -> None:
    one = np.array([0.5])
    with pytest.raises(PoolingRefused, match="at least two"):
        combine(one, one, method="DL")
    with pytest.raises(PoolingRefused, match="positive variance"):
        combine(np.array([1.0, 2.0]), np.array([0.0, 1.0]), method="DL")
    with pytest.raises(PoolingRefused, match="not a method"):
        combine(np.array([1.0, 2.0]), np.array([1.0, 1.0]), method="REML")  # type: ignore[arg-type]
    with pytest.raises(PoolingRefused, match="nothing about a new one"):
        new_site(np.arange(2.0), np.ones(2), level=0.95)
    with pytest.raises(PoolingRefused, match="too few to shrink"):
        shrink(np.arange(3.0), np.ones(3))


def coverage(runs: int, *, sites: int, tau2: float, seed: int) -> tuple[float, float, float]:
    """Shares of intervals of mean, of a new site, and of the shrunken sites that cover."""
    from scipy.stats import t as student

    rng = np.random.default_rng(seed)
    hits = np.zeros(3)
    for _ in range(runs):
        v = rng.uniform(0.02, 0.2, sites)
        theta = rng.normal(0, tau2**0.5, sites + 1)
        y = theta[:-1] + rng.normal(0, v**0.5)
        found = combine(y, v, method="PM")
        hits[0] += abs(found.mean) <= student.ppf(0.975, sites - 1) * found.se
        low, high = new_site(y, v, level=0.95)
        hits[1] += low <= theta[-1] <= high
        drawn, se, _ = shrink(y, v)
        hits[2] += (np.abs(drawn - theta[:-1]) <= 1.959964 * se).mean()
    return tuple(hits / runs)  # type: ignore[return-value]


def test_intervals_over_sites_cover_their_level_less_two_points() -> None:
    # 100 runs: the bound of 93 % less three standard errors (7.7 points).
    for sites, tau2 in ((6, 0.1), (12, 0.0)):
        mean, new, drawn = coverage(100, sites=sites, tau2=tau2, seed=sites)
        assert min(mean, drawn) >= 0.853, (sites, tau2, mean, drawn)
        assert new >= 0.853, (sites, tau2, new)


@pytest.mark.campaign
@pytest.mark.parametrize("sites", [5, 8, 15])
@pytest.mark.parametrize("tau2", [0.0, 0.05, 0.3])
def test_intervals_over_sites_cover_in_a_long_simulation(sites: int, tau2: float) -> None:
    mean, new, drawn = coverage(2_000, sites=sites, tau2=tau2, seed=sites)
    assert mean >= 0.93
    assert drawn >= 0.93
    assert new >= 0.93
