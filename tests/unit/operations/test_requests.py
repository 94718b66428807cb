"""What may be sent, and what of it becomes permanent (P13, P15)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from governance.errors import InvalidInput, NotFound
from governance.operations.catalogue import OPERATIONS
from governance.operations.change.change_request import change_digest
from governance.registry.records import ChangeRequest, Hold, Review
from tests.support.small_deployment import EVERYWHERE, MODEL, PURPOSE, VERSION, Small, document_text

HOLD: dict[str, Any] = {
    "model": MODEL,
    "scope": EVERYWHERE,
    "cause": "safety.signal",
    "reason": "A report came in",
}
RELEASE: dict[str, Any] = {"version": VERSION, "scope": EVERYWHERE, "purpose": PURPOSE}
SUMMARY = "Because Berg asked for it"


def fields(model: type[BaseModel]) -> list[tuple[str, str]]:
    """Return every pattern of the model and of the models within it."""
    found: list[tuple[str, str]] = []

    def walk(schema: Any, place: str) -> None:
        if isinstance(schema, dict):
            if isinstance(schema.get("pattern"), str):
                found.append((place, schema["pattern"]))
            for name, part in schema.items():
                walk(part, f"{place}.{name}")
        elif isinstance(schema, list):
            for part in schema:
                walk(part, place)

    walk(model.model_json_schema(), model.__name__)
    return found


def test_every_pattern_of_every_operation_is_about_the_whole_text() -> None:
    patterns = [found for one in OPERATIONS.values() for found in fields(one.request)]
    assert len(patterns) > 3
    loose = [place for place, text in patterns if not (text.startswith("^") and text.endswith("$"))]
    assert not loose


@pytest.mark.parametrize("cause", ["Patient Hansen: safety.signal", "a b", "safety.signal\n", "ab"])
def test_a_cause_is_a_code_and_no_sentence(home: Small, cause: str) -> None:
    before = home.size()
    with pytest.raises(InvalidInput, match="cause"):
        home.perform("sam", "hold.place", **HOLD | {"cause": cause})
    assert home.size() == before + 1, "nothing but the session"


@pytest.mark.parametrize("market", ["NOR", "no", "in NO", "NO\n", ""])
def test_a_market_is_a_country_code(home: Small, market: str) -> None:
    with pytest.raises(InvalidInput, match="market"):
        home.signed("mo", "release.open", **RELEASE, market=market)


@pytest.mark.parametrize("bad", ["\x00", "\ud800"])
@pytest.mark.parametrize("field", ["reason", "model", "scope", "version"])
def test_what_a_database_cannot_store_is_refused_in_every_field(
    home: Small, field: str, bad: str
) -> None:
    with pytest.raises(InvalidInput, match=field):
        home.perform("sam", "hold.place", **HOLD | {field: f"a reason{bad}"})


@pytest.mark.parametrize("bad", ["\x00", "\ud800"])
def test_it_is_refused_within_lists_and_passwords_too(home: Small, bad: str) -> None:
    with pytest.raises(InvalidInput, match="permissions"):
        home.perform(
            "ada",
            "client.add",
            client="other",
            title="Other",
            scope=EVERYWHERE,
            permissions=["read", f"read{bad}"],
        )
    with pytest.raises(InvalidInput, match="password"):
        home.perform("sam", "release.roll_back", release="REL-1", password=f"a password{bad}")


def test_pairs_of_surrogates_are_a_character_and_welcome(home: Small) -> None:
    assert home.perform("sam", "hold.place", **HOLD | {"reason": "A report came in \U0001f6d1"})


@pytest.mark.parametrize("operation", ["change.open", "change.run"])
def test_a_modification_that_the_plan_does_not_have_opens_nothing(
    home: Small, operation: str
) -> None:
    version = home.candidate()
    before = home.size()
    with pytest.raises(InvalidInput, match="modification") as refused:
        home.perform(
            "mo", operation, version=version, modification="Hansen wants it", summary=SUMMARY
        )
    assert "Hansen" not in f"{refused.value}{refused.value.next_step}"
    assert "refit" in refused.value.next_step
    assert home.size() == before + 1, "nothing but the session"


def test_the_summary_of_a_request_is_in_no_permanent_fact(home: Small) -> None:
    home.perform(
        "mo", "change.open", version=home.candidate(), modification="refit", summary=SUMMARY
    )
    ledger = home.deployment.ledger
    with home.deployment.reader() as reader:
        assert "Berg" not in repr(reader.find(ChangeRequest))
    entries = list(ledger.entries(0, home.size()))
    assert not [one for one in entries if "Berg" in repr(one)]


def test_an_unknown_member_is_refused_without_repeating_its_name(home: Small) -> None:
    with pytest.raises(InvalidInput) as refused:
        home.perform("sam", "hold.place", **HOLD, patient_hansen="x")
    assert "hansen" not in str(refused.value)


@pytest.mark.parametrize("named", [{"version": "forecasting/9"}, {"model": "other"}])
def test_a_hold_on_what_is_not_there_is_refused(home: Small, named: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        home.perform("sam", "hold.place", **HOLD | named)


def test_a_hold_on_a_version_of_another_model_would_suspend_nothing_and_is_refused(
    home: Small,
) -> None:
    _other_model(home)
    with pytest.raises(InvalidInput, match="version"):
        home.perform("sam", "hold.place", **HOLD | {"model": "other", "version": VERSION})
    with home.deployment.reader() as reader:
        assert reader.find(Hold) == []


def _other_model(home: Small) -> None:
    text = document_text("entry").replace("name: forecasting\n", "name: other\n")
    home.register("entry", text=text)


@pytest.mark.parametrize(
    "part", ["modification", "plan", "evidence", "version", "verdict", "change_class"]
)
def test_what_an_approver_signs_stands_for_every_part_of_the_request(
    home: Small, part: str
) -> None:
    version = home.approved_version()
    home.candidate()
    other: dict[str, Any] = {
        "modification": "members",
        "plan": "monitoring:forecasting:1",
        "evidence": "E-1",
        "version": "forecasting/3",
        "verdict": "fail",
        "change_class": "deviation",
    }
    with home.deployment.reader() as reader:
        (change,) = reader.find(ChangeRequest, version=version)
        signed = change_digest(reader, change)
        assert reader.find(Review, subject=change.id)[0].subject_digest == signed
        assert change_digest(reader, replace(change, **{part: other[part]})) != signed


def test_what_an_approver_signs_stands_for_the_entry_in_force(home: Small) -> None:
    version = home.approved_version()
    with home.deployment.reader() as reader:
        (change,) = reader.find(ChangeRequest, version=version)
        signed = change_digest(reader, change)
    text = document_text("entry").replace("The two classes in the package", "Two classes")
    home.decide("rea", home.register("entry", text=text)["review"])
    with home.deployment.reader() as reader:
        assert change_digest(reader, change) != signed
