"""An invented ledger: real hashes, real signatures, no database.

It has what `operations.inspect.explore_ledger` asks of a `LedgerView`. With witnesses, a hospital
and a vendor have cosigned up to 24 entries, and a regulator, who is silent, up to 9: two of three.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audits.estimate import Json
from console_samples import records
from governance.console.desk import LedgerEntry
from governance.errors import NotFound
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.log_keys import KeySpan, LogKeys
from governance.ledger.core.merkle import Tree, leaf_hash
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey, cosign, with_lines
from governance.ledger.core.policy import Member, Policy, compose_policy
from governance.ledger.core.proof import TlogProof
from governance.ledger.store.anchors import witness_id
from governance.ledger.store.checkpoints import StoredNote
from governance.operations.inspect.key_events import KeyEvent, KeysSeen, what_it_says
from governance.storage.cosigner import AnchorReport, WitnessReport

ORIGIN: Final = "st-olav/pharmacy-demand/audit/01957f3a"
REACHES: Final = {"hospital-it": 24, "vendor": 24, "regulator": 9}
SIGNED: Final = (1, 2, 5, 9, 16, 24, 29)
"""Sizes whose checkpoints are stored; the newest one waits."""

KEYS: Final = {
    name: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    for number, name in enumerate(("log", *REACHES), start=1)
}


def _witness_key(name: str) -> VerifierKey:
    return VerifierKey.of(KEYS[name], name=f"{name}.example/witness", algorithm=COSIGNATURE_V1)


class InventedLedger:
    """See the module."""

    origin = ORIGIN

    def __init__(
        self, entries: Sequence[LedgerEntry], envelopes: Sequence[bytes], *, witnessed: bool
    ) -> None:
        self._entries = entries
        self._envelopes = list(envelopes)
        self.witnessed = witnessed
        self.tree = Tree(leaf_hash(envelope) for envelope in envelopes)
        log_key = VerifierKey.of(KEYS["log"], name=ORIGIN)
        self.log_keys = LogKeys.begin(ORIGIN, [log_key.text()])
        members = [
            Member(name=name, vkey=_witness_key(name).text(), organisation=f"{name}-org")
            for name in (REACHES if witnessed else ())
        ]
        self.policy = Policy.parse(
            compose_policy(log=log_key, witnesses=members, quorum=0).encode()
        )
        self.checkpoints = self

    # --- what a LedgerView has ----------------------------------------------------------------

    def head(self) -> tuple[int, bytes]:
        return self.tree.size, self.tree.root()

    def checkpoint(self) -> str:
        return self._note(self.tree.size).decode()

    def entry(self, seq: int) -> SimpleNamespace:
        if not 0 <= seq < len(self._entries):
            raise NotFound(f"the ledger has no entry {seq}", next_step="ask for a smaller number")
        stored = SimpleNamespace(env=self._envelopes[seq])
        return SimpleNamespace(seq=seq, t_us=self._entries[seq].t_us, stored=stored)

    def find(self, event_id: str) -> SimpleNamespace:
        for entry in self._entries:
            if entry.event_id == event_id:
                return self.entry(entry.seq)
        raise NotFound("the ledger has no such event", next_step="check the identifier")

    def proof(self, seq: int) -> TlogProof:
        anchored = self.report().anchored_size
        size = anchored if seq < anchored else self.tree.size
        return TlogProof(
            index=seq,
            hashes=tuple(self.tree.inclusion_proof(seq, size)),
            checkpoint=self._note(size),
        )

    def cosigned_sizes(self) -> dict[str, int]:
        reaches = REACHES if self.witnessed else {}
        return {witness_id(_witness_key(name)): size for name, size in reaches.items()}

    def report(self) -> AnchorReport:
        size = self.tree.size
        return AnchorReport(
            size=size,
            anchored_size=24 if self.witnessed else 0,
            quorum=self.witnessed,
            stopped=False,
            witnesses=tuple(
                WitnessReport(
                    name=name,
                    organisation=f"{name}-org",
                    size=reach,
                    lag=size - reach,
                    fault="https://witness.example does not answer" if reach < 24 else None,
                    failing_since_us=records.NOW_US - 90_000_000_000 if reach < 24 else None,
                )
                for name, reach in (REACHES if self.witnessed else {}).items()
            ),
        )

    # --- what its checkpoints have ------------------------------------------------------------

    def largest(self) -> int:
        return max(self._sizes, default=0)

    def at(self, size: int) -> StoredNote:
        if size not in self._sizes:
            raise NotFound(f"no checkpoint of size {size} is stored", next_step="choose another")
        return StoredNote(size=size, note=self._note(size))

    def before(self, size: int, *, limit: int) -> list[StoredNote]:
        return self.cosigned(one for one in self._sizes if one < size)[:limit]

    def cosigned(self, sizes: Iterable[int]) -> list[StoredNote]:
        known = set(sizes) & set(self._sizes)
        return [self.at(size) for size in sorted(known, reverse=True)]

    @cached_property
    def _sizes(self) -> list[int]:
        return [size for size in SIGNED if size <= self.tree.size]

    def _note(self, size: int) -> bytes:
        checkpoint = Checkpoint(origin=ORIGIN, size=size, root=self.tree.root(size))
        note = sign_checkpoint(checkpoint, private_key=KEYS["log"])
        lines = [
            cosign(
                note,
                name=_witness_key(name).name,
                private_key=KEYS[name],
                time_s=records.NOW_US // 1_000_000 - 3600 * number,
            )
            for number, (name, reach) in enumerate(REACHES.items())
            if self.witnessed and size == reach
        ]
        return with_lines(note, lines)


def rotated_keys(keys: LogKeys) -> KeysSeen:
    """Return invented keys: one was retired, and a rotation of its successor is under way."""
    first = keys.spans[0]
    second, third = (
        VerifierKey.of(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32), name=ORIGIN)
        for n in (41, 42)
    )
    said = {"old": second.text(), "new": third.text(), "begun_by": "ingrid.dahl"}
    retired: dict[str, Json] = {"retired": first.key.text(), "remaining": second.text()}
    told: list[tuple[int, str, str, dict[str, Json]]] = [
        (22, "key.rotated", "jonas.lie", dict(said)),
        (21, "key.rotation_started", "ingrid.dahl", dict(said)),
        (14, "key.epoch_rotated", "ingrid.dahl", {"old": 1, "new": 2}),
        (9, "key.retired", "ingrid.dahl", retired),
        (5, "ledger.policy_changed", "jonas.lie", {}),
        (0, "ledger.genesis", "system", {}),
    ]
    return KeysSeen(
        keys=LogKeys(
            origin=ORIGIN,
            spans=(
                KeySpan(key=first.key, first=0, last=9, since_seq=0),
                KeySpan(key=second, first=5, last=None, since_seq=4),
                KeySpan(key=third, first=23, last=None, since_seq=22),
            ),
        ),
        events=tuple(
            KeyEvent(
                seq=seq,
                t_us=records.NOW_US - (30 - seq) * 3_600_000_000,
                kind=kind,
                actor=actor,
                says=what_it_says(kind, facts),
            )
            for seq, kind, actor, facts in told
        ),
    )
