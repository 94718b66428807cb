"""Receipts: one file that proves, without any server, that an entry is in the log (P14).

    {"body":b64|null,"entry":b64,"facts":b64,"facts_salt":b64,"proof":"<tlog-proof text>",
     "salt":b64|null,"v":1}

A receipt is canonical JSON, so no byte of it can change unnoticed, with two exceptions that the
formats inside demand: the proof's unauthenticated `extra` line, and signature lines of keys that
the verifier does not know.

Stages. S0: the log signed. S1: the witness quorum of the policy cosigned as well, so the log
cannot show another history to somebody else. A policy with a quorum accepts S1 only; to look at
an S0 receipt under it, step down explicitly with `policy.without_quorum()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from governance.errors import GovernanceError
from governance.ledger.core import canonical, merkle
from governance.ledger.core.canonical import Json
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.encoding import base64_bytes, base64_text
from governance.ledger.core.errors import NotCanonical, ReceiptRejected
from governance.ledger.core.note import VerifiedSignature, parse_note, verified_signatures
from governance.ledger.core.policy import Policy
from governance.ledger.core.proof import TlogProof
from governance.ledger.core.record import (
    Entry,
    body_commitment,
    decode_entry,
    facts_commitment,
    genesis_prev,
    leaf_hash,
)

MAX_RECEIPT_BYTES: Final = canonical.MAX_BYTES
VERSION: Final = 1

_FIELDS: Final = frozenset({"v", "entry", "facts", "facts_salt", "body", "salt", "proof"})

Step = Literal[
    "parse", "facts_c", "body_c", "leaf", "origin", "log_signature", "quorum", "inclusion"
]

_NEXT: Final[dict[Step, str]] = {
    "parse": "Use the file exactly as it was downloaded.",
    "facts_c": "The facts are not those that were logged: ask the log for the receipt again.",
    "body_c": "The body is not the one that was logged: ask the log for the receipt again.",
    "leaf": "The proof is of another entry: ask the log for the receipt again.",
    "origin": "Check that the policy names the log that you expect.",
    "log_signature": "Receipt and policy may lie on two sides of a rotation of the log's key: pin "
    "the log's present log.policy and ask the log for it again, or verify it with the policy of "
    "its day. Where neither helps, treat it as forged.",
    "quorum": "Fetch the receipt again after the next checkpoint interval, with cosignatures.",
    "inclusion": "The entry is not in the signed tree: treat the receipt as forged.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigner:
    """A witness that vouched for the checkpoint, and the POSIX second of its latest signature."""

    name: str
    time_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReceipt:
    """What a receipt proves. Only `verify_receipt` makes one.

    `body` is None when the entry has none or the receipt leaves it out (`body_withheld`).
    """

    stage: Literal["S0", "S1"]
    origin: str
    seq: int
    size: int
    root: bytes
    entry: Entry
    facts: Json
    body: bytes | None
    body_withheld: bool
    cosigned_by: tuple[Cosigner, ...]


def build_receipt(
    *,
    entry: bytes,
    facts: bytes,
    facts_salt: bytes,
    body: bytes | None,
    body_salt: bytes | None,
    proof: TlogProof,
) -> bytes:
    """Return the receipt's bytes. With `body`, its salt; without (none, erased), neither.

    Puts together what the log has; whether it proves anything is `verify_receipt`'s question.
    """
    if (body is None) != (body_salt is None):
        raise NotCanonical("a body and its salt come together", next_step="Give both or neither.")
    return canonical.dumps(
        {
            "v": VERSION,
            "entry": base64_text(entry),
            "facts": base64_text(facts),
            "facts_salt": base64_text(facts_salt),
            "body": None if body is None else base64_text(body),
            "salt": None if body_salt is None else base64_text(body_salt),
            "proof": proof.encode().decode("utf-8"),
        }
    )


def verify_receipt(raw: bytes, policy: Policy) -> VerifiedReceipt:
    """Return what `raw` proves under a pinned `policy`; raise ReceiptRejected naming the step.

    (1) parse          canonical JSON, the seven fields, envelope, proof and checkpoint forms
    (2) facts_c        the envelope commits to these facts, and they are canonical JSON
    (3) body_c         the envelope commits to this body, if the receipt has one
    (4) leaf           the proof is for this entry's number
    (5) origin         the checkpoint is of a log in the policy; entry 0 is bound to that log
    (6) log_signature  a pinned key of that log signed the checkpoint
    (7) quorum         distinct public keys of witnesses form the policy's quorum
    (8) inclusion      the leaf leads to the signed root

    What stays with the caller: that the receipt answers *his* request (compare `event_id`, and
    digests in facts or body), and that `size` and the cosigners' times are recent enough.
    """
    # (1) Everything is parsed before anything is believed.
    with _step("parse"):
        parts = _parse(raw)
        entry = decode_entry(parts.entry)
        note = parse_note(parts.proof.checkpoint)
        checkpoint = Checkpoint.parse(note.text)
    # (2) Facts are kept for ever, so a receipt always carries them.
    with _step("facts_c"):
        facts = _checked_facts(parts, entry)
    # (3) A body may be absent (erased, or not for this reader), but never another one.
    with _step("body_c"):
        _check_body(parts, entry)
    # (4) Entry number and leaf index are one thing: an entry cannot stand in two places.
    if parts.proof.index != entry.seq:
        raise _refused("leaf", "the proof is for another entry number")
    leaf = leaf_hash(parts.entry)
    # (5) The reader chooses the log, never the receipt (CVE-2022-39199 of another product).
    log_keys = policy.log_keys(checkpoint.origin)
    if not log_keys:
        raise _refused("origin", "the policy does not know this log")
    if entry.seq == 0 and entry.prev != genesis_prev(checkpoint.origin):
        raise _refused("origin", "the first entry belongs to another log")
    # (6) Only a pinned key counts; one bad signature of a pinned key rejects.
    with _step("log_signature"):
        if not verified_signatures(note, log_keys):
            raise _refused("log_signature", "no known key of the log signed the checkpoint")
    # (7) A bad cosignature of a known witness rejects; a missing one only does not count.
    with _step("quorum"):
        cosigned = verified_signatures(note, policy.witness_keys())
        if not policy.satisfied(signature.key for signature in cosigned):
            raise _refused("quorum", "too few distinct witnesses cosigned the checkpoint")
    # (8) The path follows from (index, size) alone; a proof cannot choose its shape.
    with _step("inclusion"):
        root = merkle.root_from_inclusion_proof(
            leaf, index=entry.seq, size=checkpoint.size, proof=parts.proof.hashes
        )
        if root != checkpoint.root:
            raise _refused("inclusion", "the entry is not in the signed tree")
    return VerifiedReceipt(
        stage="S0" if policy.quorum is None else "S1",
        origin=checkpoint.origin,
        seq=entry.seq,
        size=checkpoint.size,
        root=checkpoint.root,
        entry=entry,
        facts=facts,
        body=parts.body,
        body_withheld=parts.body is None and entry.body_c is not None,
        cosigned_by=cosigners(cosigned),
    )


def cosigners(signatures: Iterable[VerifiedSignature]) -> tuple[Cosigner, ...]:
    """Return who cosigned, by name; who signed twice is listed once, at the later time."""
    latest: dict[bytes, Cosigner] = {}
    for signature in signatures:
        key, time_s = signature.key, signature.time_s or 0
        known = latest.get(key.public_key)
        if known is None or known.time_s < time_s:
            latest[key.public_key] = Cosigner(name=key.name, time_s=time_s)
    return tuple(sorted(latest.values(), key=lambda cosigner: cosigner.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    entry: bytes
    facts: bytes
    facts_salt: bytes
    body: bytes | None
    salt: bytes | None
    proof: TlogProof


def _parse(raw: bytes) -> _Parts:
    document = canonical.loads(raw)
    if not isinstance(document, dict) or document.keys() != _FIELDS:
        raise _refused("parse", "a receipt is an object with the seven fields of version 1")
    if type(document["v"]) is not int or document["v"] != VERSION:  # True == 1 in Python
        raise _refused("parse", "this verifier reads receipts of version 1")
    proof = document["proof"]
    if not isinstance(proof, str):
        raise _refused("parse", "the proof is text")
    body, salt = _optional(document["body"]), _optional(document["salt"])
    if (body is None) != (salt is None):
        raise _refused("parse", "a body and its salt come together")
    return _Parts(
        entry=_bytes(document["entry"]),
        facts=_bytes(document["facts"]),
        facts_salt=_bytes(document["facts_salt"]),
        body=body,
        salt=salt,
        proof=TlogProof.parse(proof.encode("utf-8")),
    )


def _bytes(value: Json) -> bytes:
    raw = base64_bytes(value) if isinstance(value, str) else None
    if raw is None:
        raise _refused("parse", "a field is not base64")
    return raw


def _optional(value: Json) -> bytes | None:
    return None if value is None else _bytes(value)


def _checked_facts(parts: _Parts, entry: Entry) -> Json:
    if facts_commitment(salt=parts.facts_salt, facts=parts.facts) != entry.facts_c:
        raise _refused("facts_c", "the facts are not those that the entry commits to")
    return canonical.loads(parts.facts)


def _check_body(parts: _Parts, entry: Entry) -> None:
    if parts.body is None or parts.salt is None:
        return
    if body_commitment(salt=parts.salt, body=parts.body) != entry.body_c:
        raise _refused("body_c", "the body is not the one that the entry commits to")


@contextmanager
def _step(step: Step) -> Iterator[None]:
    """Turn what a lower module refuses into the receipt's refusal at `step`."""
    try:
        yield
    except ReceiptRejected:
        raise
    except GovernanceError as error:
        raise _refused(step, str(error)) from error


def _refused(step: Step, message: str) -> ReceiptRejected:
    return ReceiptRejected(message, step=step, next_step=_NEXT[step])
