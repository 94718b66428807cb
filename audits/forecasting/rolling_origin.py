"""Rolling-origin evaluation: forecast from several past months, seeing nothing later (P9).

Definition: at each origin the forecaster is handed the panel up to that month and forecasts the
    next `horizon` months; its answers are set beside what then happened.
Formula: error(s, o, h) = median(s, o, h) - actual(s, o + h). The scale of (s, o) is the mean
    absolute seasonal difference (lag 12) of the training window; the squared scale its mean square.
Source: Tashman (2000), International Journal of Forecasting 16(4), 437-450, section 2; scales as in
    Hyndman and Koehler (2006), International Journal of Forecasting 22(4), 679-688, section 2.4.
Assumptions: the panel at an origin is what was known then (no later revision of past months).
Failure modes: a forecaster tuned on the whole panel has seen the future whatever it is handed; only
    sequestered data protect against that.
Cost: one forecaster call an origin; the bookkeeping is linear in the cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import ForecastMalformed, ProtocolMalformed, SeriesTooShort
from audits.estimate import RECORD_DIGITS, Json, decimal_text
from audits.sources.series import Month, MonthlySeries, Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

SEASON = 12
"""Months in a season; every method of this package is about monthly series."""

MINIMUM_HISTORY = 2 * SEASON
"""Months every series needs at an origin: two seasons, so that a seasonal scale exists."""


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
"""(training panel, horizon) -> forecasts by key; nothing after the panel's end is seen (P9)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RollingErrors:
    """Forecasts beside outcomes: arrays of shape (series, origin, step), read-only.

    `scale` and `scale_squared` have shape (series, origin): the mean absolute and the mean squared
    seasonal difference of that origin's training window.
    """

    keys: tuple[str, ...]
    groups: tuple[str | None, ...]
    origins: tuple[Month, ...]
    horizon: int
    actual: Floats
    median: Floats
    quantiles: Mapping[str, Floats]
    scale: Floats
    scale_squared: Floats

    def __post_init__(self) -> None:
        shape = (len(self.keys), len(self.origins), self.horizon)
        cells = (self.actual, self.median, *self.quantiles.values())
        if any(one.shape != shape for one in cells) or len(self.groups) != shape[0]:
            raise ForecastMalformed(
                f"the error arrays do not all have shape {shape}",
                next_step="Build errors with `evaluate`.",
            )
        for one in (*cells, self.scale, self.scale_squared):
            one.setflags(write=False)

    def month(self, origin: int, step: int) -> Month:
        """Return the calendar month of zero-based `step` from the zero-based `origin`."""
        return self.origins[origin].plus(step + 1)

    def select(
        self, *, series: Sequence[int] | None = None, origins: Sequence[int] | None = None
    ) -> RollingErrors:
        """Return the errors of the given zero-based series and origins only."""
        rows = list(range(len(self.keys))) if series is None else list(series)
        columns = list(range(len(self.origins))) if origins is None else list(origins)

        def cut(cells: Floats) -> Floats:
            return cells[rows][:, columns].copy()

        return RollingErrors(
            keys=tuple(self.keys[i] for i in rows),
            groups=tuple(self.groups[i] for i in rows),
            origins=tuple(self.origins[i] for i in columns),
            horizon=self.horizon,
            actual=cut(self.actual),
            median=cut(self.median),
            quantiles={level: cut(cells) for level, cells in self.quantiles.items()},
            scale=cut(self.scale),
            scale_squared=cut(self.scale_squared),
        )

    def with_quantiles(self, quantiles: Mapping[str, Floats]) -> RollingErrors:
        """Return the same forecasts and outcomes with other interval limits."""
        return RollingErrors(
            keys=self.keys,
            groups=self.groups,
            origins=self.origins,
            horizon=self.horizon,
            actual=self.actual.copy(),
            median=self.median.copy(),
            quantiles={level: cells.copy() for level, cells in quantiles.items()},
            scale=self.scale.copy(),
            scale_squared=self.scale_squared.copy(),
        )

    def as_table(self) -> list[Json]:
        """Return one row a (series, origin, step) in the JSON domain, numbers as decimal text."""
        return [
            self._row(s, o, h)
            for s in range(len(self.keys))
            for o in range(len(self.origins))
            for h in range(self.horizon)
        ]

    def _row(self, s: int, o: int, h: int) -> dict[str, Json]:
        levels = sorted(self.quantiles, key=float)
        return {
            "key": self.keys[s],
            "group": self.groups[s],
            "origin": str(self.origins[o]),
            "month": str(self.month(o, h)),
            "step": h + 1,
            "actual": _text(self.actual[s, o, h]),
            "median": _text(self.median[s, o, h]),
            "quantiles": {level: _text(self.quantiles[level][s, o, h]) for level in levels},
        }


