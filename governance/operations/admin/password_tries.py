"""Tries at a password: counted before they are checked, and few.

A try is counted in a commit of its own before the slow check begins and taken back when it was
good, so tries that come together count together. Whoever fails waits, and only from where they
tried: five failures for one account from one peer within fifteen minutes, thirty from one peer for
all accounts. An account that many peers guess at takes no more from peers that its owner has not
signed in from for a month; where the owner works, nobody else can lock them out.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from governance import ids
from governance.adapters.passwords import password_matches
from governance.clock import MICROSECONDS
from governance.deployment import Deployment
from governance.errors import GovernanceError
from governance.operations.actor import Actor
from governance.operations.admin.sessions import end_sessions
from governance.registry.records import Person
from governance.storage import private
from governance.storage.ports import Reader, Unit

WINDOW_US: Final = 15 * 60 * MICROSECONDS
DAY_US: Final = 24 * 60 * 60 * MICROSECONDS
TRIES_AT_ACCOUNT_FROM_PEER: Final = 5
TRIES_FROM_PEER: Final = 30
TRIES_AT_ACCOUNT_A_DAY: Final = 50

# What was typed as a name may be a password, so it is counted under a digest that means nothing
# after this process, and never stored. Counting it like a name makes both answer alike.
_UNKNOWN_KEY: Final = ids.token().encode()


class TooManyFailures(GovernanceError):
    """The account takes no more tries from there for now, after repeated failures."""

    code = "identity.too_many_failures"
    http_status = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A person who has just given their password, and the credential that it was checked with."""

    person: Person
    credential: private.Credential

    def still_holds(self, reader: Reader) -> bool:
        """Return whether the person may still sign in and the password is still that one."""
        person = reader.get(Person, self.person.id)
        return (
            person is not None
            and not person.disabled
            and private.credential(reader, self.person.id) == self.credential
        )


def check_password(
    deployment: Deployment, *, name: str, password: str, peer: str
) -> Checked | None:
    """Return who it is, or None where name and password do not belong together.

    Raises TooManyFailures without looking at the password.
    """
    return _check(deployment, name=name, password=password, peer=peer, has_session=False)


def check_own_password(deployment: Deployment, actor: Actor, password: str) -> Checked | None:
    """Return the signed-in person who gave their password again, or None where it is not theirs.

    At the limit every session of the person ends: one of them is in strange hands.
    """
    peer = f"session of {actor.person}"
    checked = _check(deployment, name=actor.person, password=password, peer=peer, has_session=True)
    if checked is None:
        deployment.pen.commit(lambda unit: _end_at_limit(unit, actor.person, peer))
    return checked


def _check(
    deployment: Deployment, *, name: str, password: str, peer: str, has_session: bool
) -> Checked | None:
    with deployment.reader() as reader:  # who is over a limit costs no commit
        _refuse_over_limit(
            reader,
            _label(name, reader.get(Person, name)),
            peer,
            now_us=deployment.clock.now_us(),
            has_session=has_session,
        )

    def count(unit: Unit) -> tuple[Person | None, private.Credential | None]:
        person = unit.get(Person, name)
        label = _label(name, person)
        private.forget_tries(unit, unit.now_us - DAY_US)
        _refuse_over_limit(unit, label, peer, now_us=unit.now_us, has_session=has_session)
        private.note_try(unit, label, peer)
        return person, private.credential(unit, name)

    person, credential = deployment.pen.commit(count)
    hashed = None if credential is None else credential.password_hash
    if not password_matches(hashed, password):
        return None
    if person is None or credential is None or person.disabled:
        return None
    deployment.pen.commit(lambda unit: private.forgive(unit, person.id, peer))
    return Checked(person=person, credential=credential)


def _refuse_over_limit(
    reader: Reader, label: str, peer: str, *, now_us: int, has_session: bool
) -> None:
    recent_us = now_us - WINDOW_US
    at_account = private.tries_since(reader, recent_us, person=label, peer=peer)
    from_peer = private.tries_since(reader, recent_us, peer=peer)
    if at_account >= TRIES_AT_ACCOUNT_FROM_PEER or from_peer >= TRIES_FROM_PEER:
        raise _too_many("wait fifteen minutes, or ask an administrator for a new password")
    if has_session or private.signed_in_from(reader, label, peer):
        return
    if private.tries_since(reader, now_us - DAY_US, person=label) >= TRIES_AT_ACCOUNT_A_DAY:
        raise _too_many("sign in from where you last did, or ask an administrator")


def _end_at_limit(unit: Unit, person: str, peer: str) -> None:
    failed = private.tries_since(unit, unit.now_us - WINDOW_US, person=person, peer=peer)
    if failed >= TRIES_AT_ACCOUNT_FROM_PEER:
        end_sessions(unit, person=person, actor=person, reason="failed_passwords")


def _label(name: str, person: Person | None) -> str:
    if person is not None:
        return person.id
    return f"?{hmac.new(_UNKNOWN_KEY, name.encode(errors='replace'), hashlib.sha256).hexdigest()}"


def _too_many(next_step: str) -> TooManyFailures:
    return TooManyFailures("too many failed tries for this account", next_step=next_step)
