from __future__ import annotations

import pytest

from change_control.change.plan import criteria, parse_plan
from change_control.watch.monitoring import parse_monitoring_plan
from models.entry import Entry, parse_entry
from models.forecasting import DOCUMENTS
from models.forecasting.contract import MAX_HORIZON, row_contract
from models.forecasting.predictor import KIND
from tests.support.project import ROOT
from tests.unit.models.samples import document_text

VARIANTS = ["", "-demo"]


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def entry(variant: str) -> Entry:
    return parse_entry(document_text(f"entry{variant}"))


def test_every_document_of_the_folder_is_named_and_every_name_is_there() -> None:
    folder = ROOT / "models/forecasting"
    assert {path.name for path in folder.glob("*.yaml")} == set(DOCUMENTS.values())


def test_the_entry_states_the_contract_that_the_predictor_holds(entry: Entry) -> None:
    fields = {field.name: field for field in entry.input.fields}
    expected = row_contract(
        product_classes=fields["product_class"].allowed or (),
        concessions=fields["concession"].allowed or (),
        max_horizon=MAX_HORIZON,
    )
    assert entry.input == expected
    assert entry.predictor == KIND


def test_the_plan_accepts_by_the_floors_of_the_entry(variant: str, entry: Entry) -> None:
    plan = parse_plan(document_text(f"plan{variant}"))
    floors = {floor.id: floor.as_criterion() for floor in entry.tasks[0].floors}
    assert {one.id: one for one in criteria(plan)} == floors
    assert (plan.model, plan.regime) == (entry.name, entry.regime)


def test_the_monitors_watch_the_task_and_the_populations_of_the_entry(
    variant: str, entry: Entry
) -> None:
    plan = parse_monitoring_plan(document_text(f"monitoring{variant}"))
    groups = {group for one in entry.subgroups.attributes for group in one.groups}
    classes = next(f.allowed for f in entry.input.fields if f.name == "product_class")
    watched = {monitor.population for monitor in plan.monitors}
    assert watched == (groups or {f"{name}/total" for name in classes or ()})
    assert {monitor.task for monitor in plan.monitors} <= {task.name for task in entry.tasks}
    assert plan.model == entry.name


def test_only_the_demonstration_has_no_subgroups_and_it_says_why() -> None:
    oncology, demonstration = (parse_entry(document_text(f"entry{v}")) for v in VARIANTS)
    assert oncology.subgroups.attributes
    assert demonstration.subgroups.attributes == ()
    assert demonstration.subgroups.reason_none
    assert "expenditure" in demonstration.tasks[0].description
