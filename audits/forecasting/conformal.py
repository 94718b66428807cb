"""Split-conformal intervals for forecast paths, from errors known before the forecast was made.

Definition: the spread of a forecast is read off the errors of earlier origins, by band of horizon,
    on the log scale, instead of trusted from the forecasting model.
Formula: u = log((actual + 1) / (median + 1)). For a central coverage c and n calibration errors of
    a band, k = ceil((n + 1) p):
    symmetric: half-width = k-th smallest |u|, p = c;
    signed:    upper = k-th smallest u, lower = minus the k-th smallest -u, p = (1 + c) / 2 each.
    Limit at an error x: (median + 1) exp(x) - 1, never below zero, never across the median (the
    limits of a signed spread that would cross it stop at the median).
Source: Papadopoulos, Proedrou, Vovk and Gammerman (2002), European Conference on Machine Learning,
    345-356 (split conformal); Lei, G'Sell, Rinaldo, Tibshirani and Wasserman (2018), Journal of the
    American Statistical Association 113, 1094-1111, section 2.2 (the finite-sample rank); rolling
    use as in Tashman (2000), see `rolling_origin`.
Assumptions: demand is not negative, one unit is small beside a month's demand (the + 1 only keeps
    zero defined); errors of a band are exchangeable with the next one.
Failure modes: errors along one path and across series move together, so n errors carry less than n
    independent ones. In simulation (8 series, five yearly or 16 quarterly calibration origins,
    autocorrelation .3 to .8) nominal .80 covered .77 to .81 on average, single panels .02 to .07
    around that; at .9 the signed form fell to .74, the symmetric to .79. Monthly origins add little
    and cover less. Errors that grow over time are covered too rarely, a turbulent past makes quiet
    times over-covered; a window limits how old an outcome may be. Too few errors for the rank are
    refused, since the interval would be infinite.
Cost: one sort for each band, population and level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

from audits.errors import CalibrationTooSmall, ProtocolMalformed
from audits.estimate import RECORD_DIGITS, Json, decimal_text
from audits.forecasting.forecast_metrics import interval_levels
from audits.forecasting.rolling_origin import PathForecast, RollingErrors
from audits.sources.series import Month

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Mask: TypeAlias = NDArray[np.bool_]

Shape: TypeAlias = Literal["signed", "symmetric"]
BANDS = (3, 6, 12)
"""Last step of each horizon band: 1-3, 4-6, 7-12; later steps use the last band."""
LEVELS = ("0.8", "0.95")
ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformalSpread:
    """Log-scale limits by population, band and quantile level.

    `offsets[population][band index][quantile level]`; `population` is "all" or a series key.
    `n` counts calibration errors the same way.
    """

    shape: Shape
    levels: tuple[str, ...]
    bands: tuple[int, ...]
    offsets: Mapping[str, tuple[Mapping[str, float], ...]]
    n: Mapping[str, tuple[int, ...]]

    def offset(self, key: str, step: int, level: str) -> float:
        """Return the log-scale limit for zero-based `step` of series `key` at a quantile level."""
        by_band = self.offsets.get(key) or self.offsets.get(ALL)
        if by_band is None or level not in by_band[0]:
            raise ProtocolMalformed(
                f"the spread was not calibrated for series {key!r} at the level {level}",
                next_step="Calibrate it for every series and level that is forecast.",
            )
        return by_band[band_of(step, self.bands)][level]

    def as_record(self) -> dict[str, Json]:
        """Return the spread in the JSON domain, offsets as decimal text."""
        return {
            "shape": self.shape,
            "levels": list(self.levels),
            "bands": list(self.bands),
            "offsets": {
                name: [
                    {level: decimal_text(x, digits=RECORD_DIGITS) for level, x in band.items()}
                    for band in bands
                ]
                for name, bands in self.offsets.items()
            },
            "n": {name: list(counts) for name, counts in self.n.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedConformal:
    """Errors of the origins that could be calibrated from their past, and those that could not."""

    errors: RollingErrors | None
    spreads: tuple[ConformalSpread, ...]
    uncalibrated: tuple[Month, ...]


def calibrate(
    errors: RollingErrors,
    levels: Sequence[str] = LEVELS,
    *,
    bands: Sequence[int] = BANDS,
    shape: Shape = "signed",
    by_series: bool = False,
    known_by: Month | None = None,
    window_months: int | None = None,
) -> ConformalSpread:
    """Return the spread learnt from `errors`, for central coverages such as "0.8".

    With `known_by`, only outcomes of months up to it count (P9), with `window_months` of those only
    the newest so many months. `by_series` learns one spread a series instead of one for all.
    Offsets are rounded as recorded. Raises CalibrationTooSmall where a rank exceeds n.
    """
    _check(bands, levels, shape)
    scores = log_errors(errors)
    known = _known_cells(errors, known_by, window_months)
    usable = _usable(bands, errors.horizon)
    rows = {key: [s] for s, key in enumerate(errors.keys)} if by_series else {ALL: slice(None)}
    offsets: dict[str, tuple[Mapping[str, float], ...]] = {}
    counts: dict[str, tuple[int, ...]] = {}
    for name, row in rows.items():
        samples = [
            scores[row][:, known & band]
            for band in (_band_mask(errors, usable, b) for b in range(len(usable)))
        ]
        offsets[name] = tuple(_offsets(one, levels, shape, name) for one in samples)
        counts[name] = tuple(one.size for one in samples)
    return ConformalSpread(
        shape=shape, levels=tuple(levels), bands=tuple(usable), offsets=offsets, n=counts
    )


def apply(path: PathForecast, spread: ConformalSpread) -> PathForecast:
    """Return `path` with the quantiles of `spread` around its median."""
    levels = [level for coverage in spread.levels for level in interval_levels(coverage)]
    return PathForecast(
        key=path.key,
        origin=path.origin,
        median=path.median,
        quantiles={
            level: tuple(
                _limit(middle, spread.offset(path.key, step, level), level)
                for step, middle in enumerate(path.median)
            )
            for level in sorted(levels, key=float)
        },
    )


def nested_conformal(
    errors: RollingErrors,
    levels: Sequence[str] = LEVELS,
    *,
    bands: Sequence[int] = BANDS,
    shape: Shape = "signed",
    by_series: bool = False,
    evaluated: Sequence[Month] | None = None,
    window_months: int | None = None,
) -> NestedConformal:
    """Return each origin's errors with intervals learnt only from outcomes known at that origin.

    `evaluated` names the origins to keep (default: all). An origin whose past is too short is
    listed as uncalibrated, never given an interval from its own future (P8, P9).
    """
    wanted = set(errors.origins if evaluated is None else evaluated)
    kept: list[int] = []
    spreads: list[ConformalSpread] = []
    uncalibrated: list[Month] = []
    for o, origin in enumerate(errors.origins):
        if origin not in wanted:
            continue
        earlier = errors.select(origins=range(o))
        enough = _enough(
            earlier,
            levels,
            bands,
            shape,
            by_series=by_series,
            known_by=origin,
            window_months=window_months,
        )
        if not enough:
            uncalibrated.append(origin)
            continue
        kept.append(o)
        spreads.append(
            calibrate(
                earlier,
                levels,
                bands=bands,
                shape=shape,
                by_series=by_series,
                known_by=origin,
                window_months=window_months,
            )
        )
    recalibrated = _respread(errors.select(origins=kept), spreads) if kept else None
    return NestedConformal(
        errors=recalibrated, spreads=tuple(spreads), uncalibrated=tuple(uncalibrated)
    )


def log_errors(errors: RollingErrors) -> Floats:
    """Return log((actual + 1) / (median + 1)); positive = more was needed than forecast."""
    import numpy as np

    if errors.actual.min(initial=0.0) < 0 or errors.median.min(initial=0.0) < 0:
        raise ProtocolMalformed(
            "demand and its forecast must not be negative on the log scale",
            next_step="Move negative forecasts to zero before calibrating.",
        )
    return np.asarray(np.log1p(errors.actual) - np.log1p(errors.median))


def band_of(step: int, bands: Sequence[int]) -> int:
    """Return the index of the band that holds zero-based `step`; later steps use the last band."""
    return next((b for b, edge in enumerate(bands) if step < edge), len(bands) - 1)


def rank_of(n: int, probability: Decimal) -> int:
    """Return ceil((n + 1) p), the finite-sample rank; above n there is no finite limit."""
    return math.ceil((n + 1) * probability)


def _check(bands: Sequence[int], levels: Sequence[str], shape: str) -> None:
    fault = ""
    if list(bands) != sorted(set(bands)) or not bands or bands[0] < 1:
        fault = "bands are increasing last steps of at least 1"
    elif not levels or not all(0 < Decimal(level) < 1 for level in levels):
        fault = "levels are coverages between 0 and 1, written as text"
    elif shape not in ("signed", "symmetric"):
        fault = f"there is no spread of shape {shape!r}"
    if fault:
        raise ProtocolMalformed(fault, next_step="Correct the conformal settings.")


def _usable(bands: Sequence[int], horizon: int) -> list[int]:
    """Return the bands that hold a step of a path as long as `horizon`."""
    return [edge for before, edge in zip((0, *bands), bands, strict=False) if before < horizon]


def _known_cells(errors: RollingErrors, known_by: Month | None, window: int | None) -> Mask:
    """Return the (origin, step) cells whose outcome was known and at most `window` months old."""
    import numpy as np

    newest = errors.origins[-1].plus(errors.horizon) if known_by is None else known_by
    reach = np.array([newest.minus(origin) for origin in errors.origins], dtype=np.int64)
    age = reach[:, None] - np.arange(1, errors.horizon + 1)[None, :]
    return (age >= 0) if window is None else (age >= 0) & (age < window)


def _band_mask(errors: RollingErrors, bands: Sequence[int], band: int) -> Mask:
    import numpy as np

    steps = [band_of(step, bands) == band for step in range(errors.horizon)]
    return np.broadcast_to(np.array(steps), (len(errors.origins), errors.horizon))


def _probability(coverage: str, shape: str) -> Decimal:
    return Decimal(coverage) if shape == "symmetric" else (1 + Decimal(coverage)) / 2


def _offsets(
    sample: Floats, levels: Sequence[str], shape: Shape, population: str
) -> dict[str, float]:
    import numpy as np

    offsets: dict[str, float] = {}
    scores = sample.ravel()
    for coverage in levels:
        rank = rank_of(scores.size, _probability(coverage, shape))
        if rank > scores.size:
            raise CalibrationTooSmall(
                f"{scores.size} calibration errors of {population} are too few for a {coverage} "
                "interval",
                next_step="Calibrate on more earlier origins, or ask for a lower level.",
            )
        low, high = interval_levels(coverage)
        if shape == "symmetric":
            offsets[high] = _rounded(np.sort(abs(scores))[rank - 1])
            offsets[low] = -offsets[high]
        else:
            offsets[high] = _rounded(np.sort(scores)[rank - 1])
            offsets[low] = -_rounded(np.sort(-scores)[rank - 1])
    return dict(sorted(offsets.items(), key=lambda item: float(item[0])))


def _enough(
    earlier: RollingErrors,
    levels: Sequence[str],
    bands: Sequence[int],
    shape: Shape,
    *,
    by_series: bool,
    known_by: Month,
    window_months: int | None,
) -> bool:
    """Whether every band has errors enough for every rank; decided by counting, not by trying."""
    _check(bands, levels, shape)
    if not earlier.origins:
        return False
    known = _known_cells(earlier, known_by, window_months)
    usable = _usable(bands, earlier.horizon)
    multiple = 1 if by_series else len(earlier.keys)
    counts = [
        int((known & _band_mask(earlier, usable, b)).sum()) * multiple for b in range(len(usable))
    ]
    return all(
        rank_of(n, _probability(coverage, shape)) <= n for n in counts for coverage in levels
    )


def _respread(errors: RollingErrors, spreads: Sequence[ConformalSpread]) -> RollingErrors:
    import numpy as np

    levels = [level for coverage in spreads[0].levels for level in interval_levels(coverage)]
    quantiles = {level: np.empty_like(errors.actual) for level in sorted(levels, key=float)}
    for o, spread in enumerate(spreads):
        for s, key in enumerate(errors.keys):
            path = PathForecast(
                key=key,
                origin=errors.origins[o],
                median=tuple(float(x) for x in errors.median[s, o]),
                quantiles={},
            )
            for level, values in apply(path, spread).quantiles.items():
                quantiles[level][s, o] = values
    return errors.with_quantiles(quantiles)


def _rounded(x: float) -> float:
    return float(decimal_text(float(x), digits=RECORD_DIGITS))


def _limit(middle: float, offset: float, level: str) -> float:
    moved = max((middle + 1.0) * math.exp(offset) - 1.0, 0.0)
    return max(moved, middle) if Decimal(level) > Decimal("0.5") else min(moved, middle)
