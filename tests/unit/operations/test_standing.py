"""The pages and the gate say the same of a model, market by market."""

from __future__ import annotations

import pytest

from change_control.scope import Scope
from governance.operations.inspect.standing_of import standing_together, standings_of
from governance.serving.snapshot import read_snapshot
from tests.support.small_deployment import EVERYWHERE, MODEL, PURPOSE, VERSION, Small


@pytest.mark.requirement("P11")
def test_what_is_listed_is_what_the_gate_decides_in_each_market(home: Small) -> None:
    other = home.approved_version()
    home.signed("mo", "release.open", version=other, scope=EVERYWHERE, market="SE", purpose=PURPOSE)
    home.perform(
        "sam",
        "hold.place",
        model=MODEL,
        version=other,
        scope=EVERYWHERE,
        cause="safety.concern",
        reason="late deliveries",
    )
    scope, now_us = Scope.parse(EVERYWHERE), home.deployment.clock.now_us()
    with home.deployment.reader() as reader:
        places = standings_of(reader, model=MODEL, scope=scope, now_us=now_us)
        gate = read_snapshot(reader, epoch=1).models[MODEL]
    assert [(place.market, place.standing.verdict) for place in places] == [
        ("NO", "may_answer"),
        ("SE", "refuse"),
    ]
    for place in places:
        assert place.standing == gate.standing(
            scope=scope, purpose=PURPOSE, market=place.market, now_us=now_us
        )
    # A question that names no market is refused by the gate; the list shows the danger first.
    assert gate.standing(scope=scope, purpose=PURPOSE, market=None, now_us=now_us) is None
    assert standing_together(places).reasons == ("gate.suspended",)
    (line,) = home.perform("aud", "model.list")["models"]
    assert (line["standing"], line["release"]) == ("refuse", None)
    assert [place["release"] for place in line["places"]] == ["REL-1", None]
    assert other != VERSION


def test_where_nothing_is_in_service_there_is_one_refusal(home: Small) -> None:
    home.signed("mo", "release.roll_back", release="REL-1")
    (line,) = home.perform("aud", "model.list")["models"]
    assert line["standing"] == "refuse"
    assert line["places"] == [
        {
            "purpose": None,
            "market": None,
            "standing": "refuse",
            "reasons": ["gate.not_released"],
            "release": None,
        }
    ]
