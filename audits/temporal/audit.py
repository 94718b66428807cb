"""The temporal audit of rows: what a random split promises, what time keeps, and what leaks (P9).

Definition: a learner is trained on what was known at each cut and measured on what came after;
    beside it, the same rows split at random. The report holds the cohort by window, the sides and
    what was left out of them, the gap with its interval, the measures by window with their trend,
    the sites, and every finding of leakage with what could not be looked for.
Formula: see `splitters`, `comparison`, `windows`, `pooling`, `leakage`.
Source: Collins et al. (2024), BMJ 385, e078378 (TRIPOD+AI, items on evaluation over time and
    place); the house rules on estimates and verdicts (P4, P8).
Assumptions: the protocol was frozen before the rows after the cut were scored.
Failure modes: see the modules. A learner chosen for its results on these rows has seen them.
Cost: (1 + repeats) fits a cut, then the bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from audits.criteria import Criterion, judge
from audits.errors import ProtocolMalformed
from audits.estimate import Estimate
from audits.performance.brier import brier
from audits.performance.precision_recall import average_precision
from audits.performance.roc import auroc
from audits.performance.rows import rows_of
from audits.report import AuditReport, Progress, judged, quiet
from audits.sources.sample import Sample
from audits.temporal import sections
from audits.temporal.comparison import TIME, compare
from audits.temporal.design import folds_of, random_draws, rows_at
from audits.temporal.leakage.examination import Examination, examine
from audits.temporal.leakage.material import Material
from audits.temporal.learning import Learner, check_sides, scored
from audits.temporal.pooling import Pooled, pool, shrunken
from audits.temporal.protocol import DAY_US, TemporalRowsProtocol, instant, malformed, parse
from audits.temporal.sites import by_site
from audits.temporal.splitters import Fold
from audits.temporal.strata import Metric, enough, events
from audits.temporal.windows import Trend, Window, performance_by_window, weighted_trend

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["KIND", "Learner", "TemporalRowsProtocol", "parse", "run"]

KIND: Final = "temporal-rows"
YEAR_US: Final = 365.25 * DAY_US


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """Everything the sections are drawn from."""

    sample: Sample
    folds: tuple[Fold, ...]
    later: tuple[Sample, ...]
    overall: tuple[Estimate, ...]
    comparison: tuple[Estimate, ...]
    windows: tuple[Window, ...]
    by_window: tuple[Estimate, ...]
    trends: tuple[Trend, ...]
    by_site: tuple[Estimate, ...]
    pooled: tuple[Pooled, ...]
    shrunken: tuple[Estimate, ...]
    examinations: tuple[Examination, ...]
    serious: Estimate

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Every estimate, in the order of the report."""
        return (
            *self.overall,
            *self.comparison,
            *self.by_window,
            *(one.slope for one in self.trends),
            *self.by_site,
            *self.shrunken,
            *(estimate for one in self.pooled for estimate in (one.mean, one.new_site)),
            self.serious,
        )


def run(
    samples: Mapping[str, Sample],
    *,
    protocol: TemporalRowsProtocol,
    criteria: Sequence[Criterion],
    rng: np.random.Generator,
    learner: Learner,
    progress: Progress = quiet,
) -> AuditReport:
    """Return the report on the dated rows of the role "test", which the protocol splits.

    The role "tuning", where given, holds rows on which the learner was tuned. Raises
    ProtocolMalformed where a column or a criterion is not of this protocol; SplitRefused where a
    side is empty or its labelled rows are, or training has one class; what the learner raises
    passes through.
    """
    sample = samples.get("test")
    if sample is None:
        raise malformed("samples", "lack the role 'test', the dated rows")
    _check(sample, protocol)
    folds = folds_of(sample, protocol)
    steps = len(folds) * (1 + protocol.random_repeats) + 1
    streams = iter(rng.spawn(steps))
    later: list[Sample] = []
    random: list[Sample] = []
    for place, fold in enumerate(folds):
        cut = f"cut {protocol.cuts[place]}"
        progress(len(later) * (1 + protocol.random_repeats), steps, cut)
        sides = _labelled(sample, fold.training, fold.test, where=cut)
        later.append(_learned(*sides, learner, next(streams)))
        for training, test in random_draws(sample, fold, protocol, place=place):
            sides = _labelled(sample, training, test, where=f"a random draw beside {cut}")
            random.append(_learned(*sides, learner, next(streams)))
    progress(steps - 1, steps, "measuring")
    found = _measure(
        sample, protocol, folds=folds, later=later, random=random, tuning=samples.get("tuning")
    )
    pairs = {(one.metric, one.population): one for one in found.estimates}
    judgements = tuple(judge(one, _asked(one, pairs)) for one in _distinct(criteria))
    paired = judged(criteria, judgements)
    progress(steps, steps, "done")
    return AuditReport(
        kind=KIND,
        question="Does the model keep over time what it promises, and does anything leak?",
        protocol=protocol.as_record(),
        criteria=paired[0],
        judgements=paired[1],
        sections=sections.all_sections(found, protocol),
        methods=sections.methods(found),
        data=sections.facts(found),
        limits=sections.LIMITS,
        missing=sections.missing(found, protocol),
    )


