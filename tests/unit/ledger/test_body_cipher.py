"""A sealed body opens with its own key, for its own entry, in its own log, and not otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from governance.ledger.core.body_cipher import SealedBody, seal, unseal
from governance.ledger.core.errors import BodyUnreadable
from tests.unit.ledger.sample import event_id, secret

DEK, NONCE, ORIGIN = secret("dek"), secret("nonce")[:12], "example.org/a"
BODY = b'{"age":"61"}'


def sealed() -> SealedBody:
    return seal(BODY, dek=DEK, origin=ORIGIN, event_id=event_id(1), nonce=NONCE)


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes((raw[-1] ^ 1,))


def test_a_body_comes_back_and_is_not_in_the_ciphertext() -> None:
    assert unseal(sealed(), dek=DEK, origin=ORIGIN, event_id=event_id(1)) == BODY
    assert BODY not in sealed().ciphertext
    assert len(sealed().ciphertext) == len(BODY) + 16


def test_the_key_derivation_is_the_published_one() -> None:
    # A second reading of RFC 5869: extract with the event id, expand two blocks.
    import hashlib
    import hmac

    def mac(key: bytes, data: bytes) -> bytes:
        return hmac.new(key, data, hashlib.sha256).digest()

    prk = mac(event_id(1).encode(), DEK)
    key = mac(prk, b"oncovigil/body/v1\x01")
    commitment = mac(prk, key + b"oncovigil/body/v1\x02")
    assert sealed().key_commitment == commitment
    plain = AESGCM(key).decrypt(NONCE, sealed().ciphertext, (ORIGIN + event_id(1)).encode())
    assert plain == BODY


@pytest.mark.parametrize(
    "change",
    [
        {"dek": secret("another subject")},
        {"event_id": event_id(2)},
        {"origin": "example.org/b"},
        {"dek": b"short"},
    ],
    ids=["another key", "another entry", "another log", "a key of another length"],
)
def test_a_body_does_not_open_elsewhere(change: dict[str, object]) -> None:
    where: dict[str, object] = {"dek": DEK, "origin": ORIGIN, "event_id": event_id(1)}
    with pytest.raises(BodyUnreadable):
        unseal(sealed(), **(where | change))


@pytest.mark.parametrize("part", ["nonce", "ciphertext", "key_commitment"])
def test_a_changed_part_does_not_open(part: str) -> None:
    changed = replace(sealed(), **{part: flipped(getattr(sealed(), part))})
    with pytest.raises(BodyUnreadable):
        unseal(changed, dek=DEK, origin=ORIGIN, event_id=event_id(1))


@pytest.mark.parametrize("part", ["nonce", "ciphertext", "key_commitment"])
def test_a_cut_part_does_not_open(part: str) -> None:
    changed = replace(sealed(), **{part: b""})
    with pytest.raises(BodyUnreadable):
        unseal(changed, dek=DEK, origin=ORIGIN, event_id=event_id(1))


def test_a_ciphertext_that_is_valid_under_a_second_key_is_refused_by_its_commitment() -> None:
    # AES-GCM alone would open this: the ciphertext was made for the second key.
    second = seal(b"other", dek=secret("second"), origin=ORIGIN, event_id=event_id(1), nonce=NONCE)
    crafted = replace(second, key_commitment=sealed().key_commitment)
    with pytest.raises(BodyUnreadable, match="another key"):
        unseal(crafted, dek=secret("second"), origin=ORIGIN, event_id=event_id(1))


@pytest.mark.parametrize("nonce", [b"", bytes(11), bytes(13)])
def test_a_nonce_of_another_length_is_not_used(nonce: bytes) -> None:
    with pytest.raises(BodyUnreadable, match="nonce"):
        seal(BODY, dek=DEK, origin=ORIGIN, event_id=event_id(1), nonce=nonce)


def test_each_entry_has_its_own_key() -> None:
    other = seal(BODY, dek=DEK, origin=ORIGIN, event_id=event_id(2), nonce=NONCE)
    assert other.key_commitment != sealed().key_commitment
