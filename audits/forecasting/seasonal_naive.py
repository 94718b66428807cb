"""The baseline forecaster: next July is last July.

Definition: each month is forecast by the newest observed value of the same calendar month.
Formula: median(h) = y(T + h - 12 (k + 1)) with k = floor((h - 1) / 12). The interval of coverage c
    is median(h) -/+ sqrt(k + 1) * Q(c), Q(c) the smallest absolute in-sample seasonal difference
    with at least ceil((n + 1) c) of the n differences at or below it (the largest where that rank
    exceeds n). Where the whole history is non-negative, limits below zero are moved to zero.
Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, section 5.2
    (method) and section 5.5, table 5.2 (growth of the spread with k); empirical quantiles instead
    of normal ones.
Assumptions: seasonal differences are alike over time; trend is inside them, so intervals of growing
    series are wide and off-centre. That is a property of the baseline and is not corrected.
Failure modes: fewer than two seasons of history are refused.
Cost: linear in the history.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from audits.errors import ProtocolMalformed, SeriesTooShort
from audits.forecasting.rolling_origin import MINIMUM_HISTORY, SEASON, PathForecast
from audits.sources.series import MonthlySeries, Panel

LEVELS = ("0.025", "0.1", "0.9", "0.975")


def seasonal_naive(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
    """Return the seasonal naive forecast of every series; a `Forecaster`."""
    if horizon < 1:
        raise ProtocolMalformed(
            "a forecast reaches at least one month ahead", next_step="Ask for horizon >= 1."
        )
    return {one.key: _path(one, horizon) for one in panel.series}


def _path(one: MonthlySeries, horizon: int) -> PathForecast:
    if len(one.values) < MINIMUM_HISTORY:
        raise SeriesTooShort(
            f"series {one.key!r} has {len(one.values)} months, fewer than {MINIMUM_HISTORY}",
            next_step="Wait for two seasons of history, or leave the series out and say so.",
        )
    season = one.values[-SEASON:]
    median = tuple(season[step % SEASON] for step in range(horizon))
    steps = zip(one.values, one.values[SEASON:], strict=False)
    spread = sorted(abs(now - before) for before, now in steps)
    bottom = 0.0 if min(one.values) >= 0.0 else -math.inf
    return PathForecast(
        key=one.key,
        origin=one.end,
        median=median,
        quantiles={level: _limit(median, spread, level, bottom) for level in LEVELS},
    )


def _limit(
    median: tuple[float, ...], spread: list[float], level: str, bottom: float
) -> tuple[float, ...]:
    tail = Decimal(level)
    coverage = abs(2 * tail - 1)
    rank = min(math.ceil((len(spread) + 1) * coverage), len(spread))
    width = spread[rank - 1] if tail > Decimal("0.5") else -spread[rank - 1]
    return tuple(
        max(bottom, middle + width * math.sqrt(1 + step // SEASON))
        for step, middle in enumerate(median)
    )
