"""The forecasting method: the median of four statistical models.

Definition: each series is forecast by AutoETS, AutoTheta, AutoARIMA and AutoCES; the ensemble is
    their median at each horizon (of four: the mean of the middle two). Class totals are the sum of
    the two concession forecasts. Seasonal naive is computed beside, as the baseline, not a member.
Formula: median(h) of the members' paths, each moved to zero where it is negative. The members'
    own intervals under-cover and are not used: see `fitting`.
Source: Hyndman, Koehler, Ord and Snyder (2008), Forecasting with Exponential Smoothing, chapter 2
    (ETS); Fiorucci et al. (2016), International Journal of Forecasting 32(4), 1151-1161 (theta);
    Hyndman and Khandakar (2008), Journal of Statistical Software 27(3) (AutoARIMA, here with orders
    at most 2 and 1); Svetunkov, Kourentzes and Ord (2022), Naval Research Logistics 69(8),
    1108-1123 (CES).
Assumptions: monthly demand, at least two years of it, not negative.
Failure modes: a level shift (a listing, a safety alert, a co-payment rule) is followed only after
    it has been seen; all four members fail together on it. Scale: the log of demand was tried for
    every member and made the L classes worse (L03 starts at zero), so none is taken.
Cost: about 0.2 s a series and origin on one core.
"""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.rolling_origin import MINIMUM_HISTORY, SEASON, Forecaster, PathForecast
from audits.series import MonthlySeries, Panel
from models.errors import FitRefused
from models.forecasting.contract import MAX_HORIZON, TOTAL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

MemberPaths: TypeAlias = Mapping[str, tuple[float, ...]]
"""Path of each member for the months 1 to MAX_HORIZON after the last value, none negative."""
PathsOf: TypeAlias = Callable[[tuple[float, ...]], MemberPaths]

METHOD: Final = "median of AutoETS, AutoTheta, AutoARIMA and AutoCES, v1"
MEMBERS: Final = ("AutoETS", "AutoTheta", "AutoARIMA", "AutoCES")


def ensemble_forecaster(*, members: Sequence[str] = MEMBERS) -> Forecaster:
    """Return the method as an audits `Forecaster`: medians only, no quantiles.

    An audit adds intervals with `audits.conformal.nested_conformal`, from the past of each origin.
    """
    return forecaster_of(member_forecasts(members))


