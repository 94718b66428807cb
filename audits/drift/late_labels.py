"""Labels that arrive late: which may count, whom they leave out, what the model did to them.

Definition: a row is mature when `maturity_us` have passed between its prediction and the cut. Only
    mature rows are judged, with the labels known by the cut: an early label of an immature row is
    one of the quick cases. Coverage is the share of mature rows that have their label. A label is
    influenced where its row was acted on because of the model's answer.
Formula: coverage by window: a share with its interval. Selection: the standardised difference of
    each column between labelled and unlabelled mature rows. Delay: P(an event's label takes longer
    than another's) + half the ties, with Newcombe's interval 5, over mature rows of windows whose
    coverage is at least `complete` where there are some, else over all. Worst and best case: the
    metric with all missing labels set so as to make it least, greatest. Inverse probability:
    weights 1 / P(labelled), the probability by logistic regression on score and numbers, shares of
    weights, subjects resampled.
    Influenced labels, as the estimand says: `exclude` leaves their rows out; `treatment-policy`
    takes them as they came; `hypothetical-bounds` treats them as missing, so that the bounds say
    what would be known had nobody acted.
Source: Manski (1990), American Economic Review 80(2), 319-323 (bounds); Hajek (1971) (shares of
    weights); Newcombe (2006), Statistics in Medicine 25(4), 559-573, method 5; ICH E9(R1) (2019),
    section A.3.2 (strategies for intercurrent events).
Assumptions: times are as recorded; the maturity is long enough. The weighted estimate needs labels
    missing at random given score and numbers; the bounds need nothing.
Failure modes: a label that depends on the disease itself, arriving late for the sick, is not at
    random: the weighted estimate is then wrong, `delay` finds it once some late ones have arrived,
    and the bounds contain it. Labels that never arrive for the sick leave no trace in delays.
Cost: sorting, one regression, replicates passes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.drift.cbpe import SIDES, check_binary
from audits.drift.missingness import share_estimate
from audits.errors import SampleMalformed
from audits.estimate import Estimate, Verdict, undefined
from audits.intervals.bootstrap import bootstrap_interval, poisson_weights
from audits.intervals.proportion import normal_quantile
from audits.sources.sample import MISSING_TIME

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]

DELAY: Final = "probability that an event's label takes longer, Newcombe method 5, v1"
WEIGHTED: Final = "inverse probability of a label, logistic, bootstrap by subject, v1"
BOUNDED: Final = "worst and best case of missing labels (Manski), v1"
DIFFERENT: Final = 0.2
"""A standardised difference that is worth saying: Cohen's small effect."""
LEAST_DELAYS: Final = 5
"""Delays of events, and of others, below which nothing is said of them."""
LEAST_PROBABILITY: Final = 0.02
"""Probabilities of a label below this are raised to it: one row must not outweigh fifty."""


class Influence(StrEnum):
    """What is done with labels that the model's answer influenced (ICH E9(R1) strategies)."""

    EXCLUDE = "exclude"
    TREATMENT_POLICY = "treatment-policy"
    HYPOTHETICAL_BOUNDS = "hypothetical-bounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """What is fixed beforehand. `window_us` cuts the predictions into windows."""

    predicted: str
    known: str
    cut_us: int
    maturity_us: int
    window_us: int
    complete: float = 0.95
    influence: Influence = Influence.TREATMENT_POLICY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matured:
    """The mature rows; `label` is NaN where it may not be counted. Counts say what was left out."""

    rows: Sample
    label: Floats
    delay_us: Floats
    immature: int
    early: int
    undated: int
    influenced: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A metric with all missing labels against it, and for it; None where it is undefined."""

    metric: str
    low: float | None
    high: float | None


def matured(sample: Sample, *, lateness: Lateness) -> Matured:
    """Return the rows that may be judged at the cut, and how many may not.

    Raises SampleMalformed where a time, the labels or the decisions are not there, or a label is
    neither 0 nor 1.
    """
    import numpy as np

    for name in (lateness.predicted, lateness.known):
        if name not in sample.times:
            raise SampleMalformed(
                f"there is no time {name!r}", next_step="Name the column in the manifest."
            )
    if sample.label is None or sample.decision is None:
        raise SampleMalformed(
            "late labels need a label and a decision column",
            next_step="Name the columns in the manifest of the data.",
        )
    check_binary(sample.label)
    predicted, known = sample.times[lateness.predicted], sample.times[lateness.known]
    dated = predicted != MISSING_TIME
    ripe = dated & (predicted <= lateness.cut_us - lateness.maturity_us)
    arrived = (known != MISSING_TIME) & (known <= lateness.cut_us) & ~np.isnan(sample.label)
    acted = ripe & (sample.decision == 1)
    kept = ripe & ~acted if lateness.influence is Influence.EXCLUDE else ripe
    counted = arrived & kept
    if lateness.influence is Influence.HYPOTHETICAL_BOUNDS:
        counted &= sample.decision != 1
    delay = np.where(arrived & dated, known - np.where(dated, predicted, 0), 0).astype(np.float64)
    return Matured(
        rows=sample.where(kept),
        label=np.where(counted, sample.label, np.nan)[kept],
        delay_us=np.where(arrived & dated, delay, np.nan)[kept],
        immature=int((dated & ~ripe).sum()),
        early=int((dated & ~ripe & arrived).sum()),
        undated=int((~dated).sum()),
        influenced=int(acted.sum()),
    )


