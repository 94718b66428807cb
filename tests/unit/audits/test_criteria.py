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
