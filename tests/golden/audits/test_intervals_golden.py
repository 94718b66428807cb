"""Our limits against the examples of the papers and against second implementations."""

from __future__ import annotations

import json
import math
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from audits.criteria import Criterion
from audits.intervals.assumptions import (
    AurocDifferenceAssumed,
    MeanAssumed,
    ShareAssumed,
    ShareDifferenceAssumed,
)
from audits.intervals.power import power_at, required_n
from audits.intervals.proportion import clopper_pearson, wilson
from audits.intervals.two_proportions import (
    Share,
    difference_score,
    koopman,
    miettinen_nurminen,
    newcombe,
    ratio_score,
)

GOLDEN: dict[str, Any] = json.loads(
    Path(__file__).with_name("intervals.json").read_text(encoding="utf-8")
)


def rows(part: str) -> list[dict[str, Any]]:
    return list(GOLDEN[part]["rows"])


def share(pair: list[int]) -> Share:
    return Share(successes=pair[0], n=pair[1])


@pytest.mark.parametrize("row", rows("single"), ids=lambda row: f"{row['x']} of {row['n']}")
@pytest.mark.parametrize(
    ("name", "limits"), [("wilson", wilson), ("clopper-pearson", clopper_pearson)]
)
def test_single_proportions_of_newcombe_1998(row: dict[str, Any], name: str, limits: Any) -> None:
    found = limits(row["x"], row["n"], level=0.95)
    assert [f"{one:.4f}" for one in found] == row[name]


@pytest.mark.parametrize("row", rows("difference"), ids=lambda row: f"{row['first']}")
@pytest.mark.parametrize(
    ("name", "limits"), [("newcombe", newcombe), ("miettinen-nurminen", miettinen_nurminen)]
)
def test_differences_of_newcombe_1998(row: dict[str, Any], name: str, limits: Any) -> None:
    found = limits(share(row["first"]), share(row["second"]), level=0.95)
    assert [f"{one:.4f}" for one in found] == row[name]


@pytest.mark.parametrize("row", rows("ratio"))
def test_ratio_of_koopman_1984(row: dict[str, Any]) -> None:
    found = koopman(share(row["first"]), share(row["second"]), level=0.95)
    assert [f"{one:.2f}" for one in found] == row["koopman"]


TABLES = [((7, 20), (3, 30)), ((1, 9), (5, 12)), ((40, 41), (30, 44)), ((12, 400), (20, 90))]


@pytest.mark.parametrize(("first", "second"), TABLES)
def test_limits_of_two_proportions_agree_with_statsmodels(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    a, b = share(list(first)), share(list(second))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=RuntimeWarning)  # its search divides by zero
        theirs = confint_proportions_2indep(*first, *second, compare="diff", method="newcomb")
        ratio = confint_proportions_2indep(
            *first, *second, compare="ratio", method="score", correction=False
        )
    assert newcombe(a, b, level=0.95) == pytest.approx(theirs, abs=1e-9)
    assert koopman(a, b, level=0.95) == pytest.approx(ratio, rel=1e-6)


def _restricted(first: Share, second: Share, other: Any, low: float, high: float) -> float:
    """Return the most likely p2 by search, where p1 = other(p2): no formula, only likelihood."""

    def unlikely(p2: float) -> float:
        total = 0.0
        for one, p in ((first, other(p2)), (second, p2)):
            for count, chance in ((one.successes, p), (one.n - one.successes, 1 - p)):
                total -= count * math.log(min(1.0, max(chance, 1e-300)))
        return total

    found = optimize.minimize_scalar(
        unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-13}
    )
    return float(found.x)


@pytest.mark.parametrize(("first", "second"), TABLES)
@pytest.mark.parametrize("null", [-0.4, -0.05, 0.0, 0.1, 0.6])
def test_the_score_of_a_difference_is_that_of_a_searched_likelihood(
    first: tuple[int, int], second: tuple[int, int], null: float
) -> None:
    a, b = share(list(first)), share(list(second))
    p2 = _restricted(a, b, lambda p: p + null, max(0.0, -null), min(1.0, 1 - null))
    p1, n = p2 + null, a.n + b.n
    variance = (p1 * (1 - p1) / a.n + p2 * (1 - p2) / b.n) * n / (n - 1)
    expected = (a.value - b.value - null) / math.sqrt(variance)
    assert difference_score(a, b, null=null) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("first", "second"), TABLES)
@pytest.mark.parametrize("null", [0.2, 0.9, 1.0, 3.0])
def test_the_score_of_a_ratio_is_that_of_a_searched_likelihood(
    first: tuple[int, int], second: tuple[int, int], null: float
) -> None:
    a, b = share(list(first)), share(list(second))
    p2 = _restricted(a, b, lambda p: p * null, 0.0, min(1.0, 1 / null))
    p1 = p2 * null
    variance = p1 * (1 - p1) / a.n + null**2 * p2 * (1 - p2) / b.n
    expected = (a.value - null * b.value) / math.sqrt(variance)
    assert ratio_score(a, b, null=null) == pytest.approx(expected, rel=1e-5)


