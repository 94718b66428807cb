"""The forecasting method: an ensemble median with split-conformal intervals.

Definition: a series is forecast by the median of the members (see `members`), a class total by the
    sum of its concession forecasts.
Formula: limits are spreads (`audits.forecasting.conformal`) learnt from the method's own errors
    at earlier origins, signed, on the log scale, by band of horizon (1-3, 4-6, 7-12, 13-24 months)
    and pooled over series. Bands up to 12 months learn from the 8 newest origins, 3 months apart,
    whose 12 months are observed at the forecast origin; the last band from the 8 newest whose whole
    path is. Where fewer than three series are pooled, as many more origins as the 95 % limit needs.
    Totals have their own spread, from the errors of the sums.
Source: see `audits.forecasting.conformal` and `members`.
Assumptions: the errors of the coming two years are like those of the last three to four.
Failure modes: as of `members`; a series harder than the others is covered too rarely, which the
    coverage by series in every audit shows. A memory longer than 8 origins covered .90 and more
    for nominal .80, because it still held the level shift of 2000 (docs/models/forecasting.md).
Cost: one fit of each series for each origin asked and each calibration origin not seen before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from audits.forecasting.conformal import LEVELS, ConformalSpread, apply, calibrate
from audits.forecasting.rolling_origin import Forecaster, PathForecast, evaluate, origins
from audits.sources.series import MonthlySeries, Panel
from models.errors import FitRefused
from models.forecasting.contract import MAX_HORIZON
from models.forecasting.members import MEMBERS, PathsOf, add, ensemble, member_forecasts
from models.forecasting.totals import parts_of

METHOD: Final = "median of AutoETS, AutoTheta, AutoARIMA and AutoCES, v1"
INTERVALS: Final = "split conformal on the log scale, signed, by horizon band, v1"
BANDS: Final = (3, 6, 12, 24)
CALIBRATION_ORIGINS: Final = 8
CALIBRATION_STEP: Final = 3
_NEAR: Final = 12


def ensemble_forecaster(
    *, levels: Sequence[str] = LEVELS, members: Sequence[str] = MEMBERS
) -> Forecaster:
    """Return the method as an audits `Forecaster`, intervals included.

    At each origin the intervals are calibrated from what was known there, by the code that `fit`
    uses, so the audited rows and the served ones have one origin. Overlapping calls share the fits
    of equal histories.
    """
    point = point_forecaster(member_forecasts(members))

    def forecaster(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
        paths = point(panel, horizon)
        spread = conformal_spread(panel, point, horizon=horizon, levels=levels)
        return {key: apply(path, spread) for key, path in paths.items()}

    return forecaster


def point_forecaster(paths_of: PathsOf | None = None) -> Forecaster:
    """Return the method without intervals: medians only (for audits that calibrate themselves)."""
    known = member_forecasts() if paths_of is None else paths_of

    def forecaster(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
        check_horizon(horizon)
        return {one.key: _path(one, ensemble(known(one.values))[:horizon]) for one in panel.series}

    return forecaster


def bottom_up(panel: Panel, paths_of: PathsOf) -> Forecaster:
    """Return a forecaster of the class totals of `panel`: the sum of their parts' medians.

    It is handed the totals up to an origin, and cuts `panel` at that origin itself (P9).
    """

    def forecaster(totals: Panel, horizon: int) -> Mapping[str, PathForecast]:
        check_horizon(horizon)
        past = panel.until(totals.end)
        answers = {}
        for one in totals.series:
            paths = [ensemble(paths_of(part.values)) for part in parts_of(past, one.key)]
            answers[one.key] = _path(one, add(paths)[:horizon])
        return answers

    return forecaster


def conformal_spread(
    panel: Panel, point: Forecaster, *, horizon: int = MAX_HORIZON, levels: Sequence[str] = LEVELS
) -> ConformalSpread:
    """Return the spread that the method's intervals have at the end of `panel`.

    Raises audits.errors.SeriesTooShort where the history is too short to learn one.
    """
    near = _calibrated(panel, point, horizon=min(horizon, _NEAR), levels=levels)
    if horizon <= _NEAR:
        return near
    far = _calibrated(panel, point, horizon=horizon, levels=levels)
    return ConformalSpread(
        shape=near.shape,
        levels=near.levels,
        bands=(*near.bands, far.bands[-1]),
        offsets={name: (*bands, far.offsets[name][-1]) for name, bands in near.offsets.items()},
        n={name: (*counts, far.n[name][-1]) for name, counts in near.n.items()},
    )


def _calibrated(
    panel: Panel, forecaster: Forecaster, *, horizon: int, levels: Sequence[str]
) -> ConformalSpread:
    count = _origins_needed(len(panel.series), horizon=horizon, levels=levels)
    chosen = origins(panel, count=count, horizon=horizon, step=CALIBRATION_STEP)
    errors = evaluate(panel, forecaster=forecaster, origins=chosen, horizon=horizon)
    bands = [*(edge for edge in BANDS if edge < horizon), horizon]
    return calibrate(errors, levels, bands=bands, known_by=panel.end)


def _origins_needed(series: int, *, horizon: int, levels: Sequence[str]) -> int:
    """Return how many origins fill the first band: more than usual where series are few.

    A signed limit with probability p needs at least p / (1 - p) errors
    (see `audits.forecasting.conformal`).
    """
    tail = (1 - max(Decimal(level) for level in levels)) / 2
    errors = math.ceil((1 - tail) / tail)
    return max(CALIBRATION_ORIGINS, math.ceil(errors / (series * min(BANDS[0], horizon))))


def check_horizon(horizon: int) -> None:
    """Refuse a horizon that the method is not meant for."""
    if not 1 <= horizon <= MAX_HORIZON:
        raise FitRefused(
            f"the method forecasts 1 to {MAX_HORIZON} months ahead, not {horizon}",
            next_step=f"ask for a horizon of at most {MAX_HORIZON} months",
        )


def _path(one: MonthlySeries, median: tuple[float, ...]) -> PathForecast:
    return PathForecast(key=one.key, origin=one.end, median=median, quantiles={})
