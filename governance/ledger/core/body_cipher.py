"""The cipher of a body: one key per entry, derived from the subject's key (P13).

    okm = HKDF-SHA256(ikm = DEK, salt = event_id, info = "oncovigil/body/v1", 64 bytes)
    key = okm[:32]      key_commitment = okm[32:]
    ciphertext = AES-256-GCM(key, nonce, body, associated data = origin || event_id)

Destroying the subject's DEK makes every body of the subject unreadable, in every backup too.
The commitment is stored because AES-GCM does not commit to its key: an insider who may choose
keys could craft one ciphertext that opens to two texts. The associated data pin a body to its
entry and log, so it cannot be moved. `event_id` has a fixed length, so the concatenation with
the origin has one reading.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from governance.ledger.core.errors import BodyUnreadable

DEK_BYTES: Final = 32
NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_INFO: Final = b"oncovigil/body/v1"

_NEXT: Final = (
    "Check that the subject's key is the one of this entry; if it is, treat the body as tampered."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBody:
    """What is stored of a body: 12-byte nonce, ciphertext with tag, 32-byte key commitment."""

    nonce: bytes
    ciphertext: bytes
    key_commitment: bytes


def seal(body: bytes, *, dek: bytes, origin: str, event_id: str, nonce: bytes) -> SealedBody:
    """Return `body` sealed for one entry. `nonce` is 12 random bytes, used once."""
    key, commitment = _derive(dek, event_id)
    if len(nonce) != NONCE_BYTES:
        raise _unreadable(f"a nonce has {NONCE_BYTES} bytes")
    ciphertext = AESGCM(key).encrypt(nonce, body, (origin + event_id).encode())
    return SealedBody(nonce=nonce, ciphertext=ciphertext, key_commitment=commitment)


def unseal(sealed: SealedBody, *, dek: bytes, origin: str, event_id: str) -> bytes:
    """Return the plaintext; raise BodyUnreadable for another key, entry, log or changed bytes."""
    key, commitment = _derive(dek, event_id)
    # Before decrypting: a ciphertext crafted for two keys must not open under the second.
    if not hmac.compare_digest(commitment, sealed.key_commitment):
        raise _unreadable("the body was sealed under another key")
    try:
        return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, (origin + event_id).encode())
    except (InvalidTag, ValueError) as error:  # ValueError: a nonce of a length never written
        raise _unreadable("the body does not open") from error


def _derive(dek: bytes, event_id: str) -> tuple[bytes, bytes]:
    if len(dek) != DEK_BYTES:
        raise _unreadable(f"a subject's key has {DEK_BYTES} bytes")
    hkdf = HKDF(algorithm=SHA256(), length=2 * _KEY_BYTES, salt=event_id.encode(), info=_INFO)
    okm = hkdf.derive(dek)
    return okm[:_KEY_BYTES], okm[_KEY_BYTES:]


def _unreadable(message: str) -> BodyUnreadable:
    return BodyUnreadable(message, next_step=_NEXT)
