r"""Messages between a log and its witnesses (c2sp.org/tlog-witness), both ends.

    POST <address>/add-checkpoint        old <decimal>\n
                                         <base64 hash>\n      0 to 63, the consistency proof
                                         \n
                                         <checkpoint note>
    200  signature lines of the witness           409  <size>\n, as text/x.tlog.size
    400, 403, 404, 422  refused

The specification leaves open how one asks a witness for what it saw last. Ours answers
`GET <address>/<SHA-256 of the origin in hex>/checkpoint` with the checkpoint, the log's signatures
and its own cosignature; 204 where it has seen none yet.

A witness may be hostile. Nothing that it says is believed without a signature: its cosignature over
our own checkpoint, or the log's own signature under a checkpoint that it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.encoding import base64_text, decimal, hash_base64
from governance.ledger.core.errors import WitnessMessageRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import MAX_PROOF_HASHES
from governance.ledger.core.note import (
    MAX_NOTE_BYTES,
    Signature,
    VerifierKey,
    parse_note,
    signature_line,
    verified_signatures,
)

ADD_CHECKPOINT: Final = "/add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"

# A line of 63 hashes has 45 bytes each; the first line has at most 24.
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 46 * MAX_PROOF_HASHES + 64
MAX_ANSWER_BYTES: Final = MAX_NOTE_BYTES
_MAX_SIZE_BYTES: Final = 32

_OLD: Final = "old "

_NEXT_REQUEST: Final = "Send old size, proof and checkpoint as c2sp.org/tlog-witness has them."
_NEXT_ANSWER: Final = "Check address and key of the witness with the party that runs it."


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """A request to a witness: `proof` leads from the tree of `old_size` to the checkpoint's."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCheckpoint:
    """The last checkpoint of a log that a witness showed, signed by both.

    `time_s` is the POSIX second of the witness's cosignature: trusted time, not ours.
    """

    checkpoint: VerifiedCheckpoint
    time_s: int

    @property
    def size(self) -> int:
        """Return the number of entries that it covers."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """Return its Merkle root."""
        return self.checkpoint.root


def seen_path(origin: str) -> str:
    """Return the path of what a witness saw last of the log `origin`."""
    return f"/{sha256(origin.encode()).hexdigest()}/checkpoint"


def encode_add_checkpoint(*, old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Return the body of the request."""
    lines = [f"{_OLD}{old_size}", *(base64_text(hashed) for hashed in proof)]
    return ("\n".join(lines) + "\n\n").encode("ascii") + checkpoint


def parse_add_checkpoint(raw: bytes) -> AddCheckpoint:
    """Return the request whose body is exactly `raw`; raise WitnessMessageRejected.

    The checkpoint is cut out but not read.
    """
    if len(raw) > MAX_REQUEST_BYTES:
        raise _request(f"the request has more than {MAX_REQUEST_BYTES} bytes")
    head, blank, checkpoint = raw.partition(b"\n\n")
    if not blank or not head.isascii():
        raise _request("a request is header lines, an empty line and a checkpoint")
    first, *lines = head.decode("ascii").split("\n")
    old_size = decimal(first.removeprefix(_OLD)) if first.startswith(_OLD) else None
    if old_size is None:
        raise _request("the first line is not the old size")
    if len(lines) > MAX_PROOF_HASHES:
        raise _request(f"a proof has at most {MAX_PROOF_HASHES} hashes")
    hashes = tuple(hashed for hashed in map(hash_base64, lines) if hashed is not None)
    if len(hashes) != len(lines):
        raise _request("a proof line is not the base64 of 32 bytes")
    return AddCheckpoint(old_size=old_size, proof=hashes, checkpoint=checkpoint)


def encode_size(size: int) -> bytes:
    """Return the body of a 409: the size of the last cosigned checkpoint."""
    return f"{size}\n".encode("ascii")


def parse_size(raw: bytes) -> int:
    """Return the size that a 409 states; raise WitnessMessageRejected. Nobody signed it."""
    text = raw.decode("ascii", "replace")
    size = decimal(text[:-1]) if len(raw) <= _MAX_SIZE_BYTES and text.endswith("\n") else None
    if size is None:
        raise _answer("a conflict does not state a size")
    return size


def parse_cosignatures(raw: bytes, *, checkpoint: bytes, key: VerifierKey) -> tuple[str, ...]:
    """Return the lines of a 200 by which `key` cosigned `checkpoint`, at least one.

    Lines of other keys are ignored, as the specification demands. Raises WitnessMessageRejected
    where there is none of `key`, and NoteRejected for another form or a bad signature of `key`.
    """
    if len(raw) > MAX_ANSWER_BYTES:
        raise _answer(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
    if not raw.startswith("\N{EM DASH} ".encode()) or b"\n\n" in raw:
        raise _answer("the answer is not signature lines")
    note = parse_note(checkpoint + raw)
    verified_signatures(note, [key])  # every line of `key`: a bad one refuses the answer
    own = (s for s in note.signatures if (s.name, s.key_id) == (key.name, key.key_id))
    lines = tuple(dict.fromkeys(_line(key, signature) for signature in own))
    if not lines:
        raise _answer("the answer holds no cosignature of the witness's key")
    return lines


def open_seen(note: bytes, *, keys: LogKeys, witness: VerifierKey) -> SeenCheckpoint:
    """Return the checkpoint that a witness showed; raise NoteRejected or WitnessMessageRejected.

    Both must have signed: the log, or the witness could invent a history; the witness, or anybody
    on the way could show an older one in its name.
    """
    checkpoint = keys.open(note, also=[witness])
    times = [
        signature.time_s
        for signature in checkpoint.signatures
        if signature.key == witness and signature.time_s is not None
    ]
    if not times:
        raise _answer("the checkpoint that the witness shows is not cosigned by it")
    return SeenCheckpoint(checkpoint=checkpoint, time_s=max(times))


def _line(key: VerifierKey, signature: Signature) -> str:
    return signature_line(key=key, signature=signature.signature)


def _request(message: str) -> WitnessMessageRejected:
    return WitnessMessageRejected(message, next_step=_NEXT_REQUEST)


def _answer(message: str) -> WitnessMessageRejected:
    return WitnessMessageRejected(message, next_step=_NEXT_ANSWER)
