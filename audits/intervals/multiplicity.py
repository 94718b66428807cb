"""Several claims at once: which of them stand when the chance of a false one is kept.

Definition: each criterion that passes is a claim. A rule, fixed beforehand, keeps the probability
    that any claim is false at most 1 - level, however many criteria there are.
Formula: all_must_pass: each criterion at `level`; nothing is claimed unless all pass, so nothing is
    adjusted. holm: of m claims, those that pass at 1 - (1 - level)/m stand; with k left, those that
    pass at 1 - (1 - level)/k stand; and so on until none is added. fixed_sequence: in the stated
    order, each at `level`, until the first that does not pass; what follows is not tested.
    With p-values p(1) <= ... <= p(m) Holm's adjusted value is max over j <= i of (m - j + 1) p(j),
    at most 1; in a fixed sequence it is the maximum of the p-values so far.
Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70; Berger (1982), Technometrics 24,
    295-300 (all must pass); Maurer, Hothorn and Lehmacher (1995), in Biometrie in der
    chemisch-pharmazeutischen Industrie 6 (fixed sequence); ICH E9 section 2.2.5.
Assumptions: each interval keeps its level at any level asked. The order of a fixed sequence was
    stated before the data were opened (P4).
Failure modes: a criterion read as a point makes no claim with a level: rules that adjust refuse it.
    A fail is no claim and stays a fail; a pass that does not survive becomes insufficient (P8).
Cost: holm asks for at most one estimate a criterion and step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from audits.criteria import Criterion, Judgement, judge
from audits.errors import MultiplicityMalformed
from audits.estimate import RECORD_DIGITS, Estimate, Json, Verdict, decimal_text

Kind: TypeAlias = Literal["all_must_pass", "holm", "fixed_sequence"]
KINDS: Final[tuple[Kind, ...]] = ("all_must_pass", "holm", "fixed_sequence")

Estimator: TypeAlias = Callable[[Criterion, float], Estimate]
"""(criterion, level) -> the estimate that it names, with an interval at that level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiplicityRule:
    """How several criteria are read together; `order` (ids) belongs to `fixed_sequence`."""

    kind: Kind = "all_must_pass"
    level: float = 0.95
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        fault = ""
        if self.kind not in KINDS:
            fault = f"unknown rule {self.kind!r}"
        elif not 0.0 < self.level < 1.0:
            fault = "the level lies strictly between 0 and 1"
        elif (self.kind == "fixed_sequence") != bool(self.order):
            fault = "an order goes with `fixed_sequence`, and only with it"
        elif len(set(self.order)) != len(self.order):
            fault = "the order names a criterion twice"
        if fault:
            raise _malformed(fault)

    def as_record(self) -> dict[str, Json]:
        """Return the rule in the JSON domain."""
        level = decimal_text(self.level, digits=RECORD_DIGITS)
        return {"kind": self.kind, "level": level, "order": list(self.order)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PValue:
    """A p-value with what it is a p-value of: never a bare number.

    `null` is the hypothesis, a sentence; `sides` 1 or 2; `method` the test.
    """

    claim: str
    value: float
    null: str
    sides: Literal[1, 2]
    method: str

    def __post_init__(self) -> None:
        if not 0.0 <= self.value <= 1.0:
            raise _malformed(f"the p-value of {self.claim!r} is {self.value}")
        if not (self.claim and self.null and self.method) or self.sides not in (1, 2):
            raise _malformed("a p-value names its claim, its null hypothesis, sides and method")

    def as_record(self) -> dict[str, Json]:
        """Return the p-value in the JSON domain."""
        return {
            "claim": self.claim,
            "value": decimal_text(self.value, digits=RECORD_DIGITS),
            "null": self.null,
            "sides": self.sides,
            "method": self.method,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A p-value, what it is worth among the others, and whether its claim stands."""

    p: PValue
    adjusted: float
    stands: bool

    def as_record(self) -> dict[str, Json]:
        """Return the claim in the JSON domain."""
        adjusted = decimal_text(self.adjusted, digits=RECORD_DIGITS)
        return {"p": self.p.as_record(), "adjusted": adjusted, "stands": self.stands}


def holm(p_values: Sequence[PValue], *, alpha: float) -> tuple[Claim, ...]:
    """Return every claim in the order given, adjusted by Holm's rule.

    Raises MultiplicityMalformed for no or repeated claims, mixed sides, or alpha outside (0, 1).
    """
    _check(p_values, alpha=alpha)
    ranked = sorted(range(len(p_values)), key=lambda i: p_values[i].value)
    adjusted: dict[int, float] = {}
    largest = 0.0
    for rank, i in enumerate(ranked):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i].value))
        adjusted[i] = largest
    return _claims(p_values, [adjusted[i] for i in range(len(p_values))], alpha=alpha)


def fixed_sequence(p_values: Sequence[PValue], *, alpha: float) -> tuple[Claim, ...]:
    """Return every claim in the order tested; none stands after the first that does not."""
    _check(p_values, alpha=alpha)
    adjusted, largest = [], 0.0
    for one in p_values:
        largest = max(largest, one.value)
        adjusted.append(largest)
    return _claims(p_values, adjusted, alpha=alpha)


def judge_all(
    criteria: Sequence[Criterion], estimate: Estimator, *, rule: MultiplicityRule
) -> tuple[Judgement, ...]:
    """Return a judgement a criterion, in their order, under the rule.

    `estimate` is asked for intervals at the levels that the rule needs; the judgement holds the
    estimate at the level that decided. Raises MultiplicityMalformed where ids repeat, the order is
    not that of the criteria, or a rule that adjusts meets a criterion read as a point.
    """
    _check_criteria(criteria, rule)
    first = {one.id: judge(one, estimate(one, rule.level)) for one in criteria}
    if rule.kind == "holm":
        found = _holm(criteria, first, estimate, rule)
    elif rule.kind == "fixed_sequence":
        found = _in_sequence(first, rule)
    else:
        found = first
    return tuple(found[one.id] for one in criteria)


def _holm(
    criteria: Sequence[Criterion],
    first: dict[str, Judgement],
    estimate: Estimator,
    rule: MultiplicityRule,
) -> dict[str, Judgement]:
    """Step down: each round asks what is left at the level for as many as are left."""
    found = dict(first)
    left = [one for one in criteria if first[one.id].verdict is Verdict.PASS]
    standing: set[str] = set()
    while left:
        claims = len(criteria) - len(standing)
        level = 1 - (1 - rule.level) / claims
        asked = {one.id: judge(one, estimate(one, level)) for one in left}
        added = {name for name, one in asked.items() if one.verdict is Verdict.PASS}
        found |= {name: asked[name] for name in added}
        standing |= added
        left = [one for one in left if one.id not in added]
        if not added:
            for one in left:
                found[one.id] = _unmade(asked[one.id], claims=claims, level=level)
            break
    return found


def _unmade(judgement: Judgement, *, claims: int, level: float) -> Judgement:
    text = decimal_text(level, digits=RECORD_DIGITS)
    others = f"Among {claims} claims the level is {text}"
    return replace(
        judgement,
        verdict=Verdict.INSUFFICIENT,
        reason=f"{others}: {judgement.reason[0].lower()}{judgement.reason[1:]}",
    )


def _in_sequence(first: dict[str, Judgement], rule: MultiplicityRule) -> dict[str, Judgement]:
    found = dict(first)
    stopped = ""
    for name in rule.order:
        if stopped and found[name].verdict is Verdict.PASS:
            found[name] = replace(
                found[name],
                verdict=Verdict.INSUFFICIENT,
                reason=f"Not tested: {stopped} comes before it in the sequence and did not pass.",
            )
        elif not stopped and found[name].verdict is not Verdict.PASS:
            stopped = name
    return found


def _claims(
    p_values: Sequence[PValue], adjusted: Sequence[float], *, alpha: float
) -> tuple[Claim, ...]:
    return tuple(
        Claim(p=p, adjusted=value, stands=value <= alpha)
        for p, value in zip(p_values, adjusted, strict=True)
    )


def _check(p_values: Sequence[PValue], *, alpha: float) -> None:
    if not 0.0 < alpha < 1.0:
        raise _malformed(f"alpha = {alpha} does not lie strictly between 0 and 1")
    names = [one.claim for one in p_values]
    if not names or len(set(names)) != len(names):
        raise _malformed("claims are named once each, and there is at least one")
    if len({one.sides for one in p_values}) > 1:
        raise _malformed("one-sided and two-sided p-values are not compared with one alpha")


def _check_criteria(criteria: Sequence[Criterion], rule: MultiplicityRule) -> None:
    names = [one.id for one in criteria]
    if len(set(names)) != len(names):
        raise _malformed("criteria have ids of their own")
    if rule.kind == "fixed_sequence" and sorted(rule.order) != sorted(names):
        raise _malformed("the order names every criterion, and nothing else")
    points = [one.id for one in criteria if one.reading == "point"]
    if rule.kind != "all_must_pass" and points:
        raise _malformed(f"{points[0]!r} is read as a point and makes no claim with a level")


def _malformed(fault: str) -> MultiplicityMalformed:
    return MultiplicityMalformed(fault, next_step="Correct the rule before the plan is frozen.")
