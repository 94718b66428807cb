"""Offline proofs that an entry is in a log (c2sp.org/tlog-proof@v1).

c2sp.org/tlog-proof@v1
extra <base64>            optional; authenticated by nothing, so no meaning is read from it
index <decimal>
<base64 hash>             zero or more, from the leaf's sibling to the root's child
<empty line>
<checkpoint note, verbatim>
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from governance.ledger.core.encoding import base64_bytes, base64_text, decimal, hash_base64
from governance.ledger.core.errors import ProofRejected
from governance.ledger.core.merkle import MAX_PROOF_HASHES
from governance.ledger.core.note import MAX_NOTE_BYTES

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_EXTRA: Final = "extra "
_INDEX: Final = "index "

# Room for a remark, not for a second channel beside the authenticated content.
MAX_EXTRA_BYTES: Final = 4 * 1024
MAX_PROOF_BYTES: Final = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES + 64 * MAX_PROOF_HASHES

_NEXT: Final = "Fetch the proof again from the log and change no byte of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """An index, the hashes of its path, and the note of the checkpoint they lead to."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """Return the proof's text as UTF-8 bytes."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(_EXTRA + base64_text(self.extra))
        lines.append(f"{_INDEX}{self.index}")
        lines.extend(base64_text(hashed) for hashed in self.hashes)
        return ("\n".join(lines) + "\n\n").encode("ascii") + self.checkpoint

    @classmethod
    def parse(cls, raw: bytes) -> TlogProof:
        """Return the proof whose text is exactly `raw`; raise ProofRejected.

        The checkpoint is cut out but not read: `checkpoint.open_checkpoint` does that.
        """
        if len(raw) > MAX_PROOF_BYTES:
            raise _rejected(f"the proof has more than {MAX_PROOF_BYTES} bytes")
        head, blank, checkpoint = raw.partition(b"\n\n")
        if not blank or not head.isascii():
            raise _rejected("a proof is header lines, an empty line and a checkpoint")
        header, *lines = head.decode("ascii").split("\n")
        if header != _HEADER:
            raise _rejected("the first line is not that of version 1")
        extra = _parse_extra(lines.pop(0)) if lines and lines[0].startswith(_EXTRA) else None
        if not lines or not lines[0].startswith(_INDEX):
            raise _rejected("the index line is missing")
        index = decimal(lines.pop(0).removeprefix(_INDEX))
        if index is None:
            raise _rejected("the index is not a decimal number")
        if len(lines) > MAX_PROOF_HASHES:
            raise _rejected(f"a proof has at most {MAX_PROOF_HASHES} hashes")
        hashes = [hash_base64(line) for line in lines]
        known = tuple(hashed for hashed in hashes if hashed is not None)
        if len(known) != len(hashes):
            raise _rejected("a hash is not the base64 of 32 bytes")
        return cls(index=index, hashes=known, checkpoint=checkpoint, extra=extra)


def _parse_extra(line: str) -> bytes:
    extra = base64_bytes(line.removeprefix(_EXTRA))
    if not extra or len(extra) > MAX_EXTRA_BYTES:
        raise _rejected(f"the extra line is not the base64 of 1..{MAX_EXTRA_BYTES} bytes")
    return extra


def _rejected(message: str) -> ProofRejected:
    return ProofRejected(message, next_step=_NEXT)
