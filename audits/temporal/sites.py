"""Does a model hold elsewhere: by site, at an unseen site, and against its development.

Definition: local validation is the measure at each site; external replication is the measure at a
    site that training never saw, minus the measure in development.
Formula: difference d = e - a of two independent estimates with limits (MOVER):
    low = d - sqrt((e - e_low)^2 + (a_high - a)^2), high = d + sqrt((e_high - e)^2 + (a - a_low)^2).
Source: Zou and Donner (2008), Statistics in Medicine 27(10), 1693-1702; Debray et al. (2015),
    Journal of Clinical Epidemiology 68, 279-289 (reading an external validation).
Assumptions: the two estimates share no subject; both intervals have one level.
Failure modes: a difference mixes a worse model with a harder population: compare the cohorts.
Cost: the measure once a site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audits.errors import PoolingRefused
from audits.estimate import Estimate, undefined
from audits.intervals.two_proportions import mover_difference
from audits.temporal.strata import Metric, measured

if TYPE_CHECKING:
    from audits.sources.sample import Sample

METHOD: Final = "difference of independent estimates, MOVER, v1"


def by_site(
    sample: Sample, *, site: str, metric: Metric, name: str, level: float, minimum_events: int
) -> tuple[Estimate, ...]:
    """Return the measure `name` at each site, sites in order; population `site=…`.

    A site with too few events is shown as insufficient (P8). Raises PoolingRefused where the sample
    has no such category.
    """
    if site not in sample.categories:
        raise PoolingRefused(
            f"the sample has no category {site!r}", next_step="Name the category that is the site."
        )
    column = sample.categories[site]
    return tuple(
        measured(
            sample,
            column.codes == column.levels.index(level_name),
            metric=metric,
            name=name,
            population=f"{site}={level_name}",
            level=level,
            minimum_events=minimum_events,
        )
        for level_name in sorted(column.levels)
    )


def replication(external: Estimate, development: Estimate) -> Estimate:
    """Return external minus development, with limits; undefined where either has no interval.

    Raises PoolingRefused where the two are of different measures or levels.
    """
    if (external.metric, external.level) != (development.metric, development.level):
        raise PoolingRefused(
            f"{external.metric} at {external.level} and {development.metric} at "
            f"{development.level} cannot be compared",
            next_step="Compare one measure at one level.",
        )
    population = f"{external.population} minus {development.population}"
    ours, theirs = _limits(external), _limits(development)
    if external.value is None or development.value is None or ours is None or theirs is None:
        lacking = external if ours is None else development
        return undefined(
            metric=external.metric,
            population=population,
            note=f"{lacking.population} has no interval: {lacking.note}",
            level=external.level,
            n=external.n,
            unit=external.unit,
            method=METHOD,
            source="sample",
        )
    low, high = mover_difference(external.value, ours, development.value, theirs)
    return Estimate(
        metric=external.metric,
        population=population,
        value=external.value - development.value,
        low=low,
        high=high,
        level=external.level,
        n=external.n,
        unit=external.unit,
        method=METHOD,
        source="sample",
        note=f"{external.n} against {development.n}",
    )


def _limits(estimate: Estimate) -> tuple[float, float] | None:
    if estimate.low is None or estimate.high is None:
        return None
    return estimate.low, estimate.high
