"""Acceptance criteria: what passes, what fails, and what the data cannot decide."""

from __future__ import annotations

import math

import pytest

from audits.criteria import Criterion, Judgement, judge, overall
from audits.errors import CriterionMalformed, EstimateMismatch
from audits.estimate import Estimate, Verdict

PASS, FAIL, INSUFFICIENT = Verdict.PASS, Verdict.FAIL, Verdict.INSUFFICIENT


def criterion(**changes: object) -> Criterion:
    fields: dict[str, object] = {
        "id": "c",
        "metric": "m",
        "direction": "at_most",
        "floor": 0.8,
        "reading": "excludes_baseline",
        "baseline": 1.0,
    }
    return Criterion(**{**fields, **changes})  # type: ignore[arg-type]


def estimate(
    value: float | None, low: float | None, high: float | None, **changes: object
) -> Estimate:
    fields: dict[str, object] = {
        "metric": "m",
        "level": 0.95,
        "n": 5,
        "unit": "origin",
        "method": "x",
        "note": "because",
    }
    return Estimate(value=value, low=low, high=high, **{**fields, **changes})  # type: ignore[arg-type]


SKILL = {"direction": "at_least", "floor": 0.2, "baseline": 0.0}
RANGE = {
    "direction": "within",
    "floor": None,
    "low": 0.7,
    "high": 0.9,
    "reading": "point",
    "baseline": None,
}


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("changes", "numbers", "verdict"),
    [
        ({}, (0.66, 0.5, 0.9), PASS),
        ({}, (0.66, 0.5, 1.0), INSUFFICIENT),
        ({}, (0.81, 0.7, 0.9), FAIL),
        ({}, (0.81, 0.2, 2.0), FAIL),
        ({}, (0.8, 0.7, 0.9), PASS),
        ({}, (0.66, None, None), INSUFFICIENT),
        ({}, (None, None, None), INSUFFICIENT),
        ({"minimum_n": 6}, (0.1, 0.05, 0.2), INSUFFICIENT),
        ({"minimum_n": 6}, (5.0, 4.0, 6.0), INSUFFICIENT),
        ({"floor": 2.0}, (1.5, 1.2, 1.8), FAIL),
        (SKILL, (0.4, 0.1, 0.7), PASS),
        (SKILL, (0.4, 0.0, 0.8), INSUFFICIENT),
        (SKILL, (0.1, 0.05, 0.15), FAIL),
        (SKILL | {"floor": -0.5}, (-0.3, -0.4, -0.2), FAIL),
        (RANGE, (0.8, 0.2, 1.0), PASS),
        (RANGE, (0.7, 0.2, 1.0), PASS),
        (RANGE, (0.91, 0.85, 0.97), FAIL),
        (RANGE, (0.69, 0.65, 0.8), FAIL),
        (RANGE, (0.8, None, None), PASS),
        (RANGE | {"reading": "margin", "margin": 0.05}, (0.8, 0.66, 0.94), PASS),
        (RANGE | {"reading": "margin", "margin": 0.05}, (0.8, 0.64, 0.94), INSUFFICIENT),
        ({"reading": "margin", "margin": 0.1, "baseline": None}, (0.7, 0.6, 0.9), PASS),
        ({"reading": "margin", "margin": 0.1, "baseline": None}, (0.7, 0.6, 0.91), INSUFFICIENT),
        ({"reading": "margin", "margin": 0.0, "baseline": None}, (0.9, 0.8, 1.0), FAIL),
    ],
)
def test_verdict(
    changes: dict[str, object],
    numbers: tuple[float | None, float | None, float | None],
    verdict: Verdict,
) -> None:
    judgement = judge(criterion(**changes), estimate(*numbers))
    assert judgement.verdict is verdict
    assert judgement.reason.endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"floor": None},
        {"floor": math.nan},
        {"low": 0.1},
        {"baseline": None},
        {"reading": "point"},
        {"reading": "margin"},
        {"reading": "margin", "baseline": None, "margin": -0.1},
        {"reading": "by eye", "baseline": None},
        {"direction": "nearly"},
        {"minimum_n": 0},
        {**RANGE, "low": 0.95},
        {**RANGE, "high": None},
        {**RANGE, "floor": 0.8},
        {**RANGE, "reading": "excludes_baseline", "baseline": 0.5},
    ],
)
def test_contradictory_criterion_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CriterionMalformed) as refusal:
        criterion(**changes)
    assert refusal.value.next_step


@pytest.mark.parametrize("changes", [{"metric": "other"}, {"population": "General"}])
def test_estimate_of_something_else_is_not_judged(changes: dict[str, object]) -> None:
    with pytest.raises(EstimateMismatch):
        judge(criterion(), estimate(0.5, 0.4, 0.6, **changes))


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ([], INSUFFICIENT),
        ([PASS, PASS], PASS),
        ([PASS, INSUFFICIENT], INSUFFICIENT),
        ([INSUFFICIENT, FAIL, PASS], FAIL),
    ],
)
def test_fail_beats_insufficient_beats_pass(verdicts: list[Verdict], verdict: Verdict) -> None:
    judgements = [
        Judgement(criterion="c", verdict=one, reason="r.", estimate=estimate(1.0, None, None))
        for one in verdicts
    ]
    assert overall(judgements) is verdict


def test_records_hold_limits_as_text() -> None:
    record = criterion().as_record()
    assert record["floor"] == "0.8"
    assert record["margin"] is None
    assert judge(criterion(), estimate(0.66, 0.5, 0.9)).as_record()["verdict"] == "pass"


