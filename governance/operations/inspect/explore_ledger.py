"""What people look at in the ledger: checkpoints with their signers, and proofs computed now.

Nothing here is shown because it is stored. Roots and paths are computed again from the entries when
they are asked for, signatures are verified one by one, and what does not lead to the signed root is
said, not left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from governance.clock import MICROSECONDS
from governance.errors import InvalidInput
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.errors import NoSuchProof, ProofRejected
from governance.ledger.core.merkle import leaf_hash, verify_consistency
from governance.ledger.core.note import VerifierKey, parse_note
from governance.ledger.core.path import PathStep, inclusion_path
from governance.ledger.core.policy import Policy
from governance.ledger.core.signers import SignerLine, signer_lines
from governance.ledger.store.anchors import witness_id
from governance.ledger.store.checkpoints import StoredNote
from governance.ledger.store.view import LedgerView
from governance.storage.cosigner import AnchorReport

_ORGANISATION: Final = "org:"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSeen:
    """A checkpoint with its signers. Hashes are hexadecimal.

    `signed` says that a key of the log that may sign this size did. `quorum` says that the
    witnesses below form the policy's quorum, None where it asks for none. `recomputed` says that
    the stored entries lead to this root now.
    """

    size: int
    root: str
    note: str
    lines: tuple[SignerLine, ...]
    signed: bool
    quorum: bool | None
    recomputed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryProof:
    """The way of one entry to a signed root. Hashes are hexadecimal, the steps' are bytes.

    `recomputed` says that the leaf, hashed now from the stored bytes, leads to the signed root.
    """

    seq: int
    leaf: str
    leaf_before: str | None
    leaf_after: str | None
    checkpoint: CheckpointSeen
    steps: tuple[PathStep, ...]
    stage: Literal["S0", "S1"]
    recomputed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """The proof that the log of `old_size` entries is the beginning of that of `new_size`."""

    old_size: int
    old_root: str
    new_size: int
    new_root: str
    hashes: tuple[str, ...]
    recomputed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessReach:
    """How far one witness of the policy has come, and when by its own clock.

    `fault` says why it did not cosign last, and `since_us` since when; None where it does.
    """

    name: str
    organisation: str
    size: int
    lag: int
    cosigned_us: int | None
    fault: str | None
    since_us: int | None


def checkpoint_seen(ledger: LedgerView, stored: StoredNote) -> CheckpointSeen:
    """Return a checkpoint as people see it; raise NoteRejected where it is none at all."""
    checkpoint = Checkpoint.parse(parse_note(stored.note).text)
    policy = ledger.policy
    lines = signer_lines(stored.note, log_keys=ledger.log_keys.at(checkpoint.size), policy=policy)
    root = ledger.tree.root(checkpoint.size) if checkpoint.size <= ledger.tree.size else b""
    return CheckpointSeen(
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        note=stored.note.decode(),
        lines=lines,
        signed=checkpoint.origin == ledger.origin
        and any(line.who == "log" and line.valid for line in lines),
        quorum=_quorum(policy, lines),
        recomputed=root == checkpoint.root and stored.size == checkpoint.size,
    )


def checkpoint_of(ledger: LedgerView, size: int) -> CheckpointSeen:
    """Return the checkpoint of this size: a stored one, or the newest, which may not be stored yet.

    Raises NotFound.
    """
    newest = ledger.checkpoint().encode()
    if size == Checkpoint.parse(parse_note(newest).text).size > ledger.checkpoints.largest():
        return checkpoint_seen(ledger, StoredNote(size=size, note=newest))
    return checkpoint_seen(ledger, ledger.checkpoints.at(size))


def prove_entry(ledger: LedgerView, seq: int) -> EntryProof:
    """Prove the entry under the best checkpoint that covers it; raise NotFound or NoSuchProof."""
    entry = ledger.entry(seq)
    proof = ledger.proof(seq)
    checkpoint = Checkpoint.parse(parse_note(proof.checkpoint).text)
    seen = checkpoint_seen(ledger, StoredNote(size=checkpoint.size, note=proof.checkpoint))
    leaf = leaf_hash(entry.stored.env)
    try:
        steps = inclusion_path(leaf, index=seq, size=checkpoint.size, proof=proof.hashes)
    except ProofRejected:
        steps, reached = (), b""
    else:
        reached = steps[-1].result if steps else leaf
    return EntryProof(
        seq=seq,
        leaf=leaf.hex(),
        leaf_before=ledger.tree.leaf(seq - 1).hex() if seq else None,
        leaf_after=ledger.tree.leaf(seq + 1).hex() if seq + 1 < ledger.tree.size else None,
        checkpoint=seen,
        steps=steps,
        stage="S1" if seen.quorum else "S0",
        recomputed=seen.signed and reached == checkpoint.root,
    )


def continuation(ledger: LedgerView, *, old: int, new: int) -> Continuation:
    """Prove that the log only grew from `old` to `new` entries; raise NoSuchProof."""
    tree = ledger.tree
    if not 0 < old <= new:
        raise NoSuchProof(
            f"a log of {new} entries has no earlier size {old}",
            next_step=f"Ask for a size from 1 to {new}.",
        )
    hashes = tree.consistency_proof(old, new)
    old_root, new_root = tree.root(old), tree.root(new)
    try:
        verify_consistency(
            old_size=old, old_root=old_root, new_size=new, new_root=new_root, proof=hashes
        )
    except ProofRejected:
        recomputed = False
    else:
        recomputed = True
    return Continuation(
        old_size=old,
        old_root=old_root.hex(),
        new_size=new,
        new_root=new_root.hex(),
        hashes=tuple(hashed.hex() for hashed in hashes),
        recomputed=recomputed,
    )


def witness_reaches(ledger: LedgerView, report: AnchorReport) -> tuple[WitnessReach, ...]:
    """Return how far each witness has come, with the time that its own last signature states."""
    sizes = ledger.cosigned_sizes()
    stored = {note.size: note for note in ledger.checkpoints.cosigned(sizes.values())}
    keys = {one.name: one.key for one in ledger.policy.witnesses}
    return tuple(
        WitnessReach(
            name=one.name,
            organisation=one.organisation,
            size=one.size,
            lag=one.lag,
            cosigned_us=_cosigned_us(ledger, keys.get(one.name), sizes, stored),
            fault=one.fault,
            since_us=one.failing_since_us,
        )
        for one in report.witnesses
    )


def policy_words(policy: Policy) -> str:
    """Return what the policy demands, as a sentence."""
    if policy.quorum is None:
        return "The log's own signature alone: nobody outside has to have seen the ledger."
    groups = {group.name: group for group in policy.groups}
    top = groups.get(policy.quorum)
    if top is not None and all(name.startswith(_ORGANISATION) for name in top.members):
        names = [name.removeprefix(_ORGANISATION) for name in top.members]
        many = "organisation" if len(names) == 1 else "organisations"
        verb = "has" if top.threshold == 1 else "have"
        return (
            f"{top.threshold} of {len(names)} {many} ({', '.join(names)}) {verb} to have "
            "cosigned; several witnesses of one organisation count once."
        )
    return f"{_member_words(policy, policy.quorum)} must have cosigned."


def find_entry(ledger: LedgerView, wanted: str) -> int:
    """Return the number of the entry that somebody names by number, event or instant.

    An instant means the first entry at it or after. Raises NotFound or InvalidInput.
    """
    text = wanted.strip()
    if text.isascii() and text.isdigit() and len(text) < 16:
        return ledger.entry(int(text)).seq
    if len(text) == 36 and text.count("-") == 4:
        return ledger.find(text.lower()).seq
    return _first_at(ledger, _instant_us(text))


def _quorum(policy: Policy, lines: tuple[SignerLine, ...]) -> bool | None:
    if policy.quorum is None:
        return None
    keys = {one.name: one.key for one in policy.witnesses}
    return policy.satisfied(
        keys[line.name] for line in lines if line.who == "witness" and line.valid
    )


def _cosigned_us(
    ledger: LedgerView,
    key: VerifierKey | None,
    sizes: dict[str, int],
    stored: dict[int, StoredNote],
) -> int | None:
    note = None if key is None else stored.get(sizes.get(witness_id(key), 0))
    if key is None or note is None:
        return None
    lines = signer_lines(note.note, log_keys=(), policy=ledger.policy)
    times = [
        line.time_s
        for line in lines
        if line.who == "witness" and line.key_id == key.key_id.hex() and line.time_s is not None
    ]
    return max(times) * MICROSECONDS if times else None


def _member_words(policy: Policy, name: str) -> str:
    group = next((one for one in policy.groups if one.name == name), None)
    if group is None:
        return name
    members = ", ".join(_member_words(policy, member) for member in group.members)
    return f"{group.threshold} of {len(group.members)} ({members})"


def _instant_us(text: str) -> int:
    try:
        found = datetime.fromisoformat(text.removesuffix("UTC").strip())
    except ValueError as error:
        raise InvalidInput(
            "that names no entry, no event and no instant",
            next_step="give a number, an event id, or an instant such as 2026-03-06 14:00 (UTC)",
        ) from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    since = found - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * MICROSECONDS + since.microseconds


def _first_at(ledger: LedgerView, instant_us: int) -> int:
    """Return the first entry at the instant or after, the last entry where there is none.

    Time never runs backwards along the entries, so halving finds it.
    """
    low, high = 0, max(ledger.head()[0] - 1, 0)
    while low < high:
        middle = (low + high) // 2
        if ledger.entry(middle).t_us < instant_us:
            low = middle + 1
        else:
            high = middle
    return low
