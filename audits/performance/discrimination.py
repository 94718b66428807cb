"""Audit of discrimination: whether the score tells who has the outcome and whether acting pays.

Definition: one frozen protocol; the area under the ROC curve, average precision, what acting at
    each threshold means, net benefit, early recognition and a paired comparison with another score,
    for all rows and for each population, and the two areas by window.
Formula: see `roc`, `precision_recall`, `thresholds`, `decision_curve`, `ranking`.
Source: Collins et al. (2024), BMJ 385, e078378 (TRIPOD+AI, items on performance measures); the
    house rules on estimates and verdicts (P4, P8).
Assumptions: thresholds and specificities were fixed without these rows.
Failure modes: many criteria raise the chance that one fails by luck; windows describe and do not
    decide by themselves. See each method for its own.
Cost: seconds for a million rows, the resamples (`replicates`) apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from audits.criteria import Criterion
from audits.estimate import Estimate, Json, decimal_text
from audits.performance.decision_curve import net_benefit
from audits.performance.discrimination_sections import sections
from audits.performance.precision_recall import average_precision
from audits.performance.protocol import (
    COMMON,
    Common,
    Members,
    Parts,
    floored,
    judge_all,
    malformed,
    parts_of,
    unclear,
)
from audits.performance.ranking import ALPHAS, bedroc, enrichment
from audits.performance.reading import methods_named
from audits.performance.roc import auroc, auroc_difference
from audits.performance.rows import Rows, complete
from audits.performance.thresholds import at_threshold, sensitivity_at_specificity
from audits.report import AuditReport, Progress, judged, quiet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

ScoreKind: TypeAlias = Literal["probability", "score"]

KIND: Final = "discrimination"
MEMBERS: Final = (
    *COMMON,
    "score_kind",
    "thresholds",
    "specificities",
    "net_benefit_thresholds",
    "bedroc_alphas",
    "enrichment_shares",
    "comparator",
    "replicates",
)
REPLICATES_MIN: Final = 200
LIMITS: Final = (
    "Intervals hold one by one; several criteria at once raise the chance that one fails by luck.",
    "The area under the ROC curve says nothing of calibration or of a threshold in use.",
    "Average precision, PPV and NPV hold at the prevalence of these rows.",
    "Rows without label or score were left out; the results describe the others.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscriminationProtocol:
    """How the audit is run; frozen before the test data are opened (P4).

    `comparator` names a numeric column with another model's score. `replicates`: resamples of the
    subjects for sensitivity at fixed specificity and for early recognition.
    """

    common: Common
    score_kind: ScoreKind
    thresholds: tuple[float, ...] = ()
    specificities: tuple[float, ...] = ()
    net_benefit_thresholds: tuple[float, ...] = ()
    bedroc_alphas: tuple[float, ...] = ()
    enrichment_shares: tuple[float, ...] = ()
    comparator: str | None = None
    replicates: int = 1000

    def __post_init__(self) -> None:
        if self.score_kind not in ("probability", "score"):
            raise malformed("score_kind", "is probability or score")
        if self.replicates < REPLICATES_MIN:
            raise malformed("replicates", f"is at least {REPLICATES_MIN}")
        if self.net_benefit_thresholds and self.score_kind != "probability":
            raise malformed("net_benefit_thresholds", "go with scores that are probabilities")
        for name in ("specificities", "net_benefit_thresholds", "enrichment_shares"):
            if not all(0 < x < 1 for x in getattr(self, name)):
                raise malformed(name, "lie strictly between 0 and 1")
        if not all(ALPHAS[0] <= x <= ALPHAS[1] for x in self.bedroc_alphas):
            raise malformed("bedroc_alphas", "lie from 0.001 to 10,000")

    def as_record(self) -> dict[str, Json]:
        """Return the protocol in the JSON domain; `parse` reads it back."""
        numbers: dict[str, Json] = {
            name: [decimal_text(x) for x in getattr(self, name)]
            for name in (
                "thresholds",
                "specificities",
                "net_benefit_thresholds",
                "bedroc_alphas",
                "enrichment_shares",
            )
        }
        return {
            **self.common.as_record(),
            "score_kind": self.score_kind,
            **numbers,
            "comparator": self.comparator,
            "replicates": self.replicates,
        }


def parse(record: Mapping[str, Json]) -> DiscriminationProtocol:
    """Return the protocol of a record; ProtocolMalformed names the member at fault."""
    members = Members(record, names=MEMBERS)
    kind = members.text("score_kind")
    if kind not in ("probability", "score"):
        raise malformed("score_kind", "is probability or score")
    return DiscriminationProtocol(
        common=members.common(),
        score_kind="probability" if kind == "probability" else "score",
        thresholds=members.numbers("thresholds"),
        specificities=members.numbers("specificities"),
        net_benefit_thresholds=members.numbers("net_benefit_thresholds"),
        bedroc_alphas=members.numbers("bedroc_alphas"),
        enrichment_shares=members.numbers("enrichment_shares"),
        comparator=None if record["comparator"] is None else members.text("comparator"),
        replicates=members.whole("replicates"),
    )


def run(
    samples: Mapping[str, Sample],
    *,
    protocol: DiscriminationProtocol,
    criteria: Sequence[Criterion],
    rng: np.random.Generator,
    progress: Progress = quiet,
) -> AuditReport:
    """Return the report on the sample of the role "test"."""
    if "test" not in samples:
        raise malformed("samples", "lack the role 'test'")
    sample = samples["test"]
    parts = parts_of(sample, protocol.common)
    other = _comparator(sample, protocol)
    seed = int(rng.integers(2**62))
    estimates: list[Estimate] = []
    groups = (parts.rows, *parts.populations)
    for done, rows in enumerate(groups):
        progress(done, len(groups), rows.population)
        made = _estimates(rows, protocol, seed=seed)
        estimates += floored(made, rows, protocol.common)
    if other is not None:
        made = [auroc_difference(parts.rows, other=other, level=protocol.common.level)]
        estimates += floored(made, parts.rows, protocol.common)
    windows = _windows(parts, protocol)
    progress(len(groups), len(groups), "judging")
    judgements = judge_all(criteria, (*estimates, *windows))
    paired = judged(criteria, judgements)
    return AuditReport(
        kind=KIND,
        question="Does the score tell who has the outcome, and is acting on it worth it?",
        protocol=protocol.as_record(),
        criteria=paired[0],
        judgements=paired[1],
        sections=sections(
            parts,
            estimates,
            windows,
            net_benefit_thresholds=protocol.net_benefit_thresholds,
        ),
        methods=methods_named((*estimates, *windows)),
        data=parts.data,
        limits=LIMITS,
        missing=(*parts.missing, *unclear((*estimates, *windows))),
    )


def _estimates(rows: Rows, protocol: DiscriminationProtocol, *, seed: int) -> list[Estimate]:
    level, replicates = protocol.common.level, protocol.replicates
    found = [auroc(rows, level=level), average_precision(rows, level=level)]
    for threshold in protocol.thresholds:
        found += at_threshold(rows, threshold=threshold, level=level)
    for x in protocol.specificities:
        found.append(
            sensitivity_at_specificity(
                rows, specificity=x, level=level, replicates=replicates, seed=seed
            )
        )
    for threshold in protocol.net_benefit_thresholds:
        found += net_benefit(rows, threshold=threshold, level=level)
    for x in protocol.bedroc_alphas:
        found += bedroc(rows, alpha=x, level=level, replicates=replicates, seed=seed)
    for x in protocol.enrichment_shares:
        found.append(enrichment(rows, share=x, level=level, replicates=replicates, seed=seed))
    return found


def _windows(parts: Parts, protocol: DiscriminationProtocol) -> tuple[Estimate, ...]:
    level = protocol.common.level
    return tuple(
        one
        for rows in parts.windows
        for one in floored(
            (auroc(rows, level=level), average_precision(rows, level=level)), rows, protocol.common
        )
    )


def _comparator(sample: Sample, protocol: DiscriminationProtocol) -> NDArray[np.float64] | None:
    import numpy as np

    if protocol.comparator is None:
        return None
    if protocol.comparator not in sample.numbers:
        raise malformed("comparator", f"names {protocol.comparator!r}, which the rows have not")
    other = sample.numbers[protocol.comparator][complete(sample)].astype(np.float64)
    if not np.isfinite(other).all():
        raise malformed("comparator", "has no value in some row, so the comparison is not paired")
    return other
