"""Our limits against the examples of the papers and against second implementations."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize

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
