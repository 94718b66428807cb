from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest

from models.entry import entry_from_record, json_schema, parse_entry
from models.errors import DocumentUnreadable, EntryInvalid
from tests.unit.models.reference_pages import pages
from tests.unit.models.samples import changed, document_text, entry_record


@pytest.mark.parametrize("name", ["entry", "entry-demo"])
def test_a_record_gives_back_the_entry_it_came_from(name: str) -> None:
    entry = parse_entry(document_text(name))
    assert entry_from_record(entry.as_record()) == entry


@pytest.mark.parametrize("name", ["entry", "entry-demo"])
def test_a_record_holds_no_float(name: str) -> None:
    def refuse(text: str) -> object:
        raise AssertionError(f"a float in the record: {text}")

    text = json.dumps(parse_entry(document_text(name)).as_record())
    json.loads(text, parse_float=refuse)


@pytest.mark.parametrize("name", ["entry", "entry-demo"])
def test_a_record_keeps_the_published_schema(name: str) -> None:
    schema = json_schema()
    jsonschema_rs.validator_for(schema).validate(parse_entry(document_text(name)).as_record())


def test_the_published_schema_is_the_one_of_the_code() -> None:
    for path, content in pages().items():
        assert path.read_text(encoding="utf-8") == content, "python -m … reference_pages --write"


def test_two_spellings_of_a_number_are_one_record() -> None:
    one = changed(entry_record(), "tasks.0.floors.0.floor", Decimal("0.80"))
    other = changed(entry_record(), "tasks.0.floors.0.floor", Decimal("0.800"))
    assert entry_from_record(one).as_record() == entry_from_record(other).as_record()


def test_a_changed_limit_of_use_changes_the_record() -> None:
    narrower = changed(entry_record(), "context_of_use.limits.2.maximum", 12)
    assert entry_from_record(narrower).as_record() != entry_from_record(entry_record()).as_record()


def test_words_follow_the_regime() -> None:
    entry = entry_from_record(entry_record())
    assert entry.use_heading == "Context of use"
    assert entry.plan_heading == "Pre-registered change plan"


def device_record() -> dict[str, Any]:
    record = entry_record()
    use = record.pop("context_of_use")
    del use["question_of_interest"]
    use["indications"] = "Adults in treatment"
    return {**record, "intended_use": use, "regime": "device"}


def test_a_device_has_an_intended_use_and_a_predetermined_plan() -> None:
    entry = entry_from_record(device_record())
    assert entry.use_heading == "Intended use"
    assert entry.plan_heading == "Predetermined change control plan"


def test_a_device_without_an_intended_use_is_refused() -> None:
    with pytest.raises(EntryInvalid, match="intended_use"):
        entry_from_record({**entry_record(), "regime": "device"})


def test_no_device_may_claim_an_intended_use() -> None:
    with pytest.raises(EntryInvalid, match="context_of_use"):
        entry_from_record({**device_record(), "regime": "operations"})


def test_both_kinds_of_use_at_once_are_refused() -> None:
    with pytest.raises(EntryInvalid):
        entry_from_record({**device_record(), "context_of_use": entry_record()["context_of_use"]})


