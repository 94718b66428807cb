"""A measure on part of the rows: one window or one site, or `insufficient` where too little is.

Definition: the measure is a function of a sample and the name of its population. A part with fewer
    events than the protocol's floor is shown with its n and no value (P8).
Formula: events are the subjects of the rarer label where labels are 0 and 1, else the subjects.
Source: the house rule that small groups are shown and never dropped.
Assumptions: the measure's own interval counts subjects.
Failure modes: many parts, each with an interval of its own, invite reading the worst as news.
Cost: that of the measure, once a part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import ProtocolMalformed
from audits.estimate import Estimate, undefined
from audits.sources.sample import Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]

Metric: TypeAlias = Callable[[Sample, str], Estimate]
"""(rows, name of the population) -> estimate with that population."""

INSUFFICIENT = "insufficient"


def events(sample: Sample) -> int:
    """Return the subjects of the rarer label, or all labelled subjects where labels are not 0/1."""
    import numpy as np

    if sample.label is None:
        return 0
    labelled = sample.where(~np.isnan(sample.label))
    label = np.asarray(labelled.label)
    if set(np.unique(label)) - {0.0, 1.0}:
        return labelled.subjects
    return min(np.unique(labelled.subject[label == which]).size for which in (0.0, 1.0))


def measured(
    sample: Sample,
    mask: Bools,
    *,
    metric: Metric,
    name: str,
    population: str,
    level: float,
    minimum_events: int,
) -> Estimate:
    """Return the measure `name` of the rows of `mask` (n), or say how many events were too few.

    Raises ProtocolMalformed where the measure answers about something else than it was asked.
    """
    part = sample.where(mask)
    count = events(part)
    if count < minimum_events:
        return undefined(
            metric=name,
            population=population,
            note=f"{INSUFFICIENT}: {count} events, {minimum_events} are needed",
            level=level,
            n=part.subjects,
            unit=sample.unit,
            method="none",
            source="sample",
        )
    found = metric(part, population)
    if (found.metric, found.population) != (name, population):
        raise ProtocolMalformed(
            f"asked for {name} of {population}, got {found.metric} of {found.population}",
            next_step="Hand over the measure that the protocol names.",
        )
    return found


def enough(estimate: Estimate, count: int, minimum_events: int) -> Estimate:
    """Return `estimate`, or that `count` events are too few for it (P8)."""
    if count >= minimum_events:
        return estimate
    return undefined(
        metric=estimate.metric,
        population=estimate.population,
        note=f"{INSUFFICIENT}: {count} events, {minimum_events} are needed",
        level=estimate.level,
        n=estimate.n,
        unit=estimate.unit,
        method="none",
        source="sample",
    )


def standard_error(estimate: Estimate) -> float | None:
    """Return half the interval's width over the normal quantile; None without an interval."""
    from statistics import NormalDist

    if estimate.low is None or estimate.high is None or estimate.high <= estimate.low:
        return None
    return (estimate.high - estimate.low) / (2 * NormalDist().inv_cdf((1 + estimate.level) / 2))
