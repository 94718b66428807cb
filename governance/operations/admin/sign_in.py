"""Sign in and out: a password opens a server-side session, which a person can always end.

A session row holds the digest of its token, so that a copy of the database opens nothing; the
entries of its beginning and its end hold the digest too. How many tries an account takes, and from
where, is in `password_tries`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from change_control.roles import Grant, Role
from change_control.scope import Scope
from governance import ids
from governance.clock import MICROSECONDS
from governance.deployment import Deployment
from governance.errors import Unauthenticated
from governance.operations.actor import Actor
from governance.operations.admin.password_tries import DAY_US, Checked, check_password
from governance.operations.admin.sessions import end_sessions, token_digest
from governance.registry.records import Person, RoleGrant
from governance.storage import private
from governance.storage.ports import Reader, Unit

MINUTE_US: Final = 60 * MICROSECONDS
REMEMBERED_US: Final = 30 * DAY_US
"""How long a session that is over still says that its person signs in from its peer."""

LOCAL_PEER: Final = "this machine"


class BadCredentials(Unauthenticated):
    """No such person, or not their password; the text does not say which."""

    code = "identity.bad_credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session just opened; `token` is shown to the client once and not kept."""

    token: str
    csrf: str
    expires_us: int
    actor: Actor


def sign_in(
    deployment: Deployment, *, person: str, password: str, peer: str = LOCAL_PEER
) -> OpenSession:
    """Open a session for the person, or raise BadCredentials or TooManyFailures.

    `peer` is where the try comes from: a network address, or this machine.
    """
    checked = check_password(deployment, name=person, password=password, peer=peer)
    if checked is None:
        raise _bad_credentials()
    length_us = deployment.home.config.limits.session_hours * 60 * MINUTE_US
    return deployment.pen.commit(lambda unit: _open_session(unit, checked, peer, length_us))


def _open_session(unit: Unit, checked: Checked, peer: str, length_us: int) -> OpenSession:
    if not checked.still_holds(unit):
        raise _bad_credentials()
    person, token, csrf = checked.person, ids.token(), ids.token()
    row = private.SessionRow(
        token_digest=token_digest(token),
        person=person.id,
        peer=peer,
        csrf=csrf,
        opened_us=unit.now_us,
        seen_us=unit.now_us,
        expires_us=unit.now_us + length_us,
    )
    private.forget_sessions(unit, unit.now_us - REMEMBERED_US)
    private.put_session(unit, row)
    unit.record(kind="session.opened", actor=person.id, notes={"session_sha256": row.token_digest})
    return OpenSession(
        token=token, csrf=csrf, expires_us=row.expires_us, actor=_actor(unit, person, row)
    )


def actor_of_session(deployment: Deployment, *, token: str) -> tuple[Actor, str]:
    """Return who the token's session belongs to and its CSRF token; raise Unauthenticated.

    A session ends the configured hours after it was opened, and earlier when it was idle.
    """
    idle_us = deployment.home.config.limits.session_idle_minutes * MINUTE_US
    now_us = deployment.clock.now_us()
    with deployment.reader() as reader:
        row = private.session(reader, token_digest(token))
        person = reader.get(Person, row.person) if row else None
        if row is None or person is None or person.disabled:
            raise _signed_out()
        if now_us >= row.expires_us or now_us >= row.seen_us + idle_us:
            raise _signed_out()
        actor = _actor(reader, person, row)
    if now_us - row.seen_us > MINUTE_US:
        deployment.pen.commit(
            lambda unit: private.touch_session(unit, row.token_digest, unit.now_us)
        )
    return actor, row.csrf


def sign_out(deployment: Deployment, *, token: str) -> None:
    """End the token's session; ending it again changes nothing."""
    digest = token_digest(token)

    def write(unit: Unit) -> None:
        row = private.session(unit, digest)
        if row is not None:
            end_sessions(
                unit, person=row.person, actor=row.person, reason="signed_out", only=digest
            )

    deployment.pen.commit(write)


def _actor(reader: Reader, person: Person, session: private.SessionRow) -> Actor:
    credential = private.credential(reader, person.id)
    grants = reader.find(RoleGrant, person=person.id, active=True)
    return Actor(
        person=person.id,
        printed_name=person.printed_name,
        grants=tuple(
            Grant(person=person.id, role=Role(grant.role), scope=Scope.parse(grant.scope))
            for grant in grants
        ),
        session=session.token_digest,
        must_change=credential is None or credential.must_change,
    )


def _bad_credentials() -> BadCredentials:
    return BadCredentials(
        "the name and the password do not belong together",
        next_step="type both again; after five failures the account waits fifteen minutes",
    )


def _signed_out() -> Unauthenticated:
    return Unauthenticated(
        "nobody is signed in, or the session has ended",
        next_step="sign in again: `vigil login`, or the console's sign-in page",
    )
