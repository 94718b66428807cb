"""Each line under a checkpoint is named for whose it is; a bad one is not passed over."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.errors import NoteRejected
from governance.ledger.core.merkle import EMPTY_ROOT
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey, cosign, with_lines
from governance.ledger.core.policy import Member, Policy, compose_policy
from governance.ledger.core.signers import signer_lines

ORIGIN = "org/place/audit/1"
LOG, HOSPITAL, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
LOG_KEY = VerifierKey.of(LOG, name=ORIGIN)
WITNESS_KEY = VerifierKey.of(HOSPITAL, name="hospital.example/w", algorithm=COSIGNATURE_V1)
POLICY = Policy.parse(
    compose_policy(
        log=LOG_KEY,
        witnesses=[Member(name="hospital", vkey=WITNESS_KEY.text(), organisation="hospital")],
        quorum=1,
    ).encode()
)


def note() -> bytes:
    signed = sign_checkpoint(Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT), private_key=LOG)
    lines = [
        cosign(signed, name=WITNESS_KEY.name, private_key=HOSPITAL, time_s=1_790_000_000),
        cosign(signed, name="stranger", private_key=STRANGER, time_s=1),
    ]
    return with_lines(signed, lines)


def test_log_witness_and_unknown_keys_are_told_apart() -> None:
    log, witness, unknown = signer_lines(note(), log_keys=[LOG_KEY], policy=POLICY)
    assert (log.who, log.name, log.valid, log.time_s) == ("log", ORIGIN, True, None)
    assert (witness.who, witness.name, witness.valid) == ("witness", "hospital", True)
    assert witness.time_s == 1_790_000_000
    assert (unknown.who, unknown.valid, unknown.time_s) == ("unknown", None, None)
    assert unknown.text.startswith("\N{EM DASH} stranger ")


def test_a_line_that_does_not_verify_is_named_and_the_others_stay() -> None:
    changed = note().replace(b"\n0\n", b"\n1\n")
    found = signer_lines(changed, log_keys=[LOG_KEY], policy=POLICY)
    assert [line.valid for line in found] == [False, False, None]


def test_what_is_no_note_is_refused() -> None:
    with pytest.raises(NoteRejected):
        signer_lines(b"nothing", log_keys=[LOG_KEY], policy=POLICY)