def coverage(found: Matured, *, lateness: Lateness, level: float) -> tuple[Estimate, ...]:
    """Return the share of mature rows with a label: of all, then of each window from the oldest."""
    import numpy as np

    labelled = ~np.isnan(found.label)
    window = _windows(found, lateness)
    masks = {"all": np.ones(labelled.size, dtype=np.bool_)}
    masks |= {f"window {w}": window == w for w in np.unique(window).tolist()}
    return tuple(
        share_estimate(
            labelled[mask],
            found.rows.subject[mask],
            metric="label_coverage",
            level=level,
            unit=found.rows.unit,
            population=name,
        )
        for name, mask in masks.items()
    )


def delay_by_label(found: Matured, *, lateness: Lateness, level: float) -> tuple[Estimate, Verdict]:
    """Return the probability that an event's label takes longer than another's, half for ties.

    Fail: the interval lies wholly off one half, so that early labels are no fair draw. Windows that
    are complete are read alone where they hold events and others; else all arrived labels are.
    """
    import numpy as np
    from scipy.stats import rankdata

    arrived = ~np.isnan(found.label) & ~np.isnan(found.delay_us)
    window = _windows(found, lateness)
    use = arrived & _complete(found, window, lateness.complete)
    if min(int((found.label[use] == x).sum()) for x in (0, 1)) < LEAST_DELAYS:
        use = arrived
    event = found.label[use] == 1
    events, others = int(event.sum()), int((~event).sum())
    n = _subjects(found.rows, use)
    if min(events, others) < LEAST_DELAYS:
        estimate = undefined(
            metric="label_delay",
            note=f"{events} events and {others} others with a label are too few",
            level=level,
            n=n,
            unit=found.rows.unit,
            method=DELAY,
        )
        return estimate, Verdict.INSUFFICIENT
    ranks = rankdata(found.delay_us[use])
    area = float(ranks[event].sum() - events * (events + 1) / 2) / (events * others)
    # Rows of one subject are worth one: both counts shrink alike.
    worth = n / max(1, int(use.sum()))
    low, high = _newcombe(area, events * worth, others * worth, level=level)
    estimate = Estimate(
        metric="label_delay",
        value=area,
        low=low,
        high=high,
        level=level,
        n=n,
        unit=found.rows.unit,
        method=DELAY,
        source="sample",
        note="one half: events and others wait alike",
    )
    return estimate, Verdict.PASS if low <= 0.5 <= high else Verdict.FAIL


def selection(found: Matured) -> tuple[tuple[str, float], ...]:
    """Return each column with the standardised difference of labelled less unlabelled rows.

    Score and numbers only; a column without spread, or one side without rows, is left out.
    """
    import numpy as np

    labelled = ~np.isnan(found.label)
    columns = dict(found.rows.numbers)
    if found.rows.score is not None:
        columns["score"] = found.rows.score
    differences = []
    for name, column in sorted(columns.items()):
        sides = [column[mask & ~np.isnan(column)] for mask in (labelled, ~labelled)]
        if min(side.size for side in sides) < 2:
            continue
        spread = math.sqrt(sum(float(side.var(ddof=1)) for side in sides) / 2)
        if spread > 0:
            differences.append((name, float(sides[0].mean() - sides[1].mean()) / spread))
    return tuple(differences)


def worst_and_best(found: Matured) -> tuple[Bounds, ...]:
    """Return each metric with the missing labels set against it, and set for it."""
    import numpy as np

    decision = found.rows.decision
    if decision is None:  # pragma: no cover - refused by `matured`
        raise SampleMalformed("there is no decision", next_step="Name the decision column.")
    missing, acted = np.isnan(found.label), decision == 1
    results = []
    for metric in SIDES:
        ends = [
            _metric(
                metric,
                np.where(missing, np.where(acted, *fill), found.label),
                decision,
                np.ones(missing.size),
            )
            for fill in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
        ]
        known = [x for x in ends if not math.isnan(x)]
        results.append(
            Bounds(
                metric=metric,
                low=min(known) if known else None,
                high=max(known) if known else None,
            )
        )
    return tuple(results)


