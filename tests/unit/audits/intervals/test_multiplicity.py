"""Several claims at once: which stand, and that a false one is as rare as stated."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.criteria import Criterion, Judgement
from audits.errors import MultiplicityMalformed
from audits.estimate import Estimate, Verdict
from audits.intervals.multiplicity import (
    MultiplicityRule,
    PValue,
    fixed_sequence,
    holm,
    judge_all,
)

PASS, FAIL, INSUFFICIENT = Verdict.PASS, Verdict.FAIL, Verdict.INSUFFICIENT
HOLM = MultiplicityRule(kind="holm")


def p(claim: str, value: float, *, sides: int = 2) -> PValue:
    return PValue(claim=claim, value=value, null=f"{claim} is 0", sides=sides, method="z test")  # type: ignore[arg-type]


def criterion(name: str, **changes: object) -> Criterion:
    fields: dict[str, object] = {
        "id": name,
        "metric": name,
        "direction": "at_least",
        "floor": 0.0,
        "reading": "excludes_baseline",
        "baseline": 0.0,
    }
    return Criterion(**{**fields, **changes})  # type: ignore[arg-type]


class Normal:
    """Estimates of known z scores; remembers which levels were asked."""

    def __init__(self, **scores: float) -> None:
        self.scores = scores
        self.asked: list[tuple[str, float]] = []

    def __call__(self, one: Criterion, level: float) -> Estimate:
        self.asked.append((one.id, round(level, 6)))
        z, reach = self.scores[one.id], NormalDist().inv_cdf((1 + level) / 2)
        return Estimate(
            metric=one.metric,
            value=z,
            low=z - reach,
            high=z + reach,
            level=level,
            n=100,
            unit="patient",
            method="z",
        )


def judged(scores: dict[str, float], rule: MultiplicityRule) -> dict[str, Judgement]:
    criteria = [criterion(name) for name in scores]
    return {one.criterion: one for one in judge_all(criteria, Normal(**scores), rule=rule)}


def verdicts(scores: dict[str, float], rule: MultiplicityRule) -> list[Verdict]:
    return [one.verdict for one in judged(scores, rule).values()]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "best_of"},
        {"level": 1.0},
        {"kind": "fixed_sequence"},
        {"kind": "holm", "order": ("a",)},
        {"kind": "fixed_sequence", "order": ("a", "a")},
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(MultiplicityMalformed) as refusal:
        MultiplicityRule(**fields)  # type: ignore[arg-type]
    assert refusal.value.next_step


@pytest.mark.parametrize(
    "fields", [{"value": 1.1}, {"value": -0.1}, {"null": ""}, {"method": ""}, {"sides": 3}]
)
def test_a_p_value_is_never_a_bare_number(fields: dict[str, object]) -> None:
    whole = {"claim": "a", "value": 0.1, "null": "a is 0", "sides": 2, "method": "z test"}
    with pytest.raises(MultiplicityMalformed):
        PValue(**{**whole, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", [holm, fixed_sequence])
@pytest.mark.parametrize(
    ("claims", "alpha"),
    [
        ([], 0.05),
        ([p("a", 0.1), p("a", 0.2)], 0.05),
        ([p("a", 0.1), p("b", 0.1, sides=1)], 0.05),
        ([p("a", 0.1)], 0.0),
    ],
    ids=["none", "one twice", "mixed sides", "no alpha"],
)
def test_claims_that_cannot_be_compared_are_refused(
    rule: object, claims: list[PValue], alpha: float
) -> None:
    with pytest.raises(MultiplicityMalformed):
        rule(claims, alpha=alpha)  # type: ignore[operator]


def test_a_fixed_sequence_stops_at_the_first_claim_that_does_not_stand() -> None:
    found = fixed_sequence([p("a", 0.01), p("b", 0.2), p("c", 0.001)], alpha=0.05)
    assert [one.adjusted for one in found] == [0.01, 0.2, 0.2]
    assert [one.stands for one in found] == [True, False, False]


def test_all_must_pass_adjusts_nothing() -> None:
    scores = {"a": 2.0, "b": 2.0}
    assert verdicts(scores, MultiplicityRule()) == [PASS, PASS]
    assert verdicts(scores, HOLM) == [INSUFFICIENT, INSUFFICIENT]


def test_holm_steps_down_as_claims_are_made() -> None:
    """At 2.3 b passes for two claims (2.24), not for three (2.39): a must be made first."""
    assert verdicts({"a": 3.0, "b": 2.3, "c": 2.0}, HOLM) == [PASS, PASS, PASS]
    assert verdicts({"a": 2.35, "b": 2.3, "c": 2.0}, HOLM) == [INSUFFICIENT] * 3
    found = judged({"a": 3.0, "b": 2.3, "c": 1.9}, HOLM)
    assert [one.verdict for one in found.values()] == [PASS, PASS, INSUFFICIENT]
    assert found["a"].estimate.level == pytest.approx(1 - 0.05 / 3)
    assert found["b"].estimate.level == pytest.approx(1 - 0.05 / 2)


@pytest.mark.requirement("P8")
def test_what_does_not_survive_is_insufficient_and_says_among_how_many() -> None:
    found = judged({"a": 3.0, "b": 2.1, "c": 0.5}, HOLM)
    assert found["b"].verdict is INSUFFICIENT
    assert found["b"].reason.startswith("Among 2 claims the level is 0.975: the value 2.1 meets")


def test_a_fail_stays_a_fail_and_still_counts_among_the_claims() -> None:
    assert verdicts({"a": 2.1, "b": -1.0}, HOLM) == [INSUFFICIENT, FAIL]
    assert verdicts({"a": 2.3, "b": -1.0}, HOLM) == [PASS, FAIL]


def test_a_sequence_leaves_what_follows_untested() -> None:
    rule = MultiplicityRule(kind="fixed_sequence", order=("b", "a", "c"))
    found = judged({"a": 1.0, "b": 2.5, "c": 4.0}, rule)
    assert [found[name].verdict for name in "abc"] == [INSUFFICIENT, PASS, INSUFFICIENT]
    assert found["c"].reason == "Not tested: a comes before it in the sequence and did not pass."
    failed = judged({"a": 4.0, "b": -1.0, "c": -1.0}, rule)
    assert [failed[name].verdict for name in "abc"] == [INSUFFICIENT, FAIL, FAIL]


@pytest.mark.parametrize(
    ("criteria", "rule"),
    [
        ([criterion("a"), criterion("a")], HOLM),
        ([criterion("a"), criterion("b", reading="point", baseline=None)], HOLM),
        ([criterion("a")], MultiplicityRule(kind="fixed_sequence", order=("a", "b"))),
        ([criterion("a"), criterion("b")], MultiplicityRule(kind="fixed_sequence", order=("a",))),
    ],
    ids=["ids repeat", "a point has no level", "order names more", "order names less"],
)
def test_criteria_that_the_rule_does_not_fit_are_refused(
    criteria: list[Criterion], rule: MultiplicityRule
) -> None:
    with pytest.raises(MultiplicityMalformed):
        judge_all(criteria, Normal(a=1.0, b=1.0), rule=rule)


@given(st.lists(st.floats(min_value=-4, max_value=6), min_size=1, max_size=6))
def test_judging_by_interval_is_holm_on_the_p_values(scores: list[float]) -> None:
    named = {f"c{i}": z for i, z in enumerate(scores)}
    values = {name: min(1.0, 2 * NormalDist().cdf(-z)) for name, z in named.items()}
    claims = holm([p(name, x) for name, x in values.items()], alpha=0.05)
    if all(abs(one.adjusted - 0.05) > 1e-9 for one in claims):
        stands = [one is PASS for one in verdicts(named, HOLM)]
        assert stands == [one.stands for one in claims]


def test_records_are_whole() -> None:
    rule = MultiplicityRule(kind="fixed_sequence", order=("b", "a"))
    assert rule.as_record() == {"kind": "fixed_sequence", "level": "0.95", "order": ["b", "a"]}
    record = holm([p("a", 0.012), p("b", 0.4)], alpha=0.05)[0].as_record()
    assert record["adjusted"] == "0.024"
    assert record["stands"] is True
    assert record["p"] == {
        "claim": "a",
        "value": "0.012",
        "null": "a is 0",
        "sides": 2,
        "method": "z test",
    }


def test_a_false_claim_is_as_rare_as_stated() -> None:
    """Five true nulls of eight, 4,000 runs: 2.5 % one-sided, and three standard errors (.74)."""
    rng = np.random.default_rng(11)
    shifts = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 2.5, 3.0, 4.0])
    false = unadjusted = 0
    for z in rng.normal(size=(4000, 8)) + shifts:
        values = [p(f"c{i}", NormalDist().cdf(-x), sides=1) for i, x in enumerate(z)]
        false += any(one.stands for one in holm(values, alpha=0.025)[:5])
        unadjusted += any(one.value <= 0.025 for one in values[:5])
    assert false / 4000 <= 0.025 + 0.0075
    assert unadjusted / 4000 > 0.09
