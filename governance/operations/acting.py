"""The commits of a person's operation: who acts is read once more inside each (P6, P14).

An operation looks at roles before its slow work, and a person can be disabled, lose a role or have
their password reset while it runs. So an operation is handed a deployment whose pen compares what
the person may do in the very transaction that writes; no operation can forget to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from change_control.roles import Grant, Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.errors import Forbidden
from governance.operations.actor import Actor
from governance.registry.records import Person, RoleGrant
from governance.storage import private
from governance.storage.ports import CommittedAnswer, Pen, PendingAnswer, Reader, Unit
from governance.storage.promise import Promise

T = TypeVar("T")


def acting(deployment: Deployment, actor: Actor) -> Deployment:
    """Return the deployment as this person acts in it."""
    return replace(deployment, pen=ActingPen(deployment.pen, actor))


class ActingPen:
    """A pen in the hand of one person; see `ports.Pen`."""

    def __init__(self, pen: Pen, actor: Actor) -> None:
        self._pen = pen
        self._actor = actor

    @property
    def standing_epoch(self) -> int:
        """The standing epoch after this process's last commit."""
        return self._pen.standing_epoch

    def commit(self, write: Callable[[Unit], T]) -> T:
        """Commit; raise Forbidden, and record nothing, where the person may do less by now."""

        def checked(unit: Unit) -> T:
            require_unchanged(unit, self._actor)
            return write(unit)

        return self._pen.commit(checked)

    def answer(self, pending: PendingAnswer) -> Promise[CommittedAnswer]:
        """Queue an answer: that is a calling system's, and needs no person."""
        return self._pen.answer(pending)

    def close(self) -> None:
        """Finish what is queued and release the home."""
        self._pen.close()


def require_unchanged(reader: Reader, actor: Actor) -> None:
    """Raise Forbidden unless the person still has every grant that the actor was made with."""
    person = reader.get(Person, actor.person)
    credential = private.credential(reader, actor.person)
    if person is None or person.disabled or credential is None:
        raise _narrowed("you may not act here any more")
    if credential.must_change and not actor.must_change:
        raise _narrowed("your password was reset while this ran")
    if not set(actor.grants) <= _grants_of(reader, actor.person):
        raise _narrowed("one of your roles was revoked while this ran")


def _grants_of(reader: Reader, person: str) -> set[Grant]:
    return {
        Grant(person=person, role=Role(row.role), scope=Scope.parse(row.scope))
        for row in reader.find(RoleGrant, person=person, active=True)
    }


def _narrowed(what: str) -> Forbidden:
    return Forbidden(
        f"{what}, so nothing was recorded",
        next_step="sign in again and see what you may do; an administrator knows what changed",
    )