COMPARED = {
    "direction": "at_least",
    "floor": None,
    "baseline": None,
    "margin": 0.05,
    "comparator": "last_release",
    "pairing": "paired",
    "population": "all minus last_release",
}
NOT_WORSE = COMPARED | {"reading": "non_inferior"}
BETTER = COMPARED | {"reading": "superior"}
FEWER = {"direction": "at_most"}


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("changes", "numbers", "verdict"),
    [
        (NOT_WORSE, (-0.01, -0.04, 0.02), PASS),
        (NOT_WORSE, (-0.01, -0.05, 0.02), INSUFFICIENT),
        (NOT_WORSE, (-0.05, -0.08, 0.02), INSUFFICIENT),
        (NOT_WORSE, (-0.06, -0.08, 0.02), FAIL),
        (NOT_WORSE, (0.06, None, None), INSUFFICIENT),
        (NOT_WORSE | FEWER, (0.01, -0.02, 0.04), PASS),
        (NOT_WORSE | FEWER, (0.01, -0.02, 0.05), INSUFFICIENT),
        (NOT_WORSE | FEWER, (0.06, -0.02, 0.08), FAIL),
        (BETTER, (0.08, 0.06, 0.1), PASS),
        (BETTER, (0.08, 0.05, 0.1), INSUFFICIENT),
        (BETTER, (0.04, 0.01, 0.07), FAIL),
        (BETTER | {"margin": 0.0}, (0.04, 0.01, 0.07), PASS),
        (BETTER | {"margin": 0.0}, (0.04, 0.0, 0.07), INSUFFICIENT),
        (BETTER | FEWER, (-0.08, -0.1, -0.06), PASS),
        (BETTER | FEWER, (-0.08, -0.1, -0.05), INSUFFICIENT),
        (BETTER | FEWER, (-0.04, -0.07, -0.01), FAIL),
    ],
)
def test_verdict_on_a_comparison(
    changes: dict[str, object],
    numbers: tuple[float | None, float | None, float | None],
    verdict: Verdict,
) -> None:
    gap = estimate(*numbers, population="all minus last_release")
    judgement = judge(criterion(**changes), gap)
    assert judgement.verdict is verdict
    assert judgement.reason.endswith(".")
    assert ".." not in judgement.reason


@pytest.mark.parametrize(
    ("changes", "low", "high", "said"),
    [
        (NOT_WORSE, -0.04, -0.01, True),
        (NOT_WORSE, -0.04, 0.01, False),
        (NOT_WORSE | FEWER, 0.01, 0.04, True),
        (NOT_WORSE | FEWER, -0.01, 0.04, False),
    ],
)
def test_not_inferior_and_yet_worse_is_said(
    changes: dict[str, object], low: float, high: float, said: bool
) -> None:
    gap = estimate((low + high) / 2, low, high, population="all minus last_release")
    judgement = judge(criterion(**changes), gap)
    assert judgement.verdict is PASS
    assert ("worse" in judgement.reason) is said


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("changes", "about", "why"),
    [
        ({"minimum_events": 10}, {"events": 9}, "9 events"),
        ({"minimum_events": 10}, {}, "none were counted"),
        ({"maximum_width": 0.09}, {}, "0.1 wide"),
    ],
)
@pytest.mark.parametrize("value", [0.66, 5.0], ids=["meets the floor", "misses it"])
def test_too_little_decides_nothing_whatever_the_value(
    changes: dict[str, object], about: dict[str, object], why: str, value: float
) -> None:
    found = judge(criterion(**changes), estimate(value, value - 0.05, value + 0.05, **about))
    assert found.verdict is INSUFFICIENT
    assert why in found.reason


def test_a_required_width_needs_an_interval() -> None:
    found = judge(criterion(maximum_width=0.5), estimate(0.5, None, None))
    assert found.verdict is INSUFFICIENT
    assert "there is none" in found.reason


def test_enough_events_and_a_narrow_interval_let_the_value_decide() -> None:
    asked = criterion(minimum_events=10, maximum_width=0.5)
    assert judge(asked, estimate(0.66, 0.5, 0.9, events=10)).verdict is PASS
    assert judge(asked, estimate(0.9, 0.8, 0.95, events=10)).verdict is FAIL


@pytest.mark.parametrize(
    "changes",
    [
        NOT_WORSE | {"margin": None},
        NOT_WORSE | {"margin": 0.0},
        NOT_WORSE | {"margin": -0.1},
        NOT_WORSE | {"comparator": None},
        NOT_WORSE | {"comparator": ""},
        NOT_WORSE | {"pairing": None},
        NOT_WORSE | {"pairing": "by eye"},
        NOT_WORSE | {"population": "all"},
        NOT_WORSE | {"floor": 0.1},
        NOT_WORSE | {"baseline": 0.1},
        NOT_WORSE | {"direction": "within", "low": -0.1, "high": 0.1},
        BETTER | {"margin": None},
        {"comparator": "last_release"},
        {"pairing": "paired"},
        {"minimum_events": 0},
        {"maximum_width": 0.0},
        {"maximum_width": math.inf},
    ],
)
def test_contradictory_comparison_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CriterionMalformed) as refusal:
        criterion(**changes)
    assert refusal.value.next_step


def test_records_of_criteria_that_say_nothing_new_are_what_they_were() -> None:
    assert criterion().as_record() == {
        "id": "c",
        "metric": "m",
        "population": "all",
        "direction": "at_most",
        "reading": "excludes_baseline",
        "minimum_n": 1,
        "floor": "0.8",
        "low": None,
        "high": None,
        "baseline": "1",
        "margin": None,
    }


def test_records_hold_what_a_criterion_says_anew() -> None:
    record = criterion(**NOT_WORSE, minimum_events=7, maximum_width=0.25).as_record()
    assert record["comparator"] == "last_release"
    assert record["pairing"] == "paired"
    assert (record["minimum_events"], record["maximum_width"]) == (7, "0.25")
