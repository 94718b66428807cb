"""The only maker of identifiers and secrets. Everything else takes them as arguments."""

from __future__ import annotations

import os
import secrets

SALT_BYTES = 32
TAIL_BYTES = 8
NONCE_BYTES = 12


def event_id(*, now_us: int, tail: bytes | None = None) -> str:
    """Return a UUIDv7 (RFC 9562 section 5.7) for the instant, as 36 lower-case characters.

    `tail` are fresh random bytes, where the caller has drawn them together with others. The 12 bits
    behind the millisecond hold the sub-millisecond fraction (method 3 of section 6.2), so
    identifiers made by one process sort in the order in which they were made.
    """
    milliseconds, rest_us = divmod(now_us, 1000)
    version = 7 << 12 | rest_us * 4096 // 1000
    variant = 2 << 62 | int.from_bytes(tail or os.urandom(TAIL_BYTES)) & ((1 << 62) - 1)
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-{version:04x}"
        f"-{variant >> 48:04x}-{variant & 0xFFFF_FFFF_FFFF:012x}"
    )


def drawn(*sizes: int) -> list[bytes]:
    """Return a random value of each size, all from one call to the system's generator.

    Every call gives up the interpreter lock, and under load waits its turn to have it back.
    """
    together, at, values = os.urandom(sum(sizes)), 0, []
    for size in sizes:
        values.append(together[at : at + size])
        at += size
    return values


def key() -> bytes:
    """Return a random 256-bit key."""
    return os.urandom(32)


def nonce() -> bytes:
    """Return a random 96-bit nonce for AES-GCM."""
    return os.urandom(NONCE_BYTES)


def key_id() -> str:
    """Return a random key identifier, 32 hex characters: a pseudonym that says nothing."""
    return os.urandom(16).hex()


def token() -> str:
    """Return a bearer secret of 256 bits, URL-safe."""
    return secrets.token_urlsafe(32)


def passphrase() -> str:
    """Return a random password of 96 bits that a person can copy from a screen."""
    return "-".join(secrets.token_hex(3) for _ in range(4))
