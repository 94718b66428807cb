"""Passwords: one's own is changed, a forgotten one is reset by an administrator.

Whoever chose a password knows it. So one that somebody else chose signs in only to be changed, and
no administrator can act or sign as another person with it (P6, P7).
"""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.errors import Forbidden, InvalidInput, Unauthenticated
from governance.operations.actor import Actor
from governance.operations.admin.password_tries import check_own_password
from governance.operations.admin.people import checked_hash
from governance.operations.admin.sessions import end_sessions
from governance.operations.operation import Operation, Request, Result
from governance.registry.records import Person
from governance.storage import private
from governance.storage.ports import Unit

_ADMINISTRATORS: Final = frozenset({Role.ADMINISTRATOR})


class PasswordRefused(Unauthenticated):
    """The password given as the present one is not."""

    code = "identity.password_refused"


class ChangePassword(Request):
    """One's own password, the present one and the one that takes its place."""

    old: SecretStr
    new: SecretStr


class ResetPassword(Request):
    """A person who gets another first password; it opens nothing but its own change."""

    person: str
    password: SecretStr


class PasswordSet(Result):
    """Whose password was set, and whether it opens only its own change."""

    person: str
    must_change: bool


def change_password(deployment: Deployment, actor: Actor, request: ChangePassword) -> PasswordSet:
    """Change one's own password; every other session of the person ends."""
    old, new = request.old.get_secret_value(), request.new.get_secret_value()
    if old == new:
        raise InvalidInput(
            "new: it is the present password", next_step="choose another one, known to you alone"
        )
    checked = check_own_password(deployment, actor, old)
    if checked is None:
        raise _refused()
    hashed = checked_hash(request.new)

    def write(unit: Unit) -> PasswordSet:
        if not checked.still_holds(unit):
            raise _refused()
        notes = private.put_credential(unit, actor.person, hashed, must_change=False)
        unit.record(kind="person.password_changed", actor=actor.person, notes=notes)
        end_sessions(
            unit,
            person=actor.person,
            actor=actor.person,
            reason="password_changed",
            spare=actor.session,
        )
        return PasswordSet(person=actor.person, must_change=False)

    return deployment.pen.commit(write)


def reset_password(deployment: Deployment, actor: Actor, request: ResetPassword) -> PasswordSet:
    """Give a person another first password; their sessions end."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_ADMINISTRATORS, scope, act="reset passwords")
    if request.person == actor.person:
        raise Forbidden(
            "you cannot reset your own password", next_step="change it: `vigil user password`"
        )
    hashed = checked_hash(request.password)

    def write(unit: Unit) -> PasswordSet:
        person = unit.require(Person, request.person)
        notes = private.put_credential(unit, person.id, hashed, must_change=True)
        unit.record(kind="person.password_reset", actor=actor.person, notes=notes)
        end_sessions(unit, person=person.id, actor=actor.person, reason="password_reset")
        return PasswordSet(person=person.id, must_change=True)

    return deployment.pen.commit(write)


def _refused() -> PasswordRefused:
    return PasswordRefused(
        "the present password is not yours, so nothing was changed",
        next_step="give it again; after five failures your sessions end",
    )


CHANGE_PASSWORD = Operation(
    name="person.change_password",
    request=ChangePassword,
    kinds=("person.password_changed", "session.ended"),
    run=change_password,
    repeated="refused: the old password is not the present one any more",
)
RESET_PASSWORD = Operation(
    name="person.reset_password",
    request=ResetPassword,
    kinds=("person.password_reset", "session.ended"),
    run=reset_password,
    repeated="sets it again; the last one counts",
)
