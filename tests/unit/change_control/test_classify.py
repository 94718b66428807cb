"""A change is what its computed difference says, whatever it calls itself (P5)."""

from __future__ import annotations

import pytest

from change_control.change.classify import classify
from change_control.change.plan import ChangePlan, plan_from_record
from change_control.change.plan_parts import Component
from change_control.change.request import ChangeClass
from tests.unit.change_control.example_documents import plan_record, put


def plan_of_two() -> ChangePlan:
    """Return a plan where `yearly-refit` may change the weights and `new-limits` the threshold."""
    record = plan_record()
    put(record, "planned_modifications.0.mutable_components", ["weights", "training_data"])
    added = {**plan_record()["planned_modifications"][0], "id": "new-limits"}
    added["mutable_components"] = ["threshold"]
    record["planned_modifications"].append(added)
    put(record, "impact_assessment.hazards.0.modifications", ["yearly-refit", "new-limits"])
    interaction = {"modifications": ["yearly-refit", "new-limits"], "effect": "They add up."}
    return plan_from_record(put(record, "impact_assessment.interactions", [interaction]))


PLAN = plan_of_two()


@pytest.mark.parametrize(
    ("modification", "differing", "use_differs", "found"),
    [
        pytest.param("yearly-refit", {"weights"}, False, "in_plan", id="what it may change"),
        pytest.param("yearly-refit", set(), False, "in_plan", id="no difference at all"),
        pytest.param(
            "yearly-refit", {"weights", "threshold"}, False, "deviation", id="another's component"
        ),
        pytest.param("new-limits", {"weights"}, False, "deviation", id="cites the wrong one"),
        pytest.param("yearly-refit", {"features"}, False, "outside_plan", id="nobody's component"),
        pytest.param(
            "yearly-refit",
            {"weights", "threshold", "environment"},
            False,
            "outside_plan",
            id="the worst of its differences counts",
        ),
        pytest.param("tuning", {"weights"}, False, "outside_plan", id="unknown modification"),
        pytest.param("yearly-refit", set(), True, "outside_plan", id="another use"),
        pytest.param("yearly-refit", {"weights"}, True, "outside_plan", id="use and weights"),
    ],
)
@pytest.mark.requirement("P5")
def test_class_of_a_change(
    modification: str, differing: set[str], found: str, *, use_differs: bool
) -> None:
    result = classify(
        PLAN,
        modification=modification,
        differing={Component(name) for name in differing},
        use_differs=use_differs,
    )
    assert result.change_class == found
    assert result.reasons


@pytest.mark.requirement("P5")
def test_a_further_difference_never_brings_a_change_nearer_to_the_plan() -> None:
    order = list(ChangeClass)
    for modification in ("yearly-refit", "new-limits", "tuning"):
        for first in Component:
            for second in Component:
                fewer, more = (
                    classify(PLAN, modification=modification, differing=parts, use_differs=False)
                    for parts in ({first}, {first, second})
                )
                assert order.index(fewer.change_class) <= order.index(more.change_class)


def test_reasons_name_every_component_that_leaves_the_plan() -> None:
    result = classify(
        PLAN,
        modification="yearly-refit",
        differing={Component.LOSS, Component.FEATURES},
        use_differs=True,
    )
    assert result.reasons == (
        "the intended use or context of use differs",
        "no modification may change features",
        "no modification may change loss",
    )
