"""A small log with fixed keys, salts and times: built from the core alone, tampered with by tests.

Secrets are hashes of their names, so every run and every machine builds the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.ledger.core import body_cipher, canonical
from governance.ledger.core.checkpoint import (
    Checkpoint,
    VerifiedCheckpoint,
    open_checkpoint,
    sign_checkpoint,
)
from governance.ledger.core.merkle import Tree, leaf_hash
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey, cosign, with_lines
from governance.ledger.core.policy import Policy
from governance.ledger.core.proof import TlogProof
from governance.ledger.core.receipt import build_receipt
from governance.ledger.core.record import (
    Entry,
    body_commitment,
    encode_entry,
    facts_commitment,
    genesis_prev,
)
from governance.ledger.core.verify import StoredEntry

ORIGIN = "example.org/demo/audit/018f5d2c-0000-7000-8000-000000000001"
START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
WITNESSES = ("hospital", "notified-body", "vendor")


def secret(name: str) -> bytes:
    """Return 32 bytes that depend on `name` alone."""
    return sha256(b"oncovigil test secret\n" + name.encode()).digest()


def private_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(secret(f"key {name}"))


def event_id(number: int) -> str:
    """Return a UUIDv7 whose time is that of entry `number`."""
    milliseconds = START_US // 1000 + number
    tail = secret(f"event {number}").hex()
    text = f"{milliseconds:012x}7{tail[:3]}8{tail[3:18]}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass
class SampleLog:
    """A writer without a database: rows as a store holds them, and what signs them."""

    origin: str = ORIGIN
    key_name: str = "log"
    rows: list[StoredEntry] = field(default_factory=list)
    sealed: dict[int, body_cipher.SealedBody] = field(default_factory=dict)
    tree: Tree = field(default_factory=Tree)

    @classmethod
    def of(cls, size: int, **settings: str) -> SampleLog:
        """Return a log in which every entry but each third has a body."""
        log = cls(**settings)
        for number in range(size):
            has_body = number % 3 != 0
            log.append(
                kind="inference.answered" if has_body else "model.registered",
                facts={"actor": "u-1", "n": number, "record": "model/forecast"},
                body=canonical.dumps({"input": {"age": "61"}, "n": number}) if has_body else None,
            )
        return log

    def append(self, *, kind: str, facts: canonical.Json, body: bytes | None) -> None:
        number = len(self.rows)
        facts_raw, facts_salt = canonical.dumps(facts), secret(f"facts salt {number}")
        body_salt = None if body is None else secret(f"body salt {number}")
        env = encode_entry(
            Entry(
                seq=number,
                event_id=event_id(number),
                kind=kind,
                facts_c=facts_commitment(salt=facts_salt, facts=facts_raw),
                body_c=(
                    None
                    if body is None or body_salt is None
                    else body_commitment(salt=body_salt, body=body)
                ),
                prev=self.rows[-1].leaf if self.rows else genesis_prev(self.origin),
                t_us=START_US + 1000 * number,
            )
        )
        if body is not None:
            self.sealed[number] = body_cipher.seal(
                body,
                dek=secret("dek"),
                origin=self.origin,
                event_id=event_id(number),
                nonce=secret(f"nonce {number}")[:12],
            )
        self.tree.append(leaf_hash(env))
        self.rows.append(
            StoredEntry(
                seq=number,
                event_id=event_id(number),
                env=env,
                leaf=leaf_hash(env),
                facts=facts_raw,
                facts_salt=facts_salt,
                body_salt=body_salt,
                has_body=body is not None,
                body_erased=False,
            )
        )

    def open_body(self, row: StoredEntry) -> bytes | None:
        sealed = self.sealed.get(row.seq)
        if sealed is None:
            return None
        return body_cipher.unseal(
            sealed, dek=secret("dek"), origin=self.origin, event_id=row.event_id
        )

    @property
    def key(self) -> VerifierKey:
        return VerifierKey.of(private_key(self.key_name), name=self.origin)

    def note(self, size: int | None = None, *, witnesses: tuple[str, ...] = ()) -> bytes:
        """Return the signed checkpoint at `size`, cosigned by `witnesses` in order."""
        size = self.tree.size if size is None else size
        checkpoint = Checkpoint(origin=self.origin, size=size, root=self.tree.root(size))
        note = sign_checkpoint(checkpoint, private_key=private_key(self.key_name))
        return with_lines(
            note,
            [
                cosign(
                    note,
                    name=f"witness.example/{witness}",
                    private_key=private_key(witness),
                    time_s=START_US // 1_000_000 + 60 + number,
                )
                for number, witness in enumerate(witnesses)
            ],
        )

    def checkpoint(self, size: int | None = None) -> VerifiedCheckpoint:
        return open_checkpoint(self.note(size), origin=self.origin, keys=[self.key])

    def proof(
        self,
        seq: int,
        size: int | None = None,
        *,
        witnesses: tuple[str, ...] = (),
        extra: bytes | None = None,
    ) -> TlogProof:
        size = self.tree.size if size is None else size
        return TlogProof(
            index=seq,
            hashes=tuple(self.tree.inclusion_proof(seq, size)),
            checkpoint=self.note(size, witnesses=witnesses),
            extra=extra,
        )

    def receipt(
        self,
        seq: int,
        size: int | None = None,
        *,
        witnesses: tuple[str, ...] = (),
        extra: bytes | None = None,
        with_body: bool = True,
    ) -> bytes:
        row = self.rows[seq]
        body = self.open_body(row) if with_body else None
        return build_receipt(
            entry=row.env,
            facts=row.facts,
            facts_salt=row.facts_salt,
            body=body,
            body_salt=None if body is None else row.body_salt,
            proof=self.proof(seq, size, witnesses=witnesses, extra=extra),
        )


def witness_key(name: str) -> VerifierKey:
    return VerifierKey.of(
        private_key(name), name=f"witness.example/{name}", algorithm=COSIGNATURE_V1
    )


def policy_text(*, quorum: str = "none", log: VerifierKey | None = None) -> str:
    """Return a policy of the sample log and three witnesses; `quorum` is none, any, all or k."""
    lines = [f"log {(log or SampleLog().key).text()}"]
    lines += [f"witness {name} {witness_key(name).text()}" for name in WITNESSES]
    if quorum == "none":
        lines.append("quorum none")
    else:
        lines += [f"group outside {quorum} {' '.join(WITNESSES)}", "quorum outside"]
    return "\n".join(lines) + "\n"


def policy(*, quorum: str = "none", log: VerifierKey | None = None) -> Policy:
    return Policy.parse(policy_text(quorum=quorum, log=log).encode())
