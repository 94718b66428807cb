"""End a log and begin its successor: as planned (`close`), or after a loss or theft (`recover`).

Either needs two people of the old home, an administrator and a reviewer or regulatory, who each
give their password; what they sign stands in the successor's first entry. A planned close writes
one last entry into the old log, which names the successor; a recovery writes none there, because
what is there may not be the whole log, or its key may be in strange hands or gone (docs/adr/0007).
Then a mark in the old home keeps it from going on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import Field, SecretStr

from audits.estimate import Json
from change_control.scope import Scope
from governance.adapters.key_store import FileKeyStore
from governance.adapters.passwords import password_matches
from governance.adapters.witness_client import HttpWitness
from governance.clock import Clock, SystemClock
from governance.deployment import Deployment, open_deployment
from governance.errors import Conflict, Forbidden
from governance.home import Home
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.log_keys import LOG_CLOSED
from governance.operations.admin.log_end import (
    End,
    at_last_witnessed,
    behind,
    erased_since,
    planned,
    without_key,
)
from governance.operations.admin.password_tries import check_password
from governance.operations.admin.recovering import given_up
from governance.operations.operation import Request, Result
from governance.operations.signing import SignatureRefused
from governance.registry.records import Person, RoleGrant
from governance.storage.engine import reader_engine
from governance.storage.errors import log_closed
from governance.storage.open import inspect_storage
from governance.storage.ports import Unit
from governance.storage.succession.build import build_successor, new_key
from governance.storage.succession.pending import is_pending, settle
from governance.storage.succession.state import State, read_state
from governance.storage.succession.statement import (
    BEGIN,
    CLOSED,
    CONFIRM,
    PREDECESSOR,
    SIGNED,
    Signatory,
    signed_facts,
)
from governance.storage.witnessing import Reach, ask_all, configured_witnesses

SUCCESSOR: Final = "successor"
SUCCESSOR_LEAF: Final = "successor_leaf"
_PEER: Final = "the closing of the log"


class Signing(Request):
    """Somebody who signs, and their password."""

    person: str
    password: SecretStr


class EndOfLog(Request):
    """Who signs, and the reason as a code: a first entry holds no sentence about people."""

    administrator: Signing
    second: Signing
    reason: str = Field(pattern="^[a-z][a-z_.]{2,60}$")


class Succeeded(Result):
    """The new home, what it succeeds, and what is lost of that."""

    home: str
    origin: str
    log_key: str
    predecessor: str
    mode: str
    kept: int
    lost: list[int] | None
    without_password: list[str]


def close_log(root: Path, new: Path, request: EndOfLog, *, clock: Clock | None = None) -> Succeeded:
    """Close the log of the home at `root`; its successor appears at `new`, then the last entry.

    After an interruption between the two, the same call goes on. Raises Conflict, Forbidden or
    SignatureRefused, and leaves nothing half made.
    """
    running = clock or SystemClock()
    with open_deployment(root, clock=running) as deployment:
        keys = deployment.ledger.log_keys
        if keys.closed_seq is not None:
            return _went_on(deployment, new, keys.closed_seq)
        deployment.cosigner.round()
        state = _state_of(deployment.home, deployment.ledger.head()[0])
        people = _two(
            state,
            request,
            organisation=deployment.home.config.organisation,
            matches=partial(_counted, deployment),
        )
        if new.exists() and any(new.iterdir()):
            home = _prepared(new, deployment, people)
        else:
            home = _build(
                deployment.home,
                new,
                planned(deployment),
                state=state,
                people=people,
                reason=request.reason,
                clock=running,
            )
        _last_entry(deployment, home, people, request)
        deployment.cosigner.round()
    settle(home)
    return _succeeded(home, state)


def recover_log(
    root: Path,
    new: Path,
    request: EndOfLog,
    *,
    compromised: bool = False,
    key_lost: bool = False,
    clock: Clock | None = None,
    reach: Reach = HttpWitness,
) -> Succeeded:
    """Begin a successor of a log that is behind its witnesses, or whose key is stolen or lost.

    Nothing is written into the home at `root` but the mark that it is succeeded. Raises
    NothingLost, NothingWitnessed or KeyNotLost where there is no ground for it, HomeSucceeded where
    there is a successor already, and as `close_log` does.
    """
    old, running = Home.open(root), clock or SystemClock()
    with given_up(old, running) as old_home:
        known = configured_witnesses(old, reach)
        with inspect_storage(old, lost=True) as inspected:
            ledger = inspected.ledger
            seen, _silent = ask_all(known, keys=ledger.log_keys)
            if compromised:
                end = at_last_witnessed(ledger, seen)
            else:
                end = without_key(old, ledger, seen) if key_lost else behind(old, ledger, seen)
                end = replace(end, erased=erased_since(ledger))
                inspected.rebuild()
            size = ledger.tree.size
        state = _state_of(old, end.kept)
        people = _two(
            state, request, organisation=old.config.organisation, matches=partial(_uncounted, state)
        )
        if size > end.kept:
            _require_still(old, size, people)
        home = _build(
            old,
            new,
            end,
            state=state,
            people=people,
            reason=request.reason,
            clock=running,
        )
        old_home.made()
        old_home.to(home.origin, _genesis(home)[0])
    return _succeeded(home, state)


# --- who signs ----------------------------------------------------------------------------------


def _counted(deployment: Deployment, signing: Signing) -> bool:
    """Return whether the password is the person's; tries are few, as at every signature."""
    password = signing.password.get_secret_value()
    return (
        check_password(deployment, name=signing.person, password=password, peer=_PEER) is not None
    )


