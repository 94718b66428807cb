"""The protocol: strict, complete, and the same after being written and read."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from audits.errors import ProtocolMalformed
from audits.estimate import Json
from audits.fairness.protocol import MEMBERS, parse


def record(**changes: Json) -> dict[str, Json]:
    """Return the record of a full protocol for a decision."""
    whole: dict[str, Json] = {
        "outcome": "decision",
        "attributes": [["race"], ["race", "sex"]],
        "references": {"race": "race=White"},
        "metrics": ["selection_rate", "error_cost", "auroc"],
        "margins": {"selection_rate": {"difference": "0.1", "ratio": "0.8"}},
        "minimum_n": 30,
        "level": "0.95",
        "replicates": 1000,
        "threshold": "0.5",
        "tolerance": None,
        "costs": {"false_positive": 1, "false_negative": "5.5"},
        "policies": [],
        "mitigations": [
            {"kind": "reweighting", "attributes": ["race"], "features": ["age"]},
            {
                "kind": "threshold",
                "attributes": ["race"],
                "constraint": "equalized_odds",
                "objective": "accuracy_score",
            },
            {"kind": "calibration", "attributes": ["race"], "method": "platt"},
        ],
    }
    return {**whole, **changes}


def test_a_protocol_is_the_same_after_being_written_and_read() -> None:
    protocol = parse(record())
    assert parse(protocol.as_record()) == protocol
    assert set(protocol.as_record()) == set(MEMBERS)
    assert [one.name for one in protocol.mitigations] == [
        "reweighting by race",
        "threshold (equalized_odds) by race",
        "calibration (platt) by race",
    ]


@pytest.mark.parametrize("member", MEMBERS)
def test_no_member_may_be_missing(member: str) -> None:
    given = record()
    del given[member]
    with pytest.raises(ProtocolMalformed, match=f"'{member}': is missing"):
        parse(given)


def test_an_unknown_member_is_refused() -> None:
    with pytest.raises(ProtocolMalformed, match="'fairer': is not known"):
        parse(record(fairer=True))


@pytest.mark.requirement("P4")
@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"outcome": "ranking"}, "outcome"),
        ({"attributes": []}, "attributes"),
        ({"attributes": [[]]}, "attributes"),
        ({"attributes": [["race", "race"]]}, "attributes"),
        ({"attributes": [["race"], ["race"]]}, "attributes"),
        ({"attributes": "race"}, "attributes"),
        ({"attributes": ["race"]}, "attributes"),
        ({"attributes": [[f"a{i}"] for i in range(21)]}, "attributes"),
        ({"references": {"age": "age=old"}}, "references"),
        ({"references": []}, "references"),
        ({"metrics": []}, "metrics"),
        ({"metrics": ["overdosed"]}, "metrics"),
        ({"metrics": ["selection_rate", "selection_rate", "error_cost"]}, "metrics"),
        ({"metrics": ["selection_rate", "error_cost", "equalised_odds"]}, "metrics"),
        ({"margins": {"accuracy": {"difference": "0.1", "ratio": None}}}, "margins"),
        ({"margins": {"auroc": {"difference": None, "ratio": "0.8"}}}, "margins"),
        ({"margins": {"auroc": {"difference": "0.1"}}}, "margins.ratio"),
        ({"margins": {"auroc": "0.1"}}, "margins"),
        ({"minimum_n": 0}, "minimum_n"),
        ({"minimum_n": "30"}, "minimum_n"),
        ({"minimum_n": True}, "minimum_n"),
        ({"level": "1"}, "level"),
        ({"level": "nan"}, "level"),
        ({"level": "high"}, "level"),
        ({"replicates": 100}, "replicates"),
        ({"replicates": 10**6}, "replicates"),
        ({"threshold": None}, "threshold"),
        ({"tolerance": "0.2"}, "tolerance"),
        ({"costs": None}, "costs"),
        ({"costs": {"false_positive": 1, "false_negative": 0}}, "costs"),
        ({"costs": {"false_positive": 1}}, "costs.false_negative"),
        ({"policies": [{"name": "a"}]}, "policies.column"),
        ({"policies": [{"name": "a", "column": "x"}] * 2}, "policies"),
        ({"policies": [{"name": "", "column": "x"}]}, "policies.name"),
        ({"mitigations": [{"kind": "prayer"}]}, "mitigations.kind"),
        ({"mitigations": ["threshold"]}, "mitigations"),
        (
            {"mitigations": [{"kind": "calibration", "attributes": ["race"], "method": "beta"}]},
            "mitigations.method",
        ),
        (
            {"mitigations": [{"kind": "reweighting", "attributes": ["race"], "features": []}]},
            "mitigations",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(changes: Any, member: str) -> None:
    with pytest.raises(ProtocolMalformed, match=f"member '{member}'") as refused:
        parse(record(**changes))
    assert refused.value.next_step


def dose(**changes: Json) -> dict[str, Json]:
    return record(
        outcome="dose",
        metrics=["overdosed"],
        margins={},
        threshold=None,
        tolerance="0.2",
        costs=None,
        mitigations=[],
        **changes,
    )


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("tolerance", None),
        ("tolerance", "1"),
        ("threshold", "0.5"),
        ("metrics", ["selection_rate"]),
        ("mitigations", [{"kind": "calibration", "attributes": ["race"], "method": "platt"}]),
    ],
)
def test_a_dose_has_members_of_its_own(member: str, value: Json) -> None:
    assert parse(dose()).tolerance == 0.2
    with pytest.raises(ProtocolMalformed, match=f"member '{member}'"):
        parse({**dose(), member: value})


def test_reading_leaves_the_record_as_it_was() -> None:
    given = record()
    before = copy.deepcopy(given)
    parse(given)
    assert given == before
