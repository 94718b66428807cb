"""Fitting: from a panel that ends at the forecast origin to the artifact that is served.

Definition: the artifact is a table of paths, not a program: for each series and month ahead the
    median, the interval limits, the members' values and the seasonal naive value.
Formula: limits are `audits.conformal` spreads learnt from the method's own errors at earlier
    origins, signed, on the log scale, by band of horizon (1-3, 4-6, 7-12, 13-24 months). Bands up
    to 12 months learn from the 12 newest origins whose 12 months are observed, 3 months apart; the
    last band from the 12 newest whose whole path is observed. Totals have their own spread, learnt
    from the errors of the summed forecasts.
Source: see `audits.conformal` and `method`.
Assumptions: the errors of the coming two years are like those of the last five.
Failure modes: see `method`; a band's errors are pooled over series, so a series that is harder than
    the others is covered too rarely. The coverage by series is in every audit report.
Cost: 17 fits of each series, together about 25 s for eight series on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from audits.conformal import LEVELS, ConformalSpread, apply, band_of, calibrate
from audits.errors import AuditError
from audits.estimate import RECORD_DIGITS, Json, decimal_text
from audits.rolling_origin import Forecaster, PathForecast, evaluate, origins
from audits.seasonal_naive import seasonal_naive
from audits.series import MonthlySeries, Panel
from models.errors import FitRefused
from models.forecasting.contract import MAX_HORIZON
from models.forecasting.method import (
    MEMBERS,
    METHOD,
    PathsOf,
    add,
    bottom_up,
    check_horizon,
    forecaster_of,
    member_forecasts,
    parts_of,
    total_panel,
)
from models.forecasting.predictor import KIND

ForecastParameters: TypeAlias = dict[str, Json]

INTERVALS: Final = "split conformal on the log scale, signed, by horizon band, v1"
BANDS: Final = (3, 6, 12, 24)
CALIBRATION_ORIGINS: Final = 12
CALIBRATION_STEP: Final = 3
_NEAR: Final = 12


def fit(
    panel: Panel,
    *,
    unit: str,
    horizon: int = MAX_HORIZON,
    levels: Sequence[str] = LEVELS,
    members: Sequence[str] = MEMBERS,
) -> ForecastParameters:
    """Return the served artifact for every series of `panel` and every class total.

    `panel` ends at the forecast origin; `unit` is what is counted a month ("prescriptions");
    `levels` are central coverages such as "0.8". Numbers are decimal strings of six significant
    digits, so that a refit on another processor gives the same bytes. Raises FitRefused where the
    history is too short to fit and to calibrate, or a member gives no finite path.
    """
    check_horizon(horizon)
    paths_of = member_forecasts(members)
    totals = total_panel(panel)
    try:
        shown = [_Shown(panel=panel, forecaster=forecaster_of(paths_of), of=None)]
        if totals is not None:
            shown.append(_Shown(panel=totals, forecaster=bottom_up(panel, paths_of), of=panel))
        rows = [_rows(one, paths_of, horizon=horizon, levels=levels) for one in shown]
    except AuditError as error:
        raise FitRefused(str(error), next_step=error.next_step) from error
    return {
        "kind": KIND,
        "origin": str(panel.end),
        "horizon": horizon,
        "unit": unit,
        "method": METHOD if tuple(members) == MEMBERS else "median of " + ", ".join(members),
        "intervals": INTERVALS,
        "levels": list(levels),
        "members": list(members),
        "series": {key: row for part in rows for key, row in part.items()},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """Series that become rows of the artifact, with who forecasts them.

    `of` is the panel whose series they are sums of; None where they are forecast themselves.
    """

    panel: Panel
    forecaster: Forecaster
    of: Panel | None

    def parts(self, one: MonthlySeries) -> tuple[MonthlySeries, ...]:
        return (one,) if self.of is None else parts_of(self.of, one.key)


def _rows(
    shown: _Shown, paths_of: PathsOf, *, horizon: int, levels: Sequence[str]
) -> dict[str, Json]:
    spread = _spread(shown.panel, shown.forecaster, horizon=horizon, levels=levels)
    paths = shown.forecaster(shown.panel, horizon)
    naive = seasonal_naive(shown.panel, horizon)
    rows: dict[str, Json] = {}
    for one in shown.panel.series:
        row = _row(one, apply(paths[one.key], spread))
        parts = shown.parts(one)
        row["parts"] = [] if shown.of is None else [part.key for part in parts]
        row["members"] = _members([part.values for part in parts], paths_of, horizon)
        row["seasonal_naive"] = _texts(naive[one.key].median)
        row["calibration_errors"] = _counts(spread, horizon)
        rows[one.key] = row
    return rows


def _spread(
    panel: Panel, forecaster: Forecaster, *, horizon: int, levels: Sequence[str]
) -> ConformalSpread:
    near = _calibrated(panel, forecaster, horizon=min(horizon, _NEAR), levels=levels)
    if horizon <= _NEAR:
        return near
    far = _calibrated(panel, forecaster, horizon=horizon, levels=levels)
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
    chosen = origins(panel, count=CALIBRATION_ORIGINS, horizon=horizon, step=CALIBRATION_STEP)
    errors = evaluate(panel, forecaster=forecaster, origins=chosen, horizon=horizon)
    bands = [*(edge for edge in BANDS if edge < horizon), horizon]
    return calibrate(errors, levels, bands=bands, known_by=panel.end)


def _row(one: MonthlySeries, path: PathForecast) -> dict[str, Json]:
    return {
        "group": one.group,
        "from": str(one.start),
        "months": len(one.values),
        "median": _texts(path.median),
        "quantiles": {level: _texts(values) for level, values in path.quantiles.items()},
    }


def _members(parts: list[tuple[float, ...]], paths_of: PathsOf, horizon: int) -> dict[str, Json]:
    found = [paths_of(values) for values in parts]
    return {name: _texts(add([paths[name] for paths in found])[:horizon]) for name in found[0]}


def _counts(spread: ConformalSpread, horizon: int) -> list[Json]:
    """Return how many earlier errors stand behind the interval of each month ahead."""
    (counts,) = spread.n.values()
    return [counts[band_of(step, spread.bands)] for step in range(horizon)]


def _texts(values: Sequence[float]) -> list[Json]:
    return [decimal_text(value, digits=RECORD_DIGITS) for value in values]
