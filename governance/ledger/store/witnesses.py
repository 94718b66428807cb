"""One conversation with one witness: ask for a cosignature, ask what it saw, compare.

How it is reached is behind `WitnessDoor` (`governance.adapters.witness_client`). What it says is
believed only as far as somebody signed it: a size in a 409 is a hint for the next request, and only
a checkpoint that the log's own key signed can show that our storage is behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from governance.errors import GovernanceError
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.errors import LedgerBehind, NoteRejected, WitnessMessageRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import Tree
from governance.ledger.core.note import VerifierKey, open_note
from governance.ledger.core.witness import (
    SIZE_TYPE,
    SeenCheckpoint,
    encode_add_checkpoint,
    open_seen,
    parse_cosignatures,
    parse_size,
)
from governance.ledger.store.anchors import witness_id

_OK, _NO_CONTENT, _CONFLICT, _UNPROCESSABLE = 200, 204, 409, 422
_REFUSALS = {
    400: "calls our request malformed",
    403: "does not accept the log's signature",
    404: "does not know this log",
    409: "cosigned another size last",
    422: "does not accept that the log extends what it saw",
}


class WitnessUnreachable(GovernanceError):
    """A witness did not answer, or not as a witness answers."""

    code = "witness.unreachable"
    http_status = 503


class WitnessSawOtherKey(WitnessUnreachable):
    """A witness cosigned a checkpoint of this log that no key signed which the storage knows.

    One witness could have invented it. A quorum has not: then the storage is from before a rotation
    of the log's key. `size` is what the checkpoint says.
    """

    code = "witness.saw_other_key"

    def __init__(self, message: str, *, size: int, next_step: str) -> None:
        super().__init__(message, next_step=next_step)
        self.size = size


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessAnswer:
    """What came back; nothing of it is believed yet."""

    status: int
    content_type: str
    body: bytes


class WitnessDoor(Protocol):
    """The way to one witness. Both raise WitnessUnreachable."""

    def add_checkpoint(self, body: bytes) -> WitnessAnswer:
        """Send POST add-checkpoint."""
        ...

    def seen(self, origin: str) -> WitnessAnswer:
        """Ask for the checkpoint of the log that it cosigned last."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWitness:
    """A configured witness."""

    name: str
    organisation: str
    key: VerifierKey
    door: WitnessDoor

    @property
    def id(self) -> str:
        """The name of its key, under which its lines are stored."""
        return witness_id(self.key)


def last_seen(witness: KnownWitness, *, keys: LogKeys) -> SeenCheckpoint | None:
    """Return what the witness cosigned last of the log, None where it has seen nothing yet.

    Raises WitnessUnreachable where it does not answer, or shows what it cannot have cosigned.
    """
    answer = witness.door.seen(keys.origin)
    if answer.status == _NO_CONTENT:
        return None
    if answer.status != _OK:
        raise refused(witness, answer.status)
    try:
        return open_seen(answer.body, keys=keys, witness=witness.key)
    except (NoteRejected, WitnessMessageRejected) as error:
        raise _other_key(witness, answer.body, keys) or _not_a_witness(witness, error) from error


def _other_key(witness: KnownWitness, note: bytes, keys: LogKeys) -> WitnessSawOtherKey | None:
    """Return the finding where the witness did cosign it, and no key that we know signed it."""
    try:
        opened = open_note(note, [witness.key])
        checkpoint = Checkpoint.parse(opened.text)
    except NoteRejected:
        return None
    if checkpoint.origin != keys.origin or checkpoint.size < 1:
        return None
    return WitnessSawOtherKey(
        f"witness {witness.name} cosigned {checkpoint.size} entries under a key of the log that "
        "this storage does not know",
        size=checkpoint.size,
        next_step="Ask its operator whether the log's key was rotated; a storage from before that "
        "must not go on.",
    )


def compare(witness: KnownWitness, seen: SeenCheckpoint | None, tree: Tree) -> None:
    """Raise LedgerBehind unless the tree is, or extends, what the witness saw (P3)."""
    if seen is None:
        return
    if seen.size > tree.size:
        raise LedgerBehind(
            f"witness {witness.name} has seen {seen.size} entries, the storage has {tree.size}",
            sequence=tree.size,
        )
    if seen.root != tree.root(seen.size):
        raise LedgerBehind(
            f"witness {witness.name} has seen another history of the first {seen.size} entries"
        )


def cosigned(
    witness: KnownWitness, *, tree: Tree, size: int, note: bytes, old_size: int
) -> str | None:
    """Return the line by which the witness cosigns the checkpoint `note` of `size`.

    `old_size` is what it is thought to have cosigned last; where it states another size, that one
    is tried once. None: it refuses the step, and what it saw must be compared. Raises
    WitnessUnreachable where it does not answer as a witness does.
    """

    def submit(old: int) -> WitnessAnswer:
        proof = tree.consistency_proof(old, size)
        body = encode_add_checkpoint(old_size=old, proof=proof, checkpoint=note)
        return witness.door.add_checkpoint(body)

    old = min(old_size, size)
    answer = submit(old)
    try:
        stated = _stated(answer)
        if stated is not None and stated <= size and stated != old:
            answer = submit(stated)
        if answer.status == _OK:
            return parse_cosignatures(answer.body, checkpoint=note, key=witness.key)[-1]
    except (NoteRejected, WitnessMessageRejected) as error:
        raise _not_a_witness(witness, error) from error
    if answer.status in {_CONFLICT, _UNPROCESSABLE}:
        return None
    raise refused(witness, answer.status)


def refused(witness: KnownWitness, status: int) -> WitnessUnreachable:
    """Return the refusal by its status."""
    why = _REFUSALS.get(status, f"answers with status {status}")
    return WitnessUnreachable(
        f"witness {witness.name} {why}",
        next_step="Check its address, and that its operator serves it with this log's policy.",
    )


def _stated(answer: WitnessAnswer) -> int | None:
    if answer.status != _CONFLICT or answer.content_type != SIZE_TYPE:
        return None
    return parse_size(answer.body)


def _not_a_witness(witness: KnownWitness, error: GovernanceError) -> WitnessUnreachable:
    return WitnessUnreachable(
        f"witness {witness.name} does not answer as a witness does: {error}",
        next_step="Compare its verifier key in vigil.toml with the one that its operator gives.",
    )
