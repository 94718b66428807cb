"""Performance without labels: what calibrated scores promise, and how wrong the promise may be.

Definition: if a calibrated score p is the probability of the event, a row adds p to the events and
    1 - p to the others, whatever its label turns out to be. The expected cells of the confusion
    matrix give the metrics.
Formula: TP = sum d p, FP = sum d (1-p), FN = sum (1-d) p, TN = sum (1-d) (1-p), decision d 0/1;
    prevalence, accuracy, sensitivity, specificity, ppv, npv from them. auroc = sum over pairs i, j
    (not i = j) of p(i) (1-p(j)) [s(i) > s(j), half where equal] / (sum p sum (1-p) - sum p (1-p)).
    Calibrator: isotonic regression of the label on the score of the reference.
    Interval: subjects of the reference and of the current rows are resampled (Poisson weights), the
    calibrator is fitted anew each time. Bounds: the least and greatest value over all ways in which
    each p is off by at most delta, each row on its own. For auroc the worst is to raise all p up to
    some rank and to lower the rest (the derivative by p(i) rises with the rank), so every rank is
    tried.
Source: NannyML documentation, "Confidence-based performance estimation" (the method's name and
    form); Zadrozny and Elkan (2002), KDD, 694-699 (isotonic calibration); Barlow and others (1972),
    Statistical Inference under Order Restrictions, chapter 1.
Assumptions: the calibrator holds for the current rows: no concept shift, that is the share of
    events at a given score is what it was. Shift of the scores themselves is allowed.
Failure modes: under concept shift the estimate stays calm while performance falls; nothing in
    unlabelled rows can show it, only labels can (`late_labels`). The interval does not contain this
    error, the bounds do, up to delta. A ratio of expectations is not the expectation of the ratio:
    with fewer than some fifty expected events the two differ visibly.
Cost: one sort a column, replicates fits of the calibrator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import CalibrationTooSmall, SampleMalformed
from audits.estimate import RECORD_DIGITS, Estimate, Json, decimal_text
from audits.intervals.bootstrap import bootstrap_interval, poisson_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

METHOD: Final = "confidence-based performance estimation, isotonic calibrator, v1"
METRICS: Final = (
    "prevalence",
    "accuracy",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "auroc",
)
LEAST_EVENTS: Final = 50
"""Events and non-events of the reference, below which a calibrator is not fitted."""
SIDES: Final = {
    # numerator and denominator as (weight of p, weight of 1 - p) for d = 1, then for d = 0
    "prevalence": (((1, 0), (1, 0)), ((1, 1), (1, 1))),
    "accuracy": (((1, 0), (0, 1)), ((1, 1), (1, 1))),
    "sensitivity": (((1, 0), (0, 0)), ((1, 0), (1, 0))),
    "specificity": (((0, 0), (0, 1)), ((0, 1), (0, 1))),
    "ppv": (((1, 0), (0, 0)), ((1, 1), (0, 0))),
    "npv": (((0, 0), (0, 1)), ((0, 0), (1, 1))),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrator:
    """An isotonic curve: at `scores` (k, rising) the share of events is `shares` (k)."""

    scores: Floats
    shares: Floats

    def of(self, scores: Floats) -> Floats:
        """Return the calibrated probability of each score, straight between the points."""
        import numpy as np

        return np.interp(scores, self.scores, self.shares)

    def as_record(self) -> dict[str, Json]:
        """Return the curve in the JSON domain."""
        texts: list[list[Json]] = [
            [decimal_text(float(x), digits=RECORD_DIGITS) for x in column]
            for column in (self.scores, self.shares)
        ]
        return {"scores": texts[0], "shares": texts[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFree:
    """An estimate, and its bounds where each calibrated probability is off by at most delta."""

    estimate: Estimate
    low: float | None
    high: float | None


def fit_calibrator(label: Floats, score: Floats, *, weights: Floats | None = None) -> Calibrator:
    """Return the isotonic curve of rows whose label and score are known.

    Raises CalibrationTooSmall below `LEAST_EVENTS` events or non-events.
    """
    import numpy as np
    from sklearn.isotonic import IsotonicRegression

    check_binary(label)
    known = ~(np.isnan(label) | np.isnan(score))
    events, rows = int((label[known] == 1).sum()), int(known.sum())
    if min(events, rows - events) < LEAST_EVENTS:
        raise CalibrationTooSmall(
            f"{events} events in {rows} labelled rows are too few to calibrate scores",
            next_step=f"Give a reference with {LEAST_EVENTS} events and as many other rows.",
        )
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(
        score[known], label[known], sample_weight=None if weights is None else weights[known]
    )
    return Calibrator(
        scores=np.asarray(fitted.X_thresholds_, dtype=np.float64),
        shares=np.asarray(fitted.y_thresholds_, dtype=np.float64),
    )


def check_binary(label: Floats) -> None:
    """Raise SampleMalformed for a label that is neither 0 nor 1 nor missing."""
    import numpy as np

    if not (np.isnan(label) | (label == 0) | (label == 1)).all():
        raise SampleMalformed(
            "a label is neither 0 nor 1",
            next_step="Name a column of events, 1 for yes and 0 for no, empty where not known.",
        )


def expected_metrics(
    probability: Floats, score: Floats, decision: NDArray[np.int8], weights: Floats
) -> dict[str, float]:
    """Return every metric the rows are expected to have; NaN where it is undefined."""
    found = {name: _ratio(name, probability, decision, weights) for name in SIDES}
    order, starts = _ranked(score)
    found["auroc"] = _area(probability[order], weights[order], starts)
    return found


def metric_bounds(
    probability: Floats, score: Floats, decision: NDArray[np.int8], *, delta: float
) -> dict[str, tuple[float, float]]:
    """Return the least and greatest value of each metric when each p is off by at most `delta`."""
    import numpy as np

    low, high = np.clip(probability - delta, 0, 1), np.clip(probability + delta, 0, 1)
    one, acted = np.ones(probability.size), decision == 1
    found = {}
    for name in SIDES:
        # Sensitivity falls where acted rows have fewer events and the others more; the rest alike.
        ends = [
            _ratio(name, np.where(acted, *pair), decision, one)
            for pair in ((low, low), (low, high), (high, low), (high, high))
        ]
        found[name] = _extremes(np.array(ends), np.array(ends))
    order, starts = _ranked(score)
    found["auroc"] = _area_bounds(low[order], high[order], starts)
    return found


def label_free(
    reference: Sample,
    current: Sample,
    *,
    delta: float,
    level: float,
    replicates: int,
    seed: int,
) -> tuple[Calibrator, tuple[LabelFree, ...]]:
    """Return the calibrator of the reference and the estimates for current rows.

    Raises SampleMalformed where labels and scores of the reference, or scores and decisions of the
    current rows, are not there.
    """
    import numpy as np

    if reference.label is None or reference.score is None:
        raise _incomplete("the reference needs labels and scores")
    if current.score is None or current.decision is None:
        raise _incomplete("the current rows need scores and decisions")
    known = ~np.isnan(current.score) & (current.decision >= 0)
    rows = current.where(known)
    if rows.score is None or rows.decision is None:  # pragma: no cover - `where` keeps columns
        raise _incomplete("the current rows need scores and decisions")
    calibrator = fit_calibrator(reference.label, reference.score)
    probability = calibrator.of(rows.score)
    point = expected_metrics(probability, rows.score, rows.decision, np.ones(rows.n))
    bounds = metric_bounds(probability, rows.score, rows.decision, delta=delta)
    drawn = _resampled(reference, rows, replicates=replicates, seed=seed)
    units = min(reference.subjects, rows.subjects)
    found = []
    for name in METRICS:
        limits = bootstrap_interval(drawn[name], level=level, point=point[name], units=units)
        defined = bool(np.isfinite(point[name]))
        found.append(
            LabelFree(
                estimate=Estimate(
                    metric=f"expected_{name}",
                    value=point[name] if defined else None,
                    low=limits.low,
                    high=limits.high,
                    level=level,
                    n=rows.subjects,
                    unit=rows.unit,
                    method=METHOD,
                    source="sample",
                    note=limits.note or "holds only where calibration does",
                ),
                low=bounds[name][0] if defined and np.isfinite(bounds[name][0]) else None,
                high=bounds[name][1] if defined and np.isfinite(bounds[name][1]) else None,
            )
        )
    return calibrator, tuple(found)


def _resampled(reference: Sample, rows: Sample, *, replicates: int, seed: int) -> dict[str, Floats]:
    """Return the replicates of each metric, subjects of both sides drawn anew each time."""
    import numpy as np

    label, score, current, decision = reference.label, reference.score, rows.score, rows.decision
    if label is None or score is None or current is None or decision is None:
        raise _incomplete("labels, scores and decisions are needed")
    drawn = {name: np.full(replicates, np.nan) for name in METRICS}
    known = ~(np.isnan(label) | np.isnan(score))
    pairs = zip(
        poisson_weights(reference.subject, replicates=replicates, seed=seed),
        poisson_weights(rows.subject, replicates=replicates, seed=seed + 1),
        strict=True,
    )
    for r, (first, second) in enumerate(pairs):
        if not first[known].any():  # no subject of the reference was drawn: nothing is defined
            continue
        curve = fit_calibrator(label, score, weights=first.astype(np.float64))
        again = expected_metrics(curve.of(current), current, decision, second.astype(np.float64))
        for name in METRICS:
            drawn[name][r] = again[name]
    return drawn


def _ratio(name: str, probability: Floats, decision: NDArray[np.int8], weights: Floats) -> float:
    import numpy as np

    parts = []
    for acted, idle in SIDES[name]:
        event = np.where(decision == 1, acted[0], idle[0])
        other = np.where(decision == 1, acted[1], idle[1])
        parts.append(float(weights @ (event * probability + other * (1 - probability))))
    return parts[0] / parts[1] if parts[1] > 0 else float("nan")


def _ranked(score: Floats) -> tuple[Ints, Ints]:
    """Return the rows in order of the score, and where each group of equal scores begins."""
    import numpy as np

    order = np.argsort(score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return order, starts if score.size else starts[:0]


def _area(probability: Floats, weights: Floats, starts: Ints) -> float:
    """Return the expected AUROC of rows in order of the score."""
    import numpy as np

    if not probability.size:
        return float("nan")
    event, other = weights * probability, weights * (1 - probability)
    own = float((weights * probability * (1 - probability)).sum())
    events = np.add.reduceat(event, starts)
    others = np.add.reduceat(other, starts)
    below = np.cumsum(others) - others
    pairs = float(events.sum() * others.sum()) - own
    return (float(events @ (below + others / 2)) - own / 2) / pairs if pairs > 0 else float("nan")


def _area_bounds(low: Floats, high: Floats, starts: Ints) -> tuple[float, float]:
    """Return the least and greatest AUROC, trying each rank at which to change sides."""
    if not low.size:
        return float("nan"), float("nan")
    least = _area_switched(high, low, starts)
    greatest = _area_switched(low, high, starts)
    return _extremes(least, greatest)


def _extremes(least: Floats, greatest: Floats) -> tuple[float, float]:
    """Return the least and the greatest value that is defined; NaN where none is."""
    import numpy as np

    return float(np.fmin.reduce(least)), float(np.fmax.reduce(greatest))


def _area_switched(first: Floats, last: Floats, starts: Ints) -> Floats:
    """Return the AUROC with `first` for the lowest g groups and `last` above, g from 0 to all."""
    import numpy as np

    def sums(p: Floats) -> tuple[Floats, Floats, Floats]:
        return (
            np.add.reduceat(p, starts),
            np.add.reduceat(1 - p, starts),
            np.add.reduceat(p * (1 - p), starts),
        )

    def upto(x: Floats) -> Floats:
        return np.concatenate(([0.0], np.cumsum(x)))

    def beyond(x: Floats) -> Floats:
        return np.concatenate((np.cumsum(x[::-1])[::-1], [0.0]))

    event, other, own = sums(first)
    late_event, late_other, late_own = sums(last)
    head = upto(event * (np.cumsum(other) - other / 2) - own / 2)
    # Pairs among the last groups: the other is in a last group, the event in a higher one.
    tail = beyond(late_other * (beyond(late_event)[1:] + late_event / 2) - late_own / 2)
    wins = head + tail + beyond(late_event) * upto(other)
    pairs = (upto(event) + beyond(late_event)) * (upto(other) + beyond(late_other))
    pairs = pairs - upto(own) - beyond(late_own)
    found = np.full(wins.size, np.nan)
    np.divide(wins, pairs, out=found, where=pairs > 0)
    return found


def _incomplete(fault: str) -> SampleMalformed:
    return SampleMalformed(fault, next_step="Name the columns in the manifest of the data.")
