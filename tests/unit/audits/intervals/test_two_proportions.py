"""Differences and ratios of two proportions: what is undefined, and edges that search must find."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.errors import IntervalMalformed
from audits.intervals.proportion import clopper_pearson
from audits.intervals.two_proportions import (
    Share,
    difference_estimate,
    difference_limits,
    difference_score,
    katz,
    koopman,
    miettinen_nurminen,
    mover_difference,
    newcombe,
    ratio_estimate,
    ratio_score,
)

WHAT = {"metric": "tpr", "level": 0.95, "unit": "patient", "population": "a minus b"}


def share(successes: int, n: int) -> Share:
    return Share(successes=successes, n=n)


@st.composite
def shares(draw: st.DrawFn) -> Share:
    n = draw(st.integers(min_value=1, max_value=400))
    return share(draw(st.integers(min_value=0, max_value=n)), n)


@pytest.mark.parametrize("limits", [newcombe, miettinen_nurminen, koopman, katz, difference_limits])
@pytest.mark.parametrize(
    ("first", "second"), [(share(3, 2), share(1, 2)), (share(1, 2), share(0, 0))]
)
def test_counts_that_contradict_each_other_are_refused(
    limits: object, first: Share, second: Share
) -> None:
    with pytest.raises(IntervalMalformed) as refusal:
        limits(first, second, level=0.95)  # type: ignore[operator]
    assert refusal.value.next_step


@pytest.mark.parametrize("estimate", [difference_estimate, ratio_estimate])
def test_an_unknown_method_is_refused(estimate: object) -> None:
    with pytest.raises(IntervalMalformed):
        estimate(first=share(1, 2), second=share(1, 2), method="wald", **WHAT)  # type: ignore[operator]


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("estimate", [difference_estimate, ratio_estimate])
@pytest.mark.parametrize(
    ("first", "second", "who"),
    [
        (share(0, 0), share(1, 2), "first"),
        (share(1, 2), share(0, 0), "second"),
        (share(0, 0), share(0, 0), "first and the second"),
    ],
)
def test_a_group_of_nobody_leaves_the_gap_undefined(
    estimate: object, first: Share, second: Share, who: str
) -> None:
    found = estimate(first=first, second=second, **WHAT)  # type: ignore[operator]
    assert (found.value, found.low, found.high) == (None, None, None)
    assert who in found.note


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("method", "first", "second"),
    [
        ("koopman", share(3, 9), share(0, 9)),
        ("koopman", share(0, 9), share(0, 9)),
        ("katz", share(3, 9), share(0, 9)),
        ("katz", share(0, 9), share(3, 9)),
    ],
)
def test_a_ratio_without_events_is_undefined_and_neither_zero_nor_infinite(
    method: str, first: Share, second: Share
) -> None:
    found = ratio_estimate(first=first, second=second, method=method, **WHAT)  # type: ignore[arg-type]
    assert found.value is None
    assert "no event" in found.note
    assert found.events == 0


def test_a_ratio_of_no_events_to_some_is_zero_with_an_upper_limit() -> None:
    found = ratio_estimate(first=share(0, 40), second=share(16, 80), **WHAT)  # type: ignore[arg-type]
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.4446, abs=1e-4)


def test_koopman_without_any_event_is_refused_and_with_none_below_unbounded() -> None:
    with pytest.raises(IntervalMalformed):
        koopman(share(0, 5), share(0, 5), level=0.95)
    low, high = koopman(share(5, 5), share(0, 5), level=0.95)
    assert low > 1
    assert high == math.inf


def test_katz_is_the_logarithmic_interval() -> None:
    low, high = katz(share(36, 40), share(16, 80), level=0.95) or (0.0, 0.0)
    reach = 1.959963984540054 * math.sqrt(1 / 36 - 1 / 40 + 1 / 16 - 1 / 80)
    assert (math.log(low / 4.5), math.log(high / 4.5)) == pytest.approx((-reach, reach))


def test_the_difference_reads_exact_limits_where_a_group_has_few_events() -> None:
    first, second = share(2, 30), share(12, 40)
    found = difference_limits(first, second, level=0.95)
    low, high = clopper_pearson(2, 30, level=0.95)
    assert found != newcombe(first, second, level=0.95)
    assert found[0] == pytest.approx(
        first.value - 0.3 - math.hypot(first.value - low, 0.4543 - 0.3), abs=1e-4
    )
    assert high > first.value


def test_limits_of_any_kind_can_be_combined() -> None:
    assert mover_difference(0.5, (0.2, 0.9), 0.25, (0.25, 0.25)) == pytest.approx((-0.05, 0.65))
    assert mover_difference(3.0, (0.0, 3.0), 1.0, (1.0, 5.0)) == (-3.0, 2.0)


@given(first=shares(), second=shares(), level=st.sampled_from([0.8, 0.95, 0.99]))
def test_score_limits_are_where_the_score_reaches_its_quantile(
    first: Share, second: Share, level: float
) -> None:
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1 + level) / 2)
    for limit in miettinen_nurminen(first, second, level=level):
        assert -1 <= limit <= 1
        score = abs(difference_score(first, second, null=limit))
        assert abs(limit) == 1 or score == pytest.approx(z, abs=1e-5)
    if second.successes:
        for limit in koopman(first, second, level=level):
            score = abs(ratio_score(first, second, null=limit)) if limit else z
            assert score == pytest.approx(z, abs=1e-5)


@given(first=shares(), second=shares())
def test_exchanging_the_groups_turns_the_limits_round(first: Share, second: Share) -> None:
    for limits in (newcombe, miettinen_nurminen, difference_limits):
        low, high = limits(first, second, level=0.95)  # type: ignore[operator]
        back = limits(second, first, level=0.95)  # type: ignore[operator]
        assert (-high, -low) == pytest.approx(back, abs=1e-6)
        assert -1.0 <= low <= first.value - second.value <= high <= 1.0
    if first.successes and second.successes:
        low, high = koopman(first, second, level=0.95)
        back = koopman(second, first, level=0.95)
        assert (1 / high, 1 / low) == pytest.approx(back, rel=1e-6)


def test_an_estimate_says_what_it_is_made_of() -> None:
    found = difference_estimate(first=share(56, 70), second=share(48, 80), **WHAT)  # type: ignore[arg-type]
    assert (found.n, found.events, found.population) == (150, 14, "a minus b")
    assert found.value == pytest.approx(0.2)
    assert found.note == "56 of 70 against 48 of 80"
