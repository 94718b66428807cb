"""The forecasting method: an ensemble median with split-conformal intervals, and its artifact.

Definition: a series is forecast by the median of the members (see `members`), a class total by the
    sum of its concession forecasts. The artifact is a table of paths, not a program: for each
    series and month ahead the median, the interval limits, the members and the seasonal naive.
Formula: limits are `audits.conformal` spreads learnt from the method's own errors at earlier
    origins, signed, on the log scale, by band of horizon (1-3, 4-6, 7-12, 13-24 months) and pooled
    over series. Bands up to 12 months learn from the 8 newest origins, 3 months apart, whose 12
    months are observed at the forecast origin; the last band from the 8 newest whose whole path
    is. Totals have their own spread, from the errors of the sums.
Source: see `audits.conformal` and `members`.
Assumptions: the errors of the coming two years are like those of the last three to four.
Failure modes: as of `members`; a series harder than the others is covered too rarely, which the
    coverage by series in every audit shows. A memory longer than 8 origins covered .90 and more
    for nominal .80, because it still held the level shift of 2000 (docs/models/forecasting.md).
Cost: 13 fits of each series, about 30 s of one core for eight series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from models.forecasting.members import MEMBERS, PathsOf, add, ensemble, member_forecasts
from models.forecasting.predictor import KIND
from models.forecasting.totals import parts_of, total_panel

ForecastParameters: TypeAlias = dict[str, Json]

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
    uses: what is audited is what is served. Overlapping calls share the fits of equal histories.
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
        _check_horizon(horizon)
        return {one.key: _path(one, ensemble(known(one.values))[:horizon]) for one in panel.series}

    return forecaster


def bottom_up(panel: Panel, paths_of: PathsOf) -> Forecaster:
    """Return a forecaster of the class totals of `panel`: the sum of their parts' medians.

    It is handed the totals up to an origin, and cuts `panel` at that origin itself (P9).
    """

    def forecaster(totals: Panel, horizon: int) -> Mapping[str, PathForecast]:
        _check_horizon(horizon)
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
    _check_horizon(horizon)
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


def _calibrated(
    panel: Panel, forecaster: Forecaster, *, horizon: int, levels: Sequence[str]
) -> ConformalSpread:
    chosen = origins(panel, count=CALIBRATION_ORIGINS, horizon=horizon, step=CALIBRATION_STEP)
    errors = evaluate(panel, forecaster=forecaster, origins=chosen, horizon=horizon)
    bands = [*(edge for edge in BANDS if edge < horizon), horizon]
    return calibrate(errors, levels, bands=bands, known_by=panel.end)


def _check_horizon(horizon: int) -> None:
    """Refuse a horizon that the method is not meant for."""
    if not 1 <= horizon <= MAX_HORIZON:
        raise FitRefused(
            f"the method forecasts 1 to {MAX_HORIZON} months ahead, not {horizon}",
            next_step=f"ask for a horizon of at most {MAX_HORIZON} months",
        )


def _path(one: MonthlySeries, median: tuple[float, ...]) -> PathForecast:
    return PathForecast(key=one.key, origin=one.end, median=median, quantiles={})


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
