r"""Checkpoints: a log states its size and root, signed (c2sp.org/tlog-checkpoint).

    <origin>\n<size>\n<base64 root>\n        and nothing else, then the signature lines of a note

The origin is "<org>/<deployment>/audit/<log-uuid>" and is also the name of the log's key. Our
checkpoints have no extension lines, and a reader refuses them: no monitor can audit what they
say, and not every cosignature covers them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.ledger.core.encoding import (
    HASH_BYTES,
    MAX_UINT63,
    base64_text,
    decimal,
    hash_base64,
)
from governance.ledger.core.errors import NoteRejected
from governance.ledger.core.merkle import EMPTY_ROOT
from governance.ledger.core.note import (
    ED25519,
    VerifiedSignature,
    VerifierKey,
    open_note,
    sign,
)

_LINES: Final = 3
_NEXT: Final = "Fetch the checkpoint again from the log and change no byte of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of a log: its name, the number of its entries and its 32-byte Merkle root."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_UINT63 or len(self.root) != HASH_BYTES:
            raise NoteRejected("a checkpoint has a size and a 32-byte root", next_step=_NEXT)
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise NoteRejected("an empty log has the root of nothing", next_step=_NEXT)

    def text(self) -> str:
        """Return the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64_text(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return the checkpoint whose text is exactly `text`; raise NoteRejected."""
        lines = text.split("\n")
        if len(lines) != _LINES + 1 or lines[-1]:
            raise NoteRejected("a checkpoint has three lines, no extensions", next_step=_NEXT)
        origin, size_text, root_text, _ = lines
        size, root = decimal(size_text), hash_base64(root_text)
        if not origin or size is None or root is None:
            raise NoteRejected(
                "a checkpoint is an origin, a decimal size and a base64 root", next_step=_NEXT
            )
        return cls(origin=origin, size=size, root=root)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCheckpoint:
    """A checkpoint that its log signed. Only `open_checkpoint` makes one from bytes.

    `note` holds the exact bytes, `signatures` those of known keys: the log's and witnesses'.
    """

    checkpoint: Checkpoint
    note: bytes
    signatures: tuple[VerifiedSignature, ...]

    @property
    def origin(self) -> str:
        """Return the name of the log."""
        return self.checkpoint.origin

    @property
    def size(self) -> int:
        """Return the number of entries."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """Return the Merkle root."""
        return self.checkpoint.root


def sign_checkpoint(
    checkpoint: Checkpoint,
    *,
    private_key: Ed25519PrivateKey,
    also: Iterable[Ed25519PrivateKey] = (),
) -> bytes:
    """Return the signed note of `checkpoint`; the key's name is the origin.

    `also` are further keys of the log, each with a line of its own (a key rotation).
    """
    text = checkpoint.text()
    note = sign(text, name=checkpoint.origin, private_key=private_key)
    for key in also:
        note += sign(text, name=checkpoint.origin, private_key=key)[len(text.encode()) + 1 :]
    return note


def open_checkpoint(note: bytes, *, origin: str, keys: Iterable[VerifierKey]) -> VerifiedCheckpoint:
    """Return the checkpoint of the log `origin` that one of its `keys` signed.

    `keys` are pinned by the caller, never taken from the server that is being checked; they may
    include witnesses. Raises NoteRejected for another form, another log, a bad signature of a
    known key, or no signature of the log itself.
    """
    opened = open_note(note, keys)
    checkpoint = Checkpoint.parse(opened.text)
    if checkpoint.origin != origin:
        raise NoteRejected("the checkpoint is of another log", next_step=_NEXT)
    if not any(is_log_key(signature.key, origin) for signature in opened.signatures):
        raise NoteRejected("the log itself did not sign the checkpoint", next_step=_NEXT)
    return VerifiedCheckpoint(checkpoint=checkpoint, note=note, signatures=opened.signatures)


def is_log_key(key: VerifierKey, origin: str) -> bool:
    """Return whether `key` may sign as the log `origin`, and not merely as a witness of it."""
    return key.algorithm == ED25519 and key.name == origin
