"""A change plan is read whole or refused with every fault and its line."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from audits.criteria import Criterion
from change_control.change.plan import criteria, parse_plan, plan_from_record
from change_control.change.traceability import Part, trace
from change_control.errors import PlanInvalid
from tests.unit.change_control.example_documents import PLAN_TEXT, drop, plan_record, put

EVALUATION = "modification_protocol.performance_evaluation"
CRITERION = f"{EVALUATION}.criteria.0"
LINKS = "planned_modifications.0.protocol"
TEST_DATA = "modification_protocol.data_management.test_data"


def faults(record: Any) -> dict[str, str]:
    with pytest.raises(PlanInvalid) as caught:
        plan_from_record(record)
    return {problem.path: problem.message for problem in caught.value.problems}


def device(record: Any) -> Any:
    """Turn the example into a complete plan for a device."""
    put(record, "regime", "device")
    put(record, "regulator", {"state": "authorised", "reference": "K240001/S003"})
    put(record, f"{TEST_DATA}.sequestered", True)
    put(
        record,
        f"{EVALUATION}.comparators",
        [
            {"kind": "authorised_baseline", "description": "The version authorised."},
            {"kind": "last_release", "description": "The version in service."},
        ],
    )
    return record


def second_modification(record: Any) -> Any:
    """Add a modification whose every cell says that nothing applies."""
    added = {**plan_record()["planned_modifications"][0], "id": "new-site"}
    nothing = {"not_applicable": "A site changes no number of the model."}
    parts = ("data_management", "retraining", "performance_evaluation", "update_procedures")
    added["protocol"] = dict.fromkeys(parts, nothing)
    record["planned_modifications"].append(added)
    put(record, "impact_assessment.hazards.0.modifications", ["yearly-refit", "new-site"])
    return put(
        record,
        "impact_assessment.interactions",
        [{"modifications": ["new-site", "yearly-refit"], "effect": "None; they touch no part."}],
    )


# --- what is read --------------------------------------------------------------------------------


def test_a_complete_plan_is_read() -> None:
    plan = parse_plan(PLAN_TEXT)
    assert plan.model == "forecasting"
    assert plan.modification_protocol.performance_evaluation.protocol.interval_levels == (
        Decimal("0.8"),
        Decimal("0.95"),
    )


def test_criteria_are_those_the_audits_judge_by() -> None:
    assert criteria(parse_plan(PLAN_TEXT)) == (
        Criterion(
            id="mase",
            metric="mase",
            direction="at_most",
            floor=0.8,
            reading="excludes_baseline",
            baseline=1.0,
            minimum_n=5,
        ),
        Criterion(
            id="coverage", metric="coverage_80", direction="within", low=0.7, high=0.9, minimum_n=5
        ),
    )


def test_record_holds_no_float_and_reads_back_as_the_same_plan() -> None:
    plan = parse_plan(PLAN_TEXT)
    text = json.dumps(plan.as_record(), allow_nan=False)
    assert json.loads(text, parse_float=pytest.fail) == plan.as_record()
    assert plan_from_record(plan.as_record()) == plan


def test_two_spellings_of_a_number_are_one_record() -> None:
    other = PLAN_TEXT.replace("floor: 0.80", "floor: 0.8")
    assert other != PLAN_TEXT
    assert parse_plan(other).as_record() == parse_plan(PLAN_TEXT).as_record()


def test_traceability_is_computed_from_identifiers() -> None:
    matrix = trace(parse_plan(PLAN_TEXT))
    assert matrix.empty_cells == ()
    assert {cell.part: cell.items for cell in matrix.cells} == {
        Part.DATA_MANAGEMENT: ("dispensing", "test-months"),
        Part.RETRAINING: ("schedule",),
        Part.PERFORMANCE_EVALUATION: ("mase", "coverage"),
        Part.UPDATE_PROCEDURES: ("first-month", "worse-than-naive"),
        Part.HAZARDS: ("stock-out",),
    }


def test_a_cell_may_say_why_nothing_applies() -> None:
    plan = plan_from_record(second_modification(plan_record()))
    assert "| new-site | not applicable: A site" in trace(plan).as_markdown()


@pytest.mark.requirement("P16")
def test_only_a_device_has_a_predetermined_change_control_plan() -> None:
    assert parse_plan(PLAN_TEXT).disposition == "Pre-registered change plan"
    plan = plan_from_record(device(plan_record()))
    assert plan.disposition == "Predetermined change control plan (authorised, K240001/S003)"


# --- what is refused -----------------------------------------------------------------------------


def test_every_fault_is_listed_with_its_path_and_line() -> None:
    text = PLAN_TEXT.replace("execution: manual", "execution: sometimes").replace(
        "replicates: 2000", "replicates: 0"
    )
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(text)
    lines = text.splitlines()
    found = {
        problem.path: lines[(problem.line or 0) - 1].strip() for problem in caught.value.problems
    }
    assert found == {
        "planned_modifications.0.execution": "execution: sometimes",
        f"{EVALUATION}.protocol.replicates": "replicates: 0",
    }
    assert caught.value.code == "change.plan_invalid"
    assert "(line " in str(caught.value)


def test_a_missing_part_is_shown_where_its_parent_stands() -> None:
    text = PLAN_TEXT.replace("    on_failure: The attempt", "    # on_failure: The attempt")
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(text)
    (problem,) = caught.value.problems
    assert problem.path == f"{EVALUATION}.on_failure"
    assert text.splitlines()[(problem.line or 0) - 1].strip() == "performance_evaluation:"


@pytest.mark.parametrize(
    "path",
    [
        "format",
        "regulator",
        "planned_modifications",
        "modification_protocol",
        "modification_protocol.data_management",
        "modification_protocol.data_management.reference_standard",
        f"{TEST_DATA}.fresh_periods",
        "modification_protocol.retraining",
        "modification_protocol.retraining.must_not_change",
        EVALUATION,
        f"{EVALUATION}.protocol",
        f"{EVALUATION}.protocol.seed",
        f"{EVALUATION}.multiplicity",
        f"{EVALUATION}.missing_data",
        f"{EVALUATION}.on_insufficient",
        f"{CRITERION}.reading",
        f"{CRITERION}.minimum_n",
        f"{CRITERION}.population",
        "modification_protocol.update_procedures",
        "modification_protocol.update_procedures.rollback",
        "modification_protocol.update_procedures.fallback",
        "impact_assessment",
        "impact_assessment.cumulative",
        "planned_modifications.0.rationale",
        "planned_modifications.0.max_frequency",
        "planned_modifications.0.labelling_sections",
    ],
)
def test_a_missing_part_is_refused(path: str) -> None:
    assert faults(drop(plan_record(), path)) == {path: "Field required"}


@pytest.mark.parametrize(
    "path",
    [
        "owner",
        "planned_modifications.0.approved",
        f"{EVALUATION}.validation_set",
        f"{CRITERION}.threshold",
        "impact_assessment.cumulative.note",
    ],
)
def test_an_unknown_field_is_refused(path: str) -> None:
    assert faults(put(plan_record(), path, "anything")) == {path: "Extra inputs are not permitted"}


@pytest.mark.parametrize(
    ("written", "why"),
    [
        pytest.param("8e-1", "exponent", id="exponent"),
        pytest.param(".8", "no leading digit", id="no leading digit"),
        pytest.param("0.8e0", "exponent", id="decimal with exponent"),
        pytest.param("+0.8", "sign", id="plus sign"),
        pytest.param(".nan", "not a number", id="not a number"),
        pytest.param(".inf", "infinite", id="infinite"),
        pytest.param("NaN", "text", id="NaN as text"),
        pytest.param("true", "flag", id="flag"),
        pytest.param("'0.80 '", "text", id="text with a space"),
        pytest.param("0_8", "underscore", id="underscore"),
        pytest.param("0,8", "comma", id="comma"),
        pytest.param("08", "octal", id="leading zero"),
        pytest.param("null", "absent", id="null"),
        pytest.param("[0.8]", "list", id="list"),
        pytest.param("0.8888888888888888888888888", "too many digits", id="too many digits"),
    ],
)
def test_a_floor_is_a_plain_decimal_and_nothing_like_one(written: str, why: str) -> None:
    text = PLAN_TEXT.replace("floor: 0.80", f"floor: {written}")
    with pytest.raises(PlanInvalid):
        parse_plan(text)


def test_a_float_in_a_record_is_refused() -> None:
    assert f"{CRITERION}.floor" in faults(put(plan_record(), f"{CRITERION}.floor", 0.8))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "one mapping", id="empty"),
        pytest.param("[1, 2]", "one mapping", id="a list"),
        pytest.param("a: &x 1\nb: *x", "anchors", id="alias"),
        pytest.param("a: 1\na: 2", "twice", id="repeated key"),
        pytest.param("a: !!set {b}", "type tag", id="tag"),
        pytest.param("a: [1", "well-formed", id="not closed"),
    ],
)
def test_what_is_not_strict_yaml_is_refused_as_a_plan(text: str, message: str) -> None:
    with pytest.raises(PlanInvalid, match=message):
        parse_plan(text)


@pytest.mark.parametrize(
    ("path", "value", "place", "message"),
    [
        pytest.param(f"{LINKS}.retraining", {}, f"{LINKS}.retraining", "empty", id="empty cell"),
        pytest.param(
            f"{LINKS}.retraining", {"items": []}, f"{LINKS}.retraining", "empty", id="empty list"
        ),
        pytest.param(
            f"{LINKS}.retraining",
            {"items": ["schedul"]},
            f"{LINKS}.retraining.items",
            "no identifier of retraining",
            id="misspelt item",
        ),
        pytest.param(
            f"{LINKS}.retraining",
            {"items": ["mase"]},
            f"{LINKS}.retraining.items",
            "no identifier of retraining",
            id="item of another part",
        ),
        pytest.param(
            f"{LINKS}.retraining",
            {"items": ["schedule"], "not_applicable": "But it does."},
            f"{LINKS}.retraining",
            "either applies or does not",
            id="both",
        ),
        pytest.param(
            "impact_assessment.hazards.0.modifications",
            ["refit"],
            "impact_assessment.hazards",
            "no hazard is linked",
            id="no hazard",
        ),
        pytest.param(
            "impact_assessment.hazards.0.verified_by",
            ["schedule"],
            "impact_assessment.hazards.0.verified_by",
            "no criterion and no check",
            id="hazard verified by a trigger",
        ),
        pytest.param(
            "impact_assessment.hazards.0.verified_by",
            [],
            "impact_assessment.hazards.0.verified_by",
            "at least 1 item",
            id="hazard verified by nothing",
        ),
        pytest.param(
            "impact_assessment.interactions",
            [{"modifications": ["yearly-refit", "yearly-refit"], "effect": "Itself."}],
            "impact_assessment.interactions.0",
            "two different",
            id="interaction with itself",
        ),
        pytest.param(
            f"{TEST_DATA}.id", "mase", "modification_protocol", "used twice", id="identifier twice"
        ),
        pytest.param(
            f"{CRITERION}.baseline", None, CRITERION, "baseline goes with", id="no baseline"
        ),
        pytest.param(f"{CRITERION}.low", Decimal("0.1"), CRITERION, "takes floor", id="two limits"),
        pytest.param(
            f"{EVALUATION}.criteria.1.low",
            Decimal("0.95"),
            f"{EVALUATION}.criteria.1",
            "low must not exceed high",
            id="empty range",
        ),
        pytest.param(f"{CRITERION}.minimum_n", 0, f"{CRITERION}.minimum_n", "1", id="no minimum"),
        pytest.param(
            f"{EVALUATION}.on_insufficient.rule",
            "restricted",
            f"{EVALUATION}.on_insufficient",
            "dated obligation",
            id="restricted without obligation",
        ),
        pytest.param(
            f"{EVALUATION}.on_insufficient.obligation",
            {"what": "More months.", "owner_role": "model_owner", "due_days": 90},
            f"{EVALUATION}.on_insufficient.obligation",
            "only `restricted`",
            id="obligation without restriction",
        ),
        pytest.param(
            f"{EVALUATION}.protocol.confidence_level",
            1,
            f"{EVALUATION}.protocol.confidence_level",
            "strictly between",
            id="level of one",
        ),
        pytest.param(
            f"{EVALUATION}.protocol.kind",
            "random_split",
            f"{EVALUATION}.protocol.kind",
            "rolling_origin",
            id="random split",
        ),
        pytest.param(
            f"{EVALUATION}.protocol.interval_method",
            "default",
            f"{EVALUATION}.protocol.interval_method",
            "match pattern",
            id="default method",
        ),
        pytest.param(
            f"{EVALUATION}.protocol.interval_method",
            "package default, v1",
            f"{EVALUATION}.protocol.interval_method",
            "names no method",
            id="default method in disguise",
        ),
        pytest.param(
            f"{EVALUATION}.protocol.interval_method",
            "split conformal",
            f"{EVALUATION}.protocol.interval_method",
            "match pattern",
            id="method without a version",
        ),
        pytest.param(
            "planned_modifications.0.deployment",
            "local",
            "planned_modifications.0",
            "local_factors",
            id="local without why",
        ),
        pytest.param(
            "planned_modifications.0.local_factors",
            "Every site differs.",
            "planned_modifications.0.local_factors",
            "no local factors",
            id="global with why local",
        ),
        pytest.param(
            "planned_modifications.0.mutable_components",
            ["weights", "intended_use"],
            "planned_modifications.0.mutable_components.1",
            "weights",
            id="intended use as a mutable component",
        ),
        pytest.param(
            "planned_modifications.0.mutable_components",
            ["weights", "weights"],
            "planned_modifications.0.mutable_components",
            "listed twice",
            id="component twice",
        ),
        pytest.param(
            "regulator.state",
            "authorised",
            "regulator.state",
            "no predetermined change control plan",
            id="authorised without a device",
        ),
        pytest.param(
            "regulator.reference", "K1", "regulator.reference", "3 char", id="too short a reference"
        ),
        pytest.param(
            "regulator.reference",
            "K240001",
            "regulator.reference",
            "has no reference",
            id="reference of nothing",
        ),
        pytest.param("format", "plan/2", "format", "plan/1", id="another format"),
    ],
)
def test_a_plan_whose_parts_do_not_hold_together_is_refused(
    path: str, value: object, place: str, message: str
) -> None:
    found = faults(put(plan_record(), path, value))
    assert message in found[place]


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        pytest.param(
            "regulator", {"state": "not_applicable"}, "regulator.state", id="no regulator"
        ),
        pytest.param("regulator", {"state": "authorised"}, "regulator", id="no reference"),
        pytest.param("regulator", {"state": "submitted"}, "regulator", id="submitted to nobody"),
        pytest.param(f"{TEST_DATA}.sequestered", False, f"{TEST_DATA}.sequestered", id="open data"),
        pytest.param(
            f"{EVALUATION}.comparators",
            [{"kind": "last_release", "description": "The version in service."}],
            f"{EVALUATION}.comparators",
            id="only the last release",
        ),
    ],
)
def test_a_device_owes_more(path: str, value: object, place: str) -> None:
    assert list(faults(put(device(plan_record()), path, value))) == [place]


def test_the_effect_of_each_pair_of_modifications_is_assessed() -> None:
    record = put(second_modification(plan_record()), "impact_assessment.interactions", [])
    assert faults(record) == {
        "impact_assessment.interactions": (
            "the effect of new-site, yearly-refit on each other is not assessed"
        )
    }


def test_faults_do_not_repeat_what_was_written() -> None:
    """A document may quote data, and an error text goes to logs (P15)."""
    text = PLAN_TEXT.replace("seed: 20060630", "seed: Mrs Example was admitted")
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(text)
    assert "Example" not in str(caught.value)
