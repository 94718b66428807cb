"""Every detector on the two sides, with one false-alarm bound for all that rests on a test.

Definition: findings that are facts stand as they are. A suspicion becomes a finding if its effect
    is large and p <= alpha / k, with k the number of all tests made in the run.
Formula: Bonferroni: the chance of any false suspicion on clean data is at most alpha.
Source: Dunn (1961), Journal of the American Statistical Association 56, 52-64; a taxonomy of
    leakage: Kapoor and Narayanan (2023), Patterns 4(9), 100804.
Assumptions: see each detector.
Failure modes: no finding is no proof: `unseen` lists what could not be looked for, and a fault that
    leaves no trace in the columns handed over leaves none here.
Cost: a few sorts a feature; about a second for 100,000 rows and 30 features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audits.errors import ProtocolMalformed
from audits.temporal.leakage import columns, labels, scale, sides, timing
from audits.temporal.leakage.finding import Finding, Look, Severity, Suspicion, Unseen

if TYPE_CHECKING:
    from audits.temporal.leakage.material import Material

DETECTORS: Final[tuple[Callable[[Material], Look], ...]] = (
    sides.subjects,
    sides.sites,
    sides.duplicates,
    sides.tuning,
    timing.known_later,
    timing.labels_first,
    timing.training_known,
    timing.future,
    timing.order,
    timing.clocks,
    columns.constants,
    columns.telltales,
    columns.gaps,
    columns.identifiers,
    columns.row_order,
    labels.versions,
    labels.lateness,
    scale.units,
)

KINDS: Final = (
    "subject_on_both_sides",
    "site_on_both_sides",
    "duplicated_rows",
    "duplicated_rows_across_sides",
    "nearly_duplicated_rows",
    "nearly_duplicated_rows_across_sides",
    "test_rows_used_for_tuning",
    "feature_known_after_prediction",
    "label_known_before_prediction",
    "test_period_before_training_known",
    "training_rows_after_test_start",
    "future_dated",
    "instants_out_of_order",
    "clock_shift",
    "constant_feature",
    "target_copy",
    "single_feature_decides",
    "missingness_predicts_label",
    "identifier_like",
    "row_order_predicts_label",
    "label_changed",
    "label_late_selectively",
    "unit_change",
)
"""Every kind of finding, in the order of the detectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found, in the order of the detectors, by how many tests; and what was not seen."""

    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...]
    tests: int
    alpha: float

    @property
    def serious(self) -> tuple[Finding, ...]:
        """The findings that no estimate survives."""
        return tuple(one for one in self.findings if one.severity is Severity.SERIOUS)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that were found."""
        return frozenset(one.kind for one in self.findings)


def examine(material: Material, *, alpha: float = 0.01) -> Examination:
    """Return what every detector finds; `alpha` bounds the chance of any false suspicion."""
    if not 0 < alpha < 1:
        raise ProtocolMalformed(
            "a false-alarm bound lies strictly between 0 and 1",
            next_step="State one, such as 0.01.",
        )
    seen = [one for detector in DETECTORS for one in detector(material)]
    tests = sum(isinstance(one, Suspicion) for one in seen)
    findings: list[Finding] = []
    for one in seen:
        if isinstance(one, Finding):
            findings.append(one)
        elif isinstance(one, Suspicion) and one.large and one.p <= alpha / tests:
            findings.append(one.finding)
    return Examination(
        findings=tuple(findings),
        unseen=tuple(one for one in seen if isinstance(one, Unseen)),
        tests=tests,
        alpha=alpha,
    )
