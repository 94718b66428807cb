"""Sign in and out: a password opens a server-side session, which a person can always end.

A session row holds the digest of its token, so that a copy of the database opens nothing. After
five failures within fifteen minutes an account waits; whoever knows an account's name must not be
able to lock its owner out for longer than that.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from change_control.roles import Grant, Role
from change_control.scope import Scope
from governance import ids
from governance.adapters.passwords import password_matches
from governance.clock import MICROSECONDS
from governance.deployment import Deployment
from governance.errors import GovernanceError, Unauthenticated
from governance.operations.actor import Actor
from governance.registry.records import Person, RoleGrant
from governance.storage import private
from governance.storage.ports import Reader, Unit

MINUTE_US = 60 * MICROSECONDS
FAILURES_ALLOWED = 5
FAILURE_WINDOW_US = 15 * 60 * MICROSECONDS


class BadCredentials(Unauthenticated):
    """No such person, or not their password; the text does not say which."""

    code = "identity.bad_credentials"


class TooManyFailures(GovernanceError):
    """The account waits after repeated failures."""

    code = "identity.too_many_failures"
    http_status = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session just opened; `token` is shown to the client once and not kept."""

    token: str
    csrf: str
    expires_us: int
    actor: Actor


def sign_in(deployment: Deployment, *, person: str, password: str) -> OpenSession:
    """Open a session for the person, or raise BadCredentials or TooManyFailures."""
    with deployment.reader() as reader:
        since_us = deployment.clock.now_us() - FAILURE_WINDOW_US
        failures = private.failures_since(reader, person, since_us)
        hashed = private.credential(reader, person)
        known = reader.get(Person, person)
    if failures >= FAILURES_ALLOWED:
        raise TooManyFailures(
            "too many failed sign-ins for this account",
            next_step="wait fifteen minutes, or ask an administrator for a new password",
        )
    if not password_matches(hashed, password) or known is None or known.disabled:
        deployment.pen.commit(lambda unit: private.note_failure(unit, person, unit.now_us))
        raise BadCredentials(
            "the name and the password do not belong together",
            next_step="type both again; after five failures the account waits fifteen minutes",
        )
    length_us = deployment.home.config.limits.session_hours * 60 * MINUTE_US
    return deployment.pen.commit(lambda unit: _open_session(unit, known, length_us))


def _open_session(unit: Unit, person: Person, length_us: int) -> OpenSession:
    token, csrf = ids.token(), ids.token()
    expires_us = unit.now_us + length_us
    private.put_session(
        unit,
        private.SessionRow(
            token_digest=token_digest(token),
            person=person.id,
            csrf=csrf,
            opened_us=unit.now_us,
            seen_us=unit.now_us,
            expires_us=expires_us,
        ),
    )
    unit.record(kind="session.opened", actor=person.id)
    actor = _actor(unit, person)
    return OpenSession(token=token, csrf=csrf, expires_us=expires_us, actor=actor)


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
        actor = _actor(reader, person)
    if now_us - row.seen_us > MINUTE_US:
        deployment.pen.commit(
            lambda unit: private.touch_session(unit, row.token_digest, unit.now_us)
        )
    return actor, row.csrf


def sign_out(deployment: Deployment, *, token: str) -> None:
    """End the token's session; ending it again changes nothing."""
    deployment.pen.commit(lambda unit: private.end_session(unit, token_digest(token)))


def token_digest(token: str) -> str:
    """Return what the session row holds in place of the token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _actor(reader: Reader, person: Person) -> Actor:
    grants = reader.find(RoleGrant, person=person.id, active=True)
    return Actor(
        person=person.id,
        printed_name=person.printed_name,
        grants=tuple(
            Grant(person=person.id, role=Role(grant.role), scope=Scope.parse(grant.scope))
            for grant in grants
        ),
    )


def _signed_out() -> Unauthenticated:
    return Unauthenticated(
        "nobody is signed in, or the session has ended",
        next_step="sign in again: `vigil login`, or the console's sign-in page",
    )
