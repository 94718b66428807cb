r"""Witness cosignatures, version 1 (c2sp.org/tlog-cosignature, key type 0x04).

    signature = timestamp (8 bytes, big-endian, POSIX seconds) || Ed25519 over
                "cosignature/v1\ntime <timestamp>\n" || checkpoint text

A witness states: at this time, this was the largest tree that I had seen of this log, and it
extends all that I saw before. Those timestamps, not our clock, are the ledger's trusted time.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.ledger.core import ed25519
from governance.ledger.core.encoding import MAX_UINT63
from governance.ledger.core.errors import NoteRejected

_TIME_BYTES: Final = 8

_NEXT: Final = "Fetch the cosignature from the witness again."


def verify(*, public_key: bytes, signature: bytes, text: str) -> int:
    """Return the POSIX second at which the witness signed `text`; raise NoteRejected."""
    if len(signature) != _TIME_BYTES + ed25519.SIGNATURE_BYTES:
        raise NoteRejected("a cosignature has 8 + 64 bytes", next_step=_NEXT)
    time_s = int.from_bytes(signature[:_TIME_BYTES], "big")
    if time_s > MAX_UINT63:
        raise NoteRejected("the time of a cosignature is beyond 2**63 - 1", next_step=_NEXT)
    ed25519.verify(
        public_key=public_key, signature=signature[_TIME_BYTES:], message=_message(text, time_s)
    )
    return time_s


def sign(*, text: str, time_s: int, private_key: Ed25519PrivateKey) -> bytes:
    """Return the cosignature of a checkpoint text at the POSIX second `time_s`."""
    if not 0 <= time_s <= MAX_UINT63:
        raise NoteRejected("the time of a cosignature is outside 0..2**63 - 1", next_step=_NEXT)
    return time_s.to_bytes(_TIME_BYTES, "big") + private_key.sign(_message(text, time_s))


def _message(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()