def _uncounted(state: State, signing: Signing) -> bool:
    """Return the same where nothing may be written, so that no try can be counted."""
    credential = state.credentials.get(signing.person)
    hashed = None if credential is None else credential.password_hash
    return password_matches(hashed, signing.password.get_secret_value())


def _two(
    state: State, request: EndOfLog, *, organisation: str, matches: Callable[[Signing], bool]
) -> tuple[Signatory, Signatory]:
    """Return both who sign; raise Conflict, SignatureRefused or Forbidden."""
    if request.administrator.person == request.second.person:
        raise Conflict(
            "one person cannot sign twice",
            next_step="Let a reviewer or regulatory give the second signature.",
        )
    for signing in (request.administrator, request.second):
        if not matches(signing):
            raise SignatureRefused(
                "a password is not that of the person who is to sign, so nothing was signed",
                next_step="Both give their own passwords, as they were when the log was whole.",
            )
    everywhere = str(Scope(organisation=organisation, site="*"))
    return (
        _signatory(state, request.administrator, {role.value for role in BEGIN}, everywhere),
        _signatory(state, request.second, {role.value for role in CONFIRM}, everywhere),
    )


def _require_still(old: Home, size: int, people: tuple[Signatory, Signatory]) -> None:
    """Raise Forbidden where one was disabled, or lost the role, behind the size that is kept.

    What follows may be a stranger's, so where it does not fold it is held against nobody.
    """
    try:
        now = _state_of(old, size)
    except LedgerTampered:
        return
    everywhere = str(Scope(organisation=old.config.organisation, site="*"))
    for who in people:
        enabled = now.find("person", id=who.person, disabled=False)
        held = now.find(
            "role_grant", person=who.person, role=who.role, scope=everywhere, active=True
        )
        if not enabled or not held:
            raise Forbidden(
                f"{who.person} was disabled or lost the role {who.role} behind the kept entries",
                next_step="Let somebody sign who had the role then and has it still.",
            )


def _signatory(state: State, signing: Signing, roles: set[str], scope: str) -> Signatory:
    credential = state.credentials.get(signing.person)
    (person,) = (one for one in state.find("person", id=signing.person) if isinstance(one, Person))
    held = [
        one.role
        for one in state.find("role_grant", person=person.id, scope=scope, active=True)
        if isinstance(one, RoleGrant) and one.role in roles
    ]
    chosen_by_others = credential is not None and credential.must_change
    if person.disabled or chosen_by_others or not held:
        raise Forbidden(
            f"{person.id} may not sign the end of a log: it needs an enabled person with a "
            f"password of their own and the role {' or '.join(sorted(roles))} over {scope}",
            next_step="Let somebody sign who has the role.",
        )
    return Signatory(person=person.id, printed_name=person.printed_name, role=min(held))


# --- making it ----------------------------------------------------------------------------------