def forecaster_of(paths_of: PathsOf) -> Forecaster:
    """Return the forecaster that answers with the ensemble of `paths_of`."""

    def forecaster(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
        check_horizon(horizon)
        return {
            one.key: _path(one, ensemble(paths_of(one.values))[:horizon]) for one in panel.series
        }

    return forecaster


def bottom_up(panel: Panel, paths_of: PathsOf) -> Forecaster:
    """Return a forecaster of the totals of `panel`: the sum of its parts' forecasts.

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


def member_forecasts(members: Sequence[str] = MEMBERS) -> PathsOf:
    """Return the function from a series' values to the path of each named member.

    It remembers the values it has seen, so that overlapping audits cost one fit for each series
    and origin; what it returns depends on the values alone.
    """
    unknown = set(members) - set(MEMBERS)
    if unknown or not members:
        raise FitRefused(
            f"the method has no member {', '.join(sorted(unknown)) or '(none was named)'}",
            next_step="name members out of " + ", ".join(MEMBERS),
        )
    known: dict[tuple[float, ...], MemberPaths] = {}

    def paths_of(values: tuple[float, ...]) -> MemberPaths:
        if values not in known:
            known[values] = {name: _member_path(name, values) for name in members}
        return known[values]

    return paths_of


def ensemble(paths: MemberPaths) -> tuple[float, ...]:
    """Return the median of the members at each step."""
    return tuple(statistics.median(at) for at in zip(*paths.values(), strict=True))


def add(paths: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the sum of paths, step by step."""
    return tuple(math.fsum(at) for at in zip(*paths, strict=True))


def total_panel(panel: Panel) -> Panel | None:
    """Return the class totals over concession classes; None where no class has two of them.

    A total starts when its last part starts: before that month it would not be the total.
    """
    classes = sorted({class_of(key) for key in panel.keys})
    totals = [_total(parts_of(panel, f"{name}/{TOTAL}")) for name in classes]
    series = tuple(one for one in totals if one is not None)
    return Panel(series=series) if series else None


def parts_of(panel: Panel, total: str) -> tuple[MonthlySeries, ...]:
    """Return the concession series that `total` (such as `L01/total`) is the sum of."""
    name = class_of(total)
    return tuple(
        one for one in panel.series if class_of(one.key) == name and one.key != f"{name}/{TOTAL}"
    )


def class_of(key: str) -> str:
    """Return the product class of a series key such as `L01/General`; FitRefused if malformed."""
    name, slash, concession = key.partition("/")
    if not name or not slash or not concession or "/" in concession:
        raise FitRefused(
            f"the series key {key!r} is not of the form class/concession",
            next_step="name series like L01/General",
        )
    return name


def check_horizon(horizon: int) -> None:
    """Refuse a horizon that the method is not meant for."""
    if not 1 <= horizon <= MAX_HORIZON:
        raise FitRefused(
            f"the method forecasts 1 to {MAX_HORIZON} months ahead, not {horizon}",
            next_step=f"ask for a horizon of at most {MAX_HORIZON} months",
        )


def _total(parts: tuple[MonthlySeries, ...]) -> MonthlySeries | None:
    if len(parts) < 2:
        return None
    start = max(one.start for one in parts)
    windows = [one.window(start, one.end) for one in parts]
    return MonthlySeries(key=f"{class_of(parts[0].key)}/{TOTAL}", start=start, values=add(windows))


def _path(one: MonthlySeries, median: tuple[float, ...]) -> PathForecast:
    return PathForecast(key=one.key, origin=one.end, median=median, quantiles={})


def _member_path(name: str, values: tuple[float, ...]) -> tuple[float, ...]:
    import numpy as np

    if len(values) < MINIMUM_HISTORY or min(values) < 0:
        raise FitRefused(
            f"{len(values)} months of history, the smallest {min(values):g}, carry no forecast",
            next_step=f"give at least {MINIMUM_HISTORY} months of demand that is not negative",
        )
    with warnings.catch_warnings():
        # AutoARIMA's search meets candidates that do not converge; they lose the comparison.
        warnings.filterwarnings("ignore", message="possible convergence problem")
        try:
            raw = _forecast(name, np.asarray(values, dtype=np.float64))
        except (ArithmeticError, ValueError, IndexError, RuntimeError) as error:
            raise FitRefused(
                f"{name} could not be fitted to {len(values)} months",
                next_step="inspect the series, or fit with the other members and say so",
            ) from error
    path = tuple(max(0.0, float(value)) for value in raw)
    if len(path) != MAX_HORIZON or not all(math.isfinite(value) for value in path):
        raise FitRefused(
            f"{name} gave no finite path from {len(values)} months",
            next_step="inspect the series, or fit with the other members and say so",
        )
    return path


def _forecast(name: str, values: Floats) -> Floats:
    from statsforecast.models import AutoARIMA, AutoCES, AutoETS, AutoTheta

    if name == "AutoARIMA":
        # Full orders take 1.5 s a series instead of 0.1 s, and gain nothing (docs/models).
        model = AutoARIMA(
            season_length=SEASON, max_p=2, max_q=2, max_P=1, max_Q=1, approximation=True
        )
    else:
        kinds = {"AutoETS": AutoETS, "AutoTheta": AutoTheta, "AutoCES": AutoCES}
        model = kinds[name](season_length=SEASON)
    forecast: Floats = model.forecast(y=values, h=MAX_HORIZON)["mean"]
    return forecast
