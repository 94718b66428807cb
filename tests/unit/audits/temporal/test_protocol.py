"""A protocol is read strictly: what is not written is not guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audits.errors import ProtocolMalformed
from audits.temporal.protocol import NAMES, instant, parse
from tests.unit.audits.temporal.histories import record


@pytest.mark.requirement("P4")
def test_protocol_is_its_record() -> None:
    for written in (record(), record(known_at={"steady": "at"}, evaluated_at=None)):
        assert parse(written).as_record() == written


@pytest.mark.parametrize("name", NAMES)
def test_missing_member_is_named(name: str) -> None:
    written = record()
    del written[name]
    with pytest.raises(ProtocolMalformed, match=f"'{name}' is missing"):
        parse(written)


def test_unknown_member_is_named() -> None:
    with pytest.raises(ProtocolMalformed, match="'shuffle' is not known"):
        parse(record(shuffle=True))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"at": ""}, "'at' is a text"),
        ({"at": 3}, "'at' is a text"),
        ({"design": "random"}, "'design' is one of"),
        ({"cuts": []}, "'cuts' are 1 to 50 dates"),
        ({"cuts": ["2014-01-01", "2015-01-01"]}, "one date where the design is hold-out"),
        ({"cuts": ["2014-02-30"]}, "a day that no calendar has"),
        ({"cuts": ["1 Jan 2014"]}, "no date"),
        ({"cuts": [2014]}, "'cuts' is a list of texts"),
        ({"design": "expanding"}, "'horizon_days' is needed"),
        ({"design": "rolling", "horizon_days": 90}, "'window_days' goes with"),
        ({"window_days": 90}, "'window_days' goes with"),
        ({"horizon_days": 0}, "'horizon_days' is at least 1"),
        ({"embargo_days": -1}, "never negative"),
        ({"embargo_days": True}, "'embargo_days' is a whole number"),
        ({"returning": "stay"}, "'returning' is"),
        ({"held_out_sites": ["east"]}, "'held_out_sites' needs a site"),
        ({"random_repeats": 101}, "'random_repeats' lies"),
        ({"metrics": []}, "'metrics' names at least one"),
        ({"metrics": ["accuracy"]}, "'metrics' names at least one"),
        ({"metrics": ["auroc", "auroc"]}, "each measure once"),
        ({"windows": ["2014-01-01"]}, "'windows' is empty, or"),
        ({"windows": ["2015-01-01", "2014-01-01"]}, "'windows' is empty, or"),
        ({"minimum_events": 0}, "'minimum_events' is at least 1"),
        ({"level": 0.95}, "'level' is a text"),
        ({"level": "95 %"}, "'level' is decimal text"),
        ({"level": "0.0"}, "strictly between 0 and 1"),
        ({"replicates": 50}, "'replicates' lies"),
        ({"known_at": {"steady": 1}}, "'known_at' gives"),
        ({"ordered": [["at"]]}, "'ordered' is a list of pairs"),
        ({"extract_at": "tomorrow"}, "'extract_at' holds"),
        ({"seed": -1}, "'seed' is"),
        ({"parameters": []}, "'parameters' is a mapping"),
    ],
)
def test_member_that_cannot_be_run_is_named(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ProtocolMalformed, match=fault) as refusal:
        parse(record(**changes))
    assert refusal.value.next_step


def test_date_is_the_beginning_of_its_day() -> None:
    assert instant("1970-01-02", "test") == 86_400_000_000
    assert instant("1969-12-31", "test") == -86_400_000_000


def test_protocol_of_the_screening_audit_can_be_run_as_written() -> None:
    from models.documents import parse_document
    from models.screening.ngram_learner import NAME
    from models.screening.ngram_learner import parse as parse_parameters

    path = Path(__file__).parents[4] / "models" / "screening" / "temporal-protocol.yaml"
    written: Any = parse_document(path.read_text(encoding="utf-8"))["protocol"]
    protocol = parse(written)
    assert protocol.as_record() == written
    assert protocol.learner == NAME
    assert parse_parameters(dict(protocol.parameters)).as_record() == dict(protocol.parameters)
