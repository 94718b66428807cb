"""Every parser of outside bytes returns a value or its own refusal, never a foreign exception."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import GovernanceError
from governance.ledger.core import canonical
from governance.ledger.core.body_cipher import SealedBody, unseal
from governance.ledger.core.checkpoint import Checkpoint, open_checkpoint
from governance.ledger.core.merkle import Frontier
from governance.ledger.core.note import VerifierKey, parse_note
from governance.ledger.core.policy import Policy
from governance.ledger.core.proof import TlogProof
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.record import decode_entry
from tests.unit.ledger.sample import (
    ORIGIN,
    WITNESSES,
    SampleLog,
    event_id,
    policy,
    policy_text,
    secret,
)

LOG = SampleLog.of(5)
POLICY = policy(quorum="any")

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
