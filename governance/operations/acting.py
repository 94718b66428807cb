"""The commit of a person's act: who acts is read once more inside it (P6, P14).

An operation looks at roles before its slow work, and a person can be disabled, lose a role or have
their password reset while it runs. So every governed act is committed here and not by the pen
alone: what the person may do is compared in the very transaction that writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from change_control.roles import Grant, Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.errors import Forbidden
from governance.operations.actor import Actor
from governance.registry.records import Person, RoleGrant
from governance.storage import private
from governance.storage.ports import Reader, Unit

T = TypeVar("T")


def acting(deployment: Deployment, actor: Actor, write: Callable[[Unit], T]) -> T:
    """Commit `write` as the actor's act; raise Forbidden where the actor may do less by now."""

    def checked(unit: Unit) -> T:
        require_unchanged(unit, actor)
        return write(unit)

    return deployment.pen.commit(checked)


def require_unchanged(reader: Reader, actor: Actor) -> None:
    """Raise Forbidden unless the person still has every grant that the actor was made with."""
    person = reader.get(Person, actor.person)
    credential = private.credential(reader, actor.person)
    if person is None or person.disabled or credential is None:
        raise _narrowed("you may not act here any more")
    if credential.must_change and not actor.must_change:
        raise _narrowed("your password was reset while this ran")
    if not set(actor.grants) <= set(grants_of(reader, actor.person)):
        raise _narrowed("one of your roles was revoked while this ran")


def grants_of(reader: Reader, person: str) -> tuple[Grant, ...]:
    """Return the person's active grants."""
    return tuple(
        Grant(person=person, role=Role(row.role), scope=Scope.parse(row.scope))
        for row in reader.find(RoleGrant, person=person, active=True)
    )


def _narrowed(what: str) -> Forbidden:
    return Forbidden(
        f"{what}, so nothing was recorded",
        next_step="sign in again and see what you may do; an administrator knows what changed",
    )
