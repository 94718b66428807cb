"""Every parser of outside bytes returns a value or its own refusal, never a foreign exception."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import GovernanceError
from governance.ledger.core import canonical
from governance.ledger.core.body_cipher import SealedBody, unseal
from governance.ledger.core.bundles import read_bodies, read_entries, read_facts
from governance.ledger.core.checkpoint import Checkpoint, open_checkpoint
from governance.ledger.core.erased import read_statement, statement_over
from governance.ledger.core.log_keys import KEY_ROTATED, LogKeys, rotation_facts
from governance.ledger.core.manifest import Manifest, check_manifest
from governance.ledger.core.merkle import Frontier
from governance.ledger.core.note import VerifierKey, parse_note
from governance.ledger.core.policy import Policy
from governance.ledger.core.proof import TlogProof
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.record import decode_entry
from governance.ledger.core.tiles import TilePath
from governance.ledger.core.witness import (
    encode_add_checkpoint,
    open_seen,
    parse_add_checkpoint,
    parse_cosignatures,
    parse_size,
)
from governance.ledger.store.note_file import largest_note
from tests.unit.ledger.exported import files_of, head_of
from tests.unit.ledger.sample import (
    ORIGIN,
    WITNESSES,
    SampleLog,
    event_id,
    policy,
    policy_text,
    private_key,
    secret,
    witness_key,
)

LOG = SampleLog.of(5)
POLICY = policy(quorum="any")
ENTRIES, FACTS, BODIES = (
    TilePath(kind=kind, level=0, index=0, width=5) for kind in ("entries", "facts", "bodies")
)
FILES = files_of(LOG)
KEYS = LogKeys.begin(ORIGIN, [LOG.key.text()])
ROTATED = rotation_facts(
    origin=ORIGIN, size=3, old=private_key("log"), new=private_key("another log")
)


def _erased(raw: bytes) -> object:
    return read_statement(canonical.loads(raw), sequence=4)


def _rotated(raw: bytes) -> object:
    facts = canonical.loads(raw)
    return KEYS.after(3, KEY_ROTATED, facts) if isinstance(facts, dict) else None


def _notes(raw: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoints.log"
        path.write_bytes(raw)
        return largest_note(path, keys=KEYS) or "none"


# Each parser with one input that it takes; hypothesis makes noise and damage from it.
PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "canonical JSON": (canonical.loads, LOG.rows[4].facts),
    "an entry": (decode_entry, LOG.rows[4].env),
    "a frontier": (Frontier.decode, LOG.tree.frontier().encode()),
    "a note": (parse_note, LOG.note(witnesses=WITNESSES)),
    "a checkpoint": (
        lambda raw: open_checkpoint(raw, origin=ORIGIN, keys=[LOG.key]),
        LOG.note(witnesses=WITNESSES),
    ),
    "a checkpoint text": (
        lambda raw: Checkpoint.parse(raw.decode("utf-8", "surrogateescape")),
        LOG.note().partition(b"\n\n")[0] + b"\n",
    ),
    "a verifier key": (
        lambda raw: VerifierKey.parse(raw.decode("utf-8", "surrogateescape")),
        LOG.key.text().encode(),
    ),
    "a policy": (Policy.parse, policy_text(quorum="2").encode()),
    "a proof": (TlogProof.parse, LOG.proof(4, extra=b"x").encode()),
    "a receipt": (
        lambda raw: verify_receipt(raw, POLICY),
        LOG.receipt(4, witnesses=WITNESSES),
    ),
    "a tile's path": (
        lambda raw: TilePath.parse(raw.decode("utf-8", "surrogateescape")),
        FACTS.text().encode(),
    ),
    "a bundle of entries": (
        lambda raw: list(read_entries(io.BytesIO(raw), ENTRIES)),
        FILES[ENTRIES.text()],
    ),
    "a bundle of facts": (
        lambda raw: list(read_facts(io.BytesIO(raw), FACTS)),
        FILES[FACTS.text()],
    ),
    "a bundle of bodies": (
        lambda raw: list(read_bodies(io.BytesIO(raw), BODIES)),
        FILES[BODIES.text()],
    ),
    "a manifest": (
        lambda raw: check_manifest(raw, checkpoint=head_of(LOG), policy=b"policy"),
        Manifest(checkpoint=head_of(LOG), policy=b"policy", bodies=True).encode(),
    ),
    "a request to a witness": (
        parse_add_checkpoint,
        encode_add_checkpoint(
            old_size=2, proof=LOG.tree.consistency_proof(2, 5), checkpoint=LOG.note()
        ),
    ),
    "a size in a conflict": (lambda raw: (parse_size(raw),), b"5\n"),
    "the cosignatures of an answer": (
        lambda raw: parse_cosignatures(raw, checkpoint=LOG.note(), key=witness_key("hospital")),
        LOG.note(witnesses=("hospital",)).splitlines(keepends=True)[-1],
    ),
    "what a witness shows": (
        lambda raw: open_seen(raw, keys=KEYS, witness=witness_key("hospital")),
        LOG.note(witnesses=("hospital",)),
    ),
    "an erasure's statement": (
        _erased,
        canonical.dumps(statement_over("0" * 32, [1, 2]).as_facts()),
    ),
    "a rotation of the log's key": (_rotated, canonical.dumps(ROTATED)),
    "the file of notes": (_notes, LOG.note(4) + b"\n" + LOG.note(5) + b"\n"),
    "a sealed body": (
        lambda raw: unseal(
            SealedBody(nonce=raw[:12], ciphertext=raw[12:-32], key_commitment=raw[-32:]),
            dek=secret("dek"),
            origin=ORIGIN,
            event_id=event_id(4),
        ),
        LOG.sealed[4].nonce + LOG.sealed[4].ciphertext + LOG.sealed[4].key_commitment,
    ),
}


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_noise_and_damage_are_refused_in_our_own_words(name: str, data: st.DataObject) -> None:
    parse, sample = PARSERS[name]
    start = data.draw(st.integers(0, len(sample)))
    end = data.draw(st.integers(start, len(sample)))
    noise = data.draw(st.binary(max_size=40) | st.text(max_size=20).map(_utf8))
    raw = data.draw(st.sampled_from([noise, sample[:start] + noise + sample[end:], sample + noise]))
    try:
        parse(raw)
    except GovernanceError:
        return


@pytest.mark.parametrize("name", PARSERS)
def test_the_samples_themselves_are_taken(name: str) -> None:
    parse, sample = PARSERS[name]
    assert parse(sample) is not None


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
