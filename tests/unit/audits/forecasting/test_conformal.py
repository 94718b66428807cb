"""Conformal spreads: ranks by hand, the past only, and coverage under simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audits.errors import CalibrationTooSmall, ProtocolMalformed
from audits.forecasting.conformal import (
    BANDS,
    ConformalSpread,
    apply,
    band_of,
    calibrate,
    log_errors,
    nested_conformal,
)
from audits.forecasting.forecast_metrics import inside
from audits.forecasting.rolling_origin import PathForecast, RollingErrors
from audits.sources.series import Month
from tests.unit.audits.forecasting.panels import START, autocorrelated, errors_of


def logged(scores: np.ndarray, *, step: int | None = None) -> RollingErrors:  # type: ignore[type-arg]
    """Errors whose log scores are `scores`: forecast 99 units, so the + 1 makes 100."""
    return errors_of(100.0 * np.exp(scores) - 1.0, np.full(scores.shape, 99.0), step=step)


def nineteen() -> RollingErrors:
    """One series, 19 origins of one step, scores 0.01 to 0.19 with alternating sign."""
    scores = np.array([0.01 * (i + 1) * (-1) ** i for i in range(19)])
    return logged(scores.reshape(1, 19, 1))


def test_symmetric_offset_is_the_finite_sample_rank() -> None:
    # ceil(20 * .8) = 16: the 16th smallest |u| is 0.16.
    spread = calibrate(nineteen(), ("0.8",), shape="symmetric")
    assert spread.offset("s0000", 0, "0.9") == pytest.approx(0.16)
    assert spread.offset("s0000", 0, "0.1") == pytest.approx(-0.16)
    assert spread.n == {"all": (19,)}


def test_signed_offsets_are_ranks_of_either_tail() -> None:
    # p = .9: ceil(20 * .9) = 18: 18th smallest u is 0.17 (then 0.19); of -u: 0.16 (then 0.18).
    spread = calibrate(nineteen(), ("0.8",), shape="signed")
    assert spread.offset("s0000", 0, "0.9") == pytest.approx(0.17)
    assert spread.offset("s0000", 0, "0.1") == pytest.approx(-0.16)


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(("shape", "level"), [("signed", "0.95"), ("symmetric", "0.96")])
def test_level_beyond_the_sample_is_refused_not_guessed(shape: str, level: str) -> None:
    with pytest.raises(CalibrationTooSmall, match="19 calibration errors"):
        calibrate(nineteen(), (level,), shape=shape)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"bands": ()},
        {"bands": (6, 3)},
        {"bands": (0, 3)},
        {"bands": (3, 3)},
        {"levels": ()},
        {"levels": ("1.0",)},
        {"levels": ("0",)},
        {"shape": "round"},
    ],
)
def test_impossible_settings_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ProtocolMalformed):
        calibrate(nineteen(), **options)  # type: ignore[arg-type]


def test_negative_demand_has_no_log_scale() -> None:
    with pytest.raises(ProtocolMalformed, match="negative"):
        log_errors(errors_of(np.array([[[-1.0]]]), np.array([[[1.0]]])))


def test_zero_demand_has_a_log_error() -> None:
    score = log_errors(errors_of(np.array([[[0.0]]]), np.array([[[9.0]]])))
    assert score[0, 0, 0] == pytest.approx(math.log(1 / 10))


def test_bands_hold_their_steps_and_the_last_holds_what_follows() -> None:
    assert [band_of(step, BANDS) for step in (0, 2, 3, 5, 6, 11, 23)] == [0, 0, 1, 1, 2, 2, 2]
    scores = np.tile(np.array([0.1] * 3 + [0.2] * 3 + [0.3] * 6), (1, 12, 1))
    spread = calibrate(logged(scores), ("0.8",), shape="symmetric")
    assert [spread.offset("s0000", step, "0.9") for step in (0, 5, 11, 23)] == pytest.approx(
        [0.1, 0.2, 0.3, 0.3]
    )
    assert spread.n == {"all": (36, 36, 72)}


def test_horizon_inside_a_band_keeps_that_band() -> None:
    scores = np.tile(np.array([0.1] * 3 + [0.2] * 2), (1, 12, 1))
    spread = calibrate(logged(scores), ("0.8",), shape="symmetric")
    assert spread.bands == (3, 6)
    assert spread.n == {"all": (36, 24)}


def test_spread_by_series_keeps_quiet_series_narrow() -> None:
    scores = np.concatenate([np.full((1, 20, 1), 0.02), np.full((1, 20, 1), 0.5)])
    spread = calibrate(logged(scores), ("0.8",), by_series=True, shape="symmetric")
    assert spread.offset("s0000", 0, "0.9") == pytest.approx(0.02)
    assert spread.offset("s0001", 0, "0.9") == pytest.approx(0.5)
    with pytest.raises(ProtocolMalformed, match="not calibrated"):
        spread.offset("s0002", 0, "0.9")
    with pytest.raises(ProtocolMalformed, match="not calibrated"):
        spread.offset("s0000", 0, "0.975")


def path(median: float) -> PathForecast:
    return PathForecast(key="s0000", origin=START, median=(median,), quantiles={})


def test_limits_multiply_the_median() -> None:
    spread = calibrate(nineteen(), ("0.8",), shape="symmetric")
    limits = apply(path(199.0), spread).quantiles
    assert limits["0.9"][0] == pytest.approx(200 * math.exp(0.16) - 1)
    assert limits["0.1"][0] == pytest.approx(200 * math.exp(-0.16) - 1)


def test_limits_are_never_negative_and_never_cross_the_median() -> None:
    always_under = logged(np.full((1, 40, 1), 0.3))
    spread = calibrate(always_under, ("0.8", "0.95"))
    limits = apply(path(50.0), spread).quantiles
    assert limits["0.1"][0] == 50.0
    assert limits["0.9"][0] > 50.0
    wide = calibrate(logged(np.tile([-3.0, 3.0], 20).reshape(1, 40, 1)), ("0.8",))
    assert apply(path(0.0), wide).quantiles["0.1"][0] == 0.0


@pytest.mark.requirement("P9")
def test_calibration_counts_only_outcomes_known_by_the_month() -> None:
    errors = logged(np.full((2, 12, 3), 0.1), step=1)
    # Origin i is START + i; step h (1-based) is known by START + 5 where i + h <= 5.
    spread = calibrate(errors, ("0.8",), known_by=START.plus(5))
    assert spread.n == {"all": (2 * (3 + 3 + 3 + 2 + 1),)}
    newest = calibrate(errors, ("0.8",), known_by=START.plus(5), window_months=2, shape="symmetric")
    assert newest.n == {"all": (2 * (3 + 3),)}


@pytest.mark.requirement("P9")
def test_nested_intervals_do_not_move_with_what_happened_later() -> None:
    """Origins overlap: paths of earlier origins run past the origin whose intervals are checked."""
    rng = np.random.default_rng(8)
    scores = 0.1 * rng.standard_normal((4, 12, 6))
    month = 3 * np.arange(12)[:, None] + np.arange(1, 7)[None, :]
    today = 24
    changed = np.where(month > today, scores + 5.0, scores)
    before, after = (
        nested_conformal(logged(one, step=3), ("0.8",)).errors for one in (scores, changed)
    )
    assert before is not None
    assert after is not None
    until = before.origins.index(START.plus(today)) + 1
    assert until >= 3
    for level in ("0.1", "0.9"):
        past, later = before.quantiles[level], after.quantiles[level]
        assert np.array_equal(past[:, :until], later[:, :until])
    # Raised errors widen the upper limits of the origins that have seen them.
    assert (before.quantiles["0.9"][:, until:] < after.quantiles["0.9"][:, until:]).all()


@pytest.mark.requirement("P8")
def test_origin_without_a_past_is_listed_not_given_its_own_future() -> None:
    nested = nested_conformal(logged(np.full((3, 6, 12), 0.1)), ("0.8",))
    assert nested.uncalibrated[0] == START
    assert nested.errors is not None
    assert START not in nested.errors.origins
    assert len(nested.spreads) == len(nested.errors.origins)


@pytest.mark.requirement("P8")
def test_nothing_is_calibrated_from_too_little() -> None:
    nested = nested_conformal(logged(np.full((1, 2, 3), 0.1)), ("0.95",))
    assert nested.errors is None
    assert len(nested.uncalibrated) == 2


def test_only_the_asked_origins_are_evaluated() -> None:
    nested = nested_conformal(
        logged(np.full((3, 6, 12), 0.1)), ("0.8",), evaluated=[START.plus(60)]
    )
    assert nested.errors is not None
    assert nested.errors.origins == (START.plus(60),)


@pytest.mark.parametrize("shape", ["signed", "symmetric"])
def test_exchangeable_errors_are_covered_at_the_stated_rate(shape: str) -> None:
    """Independent skewed errors: nominal within .02 (4,000 fresh errors, 600 in calibration)."""
    rng = np.random.default_rng(11)
    scores = 0.1 * (rng.exponential(size=(1, 5200, 1)) - 0.7)
    spread = calibrate(logged(scores[:, :1200]), ("0.8", "0.95"), shape=shape)  # type: ignore[arg-type]
    fresh = scores[0, 1200:, 0]
    for low, high, coverage in (("0.1", "0.9", 0.8), ("0.025", "0.975", 0.95)):
        held = (spread.offset("s0000", 0, low) <= fresh) & (
            fresh <= spread.offset("s0000", 0, high)
        )
        assert held.mean() == pytest.approx(coverage, abs=0.02)


@pytest.mark.parametrize(("step", "calibration"), [(12, 5), (3, 16)])
def test_nested_intervals_of_dependent_paths_cover_nearly_as_stated(
    step: int, calibration: int
) -> None:
    """Autocorrelated errors shared by series; stated tolerance: .80 -/+ .06, .95 -/+ .04.

    60 panels of 8 series, each with five yearly evaluated origins; few independent origins stand
    behind each spread, which is why the tolerance is wider than the rank alone suggests.
    """
    rng = np.random.default_rng(12)
    held: dict[str, list[float]] = {"0.8": [], "0.95": []}
    first = 20 * 12
    tested = [first + 12 * i for i in range(5)]
    earlier = [first - step * i for i in reversed(range(1, calibration + 1))]
    for noise in autocorrelated(rng, shape=(60, 8, first + 61), rho=0.6, common=0.4):
        starts = [*earlier, *tested]
        scores = 0.1 * np.stack([noise[:, t + 1 : t + 13] for t in starts], axis=1)
        base = logged(scores)
        errors = RollingErrors(
            keys=base.keys,
            groups=base.groups,
            origins=tuple(Month(1980, 1).plus(t) for t in starts),
            horizon=12,
            actual=base.actual.copy(),
            median=base.median.copy(),
            quantiles={},
            scale=base.scale.copy(),
            scale_squared=base.scale_squared.copy(),
        )
        evaluated = [errors.origins[starts.index(t)] for t in tested]
        nested = nested_conformal(errors, evaluated=evaluated).errors
        assert nested is not None
        for coverage, found in held.items():
            found.append(float(inside(nested, coverage).mean()))
    assert np.mean(held["0.8"]) == pytest.approx(0.8, abs=0.06)
    assert np.mean(held["0.95"]) == pytest.approx(0.95, abs=0.04)


def test_record_is_text_and_rounding_is_part_of_the_spread() -> None:
    spread = calibrate(nineteen(), ("0.8",))
    record = spread.as_record()
    assert record["offsets"] == {"all": [{"0.1": "-0.16", "0.9": "0.17"}]}
    assert isinstance(spread, ConformalSpread)