def test_clustered_variance_is_the_linearised_one_by_hand() -> None:
    from audits.intervals.clustered import ClusteredShare

    y, m = np.array([0, 2, 3, 1, 0, 4]), np.array([2, 2, 5, 1, 3, 6])
    residuals = (y - y.sum() / m.sum() * m) / m.sum()
    share_of_rows = ClusteredShare.of(y, m)
    assert share_of_rows.variance == pytest.approx(6 * residuals.var(ddof=1), rel=1e-12)
    parts = ClusteredShare.of(y[:2], m[:2]) + ClusteredShare.of(y[2:], m[2:])
    assert parts == share_of_rows


def test_holm_agrees_with_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    from audits.intervals.multiplicity import PValue, holm

    rng = np.random.default_rng(4)
    for size in (1, 2, 3, 7, 20, 20, 20):
        values = rng.beta(0.3, 2, size)
        values[-1] = values[0]
        named = [
            PValue(claim=f"c{i}", value=float(x), null="none", sides=2, method="t")
            for i, x in enumerate(values)
        ]
        stands, adjusted, _, _ = multipletests(values, alpha=0.05, method="holm")
        found = holm(named, alpha=0.05)
        assert [one.adjusted for one in found] == pytest.approx(list(adjusted), rel=1e-12)
        assert [one.stands for one in found] == stands.tolist()


def _against(reading: str, margin: float) -> Criterion:
    return Criterion(
        id="c",
        metric="m",
        direction="at_least",
        population="new minus old",
        reading=reading,  # type: ignore[arg-type]
        margin=margin,
        comparator="old",
        pairing="unpaired",
    )


@pytest.mark.parametrize("row", rows("chow_shao_wang"), ids=lambda row: str(row["reading"]))
def test_sample_sizes_of_chow_shao_and_wang(row: dict[str, Any]) -> None:
    assumption = ShareDifferenceAssumed(
        first=float(row["first"]), second=float(row["second"]), variance="unpooled"
    )
    criterion = _against(row["reading"], float(row["margin"]))
    found = required_n(criterion, assumption, level=float(row["level"]))
    assert math.ceil(found.n / 2) == row["n_a_group"]


@pytest.mark.parametrize("row", rows("hanley_mcneil"), ids=lambda row: str(row["power"]))
def test_sample_sizes_of_hanley_and_mcneil(row: dict[str, Any]) -> None:
    """Their quantiles have two digits and their variance no term in 1/n: half a per cent."""
    assumption = AurocDifferenceAssumed(
        first=float(row["first"]), second=float(row["second"]), prevalence=0.5, paired=False
    )
    found = required_n(_against("superior", 0.0), assumption, power=float(row["power"]), level=0.9)
    assert found.n / 4 == pytest.approx(row["n_normal_and_n_abnormal"], rel=0.005)


@pytest.mark.parametrize(("effect", "level", "power"), [(0.5, 0.95, 0.8), (0.2, 0.9, 0.9)])
def test_sample_size_of_a_mean_agrees_with_statsmodels(
    effect: float, level: float, power: float
) -> None:
    from statsmodels.stats.power import TTestPower

    criterion = Criterion(
        id="c",
        metric="m",
        direction="at_least",
        floor=0.0,
        reading="excludes_baseline",
        baseline=0.0,
    )
    assumption = MeanAssumed(value=effect, standard_deviation=1.0)
    found = required_n(criterion, assumption, power=power, level=level)
    theirs = TTestPower().solve_power(
        effect_size=effect, alpha=(1 - level) / 2, power=power, alternative="larger"
    )
    assert abs(found.n - math.ceil(theirs)) <= 1


@pytest.mark.parametrize("n", [12, 25, 41])
def test_power_of_a_share_is_the_sum_of_fractions(n: int) -> None:
    """At p0 = 1/10 against p1 = 3/10, one-sided 5 %: exact arithmetic, no function of ours."""
    p0, p1 = Fraction(1, 10), Fraction(3, 10)

    def tail(x: int, p: Fraction) -> Fraction:
        terms = (math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(x, n + 1))
        return sum(terms, Fraction(0))

    critical = next(x for x in range(n + 1) if tail(x, p0) < Fraction(5, 100))
    criterion = Criterion(
        id="c",
        metric="m",
        direction="at_least",
        floor=0.1,
        reading="excludes_baseline",
        baseline=0.1,
    )
    found = power_at(criterion, ShareAssumed(value=0.3), n=n, level=0.9, method="clopper-pearson")
    assert found.value == pytest.approx(float(tail(critical, p1)), rel=1e-10)
