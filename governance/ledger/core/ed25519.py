"""Ed25519 (RFC 8032) with the two guards that the library leaves to its caller.

A small-order public key has signatures that hold for any text, and a key with a y coordinate
beyond the field prime is a second spelling of another key; the library accepts both (the C2SP
CCTV vectors show it). They are refused when a key is registered, so verification stays one call.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from governance.ledger.core.errors import NoteRejected

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_PRIME: Final = 2**255 - 19
_SIGN_BIT: Final = 1 << 255
# The y coordinates of the eight points whose order divides the cofactor 8.
_ORDER_8_Y: Final = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER_Y: Final = frozenset({0, 1, _PRIME - 1, _ORDER_8_Y, _PRIME - _ORDER_8_Y})

_NEXT_KEY: Final = "Ask the key's owner for a key made by an ordinary Ed25519 generator."


def check_public_key(raw: bytes) -> None:
    """Raise NoteRejected unless `raw` may be trusted as a public key at all."""
    if len(raw) != PUBLIC_KEY_BYTES:
        raise NoteRejected(f"an Ed25519 key has {PUBLIC_KEY_BYTES} bytes", next_step=_NEXT_KEY)
    y = int.from_bytes(raw, "little") & (_SIGN_BIT - 1)
    if y >= _PRIME:
        raise NoteRejected("the Ed25519 key is not canonically encoded", next_step=_NEXT_KEY)
    if y in _SMALL_ORDER_Y:
        raise NoteRejected("the Ed25519 key has small order", next_step=_NEXT_KEY)


def public_bytes(private_key: Ed25519PrivateKey) -> bytes:
    """Return the 32-byte public key of `private_key`."""
    return private_key.public_key().public_bytes_raw()


@lru_cache(maxsize=64)
def _read(public_key: bytes) -> Ed25519PublicKey:
    """Return the key; a log has thousands of signatures of one."""
    return Ed25519PublicKey.from_public_bytes(public_key)


def verify(*, public_key: bytes, signature: bytes, message: bytes) -> None:
    """Raise NoteRejected unless `signature` is one of `public_key` over `message`."""
    try:
        _read(public_key).verify(signature, message)
    except (InvalidSignature, ValueError) as error:  # ValueError: no such point, wrong length
        raise NoteRejected(
            "a signature of a known key does not verify",
            next_step="Fetch the note again; if it fails again, treat it as forged.",
        ) from error
