"""The audit report as values: what its page and its document show, in the order of reading.

A report shows the numbers of the evidence record and computes none. `evidence_reader` makes it
from the record; `audit_charts` draws it; the console's page and `audit_pdf` set it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from governance.reports import wording

DISCLAIMER = (
    "This report provides evidence for the decision that it is attached to. "
    "It does not claim compliance with any law, standard or guidance."
)
"""What every report says of itself (P16)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A label and its value; `code` values are identifiers and digests, set in a fixed pitch."""

    label: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateShown:
    """An estimate with decimal texts as they stand in the record (P8)."""

    metric: str
    population: str
    value: str | None
    low: str | None
    high: str | None
    level: str
    n: int
    unit: str
    method: str
    note: str

    def text(self, *apart_from: str | None) -> str:
        """Return value and interval in one piece of text."""
        return wording.interval_text(self.value, self.low, self.high, apart_from=apart_from)

    @property
    def n_text(self) -> str:
        """Return n with the unit of independence that it counts."""
        return wording.count_text(self.n, self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionShown:
    """One criterion, the estimate that met it, and the verdict with its reason."""

    id: str
    metric: str
    population: str
    direction: str
    floor: str | None
    low: str | None
    high: str | None
    reading: str
    baseline: str | None
    margin: str | None
    minimum_n: int
    verdict: str
    reason: str
    estimate: EstimateShown

    @property
    def title(self) -> str:
        """Return the criterion's name as words."""
        return wording.criterion_words(self.id)

    @property
    def limits(self) -> tuple[str | None, ...]:
        """Return every number that the estimate was judged against."""
        return (self.floor, self.low, self.high, self.baseline)

    @property
    def floor_text(self) -> str:
        """Return what the plan demands of the value."""
        if self.reading in {"superior", "non_inferior"}:
            return "the gap decides"
        if self.direction == "within":
            return f"{wording.number_text(self.low)} to {wording.number_text(self.high)}"
        sign = "at most" if self.direction == "at_most" else "at least"
        return f"{sign} {wording.number_text(self.floor)}"

    @property
    def reading_text(self) -> str:
        """Return what the plan demands of the interval."""
        if self.reading == "excludes_baseline":
            return f"interval excludes {wording.number_text(self.baseline)}"
        if self.reading == "margin":
            return f"interval within a margin of {wording.number_text(self.margin)}"
        if self.reading == "superior":
            return f"interval of the gap beyond {wording.number_text(self.margin)}"
        if self.reading == "non_inferior":
            return (
                f"interval of the gap within {wording.number_text(self.margin)} on the worse side"
            )
        return "the value decides"

    @property
    def estimate_text(self) -> str:
        """Return value and interval, with digits enough to stand on their side of each limit."""
        return self.estimate.text(*self.limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonShown:
    """The error of the model and of its baseline so many months ahead."""

    horizon: int
    model: EstimateShown
    baseline: EstimateShown | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupShown:
    """One group's estimates; small groups are shown, and say that they are small (P8)."""

    group: str
    estimates: tuple[EstimateShown, ...]
    verdict: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathShown:
    """A forecast from the last origin beside what came: decimal texts by month."""

    key: str
    origin: str
    history: tuple[tuple[str, str], ...]
    months: tuple[str, ...]
    actual: tuple[str | None, ...]
    median: tuple[str, ...]
    low_95: tuple[str, ...]
    low_80: tuple[str, ...]
    high_80: tuple[str, ...]
    high_95: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What one audit found. `no_groups` is the sentence where there is no group to compare."""

    kind: str
    model: str
    version: str
    verdict: str
    criteria: tuple[CriterionShown, ...]
    horizons: tuple[HorizonShown, ...]
    horizon_metric: str
    coverage: tuple[EstimateShown, ...]
    nominal_coverage: str | None
    groups: tuple[GroupShown, ...]
    no_groups: str
    paths: tuple[PathShown, ...]
    protocol: tuple[Fact, ...]
    data: tuple[Fact, ...]
    software: tuple[Fact, ...]
    sensitivity: tuple[EstimateShown, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """Return the verdict as a sentence with its counts."""
        return headline_of(self.verdict, self.criteria)


def headline_of(verdict: str, criteria: Sequence[CriterionShown]) -> str:
    """Return a verdict as a sentence that counts the criteria behind it."""
    words = {"pass": 0, "fail": 0, "insufficient": 0}
    for criterion in criteria:
        words[criterion.verdict] = words.get(criterion.verdict, 0) + 1
    if not criteria:
        return "No criterion was fixed before the data were opened, so nothing is decided."
    total = wording.count_text(len(criteria), "criterion", "criteria")
    if verdict == "pass":
        return f"All of {total} fixed before the test data were opened are met."
    parts = [
        wording.count_text(words[kind], text, text)
        for kind, text in (
            ("fail", "not met"),
            ("insufficient", "not decidable on these data"),
            ("pass", "met"),
        )
        if words[kind]
    ]
    return f"Of {total} fixed before the test data were opened: {', '.join(parts)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProof:
    """The two ledger positions that show that the rules came before the results (P4).

    `of_log_before` says that they are positions in a log before the one that is read.
    """

    plan: str
    plan_seq: int
    opened_seq: int
    of_log_before: bool = False

    @property
    def holds(self) -> bool:
        """Whether the plan's approval stands before the opening of the test data."""
        return self.plan_seq < self.opened_seq

    @property
    def sentence(self) -> str:
        """Return the proof as a sentence, or what is wrong."""
        if self.of_log_before:
            return f"{self._sentence} Both are positions in a log before this one."
        return self._sentence

    @property
    def _sentence(self) -> str:
        if self.holds:
            return (
                f"The plan {self.plan} was approved at ledger position {self.plan_seq}, before the "
                f"test data were opened at position {self.opened_seq}."
            )
        return (
            f"The plan {self.plan} was approved at ledger position {self.plan_seq}, which is not "
            f"before the opening of the test data at position {self.opened_seq}. "
            "The results do not count as pre-specified."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifestation:
    """What a reader must see of a signature (21 CFR 11.50): name, instant, meaning."""

    printed_name: str
    signer: str
    meaning: str
    signed_us: int
    record: str
    record_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContext:
    """What stands around the evidence: where it is kept, in which order, who signed it."""

    organisation: str
    deployment: str
    model: str
    version: str
    evidence: str
    digest: str
    produced_us: int
    produced_by: str
    dataset: str
    order: OrderProof
    reproduce: str
    signatures: tuple[Manifestation, ...] = ()
    limits: tuple[str, ...] = field(default=())
