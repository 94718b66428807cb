"""The oncology classes L01 to L04 by concession class, governed on the real table (P8, P9).

The demonstration has no subgroup; here the data have one, and it must be compared or refused.
"""

from __future__ import annotations

import contextlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from governance.adapters.compute import ProcessCompute
from governance.clock import SystemClock
from governance.deployment import open_deployment
from governance.operations import catalogue
from governance.operations.admin.create_home import create_home
from governance.operations.admin.sign_in import sign_in
from models.forecasting import DOCUMENTS

PASSWORDS = {name: f"a-long-password-of-{name}" for name in ("ada", "mo", "rea")}
FIRST_PASSWORD = "chosen-by-ada-for-others"
SCOPE = "st-olav/*"


class Acts:
    """Three people in an open deployment."""

    def __init__(self, deployment: Any) -> None:
        self.deployment = deployment

    def do(self, person: str, name: str, /, **params: Any) -> dict[str, Any]:
        """Perform an operation under a session of the person."""
        actor = sign_in(self.deployment, person=person, password=PASSWORDS[person]).actor
        return catalogue.perform(self.deployment, actor, name, params).model_dump(mode="json")

    def approve(self, review: str) -> None:
        """Approve as the reviewer."""
        shown = self.do("rea", "review.show", review=review)
        self.do(
            "rea",
            "review.decide",
            review=review,
            decision="approve",
            record_digest=shown["subject_digest"],
            password=PASSWORDS["rea"],
        )

    def register(self, kind: str) -> None:
        """Register the model's own document and have it approved."""
        text = (files("models.forecasting") / DOCUMENTS[kind]).read_text("utf-8")
        done = self.do("mo", "document.register", kind=kind, text=text, password=PASSWORDS["mo"])
        self.approve(done["review"])


@pytest.fixture(scope="module")
def evaluated(
    test_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Govern the model up to its evaluation; return the change and the evidence."""
    home = tmp_path_factory.mktemp("oncology") / "home"
    create_home(
        home,
        organisation="st-olav",
        deployment="main",
        database="sqlite",
        administrator="ada",
        printed_name="Ada Berg",
        password=PASSWORDS["ada"],
        clock=SystemClock(),
    )
    # As in a server: fitting and storing run in a process of their own.
    with (
        contextlib.closing(ProcessCompute()) as compute,
        open_deployment(home, compute=compute) as deployment,
    ):
        acts = Acts(deployment)
        for person, role in (("mo", "model_owner"), ("rea", "reviewer")):
            acts.do(
                "ada",
                "person.add",
                person=person,
                printed_name=person.title() + " Test",
                password=FIRST_PASSWORD,
            )
            first = sign_in(deployment, person=person, password=FIRST_PASSWORD).actor
            change = {"old": FIRST_PASSWORD, "new": PASSWORDS[person]}
            catalogue.perform(deployment, first, "person.change_password", change)
            acts.do("ada", "role.grant", person=person, role=role, scope=SCOPE)
        for kind in ("entry", "plan", "monitoring"):
            acts.register(kind)
        table = test_data / "forecasting" / "pbs_L_oncology_monthly.csv"
        dataset = acts.do(
            "mo",
            "data.add",
            source="pbs",
            title="PBS prescriptions, L01 to L04",
            licence="CC BY 3.0 AU",
            text=table.read_text("utf-8"),
        )
        version = acts.do("mo", "model.wrap", model="forecasting", dataset=dataset["dataset"])
        change = acts.do(
            "mo",
            "change.run",
            version=version["version"],
            modification="refit",
            summary="First release",
        )
        evidence = acts.do("mo", "audit.show", evidence=change["evidence"])
    return change, evidence["content"]


def test_every_floor_is_judged_on_an_interval_with_its_n(
    evaluated: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    _change, evidence = evaluated
    judged = evidence["report"]["judgements"]
    assert {one["verdict"] for one in judged} <= {"pass", "fail", "insufficient"}
    for one in judged:
        estimate = one["estimate"]
        assert estimate["n"] >= 1
        if estimate["value"] is not None:
            assert float(estimate["low"]) <= float(estimate["value"]) <= float(estimate["high"])


def test_the_floors_of_the_model_are_met(
    evaluated: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    change, evidence = evaluated
    assert change["verdict"] == "pass", evidence["report"]["judgements"]
    assert change["state"] == "under_review"


def test_both_concession_classes_are_compared_with_simultaneous_intervals(
    evaluated: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    groups = evaluated[1]["report"]["groups"]
    populations = {one["population"] for one in groups["estimates"]}
    assert {"General", "Concessional"} <= populations
    assert groups["differences"]


def test_the_seasonal_naive_stands_beside_the_model_in_every_metric(
    evaluated: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    report = evaluated[1]["report"]
    ours = {one["metric"] for one in report["model"]["estimates"]}
    theirs = {one["metric"] for one in report["baseline"]["estimates"]}
    assert ours == theirs
