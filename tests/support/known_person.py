"""A person on record, for tests that make an actor by hand: every commit compares the two."""

from __future__ import annotations

from argon2 import PasswordHasher

from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.registry.records import Person, RoleGrant
from governance.storage import private
from governance.storage.ports import Unit


def know(
    deployment: Deployment,
    person: str,
    *,
    roles: list[Role],
    scopes: list[Scope],
    password: str = "never typed",
) -> None:
    """Record the person with every one of the roles over every one of the scopes."""
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)

    def write(unit: Unit) -> None:
        known = Person(
            id=person,
            printed_name=person.capitalize(),
            organisation=scopes[0].organisation,
            created_us=unit.now_us,
            disabled=False,
            demonstration=False,
        )
        grants = [
            RoleGrant(
                id=f"{person}:{role.value}:{scope}",
                person=person,
                role=role.value,
                scope=str(scope),
                granted_by=person,
                active=True,
            )
            for role in roles
            for scope in scopes
        ]
        notes = private.put_credential(unit, person, hashed, must_change=False)
        unit.record(kind="person.added", actor=person, add=[known, *grants], notes=notes)

    deployment.pen.commit(write)
