"""Groups: each shown with its n, pairs with simultaneous limits, absence stated."""

from __future__ import annotations

import numpy as np
import pytest

from audits.errors import ProtocolMalformed
from audits.forecasting.groups import UNGROUPED, GroupComparison, NoSubgroup, compare_groups
from audits.forecasting.rolling_origin import RollingErrors
from tests.unit.audits.forecasting.panels import errors_of, simulated_errors


def grouped(errors: RollingErrors, groups: tuple[str | None, ...]) -> RollingErrors:
    return errors_of(errors.actual, errors.median, scale=errors.scale, groups=groups)


def some_errors(*, count: int = 6, seed: int = 1) -> RollingErrors:
    (run,) = simulated_errors(np.random.default_rng(seed), repeats=1, count=count)
    return run


def compared(errors: RollingErrors, *metrics: str, seed: int = 9) -> GroupComparison:
    result = compare_groups(
        errors, metrics=metrics, replicates=1000, rng=np.random.default_rng(seed)
    )
    assert isinstance(result, GroupComparison)
    return result


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("groups", "reason"),
    [((None,) * 6, "no series has a group"), (("x",) * 6, "every series is in 'x'")],
)
def test_one_group_is_said_not_compared(groups: tuple[str | None, ...], reason: str) -> None:
    result = compare_groups(
        grouped(some_errors(), groups),
        metrics=["wape"],
        replicates=1000,
        rng=np.random.default_rng(1),
    )
    assert isinstance(result, NoSubgroup)
    assert reason in result.reason
    assert result.as_record()["kind"] == "no_subgroup"


def test_too_few_replicates_are_refused() -> None:
    with pytest.raises(ProtocolMalformed):
        compare_groups(
            grouped(some_errors(), ("a",) * 3 + ("b",) * 3),
            metrics=["wape"],
            replicates=50,
            rng=np.random.default_rng(1),
        )


def test_every_pair_is_compared_in_alphabetical_order() -> None:
    result = compared(grouped(some_errors(), ("b", "a", "c", "a", "b", "c")), "wape", "mase")
    assert [(one.metric, one.population) for one in result.differences] == [
        (metric, pair)
        for metric in ("wape", "mase")
        for pair in ("a minus b", "a minus c", "b minus c")
    ]
    assert result.groups["a"] == ("s0001", "s0003")


def test_difference_is_that_of_the_groups() -> None:
    result = compared(grouped(some_errors(), ("a", "a", "b", "b", "b", "b")), "wape")
    first, second = (one.value for one in result.estimates)
    assert first is not None
    assert second is not None
    assert result.differences[0].value == pytest.approx(first - second, rel=1e-12)


@pytest.mark.requirement("P8")
def test_series_without_group_and_group_of_one_are_listed() -> None:
    result = compared(grouped(some_errors(), ("a", "a", "a", "a", "b", None)), "wape")
    assert set(result.groups) == {"a", "b", UNGROUPED}
    assert len(result.differences) == 3


@pytest.mark.requirement("P8")
def test_undefined_group_keeps_its_place_and_its_reason() -> None:
    errors = some_errors()
    scale = errors.scale.copy()
    scale[5] = 0.0
    flat = errors_of(
        errors.actual, errors.median, scale=scale, groups=("a", "a", "b", "b", "c", "c")
    )
    result = compared(flat, "mase")
    by_pair = {one.population: one for one in result.differences}
    assert by_pair["a minus b"].low is not None
    for pair in ("a minus c", "b minus c"):
        assert by_pair[pair].value is None
        assert "c: the training history of s0005" in by_pair[pair].note
    assert [one.value is None for one in result.estimates] == [False, False, True]


def test_single_pair_has_the_limits_of_student() -> None:
    errors = grouped(some_errors(), ("a",) * 3 + ("b",) * 3)
    result = compare_groups(
        errors, metrics=["wape"], replicates=20000, rng=np.random.default_rng(2)
    )
    assert isinstance(result, GroupComparison)
    assert result.critical["wape"] == pytest.approx(3.1824, rel=0.05)


def test_more_pairs_need_wider_limits() -> None:
    two = compared(grouped(some_errors(), ("a",) * 3 + ("b",) * 3), "wape").critical["wape"]
    six = compared(grouped(some_errors(), tuple("abcdef")), "wape").critical["wape"]
    assert two is not None
    assert six is not None
    assert six > 1.2 * two


def test_too_few_blocks_give_differences_without_limits() -> None:
    (run,) = simulated_errors(np.random.default_rng(3), repeats=1, count=4, origins=2)
    result = compared(grouped(run, ("a", "a", "b", "b")), "wape")
    assert result.critical["wape"] is None
    assert result.differences[0].low is None
    assert "of the 3 blocks" in result.differences[0].note


def test_same_generator_gives_the_same_comparison() -> None:
    errors = grouped(some_errors(), ("a", "a", "b", "b", "c", "c"))
    assert compared(errors, "wape").as_record() == compared(errors, "wape").as_record()
    assert compared(errors, "wape", seed=1).critical != compared(errors, "wape").critical


def test_no_difference_is_found_more_seldom_than_the_declared_share() -> None:
    """Four alike groups, six pairs: some pair excludes zero in at most .05 + tolerance .04."""
    runs = simulated_errors(np.random.default_rng(21), repeats=300, count=8)
    false = 0
    for i, run in enumerate(runs):
        result = compared(grouped(run, tuple("aabbccdd")), "wape", seed=i)
        false += any(
            one.low is not None and one.high is not None and not one.low <= 0.0 <= one.high
            for one in result.differences
        )
    assert false / 300 <= 0.09


def test_planted_difference_is_found() -> None:
    found = 0
    for i, run in enumerate(simulated_errors(np.random.default_rng(22), repeats=40)):
        worse = run.median.copy()
        worse[4:] *= 1.25
        errors = errors_of(run.actual, worse, groups=("a",) * 4 + ("b",) * 4)
        (difference,) = compared(errors, "bias", seed=i).differences
        assert difference.high is not None
        found += difference.high < 0.0
    assert found >= 36
