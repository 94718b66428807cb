"""Fitting: from a panel that ends at the forecast origin to the artifact that is served.

Definition: the artifact is a table of paths, not a program: for each series and class total, and
    each month ahead, the median, the interval limits, the members and the seasonal naive value.
Formula: see `method` and `members`.
Source: see `method` and `members`.
Assumptions: the panel is what was known at its last month.
Failure modes: as of `method`.
Cost: 13 fits of each series: 34 s of one core for the eight oncology series, 8 s for two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from audits.errors import AuditError
from audits.estimate import RECORD_DIGITS, Json, decimal_text
from audits.forecasting.conformal import LEVELS, ConformalSpread, apply, band_of
from audits.forecasting.rolling_origin import Forecaster, PathForecast
from audits.forecasting.seasonal_naive import seasonal_naive
from audits.sources.series import MonthlySeries, Panel
from models.errors import FitRefused
from models.forecasting.contract import MAX_HORIZON
from models.forecasting.members import MEMBERS, PathsOf, add, member_forecasts
from models.forecasting.method import (
    INTERVALS,
    METHOD,
    bottom_up,
    check_horizon,
    conformal_spread,
    point_forecaster,
)
from models.forecasting.predictor import KIND
from models.forecasting.totals import parts_of, total_panel

ForecastParameters: TypeAlias = dict[str, Json]


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
        shown = [_Shown(panel=panel, forecaster=point_forecaster(paths_of), of=None)]
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
    spread = conformal_spread(shown.panel, shown.forecaster, horizon=horizon, levels=levels)
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
