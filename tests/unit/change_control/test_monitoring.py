"""A monitoring plan fixes what fires and what follows; codes and obligations are read off it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from audits.sources.series import Month
from change_control.errors import FindingUnknown, MonitoringPlanInvalid
from change_control.roles import Role
from change_control.scope import Scope
from change_control.watch.bins import code_of, observe
from change_control.watch.monitoring import (
    mature_us,
    monitoring_plan_from_record,
    parse_monitoring_plan,
    run_due_us,
)
from change_control.watch.obligation import Finding, FindingKind, Obligation, obligation_of
from tests.unit.change_control.example_documents import (
    MONITORING_TEXT,
    drop,
    monitoring_record,
    put,
)

PLAN = parse_monitoring_plan(MONITORING_TEXT)
MONITOR = "monitors.0"
TRIGGER = f"{MONITOR}.trigger"
DAY_US = 86_400_000_000
WARD = Scope.parse("north/ward-3")


def faults(record: Any) -> dict[str, str]:
    with pytest.raises(MonitoringPlanInvalid) as caught:
        monitoring_plan_from_record(record)
    return {problem.path: problem.message for problem in caught.value.problems}


def instant_us(*, year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000_000


# --- the document --------------------------------------------------------------------------------


def test_record_holds_no_float_and_reads_back_as_the_same_plan() -> None:
    text = json.dumps(PLAN.as_record(), allow_nan=False)
    assert json.loads(text, parse_float=pytest.fail) == PLAN.as_record()
    assert monitoring_plan_from_record(PLAN.as_record()) == PLAN


@pytest.mark.parametrize(
    "path",
    [
        "format",
        "cadence",
        "cadence.on_overdue",
        "labels",
        "labels.maturity_days",
        "observations",
        f"{MONITOR}.method",
        f"{MONITOR}.on_trigger",
        f"{MONITOR}.on_trigger.owner_role",
        f"{MONITOR}.on_trigger.due_days",
        f"{MONITOR}.on_trigger.blocks_release",
        f"{MONITOR}.on_trigger.hold",
        f"{MONITOR}.recovery",
        f"{TRIGGER}.false_alarm_rate",
        f"{TRIGGER}.seed",
        f"{TRIGGER}.stable",
    ],
)
@pytest.mark.requirement("P10")
def test_a_missing_part_is_refused(path: str) -> None:
    assert faults(drop(monitoring_record(), path)) == {path: "Field required"}


@pytest.mark.parametrize("path", ["note", f"{MONITOR}.enabled", f"{TRIGGER}.threshold"])
def test_an_unknown_field_is_refused(path: str) -> None:
    assert faults(put(monitoring_record(), path, True)) == {path: "Extra inputs are not permitted"}


@pytest.mark.parametrize(
    ("path", "value", "place", "message"),
    [
        pytest.param(f"{MONITOR}.method", "default", f"{MONITOR}.method", "", id="default"),
        pytest.param(
            f"{MONITOR}.method", "auto, v1", f"{MONITOR}.method", "names no method", id="auto"
        ),
        pytest.param(
            f"{MONITOR}.method", "latest CUSUM, v1", f"{MONITOR}.method", "names no", id="latest"
        ),
        pytest.param(f"{MONITOR}.method", "CUSUM", f"{MONITOR}.method", "pattern", id="no version"),
        pytest.param(
            f"{MONITOR}.kind", "anything", f"{MONITOR}.kind", "forecast_error", id="unknown kind"
        ),
        pytest.param(
            f"{TRIGGER}.false_alarm_rate", 0, f"{TRIGGER}.false_alarm_rate", "between", id="never"
        ),
        pytest.param(
            f"{TRIGGER}.false_alarm_rate",
            Decimal("0.001"),
            TRIGGER,
            "too few",
            id="tail that the replicates cannot fix",
        ),
        pytest.param(f"{TRIGGER}.minimum_months", 25, TRIGGER, "above", id="speaks too late"),
        pytest.param(f"{TRIGGER}.months", 20, TRIGGER, "whole number of paths", id="odd path"),
        pytest.param(
            f"{TRIGGER}.expected_block_months", 40, TRIGGER, "two expected blocks", id="long block"
        ),
        pytest.param(
            f"{TRIGGER}.replicates", 10, f"{TRIGGER}.replicates", "greater", id="few replicates"
        ),
        pytest.param(
            f"{TRIGGER}.stable.months", 6, f"{TRIGGER}.stable.months", "greater", id="short period"
        ),
        pytest.param(
            f"{TRIGGER}.stable.first_month",
            "2003-13",
            f"{TRIGGER}.stable.first_month",
            "pattern",
            id="no such month",
        ),
        pytest.param(
            f"{TRIGGER}.seed", Decimal("1.5"), f"{TRIGGER}.seed", "integer", id="seed not whole"
        ),
        pytest.param(f"{TRIGGER}.seed", True, f"{TRIGGER}.seed", "integer", id="seed a flag"),
        pytest.param(
            f"{MONITOR}.on_trigger.owner_role",
            "somebody",
            f"{MONITOR}.on_trigger.owner_role",
            "reviewer",
            id="unknown owner",
        ),
        pytest.param(
            f"{MONITOR}.on_trigger.due_days",
            0,
            f"{MONITOR}.on_trigger.due_days",
            "greater",
            id="due at once",
        ),
        pytest.param(
            f"{MONITOR}.on_trigger.blocks_release",
            "no",
            f"{MONITOR}.on_trigger.blocks_release",
            "boolean",
            id="no as text",
        ),
        pytest.param("cadence.every", "quarter", "cadence.every", "month", id="other cadence"),
        pytest.param("monitors", [], "monitors", "at least 1", id="no monitor"),
        pytest.param(
            "observations.0.edges", [1], "observations.0", "either", id="categories and edges"
        ),
        pytest.param(
            "observations.1.edges", [1, 1], "observations.1", "ascend", id="edges that stand still"
        ),
        pytest.param("observations.1.edges", [], "observations.1", "at least one", id="no edge"),
        pytest.param(
            "observations.0.categories", ["a", "a"], "observations.0", "twice", id="category twice"
        ),
        pytest.param("observations.1.field", "concession", "observations", "twice", id="twice"),
    ],
)
def test_what_would_leave_something_open_is_refused(
    path: str, value: object, place: str, message: str
) -> None:
    assert message in faults(put(monitoring_record(), path, value))[place]


def test_a_monitor_is_listed_once() -> None:
    record = monitoring_record()
    record["monitors"].append(record["monitors"][0])
    assert faults(record) == {"monitors": "forecast-error is listed twice"}


def test_a_fault_is_shown_with_its_line() -> None:
    text = MONITORING_TEXT.replace("due_days: 14", "due_days: soon")
    with pytest.raises(MonitoringPlanInvalid) as caught:
        parse_monitoring_plan(text)
    (problem,) = caught.value.problems
    assert problem.path == "monitors.0.on_trigger.due_days"
    assert text.splitlines()[(problem.line or 0) - 1].strip() == "due_days: soon"
    assert caught.value.code == "change.monitoring_plan_invalid"


# --- when ----------------------------------------------------------------------------------------


def test_outcomes_of_a_month_are_mature_so_many_days_after_its_end() -> None:
    assert mature_us(PLAN, Month(2005, 12)) == instant_us(year=2006, month=2, day=15)


@pytest.mark.requirement("P12")
def test_a_run_is_due_with_grace_after_maturity() -> None:
    assert run_due_us(PLAN, Month(2005, 12)) == instant_us(year=2006, month=2, day=25)
    assert run_due_us(PLAN, Month(2004, 1)) == instant_us(year=2004, month=3, day=27)


# --- what follows --------------------------------------------------------------------------------


@pytest.mark.requirement("P10")
def test_a_fired_trigger_obliges_as_its_monitor_says() -> None:
    finding = Finding(monitor="forecast-error", kind=FindingKind.TRIGGERED, scope=WARD)
    assert obligation_of(PLAN, finding, now_us=5) == Obligation(
        owner_role=Role.REVIEWER, due_us=5 + 14 * DAY_US, blocks_release=True, hold=WARD
    )


@pytest.mark.requirement("P12")
def test_a_run_that_does_not_come_obliges_as_the_cadence_says() -> None:
    finding = Finding(monitor="forecast-error", kind=FindingKind.OVERDUE, scope=WARD)
    assert obligation_of(PLAN, finding, now_us=5) == Obligation(
        owner_role=Role.MODEL_OWNER, due_us=5 + 7 * DAY_US, blocks_release=True, hold=None
    )


def test_a_finding_at_a_site_may_suspend_the_organisation() -> None:
    wide = monitoring_plan_from_record(
        put(monitoring_record(), f"{MONITOR}.on_trigger.hold", "organisation")
    )
    finding = Finding(monitor="forecast-error", kind=FindingKind.TRIGGERED, scope=WARD)
    assert obligation_of(wide, finding, now_us=5).hold == Scope.parse("north/*")


@pytest.mark.parametrize("kind", FindingKind)
def test_a_finding_of_an_unknown_monitor_is_not_silently_without_obligation(
    kind: FindingKind,
) -> None:
    with pytest.raises(FindingUnknown):
        obligation_of(PLAN, Finding(monitor="drift", kind=kind, scope=WARD), now_us=5)


# --- codes ---------------------------------------------------------------------------------------

CATEGORIES, EDGES = PLAN.observations


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, 0),
        ("", 0),
        ("general", 1),
        ("concessional", 2),
        ("General", 3),
        ("other", 3),
        (1, 3),
        (True, 3),
        ([], 3),
    ],
)
def test_a_category_is_coded_in_the_order_of_the_plan(value: object, code: int) -> None:
    assert code_of(CATEGORIES, value) == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, 0),
        (float("nan"), 0),
        (Decimal("sNaN"), 0),
        (float("-inf"), 1),
        (-0.1, 1),
        (0, 2),
        (Decimal("99.9"), 2),
        (100, 3),
        (1000.4999, 3),
        (1000.5, 4),
        (float("inf"), 4),
        ("100", 5),
        (True, 5),
        ({}, 5),
    ],
)
def test_a_number_is_coded_by_the_edge_at_or_below_it(value: object, code: int) -> None:
    assert code_of(EDGES, value) == code


def test_an_observation_holds_the_planned_fields_of_its_source_and_no_other() -> None:
    row = {"concession": "general", "patient": "Mrs Example", "scripts": 5}
    assert observe(PLAN, source="input", row=row) == {"concession": 1}
    assert observe(PLAN, source="prediction", row={}) == {"scripts": 0}
