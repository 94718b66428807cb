"""The tier follows from regime, influence and consequence; plans fit the entry they are for."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any, Final

import pytest

from change_control.change.plan import parse_plan, plan_from_record
from change_control.errors import MonitoringPlanInvalid, PlanInvalid
from change_control.fit import require_monitoring_fits, require_plan_fits
from change_control.tier import (
    AssuranceTier,
    Control,
    applicability,
    controls_of,
    tier_from,
    tier_of,
)
from change_control.watch.monitoring import monitoring_plan_from_record, parse_monitoring_plan
from models.documents import parse_document
from models.entry import Consequence, Entry, Influence, Regime, entry_from_record, parse_entry
from tests.support.project import ROOT
from tests.unit.change_control.example_documents import monitoring_record, plan_record, put

FOLDER: Final = ROOT / "models/forecasting"
ENTRY: Final = parse_entry((FOLDER / "entry.yaml").read_text(encoding="utf-8"))


def entry(**changes: Any) -> Entry:
    record = parse_document((FOLDER / "entry.yaml").read_text(encoding="utf-8"))
    return entry_from_record({**record, **changes})


ORDER: Final = list(AssuranceTier)
LEVELS: Final = ("low", "medium", "high")


@pytest.mark.parametrize(
    ("influence", "consequence", "tier"),
    [
        ("low", "low", "light"),
        ("low", "medium", "light"),
        ("low", "high", "light"),
        ("medium", "low", "light"),
        ("medium", "medium", "light"),
        ("medium", "high", "standard"),
        ("high", "low", "light"),
        ("high", "medium", "standard"),
        ("high", "high", "standard"),
    ],
)
@pytest.mark.parametrize("regime", [Regime.OPERATIONS, Regime.RESEARCH])
def test_risk_decides_where_the_regime_does_not(
    regime: Regime, influence: str, consequence: str, tier: str
) -> None:
    found, reason = tier_from(
        regime=regime, influence=Influence(influence), consequence=Consequence(consequence)
    )
    assert found == tier
    assert f"influence {influence} and consequence {consequence}" in reason


@pytest.mark.parametrize(("influence", "consequence"), list(product(Influence, Consequence)))
def test_regime_decides_before_the_risk(influence: Influence, consequence: Consequence) -> None:
    for regime, tier in (
        (Regime.DEVICE, AssuranceTier.DEVICE),
        (Regime.GCP, AssuranceTier.STANDARD),
        (Regime.GVP, AssuranceTier.STANDARD),
    ):
        found, _ = tier_from(regime=regime, influence=influence, consequence=consequence)
        assert found is tier


@pytest.mark.parametrize("regime", Regime)
def test_more_risk_never_lowers_the_tier(regime: Regime) -> None:
    for low, high in (("low", "medium"), ("medium", "high")):
        for other in LEVELS:
            for smaller, greater in (((low, other), (high, other)), ((other, low), (other, high))):
                tiers = [
                    tier_from(
                        regime=regime, influence=Influence(one), consequence=Consequence(two)
                    )[0]
                    for one, two in (smaller, greater)
                ]
                assert ORDER.index(tiers[0]) <= ORDER.index(tiers[1])


def test_a_higher_tier_asks_for_no_less() -> None:
    asked = [controls_of(tier) for tier in ORDER]
    for lower, higher in pairwise(asked):
        for name in ("approvers", "sequestered_test_data", "shadow_mode", "trend_monitors"):
            assert getattr(lower, name) <= getattr(higher, name)


def test_a_demand_forecast_needs_one_approver_and_no_ceremony() -> None:
    controls = controls_of(tier_of(ENTRY))
    assert tier_of(ENTRY) is AssuranceTier.LIGHT
    assert controls.approvers == 1
    assert not controls.sequestered_test_data
    assert not controls.shadow_mode


def test_the_statement_gives_every_control_and_its_reason() -> None:
    statement = applicability(ENTRY)
    assert [item.control for item in statement.controls] == list(Control)
    assert all(item.reason for item in statement.controls)
    applies = {item.control: item.applies for item in statement.controls}
    assert applies[Control.FOUR_EYES]
    assert not applies[Control.SECOND_APPROVER]
    assert not applies[Control.DEVICE_CLOCKS]
    assert not applies[Control.SAFETY_REPORT_CLOCKS]
    assert not applies[Control.SUBJECT_ERASURE]


@pytest.mark.requirement("P16")
def test_no_device_clock_is_shown_for_what_is_no_device() -> None:
    for regime in set(Regime) - {Regime.DEVICE}:
        found = {item.control: item for item in applicability(entry(regime=regime.value)).controls}
        assert not found[Control.DEVICE_CLOCKS].applies
        assert found[Control.DEVICE_CLOCKS].reason == f"the regime is {regime}, not device"


@pytest.mark.requirement("P16")
def test_the_statement_claims_no_compliance() -> None:
    text = str(applicability(ENTRY).as_record()).lower()
    assert not any(word in text for word in ("complian", "certified", "validated", "approved by"))


def test_the_statement_is_a_record_without_floats() -> None:
    record = applicability(ENTRY).as_record()
    assert record["tier"] == "light"
    assert record["model"] == "forecasting"


# --- fit -----------------------------------------------------------------------------------------


def faults(caught: pytest.ExceptionInfo[Any]) -> list[str]:
    return [problem.path for problem in caught.value.problems]


@pytest.mark.parametrize("suffix", ["", "-demo"])
def test_the_forecasts_own_documents_are_valid_and_fit_each_other(suffix: str) -> None:
    def text(name: str) -> str:
        return (FOLDER / f"{name}{suffix}.yaml").read_text(encoding="utf-8")

    its_entry = parse_entry(text("entry"))
    require_plan_fits(parse_plan(text("plan")), its_entry)
    require_monitoring_fits(parse_monitoring_plan(text("monitoring")), its_entry)


def test_a_plan_for_another_model_does_not_fit() -> None:
    plan = plan_from_record(put(plan_record(), "model", "dosing"))
    with pytest.raises(PlanInvalid) as caught:
        require_plan_fits(plan, ENTRY)
    assert faults(caught) == ["model"]


def test_a_plan_of_another_regime_does_not_fit() -> None:
    plan = plan_from_record(put(plan_record(), "regime", "research"))
    with pytest.raises(PlanInvalid) as caught:
        require_plan_fits(plan, ENTRY)
    assert faults(caught) == ["regime"]


@pytest.mark.requirement("P4")
def test_open_test_data_do_not_fit_where_the_tier_sequesters_them() -> None:
    risky = entry(influence="high", consequence="high")
    with pytest.raises(PlanInvalid, match="the standard tier asks") as caught:
        require_plan_fits(plan_from_record(plan_record()), risky)
    assert faults(caught) == ["modification_protocol.data_management.test_data.sequestered"]


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [("model", "dosing", "model"), ("monitors.0.task", "supply", "monitors.0.task")],
)
def test_a_monitoring_plan_for_something_else_does_not_fit(
    path: str, value: str, place: str
) -> None:
    fitting = put(monitoring_record(), "monitors.0.task", ENTRY.tasks[0].name)
    plan = monitoring_plan_from_record(put(fitting, path, value))
    with pytest.raises(MonitoringPlanInvalid) as caught:
        require_monitoring_fits(plan, ENTRY)
    assert faults(caught) == [place]
