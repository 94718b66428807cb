"""The members of the ensemble: four statistical models, each a path from one series of values.

Definition: each series is forecast by AutoETS, AutoTheta, AutoARIMA and AutoCES; the ensemble is
    their median at each month ahead (of four: the mean of the middle two). Seasonal naive is the
    baseline beside them, not a member.
Formula: median(h) of the members' paths, each moved to zero where it is negative. The members'
    own intervals under-cover and are not used: see `method`.
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

from audits.forecasting.rolling_origin import MINIMUM_HISTORY, SEASON
from models.errors import FitRefused
from models.forecasting.contract import MAX_HORIZON

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

MemberPaths: TypeAlias = Mapping[str, tuple[float, ...]]
"""Path of each member for the months 1 to MAX_HORIZON after the last value, none negative."""
PathsOf: TypeAlias = Callable[[tuple[float, ...]], MemberPaths]

MEMBERS: Final = ("AutoETS", "AutoTheta", "AutoARIMA", "AutoCES")
_HARMLESS: Final = (
    # AutoARIMA's search meets candidates that do not converge or difference too often; they lose.
    "possible convergence problem",
    "Having 3 or more differencing operations",
)


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


def _member_path(name: str, values: tuple[float, ...]) -> tuple[float, ...]:
    import numpy as np

    if len(values) < MINIMUM_HISTORY or min(values) < 0 or max(values) == 0:
        raise FitRefused(
            f"{len(values)} months from {min(values):g} to {max(values):g} carry no forecast",
            next_step=f"give at least {MINIMUM_HISTORY} months of demand, none of them negative",
        )
    with warnings.catch_warnings():
        for message in _HARMLESS:
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        # Candidates that lose may divide by zero on the way; the path is checked below.
        warnings.filterwarnings("ignore", category=RuntimeWarning)
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
