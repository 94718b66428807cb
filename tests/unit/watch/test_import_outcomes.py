"""A delivery of outcomes is bounded before it is recorded, and speaks for its own scope alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from change_control.roles import Grant, Role
from change_control.scope import Scope
from governance.clock import FixedClock
from governance.deployment import Deployment, open_deployment
from governance.errors import Conflict, Forbidden, InvalidInput
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Request
from governance.operations.watch.import_outcomes import (
    IMPORT_OUTCOMES,
    ImportOutcomes,
    narrowed,
    record_outcomes,
)
from governance.operations.watch.known_outcomes import outcomes_for
from governance.registry.records import OutcomeBatch, Release
from tests.functional.api.support import make_home
from tests.support.known_person import know

if TYPE_CHECKING:
    from pathlib import Path

NOW_US = 1_900_000_000_000_000  # 2030-03-17
HERE = Scope.parse("st-olav/pharmacy")
ELSEWHERE = Scope.parse("st-olav/ward-3")
EVERYWHERE = Scope.parse("st-olav/*")
SERIES = "L01/General"
ROW = {"series": SERIES, "month": "2005-07", "value": "101"}
DELIVERY: dict[str, Any] = {"model": "forecasting", "source": "Register", "rows": [ROW]}


def person(*scopes: Scope) -> Actor:
    grants = tuple(Grant(person="sam", role=Role.SAFETY_OFFICER, scope=scope) for scope in scopes)
    return Actor(person="sam", printed_name="Sam Olsen", grants=grants)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("outcomes") / "home")


@pytest.fixture(scope="module")
def deployment(root: Path) -> Iterator[Deployment]:
    with open_deployment(root, clock=FixedClock(now_us=NOW_US)) as opened:
        know(opened, "sam", roles=[Role.SAFETY_OFFICER], scopes=[HERE, EVERYWHERE])
        yield opened


def deliver(deployment: Deployment, scope: Scope, **changes: Any) -> str:
    request = ImportOutcomes.model_validate({**DELIVERY, **changes})
    return record_outcomes(deployment, received_by="dispensary", scope=scope, request=request).batch


def imported(deployment: Deployment, actor: Actor, **changes: Any) -> Any:
    return IMPORT_OUTCOMES.perform(deployment, actor, {**DELIVERY, **changes})


def batch_count(deployment: Deployment) -> int:
    with deployment.reader() as reader:
        return len(reader.find(OutcomeBatch))


@pytest.mark.parametrize(
    "row",
    [
        {"series": "L01/Nobody"},
        {"series": "Kari Nordmann, born 1950"},
        {"value": "1000000000000001"},
        {"value": "10000000000000000"},
        {"value": "1e3"},
        {"value": "NaN"},
        {"value": "inf"},
        {"value": "-1"},
        {"value": "1\n"},
        {"value": "0." + "1" * 18},
        {"month": "2005-13"},
        {"month": "2005-07\n"},
        {"month": "x2005-07"},
        {"month": "2030-04"},
        {"month": "9999-12"},
        {"series": "L01/General\x00"},
    ],
    ids=str,
)
def test_a_row_out_of_bounds_refuses_the_whole_delivery(
    deployment: Deployment, row: dict[str, str]
) -> None:
    before = batch_count(deployment)
    with pytest.raises(InvalidInput) as refused:
        imported(deployment, person(EVERYWHERE), rows=[ROW, {**ROW, **row}])
    assert "Nordmann" not in str(refused.value)
    assert batch_count(deployment) == before


@pytest.mark.parametrize("value", ["0", "0.5", "1000000000000000", "101.123456789"])
def test_a_value_within_bounds_is_recorded(deployment: Deployment, value: str) -> None:
    assert imported(deployment, person(EVERYWHERE), rows=[{**ROW, "value": value}]).rows == 1


def test_a_model_without_an_entry_in_force_takes_no_outcomes(deployment: Deployment) -> None:
    with pytest.raises(Conflict):
        imported(deployment, person(EVERYWHERE), model="dosing")


@pytest.mark.parametrize("model", ["forecasting\n", "Forecasting", "a/b", "x\x00"])
def test_a_model_is_named_by_a_whole_name(deployment: Deployment, model: str) -> None:
    with pytest.raises(InvalidInput, match="model"):
        imported(deployment, person(EVERYWHERE), model=model)


def test_words_about_the_source_are_in_the_erasable_body_and_nowhere_else(
    deployment: Deployment,
) -> None:
    words = "as told by Kari Nordmann"
    deliver(deployment, HERE, source=words)
    entry = deployment.ledger.entries(deployment.ledger.head()[0] - 1)[0]
    assert words not in json.dumps(entry.facts)
    body = canonical.loads(deployment.ledger.body(entry.seq) or b"")
    assert isinstance(body, dict)
    assert body["source"] == words
    deployment.rebuild()


def test_a_person_speaks_for_the_organisation_only_with_a_role_there(
    deployment: Deployment,
) -> None:
    with pytest.raises(Forbidden):
        imported(deployment, person(HERE))
    assert imported(deployment, person(HERE), scope=str(HERE)).scope == str(HERE)
    assert imported(deployment, person(EVERYWHERE)).scope == str(EVERYWHERE)


@pytest.mark.parametrize("asked", ["st-olav/*", "st-olav/ward-3", "haukeland/*", "x", "Kari N"])
def test_a_calling_system_speaks_for_its_own_scope_only(asked: str) -> None:
    with pytest.raises(Forbidden) as refused:
        narrowed(HERE, asked)
    assert asked not in str(refused.value)


def test_without_a_scope_a_delivery_is_for_the_credentials_own() -> None:
    assert narrowed(HERE, None) == HERE
    assert narrowed(EVERYWHERE, str(HERE)) == HERE


def release_at(scope: Scope) -> Release:
    return Release(
        id="REL-9", model="forecasting", version="forecasting/1", digest="a" * 64,
        scope=str(scope), market="NO", purpose="p", mode="full", from_us=1, until_us=None,
        state="active", released_by="q", change="C-1", body_key="k",
    )  # fmt: skip


def counting(deployment: Deployment, scope: Scope, month: str) -> str | None:
    """Return the value that counts for a release: the last row, as the computation takes it."""
    with deployment.reader() as reader:
        rows = outcomes_for(reader, release_at(scope), through=None)
    values = [row.value for row in rows if row.month == month]
    return values[-1] if values else None


def test_what_another_site_delivers_does_not_move_a_releases_monitors(
    deployment: Deployment,
) -> None:
    month = "2010-01"
    deliver(deployment, ELSEWHERE, rows=[{**ROW, "month": month, "value": "7"}])
    assert counting(deployment, HERE, month) is None
    assert counting(deployment, ELSEWHERE, month) == "7"


def test_a_sites_part_is_not_compared_with_the_whole(deployment: Deployment) -> None:
    month = "2010-02"
    deliver(deployment, EVERYWHERE, rows=[{**ROW, "month": month, "value": "100"}])
    deliver(deployment, HERE, rows=[{**ROW, "month": month, "value": "9"}])
    assert counting(deployment, EVERYWHERE, month) == "100"


def test_a_sites_own_value_counts_before_a_later_one_of_the_organisation(
    deployment: Deployment,
) -> None:
    month = "2010-03"
    for value in ("8", "9"):
        deliver(deployment, HERE, rows=[{**ROW, "month": month, "value": value}])
    deliver(deployment, EVERYWHERE, rows=[{**ROW, "month": month, "value": "100"}])
    assert counting(deployment, HERE, month) == "9"
    assert counting(deployment, ELSEWHERE, month) == "100"


class Nested(Request):
    texts: dict[str, list[str]] | None = None
    word: str | None = None


@pytest.mark.parametrize(
    "params", [{"word": "a\x00"}, {"texts": {"a": ["b", "\x00"]}}, {"texts": {"\x00": []}}]
)
def test_no_request_of_any_operation_holds_a_nul(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="NUL"):
        Nested.model_validate(params)
    assert Nested.model_validate({"texts": {"a": ["\\x00"]}, "word": "a"}).word == "a"
