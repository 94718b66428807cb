"""Rolling-origin evaluation: forecast from several past months, seeing nothing later (P9).

Definition: at each origin the forecaster is handed the panel up to that month and forecasts the
    next `horizon` months; its answers are set beside what then happened.
Formula: error(s, o, h) = actual(s, o + h) - median(s, o, h). The scale of (s, o) is the mean
    absolute seasonal difference (lag 12) of the training window; the squared scale its mean square.
Source: Tashman (2000), International Journal of Forecasting 16(4), 437-450, section 2; scales as in
    Hyndman and Koehler (2006), International Journal of Forecasting 22(4), 679-688, section 2.4.
Assumptions: the panel at an origin is what was known then (no later revision of past months).
Failure modes: a forecaster tuned on the whole panel has seen the future whatever it is handed; only
    sequestered data protect against that.
Cost: one forecaster call an origin; the bookkeeping is linear in the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from audits.series import Month, Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class PathForecast:
    """One series' forecast from `origin` (the last month seen): step 1 is the month after it.

    `quantiles` maps a probability written as text ("0.025", "0.1", "0.9", "0.975") to its path;
    every path is as long as `median`.
    """

    key: str
    origin: Month
    median: tuple[float, ...]
    quantiles: Mapping[str, tuple[float, ...]]


Forecaster: TypeAlias = Callable[[Panel, int], Mapping[str, PathForecast]]
"""(training panel, horizon) -> forecasts by key; nothing later than the panel's end is seen (P9)."""
