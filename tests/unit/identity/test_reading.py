"""Who may read: nobody without a role, and bodies only those whose work they are (P15)."""

from __future__ import annotations

from typing import Any

import pytest

from audits.estimate import Json
from change_control.roles import Grant, Role
from change_control.scope import Scope
from governance.console.deployment_desk import DeploymentDesk
from governance.errors import Forbidden, Problem
from governance.operations import catalogue
from governance.operations.actor import Actor
from governance.operations.inspect.bodies import BODY_READERS, require_body_reader
from governance.operations.inspect.verification import Verifications
from governance.operations.operation import Operation
from tests.unit.identity.conftest import House

READS = sorted(name for name, one in catalogue.OPERATIONS.items() if not one.kinds)
PHARMACY: dict[str, Json] = {"scope": "st-olav/pharmacy"}


def person(role: Role, scope: str, *, must_change: bool = False) -> Actor:
    grant = Grant(person="rea", role=role, scope=Scope.parse(scope))
    return Actor(person="rea", printed_name="Rea", grants=(grant,), must_change=must_change)


def test_a_person_without_a_role_reads_nothing(house: House) -> None:
    house.add("una")
    house.settle("una")
    una = house.actor("una")
    assert READS
    for name in READS:
        with pytest.raises(Forbidden):
            house.do(una, name)


def test_a_person_whose_last_role_was_revoked_reads_nothing(house: House) -> None:
    house.add("rea", "auditor")
    house.settle("rea")
    assert house.do("rea", "person.list")["people"]
    house.do("ada", "role.revoke", person="rea", role="auditor", scope="st-olav/*")
    with pytest.raises(Forbidden):
        house.do("rea", "person.list")


@pytest.mark.parametrize("role", sorted(BODY_READERS))
def test_those_who_look_into_answers_read_bodies_where_they_work(role: Role) -> None:
    require_body_reader(person(role, "st-olav/pharmacy"), PHARMACY, organisation="st-olav")


@pytest.mark.parametrize("role", sorted(set(Role) - BODY_READERS))
def test_no_other_role_reads_bodies(role: Role) -> None:
    with pytest.raises(Forbidden):
        require_body_reader(person(role, "st-olav/*"), PHARMACY, organisation="st-olav")


@pytest.mark.parametrize(
    "facts",
    [
        {"scope": "st-olav/ward-3"},
        {"scope": "st-olav/*"},
        {"scope": "other/pharmacy"},
        {"scope": "no scope"},
        {"scope": None},
        {},
        {"changes": [{"row": {"scope": "st-olav/ward-3"}}]},
        {"changes": [{"row": PHARMACY}, {"row": {"scope": "st-olav/ward-3"}}]},
        {"changes": [{"set": {"scope": ["st-olav/ward-3", "st-olav/pharmacy"]}}]},
        {"changes": "st-olav/pharmacy"},
    ],
)
def test_a_site_auditor_reads_no_body_of_another_place(facts: dict[str, Json]) -> None:
    with pytest.raises(Forbidden):
        require_body_reader(person(Role.AUDITOR, "st-olav/pharmacy"), facts, organisation="st-olav")


def test_a_delivery_of_outcomes_is_read_where_it_speaks_for() -> None:
    facts: dict[str, Json] = {"changes": [{"row": PHARMACY}]}
    require_body_reader(person(Role.AUDITOR, "st-olav/pharmacy"), facts, organisation="st-olav")


def test_a_password_of_somebody_else_reads_no_body() -> None:
    with pytest.raises(Forbidden):
        require_body_reader(
            person(Role.AUDITOR, "st-olav/*", must_change=True), PHARMACY, organisation="st-olav"
        )


def test_the_console_gives_an_administrator_no_receipt(house: House) -> None:
    desk = DeploymentDesk(running=house.deployment, verifications=Verifications(house.deployment))
    with pytest.raises(Forbidden):
        desk.receipt(desk.ledger_entry(0), actor=house.actor("ada"), with_body=True)


MARK = "zq-marker-of-the-caller"
SHAPES = (MARK, MARK.upper(), f"{MARK}/1", f"{MARK}/{MARK}", f"st-olav/{MARK}", f"{MARK}: {MARK}")
# These would succeed, or end the session that the others need.
LEFT_OUT = {"person.add", "person.change_password"}


def sent_to(operation: Operation[Any, Any], text: str, password: str) -> dict[str, Any]:
    """Return parameters whose every text holds the mark; a choice is its first, a secret true."""
    schema = operation.request.model_json_schema()
    return {
        name: password if name == "password" else _value(member, schema.get("$defs", {}), text)
        for name, member in schema["properties"].items()
        if name in schema.get("required", []) or member.get("type") != "integer"
    }


def _value(member: dict[str, Any], definitions: dict[str, Any], text: str) -> Any:
    if "$ref" in member:
        return _value(definitions[member["$ref"].rsplit("/", 1)[1]], definitions, text)
    if "anyOf" in member:
        return _value(member["anyOf"][0], definitions, text)
    if "enum" in member:
        return member["enum"][0]
    match member.get("type"):
        case "object":
            inner = member.get("properties", {})
            return {name: _value(one, definitions, text) for name, one in inner.items()}
        case "array":
            return [_value(member["items"], definitions, text)]
        case "integer":
            return 1
        case "boolean":
            return False
        case _:
            return text


def test_no_refusal_repeats_what_was_sent(house: House) -> None:
    roles = ("reviewer", "auditor", "safety_officer", "regulatory", "model_owner")
    house.add("rea", *roles)
    house.settle("rea")
    repeated = []
    for who in ("ada", "rea"):
        actor, password = house.actor(who), house.own_password(who)
        for name, operation in catalogue.OPERATIONS.items():
            for text in SHAPES if name not in LEFT_OUT else ():
                try:
                    house.do(actor, name, **sent_to(operation, text, password))
                except Exception as error:
                    problem = Problem.of(error)
                    if problem is None:
                        raise
                    told = f"{problem.detail} {problem.next_step}"
                    if MARK in told.lower():
                        repeated.append(f"{name}: {told}")
    assert not repeated, "\n".join(repeated)
