"""Both verifiers on one input: what each says, and an error that shows the input where they differ.

Only a verifier's own refusal counts as one. Any other exception is an error of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

from governance.errors import GovernanceError
from governance.ledger.core.checkpoint import open_checkpoint
from governance.ledger.core.errors import LedgerTampered, NoteRejected
from governance.ledger.core.log_keys import KeyFold
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.record import decode_entry
from governance.ledger.core.verify import StoredEntry, verify_log
from tests.second_verifier import verifier

Said = tuple[object, ...] | None  # what was shown, or None for a refusal


def _compared(project: tuple[Said, str], second: tuple[Said, str], shown: object) -> bool:
    assert project[0] == second[0], (
        f"the verifiers disagree.\n  project: {project[1]}\n  second:  {second[1]}\n"
        f"  input:   {shown!r}"
    )
    return project[0] is not None


# --- receipts -----------------------------------------------------------------------------------


def _project_receipt(raw: bytes, policy: bytes, step_down: bool) -> tuple[Said, str]:
    try:
        pinned = Policy.parse(policy)
        found = verify_receipt(raw, pinned.without_quorum() if step_down else pinned)
    except GovernanceError as refusal:
        return None, f"refused: {refusal}"
    said = (found.stage, found.origin, found.size, found.seq, found.entry.event_id)
    return said, f"accepted: {said}"


def _second_receipt(raw: bytes, policy: bytes, step_down: bool) -> tuple[Said, str]:
    try:
        found = verifier.verify_receipt(raw, verifier.read_policy(policy), accept_s0=step_down)
    except verifier.Refused as refusal:
        return None, f"refused: {refusal}"
    said = (found.stage, found.origin, found.size, found.seq, found.event_id)
    return said, f"accepted: {said}"


def receipt_is_accepted(raw: bytes, policy: bytes, *, step_down: bool = False) -> bool:
    """Return what both verifiers say of a receipt; fail where they do not say the same."""
    return _compared(
        _project_receipt(raw, policy, step_down), _second_receipt(raw, policy, step_down), raw
    )


# --- policies -----------------------------------------------------------------------------------


def policy_is_accepted(raw: bytes) -> bool:
    """Return what both verifiers say of a policy; fail where they do not say the same."""
    try:
        policy = Policy.parse(raw)
        keys = {key.text() for key in (*policy.logs, *policy.witness_keys())}
        project: tuple[Said, str] = ((keys, policy.quorum), "accepted")
    except GovernanceError as refusal:
        project = (None, f"refused: {refusal}")
    try:
        read = verifier.read_policy(raw)
        spelt = {
            f"{k.name}+{k.key_id.hex()}+{base64.b64encode(bytes([k.kind]) + k.public).decode()}"
            for k in read.keys.values()
        }
        second: tuple[Said, str] = ((spelt, read.quorum), "accepted")
    except verifier.Refused as refusal:
        second = (None, f"refused: {refusal}")
    return _compared(project, second, raw)


# --- whole logs ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a log, with its body as far as it was opened (`sealed`: it was not)."""

    seq: int
    event_id: str
    env: bytes
    leaf: bytes
    facts: bytes
    facts_salt: bytes
    body: bytes | None = None
    body_salt: bytes | None = None
    sealed: bool = False
    erased: bool = False


def dump(rows: Sequence[Row], notes: Sequence[bytes] = ()) -> bytes:
    """Return the rows and checkpoints as the second verifier reads them."""
    lines = [_dumped(row) for row in rows] + [{"checkpoint": note.decode()} for note in notes]
    return b"".join(
        json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        for line in lines
    )


def _dumped(row: Row) -> dict[str, object]:
    line: dict[str, object] = {"event_id": row.event_id, "seq": row.seq}
    for name in ("env", "leaf", "facts", "facts_salt", "body", "body_salt"):
        value = getattr(row, name)
        if value is not None:
            line[name] = base64.b64encode(value).decode()
    if row.sealed:
        line["sealed"] = True
    if row.erased:
        line["erased"] = True
    return line


def _project_log(
    rows: Sequence[Row], notes: Sequence[bytes], policy_raw: bytes, *, opened: bool
) -> tuple[Said, str]:
    stored = [
        StoredEntry(
            seq=row.seq,
            event_id=row.event_id,
            env=row.env,
            leaf=row.leaf,
            facts=row.facts,
            facts_salt=row.facts_salt,
            body_salt=row.body_salt,
            has_body=row.body is not None or row.sealed,
            body_erased=row.erased,
        )
        for row in rows
    ]
    bodies = {id(entry): row.body for entry, row in zip(stored, rows, strict=True)}
    policy = Policy.parse(policy_raw)
    origin = policy.logs[0].name
    keys = (*policy.log_keys(origin), *policy.witness_keys())
    try:
        checkpoints = [open_checkpoint(note, origin=origin, keys=keys) for note in notes]
        for point in checkpoints:
            if not policy.satisfied(s.key for s in point.signatures if s.time_s is not None):
                return None, "refused: a checkpoint lacks cosignatures"
        found = verify_log(
            stored,
            origin=origin,
            checkpoints=checkpoints,
            open_body=(lambda entry: bodies[id(entry)]) if opened else None,
        )
        fold = KeyFold(origin)
        for entry in stored:
            fold.add(entry.seq, decode_entry(entry.env).kind, entry.facts)
        for point in checkpoints:
            fold.check(point)
    except LedgerTampered as refusal:
        return (None, refusal.sequence), f"refused: {refusal}"
    except NoteRejected as refusal:
        return None, f"refused: {refusal}"
    said = (found.size, found.anchored_size, found.bodies_checked, found.bodies_unopened)
    return (*said, found.bodies_erased), f"accepted: {said}"


def _second_log(rows: Sequence[Row], notes: Sequence[bytes], policy: bytes) -> tuple[Said, str]:
    try:
        found = verifier.verify_chain(dump(rows, notes), verifier.read_policy(policy))
    except verifier.Refused as refusal:
        said = None if refusal.row is None else (None, refusal.row)
        return said, f"refused: {refusal}"
    counts = (found.entries, found.anchored, found.compared, found.unopened)
    return (*counts, found.erased), f"accepted: {counts}"


def log_is_accepted(
    rows: Sequence[Row], notes: Sequence[bytes], policy: bytes, *, opened: bool = True
) -> bool:
    """Return what both say of a whole log; they must name the same row and count the same."""
    project = _project_log(rows, notes, policy, opened=opened)
    _compared(project, _second_log(rows, notes, policy), (rows, notes))
    return project[0] is not None and project[0][0] is not None
