"""Distances equal scipy on the same data; their intervals hold what they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from scipy.stats import chi2_contingency, ks_2samp, norm, wasserstein_distance

from audits.drift.distances import (
    Side,
    binned_distances,
    chi_square,
    jensen_shannon_divergence,
    ks_statistic,
    psi_statistic,
    wasserstein_statistic,
)
from audits.drift.reference import reference_of, tally
from audits.sources.sample import Sample

METHODS = ("ks", "wasserstein", "psi", "jensen_shannon", "cramers_v")


def _numbers(values: np.ndarray, *, repeats: int = 1) -> Sample:
    return Sample(subject=np.arange(values.size, dtype=np.int64) // repeats, numbers={"x": values})


@pytest.mark.parametrize("seed", range(5))
def test_statistics_of_counts_equal_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.poisson(20, size=12), rng.poisson(9, size=12)
    p[3] = q[5] = 0
    at = np.sort(rng.normal(size=12))
    rows = np.repeat(at, p), np.repeat(at, q)
    assert ks_statistic(p, q) == pytest.approx(ks_2samp(*rows).statistic, abs=1e-9)
    assert wasserstein_statistic(p, q, at) == pytest.approx(wasserstein_distance(*rows), abs=1e-9)
    assert jensen_shannon_divergence(p, q) ** 0.5 == pytest.approx(
        jensenshannon(p, q, base=2), abs=1e-9
    )
    theirs = chi2_contingency(np.stack([p, q]), correction=False)
    assert chi_square(p, q) == pytest.approx(
        (theirs.statistic, theirs.dof, theirs.pvalue), abs=1e-9
    )
    a, b = (p + 0.5) / (p + 0.5).sum(), (q + 0.5) / (q + 0.5).sum()
    both_ways = rel_entr(a, b).sum() + rel_entr(b, a).sum()
    assert psi_statistic(p, q) == pytest.approx(both_ways, abs=1e-9)


def test_a_column_of_few_values_is_compared_exactly_as_its_rows() -> None:
    rng = np.random.default_rng(6)
    first, second = rng.poisson(8, 3000) / 4.0, np.minimum(rng.poisson(9, 2000) / 4.0, 3.0)
    column = reference_of(_numbers(first), columns=["x"]).columns["x"]
    counts = tally(column.grid, second)
    found = {
        one.method: one
        for one in column.compare(counts, effective=2000, methods=METHODS, level=0.95)
    }
    scale = np.quantile(first, 0.75) - np.quantile(first, 0.25)
    assert found["ks"].raw == pytest.approx(ks_2samp(first, second).statistic, abs=1e-9)
    assert found["ks"].resolution == 0.0
    assert found["wasserstein"].raw == pytest.approx(
        wasserstein_distance(first, second) / scale, abs=1e-9
    )


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_a_continuous_column_is_compared_within_its_stated_resolution(shift: float) -> None:
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=30_000), rng.normal(shift, size=20_000)
    column = reference_of(_numbers(first), columns=["x"]).columns["x"]
    found = column.compare(
        tally(column.grid, second), effective=20_000, methods=["wasserstein"], level=0.95
    )[0]
    scale = np.quantile(first, 0.75) - np.quantile(first, 0.25)
    assert found.value is not None
    assert found.value == pytest.approx(
        wasserstein_distance(first, second) / scale, abs=found.resolution + 1e-3
    )
    assert found.resolution < 0.01


def _truth(q: np.ndarray, p: np.ndarray, *, n: int, m: int) -> dict[str, float]:
    middle, a, b = (p + q) / 2, n / (n + m), m / (n + m)
    divergence = ((p * np.log2(p / middle) + q * np.log2(q / middle)) / 2).sum()
    return {
        "psi": float(((p - q) * np.log(p / q)).sum()),
        "jensen_shannon": float(divergence**0.5),
        "cramers_v": float((a * b * ((p - q) ** 2 / (a * p + b * q)).sum()) ** 0.5),
    }


@pytest.mark.parametrize("bins", [2, 5, 10])
@pytest.mark.parametrize(("n", "m"), [(200, 100), (2000, 200), (500, 500)])
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3, 0.8])
def test_binned_intervals_cover_on_the_stated_grid(bins: int, n: int, m: int, shift: float) -> None:
    """At least nominal less two points, less two standard errors of 400 runs."""
    rng = np.random.default_rng(8)
    cuts = norm.ppf(np.arange(1, bins) / bins)
    p = np.full(bins, 1 / bins)
    q = np.diff(np.concatenate(([0], norm.cdf(cuts - shift), [1])))
    truth, runs = _truth(q, p, n=n, m=m), 400
    held = dict.fromkeys(truth, 0)
    for counts, others in zip(
        rng.multinomial(n, p, size=runs), rng.multinomial(m, q, size=runs), strict=True
    ):
        sides = Side(counts=counts, effective=n), Side(counts=others, effective=m)
        for one in binned_distances(*sides, level=0.95):
            assert one.low is not None
            assert one.high is not None
            held[one.method] += one.low - 1e-12 <= truth[one.method] <= one.high + 1e-12
    for method, hits in held.items():
        assert hits / runs >= 0.93 - 2 * (0.95 * 0.05 / runs) ** 0.5, method


@pytest.mark.parametrize("repeats", [1, 6])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_ordered_intervals_cover_also_where_subjects_repeat(repeats: int, shift: float) -> None:
    """Six alike rows a subject: the interval is that of the subjects, not of the rows."""
    rng = np.random.default_rng(9)
    truth = {"ks": 2 * norm.cdf(shift / 2) - 1, "wasserstein": shift / (2 * norm.ppf(0.75))}
    held, runs, subjects = dict.fromkeys(truth, 0), 60, 120

    def rows(count: int, mean: float) -> np.ndarray:
        own = np.repeat(rng.normal(size=count), repeats)
        return mean + 0.95**0.5 * own + 0.05**0.5 * rng.normal(size=own.size)

    for _ in range(runs):
        first = _numbers(rows(subjects, 0.0), repeats=repeats)
        second = _numbers(rows(subjects, shift), repeats=repeats)
        column = reference_of(first, columns=["x"]).columns["x"]
        from audits.drift.reference import effective_rows

        worth = effective_rows(column, second.numbers["x"], second)
        assert worth <= 1.5 * subjects
        for one in column.compare(
            tally(column.grid, second.numbers["x"]), effective=worth, methods=truth, level=0.95
        ):
            assert one.low is not None
            assert one.high is not None
            held[one.method] += one.low <= truth[one.method] <= one.high
    assert min(held.values()) / runs >= 0.9


def test_the_bias_of_few_rows_is_removed() -> None:
    rng = np.random.default_rng(10)
    p = np.full(10, 0.1)
    found = [
        binned_distances(
            Side(counts=rng.multinomial(10_000, p), effective=10_000),
            Side(counts=rng.multinomial(150, p), effective=150),
            level=0.95,
        )[0]
        for _ in range(300)
    ]
    raw = np.mean([one.raw for one in found])
    assert raw == pytest.approx(found[0].bias, rel=0.15)
    assert np.mean([one.value for one in found]) < raw / 2


def test_too_few_rows_a_bin_have_a_value_and_no_interval() -> None:
    sides = (
        Side(counts=np.full(10, 100), effective=1000.0),
        Side(counts=np.full(10, 4), effective=40),
    )
    for one in binned_distances(*sides, level=0.95):
        assert one.value is not None
        assert (one.low, one.high) == (None, None)
        assert "fewer than 5" in one.note


def test_a_reference_that_does_not_vary_has_no_unit_for_wasserstein() -> None:
    column = reference_of(_numbers(np.ones(500)), columns=["x"]).columns["x"]
    found = column.compare(
        tally(column.grid, np.zeros(500)), effective=500, methods=METHODS, level=0.95
    )
    by_name = {one.method: one for one in found}
    assert by_name["wasserstein"].value is None
    assert by_name["ks"].value == 1.0
    assert by_name["psi"].value is not None
    assert by_name["psi"].value > 5
