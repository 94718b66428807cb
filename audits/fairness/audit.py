"""The audit kind `fairness`: who is served how, how far groups are apart, and what narrowing costs.

Definition: for every policy and every partition of the protocol: counts with denominators, metrics
    by group, all gaps with simultaneous limits and the verdict of their margin; policies and
    mitigations as changes on the same rows.
Formula: as in `metrics`, `scores`, `gaps`, `paired` and `mitigations`.
Source: those of the modules named.
Assumptions: protocol and criteria were frozen before the data were opened (P4).
Failure modes: criteria and margins are many decisions at once; each gap passes only by its whole
    interval, so together they err towards insufficient. A margin is judged in the report beside the
    criteria that were handed in: both decide.
Cost: as `gaps`, a policy and a partition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.criteria import Criterion, Judgement, judge
from audits.errors import ProtocolMalformed
from audits.estimate import Estimate
from audits.fairness.cells import (
    Outcome,
    count_cells,
    decided,
    dosed,
    memberships,
    paired,
    thresholded,
)
from audits.fairness.frame import FairnessFrame, Gap, fairness_frame, judged_gaps, unpaired
from audits.fairness.gaps import DIFFERENCE, pairs_of
from audits.fairness.metrics import (
    DECISION_METRICS,
    DOSE_METRICS,
    EQUALISED_ODDS,
    ERROR_COST,
    CountMetric,
    error_cost,
)
from audits.fairness.mitigations import Learner, Mitigated, NotApplied, apply, logistic_learner
from audits.fairness.paired import changes
from audits.fairness.protocol import FairnessProtocol, malformed, name_of, parse
from audits.fairness.report import (
    LIMITS,
    Findings,
    Moved,
    data_of,
    methods_of,
    missing_of,
    sections_of,
)
from audits.fairness.scores import Scored, score_estimates, score_gaps, scored
from audits.report import AuditReport, Progress, judged, quiet
from audits.sources.sample import Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Decisions: TypeAlias = NDArray[np.int8]

KIND: Final = "fairness"
QUESTION: Final = "Does the model serve every group of people as well as every other?"

__all__ = ["KIND", "FairnessProtocol", "parse", "run"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Policy:
    """One way to decide: its outcome, and the score or dose behind it where there is one."""

    name: str
    outcome: Outcome
    score: Floats | None
    decision: Decisions | None

    @property
    def suffix(self) -> str:
        return f" under {self.name}" if self.name else ""


def run(
    samples: Mapping[str, Sample],
    *,
    protocol: FairnessProtocol,
    criteria: Sequence[Criterion],
    rng: np.random.Generator,
    progress: Progress = quiet,
    learner: Learner = logistic_learner,
) -> AuditReport:
    """Return the report on the rows of the role "test".

    `learner` fits what re-weighting fits. Raises ProtocolMalformed where a role, column or estimate
    that the protocol or a criterion names is not there.
    """
    if "test" not in samples:
        raise malformed("samples", "lack the role 'test'")
    sample = samples["test"]
    policies = _policies(sample, protocol)
    steps = len(policies) * len(protocol.attributes) + len(protocol.mitigations) + 1
    frames: list[FairnessFrame] = []
    for policy in policies:
        for attributes in protocol.attributes:
            progress(len(frames), steps, f"{name_of(attributes)}{policy.suffix}")
            frames.append(_frame(sample, policy, attributes, protocol, rng=rng))
    compared = [
        moved
        for policy in policies[1:]
        for moved in _compared(sample, policies[0], policy, protocol, rng=rng)
    ]
    mitigated = _mitigated(
        samples,
        policies[0],
        protocol,
        rng=rng,
        learner=learner,
        progress=progress,
        done=len(frames),
    )
    progress(steps - 1, steps, "judging")
    findings = Findings(
        sample=sample,
        protocol=protocol,
        policies=tuple(policy.name for policy in policies),
        frames=tuple(frames),
        compared=tuple(compared),
        mitigated=mitigated,
    )
    every = findings.estimates()
    from_margins = [gap for frame in frames for gap in frame.gaps]
    given, judgements = _judge(criteria, every, from_margins)
    return AuditReport(
        kind=KIND,
        question=QUESTION,
        protocol=protocol.as_record(),
        criteria=given,
        judgements=judgements,
        sections=sections_of(findings),
        methods=methods_of(every),
        data=data_of(findings),
        limits=LIMITS,
        missing=missing_of(findings),
    )


def _policies(sample: Sample, protocol: FairnessProtocol) -> list[_Policy]:
    if not protocol.policies:
        return [_policy("", sample.score, sample, protocol)]
    found = []
    for one in protocol.policies:
        if one.column not in sample.numbers:
            raise malformed("policies", f"{one.name} names {one.column!r}, which the rows have not")
        found.append(_policy(one.name, sample.numbers[one.column], sample, protocol))
    return found


def _policy(name: str, score: Floats | None, sample: Sample, protocol: FairnessProtocol) -> _Policy:
    if protocol.tolerance is not None:
        if score is None:
            raise malformed("outcome", "a dose is needed: the sample's score, or policies")
        outcome = dosed(sample, dose=score, tolerance=protocol.tolerance)
        return _Policy(name=name, outcome=outcome, score=score, decision=None)
    decision = sample.decision
    if protocol.threshold is not None:
        if score is None:
            raise malformed("threshold", "a score is needed to be compared with it")
        decision = thresholded(score, threshold=protocol.threshold)
    return _Policy(
        name=name, outcome=decided(sample, decision=decision), score=score, decision=decision
    )


def _count_metrics(protocol: FairnessProtocol) -> list[CountMetric]:
    known = DOSE_METRICS if protocol.outcome == "dose" else DECISION_METRICS
    found = [known[name] for name in protocol.metrics if name in known]
    if protocol.costs is not None:
        costs = protocol.costs
        found.append(
            error_cost(false_positive=costs.false_positive, false_negative=costs.false_negative)
        )
    return found


def _score_metrics(protocol: FairnessProtocol) -> list[str]:
    counted = {one.name for one in _count_metrics(protocol)} | {EQUALISED_ODDS, ERROR_COST}
    return [name for name in protocol.metrics if name not in counted]


def _frame(
    sample: Sample,
    policy: _Policy,
    attributes: tuple[str, ...],
    protocol: FairnessProtocol,
    *,
    rng: np.random.Generator,
) -> FairnessFrame:
    """Return the groups and gaps of one policy and partition, metrics on scores included."""
    cells = count_cells(sample, attributes=attributes, outcome=policy.outcome)
    reference = protocol.references.get(name_of(attributes))
    frame = fairness_frame(
        cells,
        metrics=_count_metrics(protocol),
        level=protocol.level,
        replicates=protocol.replicates,
        rng=rng,
        reference=reference,
        margins=protocol.margins,
        minimum_n=protocol.minimum_n,
        odds=EQUALISED_ODDS in protocol.metrics,
        suffix=policy.suffix,
    )
    names = _score_metrics(protocol)
    if names:
        if policy.score is None:
            raise malformed("metrics", f"{names[0]} needs a score")
        groups, group = memberships(sample, attributes=attributes)
        table = scored(sample, score=policy.score, groups=groups, group=group)
        suffix = policy.suffix
        frame = _with_scores(frame, table, names, protocol, suffix=suffix, reference=reference)
    silent = unpaired(
        frame,
        protocol.margins,
        level=protocol.level,
        minimum_n=protocol.minimum_n,
        suffix=policy.suffix,
    )
    return replace(frame, gaps=(*frame.gaps, *silent))


def _with_scores(
    frame: FairnessFrame,
    table: Scored,
    names: Sequence[str],
    protocol: FairnessProtocol,
    *,
    suffix: str,
    reference: str | None,
) -> FairnessFrame:
    pairs = pairs_of(table.groups, reference=reference)
    totals, estimates = dict(frame.totals), dict(frame.estimates)
    gaps: list[Gap] = []
    for name in names:
        called = name + suffix
        totals[called], *by_group = (
            score_estimates(table.of(g), metric=name, level=protocol.level, name=called)
            for g in (None, *range(len(table.groups)))
        )
        estimates[called] = tuple(by_group)
        found = score_gaps(table, metric=name, pairs=pairs, level=protocol.level, name=called)
        gaps += [
            Gap(
                metric=called,
                scale=DIFFERENCE,
                first=table.groups[i],
                second=table.groups[j],
                estimate=estimate,
            )
            for (i, j), estimate in zip(pairs, found, strict=True)
        ]
    settled = judged_gaps(gaps, protocol.margins, minimum_n=protocol.minimum_n, suffix=suffix)
    return replace(frame, totals=totals, estimates=estimates, gaps=(*frame.gaps, *settled))


def _compared(
    sample: Sample,
    first: _Policy,
    second: _Policy,
    protocol: FairnessProtocol,
    *,
    rng: np.random.Generator,
) -> list[Moved]:
    """Return the change from policy `first` to `second` on the same rows, in every partition."""
    both = paired(first.outcome, second.outcome)
    return _moved(sample, both, f"{second.name} minus {first.name}", protocol, rng=rng)


def _moved(
    sample: Sample,
    both: Outcome,
    what: str,
    protocol: FairnessProtocol,
    *,
    rng: np.random.Generator,
) -> list[Moved]:
    made: list[Moved] = []
    for attributes in protocol.attributes:
        cells = count_cells(sample, attributes=attributes, outcome=both)
        parts = [cells] if made else [cells.together(), cells]
        for part in parts:
            for metric in _count_metrics(protocol):
                found = changes(
                    part,
                    metric=metric,
                    level=protocol.level,
                    replicates=protocol.replicates,
                    rng=rng,
                    name=f"{metric.name} {what}",
                )
                made.append(Moved(what=what, metric=metric, cells=part, estimates=found))
    return made


def _mitigated(
    samples: Mapping[str, Sample],
    policy: _Policy,
    protocol: FairnessProtocol,
    *,
    rng: np.random.Generator,
    learner: Learner,
    progress: Progress,
    done: int,
) -> tuple[tuple[Mitigated | NotApplied, tuple[Moved, ...], tuple[Estimate, ...]], ...]:
    """Return each mitigation with its changes and the scores in groups before and after."""
    made: list[tuple[Mitigated | NotApplied, tuple[Moved, ...], tuple[Estimate, ...]]] = []
    steps = done + len(protocol.mitigations) + 1
    for mitigation in protocol.mitigations:
        progress(done + len(made), steps, mitigation.name)
        if policy.decision is None or protocol.threshold is None:  # pragma: no cover - refused
            raise RuntimeError("a mitigation is of a decision with a threshold")
        test = replace(samples["test"], score=policy.score)
        found = apply(
            mitigation,
            {**samples, "test": test},
            before=policy.decision,
            threshold=protocol.threshold,
            rng=rng,
            learner=learner,
        )
        if isinstance(found, NotApplied):
            made.append((found, (), ()))
            continue
        both = paired(decided(test, decision=found.before), decided(test, decision=found.after))
        moved = _moved(test, both, f"after {found.name} minus before", protocol, rng=rng)
        made.append((found, tuple(moved), _scores_of(test, found, protocol)))
    return tuple(made)


def _scores_of(test: Sample, found: Mitigated, protocol: FairnessProtocol) -> tuple[Estimate, ...]:
    """Return the protocol's metrics on scores by group, before and after a mitigation."""
    made = []
    for attributes in protocol.attributes:
        groups, group = memberships(test, attributes=attributes)
        for when, score in (("before", found.score_before), ("after", found.score_after)):
            table = scored(test, score=score, groups=groups, group=group)
            made += [
                score_estimates(
                    table.of(g),
                    metric=name,
                    level=protocol.level,
                    name=f"{name} {when} {found.name}",
                )
                for name in _score_metrics(protocol)
                for g in range(len(groups))
            ]
    return tuple(made)


def _judge(
    criteria: Sequence[Criterion], estimates: Sequence[Estimate], gaps: Sequence[Gap]
) -> tuple[tuple[Criterion, ...], tuple[Judgement, ...]]:
    """Return the criteria handed in, then those of the margins, each with its judgement."""
    found = {(one.metric, one.population): one for one in estimates}
    times = Counter((one.metric, one.population) for one in estimates)
    judgements = []
    for one in criteria:
        if (one.metric, one.population) not in found:
            raise ProtocolMalformed(
                f"criterion {one.id!r} is about {one.metric} of {one.population}, which this "
                "protocol does not measure",
                next_step="Name metric and population as the estimates of the report do.",
            )
        if times[one.metric, one.population] > 1:
            raise ProtocolMalformed(
                f"criterion {one.id!r} is about {one.metric} of {one.population}, and two "
                "estimates are called so",
                next_step="Rename the attribute or level that reads like an intersection.",
            )
        judgements.append(judge(one, found[one.metric, one.population]))
    own = [(gap.criterion, gap.judgement) for gap in gaps]
    every = [*criteria, *(one for one, _ in own if one is not None)]
    judgements += [one for _, one in own if one is not None]
    return judged(every, judgements)