def _state_of(home: Home, size: int) -> State:
    engine = reader_engine(home.database)
    keys = FileKeyStore(home.keys_dir)
    try:
        return read_state(engine, home, keys, size=size)
    finally:
        keys.close()
        engine.dispose()


def _build(
    old: Home,
    new: Path,
    end: End,
    *,
    state: State,
    people: tuple[Signatory, Signatory],
    reason: str,
    clock: Clock,
) -> Home:
    engine = reader_engine(old.database)
    try:
        with engine.connect() as connection, connection.begin():
            return build_successor(
                new,
                old,
                clock=clock,
                state=state,
                connection=connection,
                first_facts=lambda home, carried: signed_facts(
                    {**end.stated(home, old, reason), "carried": carried},
                    people,
                    key=old.signature_key(),
                    now_us=clock.now_us(),
                ),
                pending=end.mode == CLOSED,
            )
    finally:
        engine.dispose()


def _last_entry(
    deployment: Deployment, home: Home, people: tuple[Signatory, Signatory], request: EndOfLog
) -> None:
    """Close the old log with an entry that names the new one."""
    leaf, kept = _genesis(home)
    first, second = people

    def write(unit: Unit) -> None:
        if unit.next_seq != kept:
            raise Conflict(
                "the log has gone on since the new home was made",
                next_step="Remove the new home and close the log again.",
            )
        unit.record(
            kind=LOG_CLOSED,
            actor=first.person,
            notes={
                SUCCESSOR: home.origin,
                SUCCESSOR_LEAF: leaf,
                "reason": request.reason,
                "signed_by": [first.person, second.person],
            },
        )

    deployment.pen.commit(write)


def _prepared(new: Path, deployment: Deployment, people: tuple[Signatory, Signatory]) -> Home:
    """Return a home that an interrupted close has left, where these two began it for this log."""
    home = Home.open(new)
    if not is_pending(home) or _predecessor(home).get("origin") != deployment.home.origin:
        raise Conflict(
            f"{new} exists and is no home that waits for this log to be closed",
            next_step="Choose another folder; a home is never made over something else.",
        )
    with inspect_storage(home) as inspected:
        facts = inspected.ledger.entry(0).facts
    signed = facts.get(SIGNED) if isinstance(facts, dict) else None
    listed = signed if isinstance(signed, list) else []
    begun = [one.get("person") for one in listed if isinstance(one, dict)]
    if begun != [who.person for who in people]:
        raise Conflict(
            f"{new} was begun by other people, whose signatures stand in its first entry",
            next_step="Let the same two go on, or remove that home and close the log again.",
        )
    return home


def _went_on(deployment: Deployment, new: Path, closed_seq: int) -> Succeeded:
    """Finish an interrupted close: the last entry stands, the new home still waits."""
    facts = deployment.ledger.entry(closed_seq).facts
    if not new.exists() or not isinstance(facts, dict):
        raise log_closed()
    home = Home.open(new)
    if (facts.get(SUCCESSOR), facts.get(SUCCESSOR_LEAF)) != (home.origin, _genesis(home)[0]):
        raise log_closed()
    state = _state_of(deployment.home, closed_seq)
    settle(home)
    return _succeeded(home, state)


def _genesis(home: Home) -> tuple[str, int]:
    """Return the leaf of the home's first entry, and the size that it keeps of the log before."""
    with inspect_storage(home) as inspected:
        leaf = inspected.ledger.entry(0).stored.leaf.hex()
    kept = _predecessor(home).get("kept")
    return leaf, kept if isinstance(kept, int) else -1


def _predecessor(home: Home) -> dict[str, Json]:
    with inspect_storage(home) as inspected:
        facts = inspected.ledger.entry(0).facts
    found = facts.get(PREDECESSOR) if isinstance(facts, dict) else None
    return found if isinstance(found, dict) else {}


def _succeeded(home: Home, state: State) -> Succeeded:
    stated = _predecessor(home)
    lost = stated["lost"]
    with_password = set(state.credentials)
    return Succeeded(
        home=str(home.root),
        origin=home.origin,
        log_key=new_key(home),
        predecessor=str(stated["origin"]),
        mode=str(stated["mode"]),
        kept=int(str(stated["kept"])),
        lost=[int(str(n)) for n in lost] if isinstance(lost, list) else None,
        without_password=sorted(
            one.id for one in state.find("person") if one.id not in with_password
        ),
    )