def weighted(found: Matured, *, level: float, replicates: int, seed: int) -> tuple[Estimate, ...]:
    """Return each metric of the labelled rows, weighted to stand for the mature ones."""
    import numpy as np

    labelled = ~np.isnan(found.label)
    decision = found.rows.decision
    if decision is None:  # pragma: no cover - refused by `matured`
        raise SampleMalformed("there is no decision", next_step="Name the decision column.")
    probability = _probability(found, labelled)
    weight = np.where(labelled, 1.0 / probability, 0.0)
    label = np.where(labelled, found.label, 0.0)
    point = {name: _metric(name, label, decision, weight) for name in SIDES}
    drawn = {name: np.empty(replicates) for name in SIDES}
    draws = poisson_weights(found.rows.subject, replicates=replicates, seed=seed)
    for r, counts in enumerate(draws):
        for name in SIDES:
            drawn[name][r] = _metric(name, label, decision, weight * counts)
    units = _subjects(found.rows, labelled)
    results = []
    for name in SIDES:
        limits = bootstrap_interval(drawn[name], level=level, point=point[name], units=units)
        results.append(
            Estimate(
                metric=f"weighted_{name}",
                value=None if math.isnan(point[name]) else point[name],
                low=limits.low,
                high=limits.high,
                level=level,
                n=units,
                unit=found.rows.unit,
                method=WEIGHTED,
                source="sample",
                note=limits.note or "holds where labels are missing at random",
            )
        )
    return tuple(results)


def _probability(found: Matured, labelled: Bools) -> Floats:
    """Return the probability of a label of each row; one and the same where it cannot be learnt."""
    import numpy as np

    if labelled.all() or not labelled.any():
        return np.ones(labelled.size)
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns = [column for _, column in sorted(found.rows.numbers.items())]
    if found.rows.score is not None:
        columns.append(found.rows.score)
    filled = [
        np.where(np.isnan(column), np.nanmean(column), column)
        for column in columns
        if not np.isnan(column).all()
    ]
    missing = [np.isnan(column).astype(np.float64) for column in columns]
    features = np.stack([*filled, *missing], axis=1) if columns else np.ones((labelled.size, 1))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    learnt = model.fit(features, labelled).predict_proba(features)[:, 1]
    return np.maximum(np.asarray(learnt, dtype=np.float64), LEAST_PROBABILITY)


def _metric(name: str, label: Floats, decision: NDArray[np.int8], weight: Floats) -> float:
    import numpy as np

    parts = []
    for acted, idle in SIDES[name]:
        event = np.where(decision == 1, acted[0], idle[0])
        other = np.where(decision == 1, acted[1], idle[1])
        parts.append(float(weight @ (event * label + other * (1 - label))))
    return parts[0] / parts[1] if parts[1] > 0 else math.nan


def _windows(found: Matured, lateness: Lateness) -> NDArray[np.int64]:
    predicted = found.rows.times[lateness.predicted]
    first = int(predicted.min()) if predicted.size else 0
    return (predicted - first) // lateness.window_us


def _complete(found: Matured, window: NDArray[np.int64], share: float) -> Bools:
    import numpy as np

    labelled = ~np.isnan(found.label)
    if not window.size:
        return labelled
    rows = np.bincount(window)
    return (np.bincount(window, weights=labelled) >= share * rows)[window]


def _subjects(rows: Sample, mask: Bools) -> int:
    import numpy as np

    return int(np.unique(rows.subject[mask]).size)


def _newcombe(area: float, events: float, others: float, *, level: float) -> tuple[float, float]:
    """Return the limits from which the area is just z of the limit's own deviations away."""
    z = normal_quantile((1 + level) / 2)
    mean = (events + others) / 2 - 1

    def spread(theta: float) -> float:
        inner = 1 + mean * (1 - theta) / (2 - theta) + mean * theta / (1 + theta)
        return z * math.sqrt(max(0.0, theta * (1 - theta) * inner / (events * others)))

    def limit(sign: int) -> float:
        inside, outside = area, 0.0 if sign < 0 else 1.0
        for _ in range(60):
            middle = (inside + outside) / 2
            if sign * (middle - area) <= spread(middle):
                inside = middle
            else:
                outside = middle
        return inside

    return limit(-1), limit(1)
