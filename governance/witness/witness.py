"""The rules of a witness (c2sp.org/tlog-witness): cosign what extends all that was seen before.

(1) 400  the body has another form           (5) 409  the old size is not what we cosigned last,
(2) 404  no such log is known                          or the same size has another root
(3) 403  no known key of the log signed      (6) 422  the proof does not lead from our root to it
(4) 400  the old size is beyond the new      (7) 200  remembered, durably; then the cosignature

(5) to (7) are one transaction. A checkpoint with extension lines is refused at (1): the logs that
this witness serves write none, and a cosignature would seem to vouch for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from governance.clock import MICROSECONDS, Clock
from governance.errors import GovernanceError
from governance.ledger.core.checkpoint import Checkpoint, VerifiedCheckpoint, open_checkpoint
from governance.ledger.core.errors import NoteRejected, ProofRejected
from governance.ledger.core.merkle import EMPTY_ROOT, verify_consistency
from governance.ledger.core.note import Note, cosign, parse_note, signature_line, with_lines
from governance.ledger.core.policy import Policy
from governance.ledger.core.witness import (
    SIZE_TYPE,
    AddCheckpoint,
    encode_size,
    parse_add_checkpoint,
)
from governance.witness.home import WitnessHome
from governance.witness.store import Seen, SeenStore, Slot

TEXT: Final = "text/plain; charset=utf-8"
_NOTHING: Final = Seen(size=0, root=EMPTY_ROOT, note=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back over HTTP."""

    status: int
    body: bytes = b""
    content_type: str = TEXT


class Witness:
    """One witness over the logs of its policy. Safe to use from several threads."""

    def __init__(
        self, *, home: WitnessHome, store: SeenStore, policy: Policy, clock: Clock
    ) -> None:
        self._name = home.vkey.name
        self._key = home.key
        self._store = store
        self._clock = clock
        self.know(policy)

    def know(self, policy: Policy) -> None:
        """Go on with another policy: a log's keys come and go, what was seen of it stays."""
        self._policy = policy
        self._origins = {sha256(log.name.encode()).hexdigest(): log.name for log in policy.logs}

    def add_checkpoint(self, body: bytes) -> Reply:
        """Answer `POST /add-checkpoint`; raise WitnessStoreFailed where nothing is remembered."""
        try:  # (1)
            request = parse_add_checkpoint(body)
            note = parse_note(request.checkpoint)
            origin = Checkpoint.parse(note.text).origin
        except GovernanceError as error:
            return _refused(400, str(error))
        keys = self._policy.log_keys(origin)
        if not keys:  # (2)
            return _refused(404, "this log is not known here")
        try:  # (3)
            opened = open_checkpoint(request.checkpoint, origin=origin, keys=keys)
        except NoteRejected as error:
            return _refused(403, str(error))
        if request.old_size > opened.size:  # (4)
            return _refused(400, "the old size is larger than the checkpoint's")
        with self._store.exclusive(origin) as slot:
            return self._extend(slot, request, opened, note)

    def seen(self, origin_digest: str) -> Reply:
        """Answer `GET /<SHA-256 of the origin>/checkpoint` with what was cosigned last."""
        origin = self._origins.get(origin_digest)
        if origin is None:
            return _refused(404, "this log is not known here")
        seen = self._store.seen(origin)
        return Reply(status=204) if seen is None else Reply(status=200, body=seen.note)

    def _extend(
        self, slot: Slot, request: AddCheckpoint, opened: VerifiedCheckpoint, note: Note
    ) -> Reply:
        last = slot.last or _NOTHING
        forked = opened.size == last.size and opened.root != last.root
        if request.old_size != last.size or forked:  # (5)
            return Reply(status=409, body=encode_size(last.size), content_type=SIZE_TYPE)
        try:  # (6)
            verify_consistency(
                old_size=last.size,
                old_root=last.root,
                new_size=opened.size,
                new_root=opened.root,
                proof=request.proof,
            )
        except ProofRejected as error:
            return _refused(422, str(error))
        time_s = self._clock.now_us() // MICROSECONDS
        line = cosign(request.checkpoint, name=self._name, private_key=self._key, time_s=time_s)
        signed = _with_log_lines(note, opened)
        slot.put(Seen(size=opened.size, root=opened.root, note=with_lines(signed, [line])))
        return Reply(status=200, body=line.encode())  # (7) leaves after the transaction


def _with_log_lines(note: Note, opened: VerifiedCheckpoint) -> bytes:
    """Return the note with the log's own lines alone: what strangers added is not kept."""
    known = {(s.key.name, s.key.key_id): s.key for s in opened.signatures}
    lines = [
        signature_line(key=known[line.name, line.key_id], signature=line.signature)
        for line in note.signatures
        if (line.name, line.key_id) in known
    ]
    return (note.text + "\n" + "".join(lines)).encode()


def _refused(status: int, why: str) -> Reply:
    return Reply(status=status, body=f"{why}\n".encode())