def _check(sample: Sample, protocol: TemporalRowsProtocol) -> None:
    import numpy as np

    named = [protocol.at, protocol.label_known, *(when for _, when in protocol.known_at)]
    named += [name for pair in protocol.ordered for name in pair]
    for name in named:
        if name is not None and name not in sample.times:
            raise malformed("at", f"or another names the instant {name!r}, which the rows lack")
    if protocol.site is not None and protocol.site not in sample.categories:
        raise malformed("site", f"names {protocol.site!r}, which the rows lack")
    features = {*sample.numbers, *sample.categories}
    for member, names in (
        ("leave_out", protocol.leave_out),
        ("known_at", tuple(name for name, _ in protocol.known_at)),
    ):
        if absent := sorted(set(names) - features):
            raise malformed(member, f"names {absent[0]!r}, which the rows lack")
    if sample.label is None:
        raise malformed("samples", "have no label in the role 'test'")
    if set(np.unique(sample.label[~np.isnan(sample.label)])) - {0.0, 1.0}:
        raise malformed("samples", "have labels other than 0 and 1 in the role 'test'")


def _labelled(sample: Sample, training: Ints, test: Ints, *, where: str) -> tuple[Sample, Sample]:
    """Return the labelled training and test rows, which have to teach and test something."""
    import numpy as np

    labelled = ~np.isnan(np.asarray(sample.label))
    sides = (rows_at(sample, training, among=labelled), rows_at(sample, test, among=labelled))
    check_sides(*sides, where=where)
    return sides


def _learned(training: Sample, test: Sample, learner: Learner, rng: np.random.Generator) -> Sample:
    """Return the test rows, scored by a model trained on the training rows."""
    return scored(test, learner(training, rng))


def _metric(name: str, level: float) -> Metric:
    def measured(rows: Sample, population: str) -> Estimate:
        read = rows_of(rows, population=population)
        if name == "auroc":
            return auroc(read, level=level)
        if name == "average_precision":
            return average_precision(read, level=level)
        return brier(read, level=level)[0]

    return measured


def _measure(
    sample: Sample,
    protocol: TemporalRowsProtocol,
    *,
    folds: tuple[Fold, ...],
    later: list[Sample],
    random: list[Sample],
    tuning: Sample | None,
) -> Found:
    level = protocol.level
    together = sections.together(later)
    metrics = {name: _metric(name, level) for name in protocol.metrics}
    windows = _windows(protocol)
    middles = [one.middle / YEAR_US for one in windows]
    by_window = [_by_window(together, protocol, windows, *one) for one in metrics.items()]
    local = [_local(together, protocol, *one) for one in metrics.items()] if protocol.site else []
    examinations = _examined(sample, folds, protocol, tuning)
    compared: tuple[Estimate, ...] = ()
    if random:
        compared = compare(
            later,
            random,
            metrics=protocol.metrics,
            level=level,
            replicates=protocol.replicates,
            seed=protocol.seed,
            unit=sample.unit,
        )
        fewest = min(events(together), events(sections.together(random)))
        compared = tuple(enough(one, fewest, protocol.minimum_events) for one in compared)
    return Found(
        sample=sample,
        folds=folds,
        later=tuple(later),
        overall=tuple(
            enough(metric(together, TIME), events(together), protocol.minimum_events)
            for metric in metrics.values()
        ),
        comparison=compared,
        windows=windows,
        by_window=tuple(one for each in by_window for one in each),
        trends=tuple(
            weighted_trend(one, middles, level=level, per="year") for one in by_window if windows
        ),
        by_site=tuple(one for each in local for one in each),
        pooled=tuple(pool(one, level=level) for one in local),
        shrunken=tuple(
            replace(one, population=f"{one.population}, shrunken")
            for each in local
            for one in shrunken(each, level=level)
        ),
        examinations=examinations,
        serious=_serious(examinations, sample, level),
    )


