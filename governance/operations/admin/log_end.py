"""Where a log ends for its successor, and what shows that: its own last note, or the witnesses'."""

from __future__ import annotations

from dataclasses import dataclass

from audits.estimate import Json
from governance.deployment import Deployment
from governance.errors import Conflict, NotFound
from governance.home import Home
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import Tree
from governance.ledger.store.checkpoints import StoredCheckpoints
from governance.ledger.store.note_file import largest_note
from governance.ledger.store.view import LedgerView
from governance.ledger.store.witnesses import compare
from governance.operations.admin.last_witnessed import last_witnessed
from governance.storage.engine import reader_engine
from governance.storage.log_signer import lost_keys
from governance.storage.succession.build import new_key
from governance.storage.succession.statement import (
    BEHIND,
    CLOSED,
    COMPROMISED,
    KEY_LOST,
    runs,
)
from governance.storage.witnessing import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where the old log ends for its successor, and what shows it."""

    mode: str
    kept: int
    checkpoint: str
    keys: LogKeys
    policy: str
    lost: tuple[int, int] | None = None
    seen: str | None = None
    erased: tuple[int, ...] = ()

    def stated(self, home: Home, old: Home, reason: str) -> dict[str, Json]:
        """Return the statement that the two people sign."""
        return {
            "checkpoint": self.checkpoint,
            "erased": runs(self.erased),
            "kept": self.kept,
            "lost": None if self.lost is None else list(self.lost),
            "mode": self.mode,
            "origin": old.origin,
            "policy": self.policy,
            "reason": reason,
            "seen": self.seen,
            "successor": home.origin,
            "successor_vkey": new_key(home),
            "vkeys": [key.text() for key in self.keys.at(self.kept)],
        }


class NothingLost(Conflict):
    """No witness saw more than the home holds, so there is nothing to recover from."""

    code = "ledger.nothing_lost"


class KeyNotLost(Conflict):
    """The log's key is in the home, so the log can go on."""

    code = "ledger.key_not_lost"


class NothingWitnessed(Conflict):
    """No quorum of witnesses cosigned any size, so a stolen key leaves nothing to rest on."""

    code = "ledger.nothing_witnessed"


def planned(deployment: Deployment) -> End:
    """Return the end of a log that is whole and ours."""
    ledger = deployment.ledger
    size, _root = ledger.head()
    return End(
        mode=CLOSED,
        kept=size,
        checkpoint=_cosigned_note(deployment.home, size) or ledger.checkpoint(),
        keys=ledger.log_keys,
        policy=ledger.policy_text,
    )


def erased_since(ledger: LedgerView) -> tuple[int, ...]:
    """Verify the log; return the entries whose bodies no key opens, because it was destroyed.

    A storage from before an erasure still has them, and the key store knows better (P13). That they
    were erased, and by whom, was said by an entry that is lost: so the statement lists them.
    """
    found: list[int] = []
    ledger.verify(destroyed=found)
    return tuple(found)


def without_key(home: Home, ledger: LedgerView, seen: list[Asked]) -> End:
    """Return the end of a log that nobody can sign any more: its last signed checkpoint.

    Raises KeyNotLost where the home has its keys, and LedgerBehind where a witness saw more.
    """
    if not lost_keys(ledger.log_keys, home):
        raise KeyNotLost(
            "the home holds every key of the log that is in force",
            next_step="Start it; or say --compromised where the key is in strange hands.",
        )
    for one, last in seen:
        compare(one, last, ledger.tree)
    own = largest_note(home.checkpoints_log, keys=ledger.log_keys)
    if own is not None and own.size > ledger.tree.size:
        raise LedgerTampered(
            f"{home.checkpoints_log.name} shows {own.size} signed entries, and they are not there",
            sequence=ledger.tree.size,
            next_step="Look for the newer storage; where it is lost, recover without --key-lost: "
            "that needs no key either, and names what is lost.",
        )
    kept, _root = ledger.head()
    notes = [(kept, ledger.checkpoint())]
    notes += [(last.size, last.checkpoint.note.decode()) for _one, last in seen if last is not None]
    kept, note = max(notes, key=lambda one: one[0])
    size = ledger.tree.size
    return End(
        mode=KEY_LOST,
        kept=kept,
        checkpoint=_cosigned_note(home, kept) or note,
        keys=ledger.log_keys,
        policy=ledger.policy_text,
        lost=(kept, size) if size > kept else None,
    )


def behind(home: Home, ledger: LedgerView, seen: list[Asked]) -> End:
    """Return the end of a storage that a witness is ahead of; raise LedgerBehind at a fork.

    Where the policy has no quorum, a note in checkpoints.log shows the loss as well.
    """
    tree: Tree = ledger.tree
    ahead = [(one, last) for one, last in seen if last is not None and last.size > tree.size]
    for one, last in seen:
        if last is None or last.size <= tree.size:
            compare(one, last, tree)
    notes = [last.checkpoint for _one, last in ahead]
    own = largest_note(home.checkpoints_log, keys=ledger.log_keys)
    if ledger.policy.quorum is None and own is not None and own.size > tree.size:
        notes.append(own)
    if not notes:
        raise NothingLost(
            "no witness that answers has seen more than this home holds"
            if own is None or own.size <= tree.size
            else f"checkpoints.log shows {own.size} signed entries and the storage holds "
            f"{tree.size}, but no witness that answers has seen more",
            next_step="Start it; or close it as planned with `vigil ledger close`; or say "
            "--compromised where its log key is in strange hands, --key-lost where it is gone.",
        )
    shown = max(notes, key=lambda note: note.size)
    kept, _root = ledger.head()
    return End(
        mode=BEHIND,
        kept=kept,
        checkpoint=ledger.checkpoint(),
        keys=ledger.log_keys,
        policy=ledger.policy_text,
        lost=(kept, shown.size),
        seen=shown.note.decode(),
    )


def at_last_witnessed(ledger: LedgerView, seen: list[Asked]) -> End:
    """Return the end of a log whose key was stolen: what a quorum cosigned, stored or shown now.

    Whose quorum that is follows from what a quorum cosigned before (`last_witnessed`).
    """
    last = last_witnessed(ledger, seen)
    if last is None:
        raise NothingWitnessed(
            "no size of this log was cosigned by a quorum of its witnesses",
            next_step="Without that nobody can tell its entries from a thief's. Where you vouch "
            "for all of them, close it as planned: `vigil ledger close`.",
        )
    ends = [shown.size for _one, shown in seen if shown is not None]
    return End(
        mode=COMPROMISED,
        kept=last.size,
        checkpoint=last.note.decode(),
        keys=ledger.log_keys,
        policy=last.policy,
        lost=(last.size, max([ledger.tree.size, last.size, *ends])),
    )


def _cosigned_note(home: Home, size: int) -> str | None:
    engine = reader_engine(home.database)
    try:
        return StoredCheckpoints(engine=engine).at(size).note.decode()
    except NotFound:
        return None
    finally:
        engine.dispose()