BROKEN: list[tuple[str, object, str]] = [
    ("owner", ..., "owner"),
    ("owner", "Kari Nordmann", "owner"),
    ("name", "Two Words", "name"),
    ("kind", "chatbot", "kind"),
    ("format", "entry/2", "format"),
    ("regime", "PCCP", "regime"),
    ("influence", "none", "influence"),
    ("fallback", "", "fallback"),
    ("limits", [], "limits"),
    ("hazards", [], "hazards"),
    ("features", [], "features"),
    ("tasks", [], "tasks"),
    ("surprise", "field", "surprise"),
    ("hazards.0.controls", [], "hazards.0.controls"),
    ("hazards.0.severity", "bad", "hazards.0.severity"),
    ("hazards.1.id", "shortage", ""),
    ("features.1.name", "monthly_history", ""),
    ("tasks.0.floors", [], "tasks.0.floors"),
    ("tasks.0.floors.0.metric", "accuracy", "tasks.0"),
    ("tasks.0.floors.1.id", "mase", "tasks.0"),
    ("tasks.0.floors.0.floor", ..., "tasks.0.floors.0"),
    ("tasks.0.floors.0.floor", "high", "tasks.0.floors.0.floor"),
    ("tasks.0.floors.0.floor", True, "tasks.0.floors.0.floor"),
    ("tasks.0.floors.0.floor", 0.8, "tasks.0.floors.0.floor"),
    ("tasks.0.floors.0.baseline", ..., "tasks.0.floors.0"),
    ("tasks.0.floors.0.low", Decimal("0.1"), "tasks.0.floors.0"),
    ("tasks.0.floors.0.margin", Decimal("0.1"), "tasks.0.floors.0"),
    ("tasks.0.floors.0.minimum_n", 0, "tasks.0.floors.0.minimum_n"),
    ("tasks.0.floors.4.low", Decimal("0.95"), "tasks.0.floors.4"),
    ("tasks.0.floors.4.floor", Decimal("0.8"), "tasks.0.floors.4"),
    ("tasks.0.floors.4.reading", "excludes_baseline", "tasks.0.floors.4"),
    ("tasks.0.floors.4.reading", "margin", "tasks.0.floors.4"),
    ("tasks.0.data", ["elsewhere"], ""),
    ("tasks.0.data", [], "tasks.0.data"),
    ("data.sources.0.from_month", "2006-13", "data.sources.0.from_month"),
    ("data.sources.0.to_month", "1990-01", "data.sources.0"),
    ("data.sources.0.simulated", "no", "data.sources.0.simulated"),
    ("data.sources.0.roles", ["validation"], "data.sources.0.roles.0"),
    ("subgroups.attributes", [], "subgroups"),
    ("subgroups.reason_none", "We did not look", "subgroups"),
    ("subgroups.attributes.0.groups", ["General"], "subgroups.attributes.0.groups"),
    ("context_of_use.purposes", [], "context_of_use.purposes"),
    ("context_of_use.rows_are_about_people", "false", "context_of_use.rows_are_about_people"),
    ("context_of_use.rows_are_about_people", 0, "context_of_use.rows_are_about_people"),
    ("context_of_use.decision_role", "decide", "context_of_use.decision_role"),
    ("context_of_use.excluded_uses", [], "context_of_use.excluded_uses"),
    ("context_of_use.limits.0.field", "age", ""),
    ("context_of_use.limits.0.allowed", ["L01", "L99"], ""),
    ("context_of_use.limits.0.allowed", ..., "context_of_use.limits.0"),
    ("context_of_use.limits.2.allowed", ["1"], "context_of_use.limits.2"),
    ("context_of_use.limits.1.field", "product_class", "context_of_use"),
    ("input.fields", [], "input"),
    ("input.fields.0.allowed", [], "input.fields.0"),
    ("input.fields.0.minimum", 1, "input.fields.0"),
    ("input.fields.2.allowed", ["1"], "input.fields.2"),
    ("input.fields.2.minimum", 25, "input.fields.2"),
    ("input.fields.1.name", "product_class", "input"),
    ("input.fields.0.not_allowed_code", "Unknown class!", "input.fields.0.not_allowed_code"),
    ("preconditions", [{"kind": "wish", "description": "A wish"}], "preconditions.0.kind"),
]


@pytest.mark.parametrize(("path", "value", "named"), BROKEN)
def test_a_broken_field_is_refused_and_named(path: str, value: object, named: str) -> None:
    with pytest.raises(EntryInvalid) as refused:
        entry_from_record(changed(entry_record(), path, value))
    assert refused.value.path == named
    assert refused.value.next_step


def test_a_refusal_never_quotes_the_offending_value() -> None:
    with pytest.raises(EntryInvalid) as refused:
        entry_from_record(changed(entry_record(), "owner", "Patient 0107 Hansen"))
    assert "Hansen" not in str(refused.value)


@pytest.mark.parametrize("record", [None, [], "entry", 7])
def test_what_is_no_mapping_is_no_entry(record: object) -> None:
    with pytest.raises(EntryInvalid):
        entry_from_record(record)


def test_a_key_given_twice_is_refused_before_the_schema_is_asked() -> None:
    with pytest.raises(DocumentUnreadable):
        parse_entry(document_text("entry") + "\nowner: somebody-else\n")


def test_a_task_on_simulated_rows_is_labelled_simulated() -> None:
    real = entry_from_record(entry_record())
    simulated = entry_from_record(changed(entry_record(), "data.sources.0.simulated", True))
    assert not real.is_simulated("demand")
    assert simulated.is_simulated("demand")


def test_asking_for_a_task_that_is_not_there_names_the_ones_that_are() -> None:
    with pytest.raises(EntryInvalid) as refused:
        entry_from_record(entry_record()).task("triage")
    assert "demand" in refused.value.next_step


def test_a_floor_becomes_the_criterion_that_audits_judge_by() -> None:
    (floor, *_rest) = entry_from_record(entry_record()).task("demand").floors
    criterion = floor.as_criterion()
    assert (criterion.metric, criterion.direction, criterion.floor) == ("mase", "at_most", 0.8)
    assert (criterion.reading, criterion.baseline, criterion.minimum_n) == (
        "excludes_baseline",
        1.0,
        5,
    )