def _by_window(
    rows: Sample,
    protocol: TemporalRowsProtocol,
    windows: tuple[Window, ...],
    name: str,
    metric: Metric,
) -> tuple[Estimate, ...]:
    return performance_by_window(
        rows,
        time=protocol.at,
        windows=windows,
        metric=metric,
        name=name,
        level=protocol.level,
        minimum_events=protocol.minimum_events,
    )


def _local(
    rows: Sample, protocol: TemporalRowsProtocol, name: str, metric: Metric
) -> tuple[Estimate, ...]:
    return by_site(
        rows,
        site=protocol.site or "",
        metric=metric,
        name=name,
        level=protocol.level,
        minimum_events=protocol.minimum_events,
    )


def _windows(protocol: TemporalRowsProtocol) -> tuple[Window, ...]:
    bounds = [(instant(one, "windows"), one) for one in protocol.windows]
    return tuple(Window(since, until, name) for (since, name), (until, _) in pairwise(bounds))


def _examined(
    sample: Sample,
    folds: tuple[Fold, ...],
    protocol: TemporalRowsProtocol,
    tuning: Sample | None,
) -> tuple[Examination, ...]:
    """Examine the sides of every cut, each with its share of the bound on false suspicions."""
    extract = None if protocol.extract_at is None else instant(protocol.extract_at, "extract_at")
    # Rows whose label is not there yet are no test rows, and the fault to look for.
    whole = folds_of(sample, protocol, ripe=False)
    return tuple(
        examine(
            Material(
                training=rows_at(sample, fold.training),
                test=rows_at(sample, all_later.test),
                at=protocol.at,
                label_known=protocol.label_known,
                known_at=dict(protocol.known_at),
                ordered=protocol.ordered,
                site=protocol.site,
                held_out=bool(protocol.held_out_sites),
                now=extract,
                tuning=tuning,
                leave_out=protocol.leave_out,
            ),
            alpha=protocol.alpha / len(folds),
        )
        for fold, all_later in zip(folds, whole, strict=True)
    )


def _serious(examinations: tuple[Examination, ...], sample: Sample, level: float) -> Estimate:
    unseen = sorted({which.kind for one in examinations for which in one.unseen})
    blind = f"; not looked for: {', '.join(unseen)}" if unseen else ""
    return Estimate(
        metric="serious_findings",
        value=float(sum(len(one.serious) for one in examinations)),
        low=None,
        high=None,
        level=level,
        n=sample.subjects,
        unit=sample.unit,
        method="count of serious findings, v1",
        source="sample",
        note=f"counted on the rows themselves, so there is no interval{blind}",
    )


def _asked(criterion: Criterion, pairs: Mapping[tuple[str, str], Estimate]) -> Estimate:
    found = pairs.get((criterion.metric, criterion.population))
    if found is None:
        raise ProtocolMalformed(
            f"criterion {criterion.id!r} is about {criterion.metric} of {criterion.population}, "
            "which this protocol does not measure",
            next_step="Correct the criterion or the protocol before the plan is frozen.",
        )
    return found


def _distinct(criteria: Sequence[Criterion]) -> Sequence[Criterion]:
    if len({one.id for one in criteria}) != len(criteria):
        raise malformed("criteria", "share an id")
    return criteria