def origins(
    panel: Panel,
    *,
    count: int,
    horizon: int,
    step: int,
    last: Month | None = None,
    minimum_history: int = MINIMUM_HISTORY,
) -> tuple[Month, ...]:
    """Return `count` origins, `step` months apart, in time order.

    The latest is `last`, by default the newest one whose whole path has been observed. Raises
    SeriesTooShort where an origin leaves a series with less than `minimum_history` months.
    """
    if min(count, horizon, step) < 1:
        raise ProtocolMalformed(
            "count, horizon and step must be at least 1",
            next_step="Correct the protocol before the plan is frozen.",
        )
    newest = panel.end.plus(-horizon)
    final = newest if last is None else last
    if final > newest:
        raise SeriesTooShort(
            f"the {horizon} months after {final} are not all observed by {panel.end}",
            next_step=f"Choose an origin no later than {newest}.",
        )
    chosen = tuple(final.plus(-step * back) for back in reversed(range(count)))
    for one in panel.series:
        history = chosen[0].minus(one.start) + 1
        if history < minimum_history:
            raise SeriesTooShort(
                f"series {one.key!r} has {max(history, 0)} months at the origin {chosen[0]}, "
                f"fewer than {minimum_history}",
                next_step="Use fewer or later origins, or leave the series out and say so.",
            )
    return chosen


def evaluate(
    panel: Panel, *, forecaster: Forecaster, origins: Sequence[Month], horizon: int
) -> RollingErrors:
    """Return the forecaster's errors from every origin; it is handed only the past (P9).

    Raises ForecastMalformed where a forecast is missing, misplaced, not finite, of another length,
    or has crossing quantiles; SeriesTooShort where an outcome has not been observed.
    """
    import numpy as np

    if not origins or list(origins) != sorted(set(origins)) or horizon < 1:
        raise ProtocolMalformed(
            "a rolling origin needs a horizon of at least 1 and origins in strict time order",
            next_step="Choose the origins with `origins(...)`.",
        )
    paths = [_forecast_from(panel, forecaster, origin, horizon) for origin in origins]
    levels = _common_levels(paths)
    scales = np.array([[_scales(one.until(origin)) for origin in origins] for one in panel.series])

    def stack(pick: Callable[[PathForecast], tuple[float, ...]]) -> Floats:
        return np.array([[pick(at[key]) for at in paths] for key in panel.keys], dtype=np.float64)

    return RollingErrors(
        keys=panel.keys,
        groups=tuple(one.group for one in panel.series),
        origins=tuple(origins),
        horizon=horizon,
        actual=np.array([[_outcome(one, at, horizon) for at in origins] for one in panel.series]),
        median=stack(lambda path: path.median),
        quantiles={level: stack(_path_at(level)) for level in levels},
        scale=scales[:, :, 0].copy(),
        scale_squared=scales[:, :, 1].copy(),
    )


def _forecast_from(
    panel: Panel, forecaster: Forecaster, origin: Month, horizon: int
) -> Mapping[str, PathForecast]:
    past = panel.until(origin)
    answers = forecaster(past, horizon)
    if set(answers) != set(past.keys):
        odd = ", ".join(sorted(set(answers) ^ set(past.keys)))
        raise _malformed(f"from {origin} the forecasts do not match the panel's series: {odd}")
    for key in past.keys:
        fault = _fault_of_path(answers[key], key=key, origin=origin, horizon=horizon)
        if fault:
            raise _malformed(f"the forecast of {key!r} from {origin} {fault}")
    return answers


def _fault_of_path(path: PathForecast, *, key: str, origin: Month, horizon: int) -> str:
    if path.key != key or path.origin != origin:
        return f"says that it is of {path.key!r} from {path.origin}"
    if not all(_is_probability(level) for level in path.quantiles):
        return "has a quantile whose level is not a probability between 0 and 1"
    ladder = _ladder(path)
    if any(len(rung) != horizon for rung in ladder):
        return f"does not have {horizon} steps throughout"
    if not all(math.isfinite(x) for rung in ladder for x in rung):
        return "holds a number that is not finite"
    if any(x > y for lower, upper in pairwise(ladder) for x, y in zip(lower, upper, strict=True)):
        return "has crossing quantiles"
    return ""


def _ladder(path: PathForecast) -> list[tuple[float, ...]]:
    """Return the quantile paths in order of probability with the median in its place."""
    rungs = [(float(level), tuple(values)) for level, values in path.quantiles.items()]
    return [values for _, values in sorted([*rungs, (0.5, tuple(path.median))])]


def _is_probability(level: str) -> bool:
    try:
        return 0.0 < float(level) < 1.0
    except ValueError:
        return False


def _common_levels(paths: Sequence[Mapping[str, PathForecast]]) -> tuple[str, ...]:
    found = {frozenset(path.quantiles) for at in paths for path in at.values()}
    if len(found) != 1:
        raise _malformed("the forecasts do not all give the same quantile levels")
    return tuple(sorted(found.pop(), key=float))


def _path_at(level: str) -> Callable[[PathForecast], tuple[float, ...]]:
    return lambda path: path.quantiles[level]


def _scales(history: MonthlySeries) -> tuple[float, float]:
    values = history.values
    steps = [now - before for before, now in zip(values, values[SEASON:], strict=False)]
    if not steps:
        raise SeriesTooShort(
            f"series {history.key!r} has no seasonal difference by {history.end}",
            next_step="Use later origins.",
        )
    return (
        math.fsum(abs(one) for one in steps) / len(steps),
        math.fsum(one * one for one in steps) / len(steps),
    )


def _outcome(one: MonthlySeries, origin: Month, horizon: int) -> tuple[float, ...]:
    return one.window(origin.plus(1), origin.plus(horizon))


def _malformed(message: str) -> ForecastMalformed:
    return ForecastMalformed(message, next_step="Correct the forecaster; nothing was scored.")


def _text(x: float) -> str:
    return decimal_text(float(x), digits=RECORD_DIGITS)
