"""`checkpoints.log`: every signed note as it left the process, newest last.

A note is appended before the answers that it proves leave, without a flush of its own: the commit
was flushed, and the note is stored again in the database by the next commit. So a tail that is
cut off the database is seen at the next start even where the last note is not in it (attack 5).

Each note is followed by an empty line. A crash or a full disk can tear the last one; what follows
begins with a line "#", because an empty line would end the torn note as if it were whole. Reading
takes the largest whole note of the tail. The file begins anew when it is large, because the table
keeps them all.

The processes that serve one home on PostgreSQL append to one file. Whoever appends holds it shared,
whoever begins it anew holds it alone, and a process that finds another file in its place opens that
one: no note goes into a file that is gone.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.errors import LedgerTampered, NoteRejected
from governance.ledger.core.log_keys import LogKeys

_TAIL_BYTES: Final = 64 * 1024
_ROTATE_BYTES: Final = 64 * 1024 * 1024
_AFTER_A_TEAR: Final = b"#\n"
_END: Final = b"\n\n"


class NoteFile:
    """The file, opened for appending by the pen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = self._open()
        self._lead = b"" if _ends_whole(path) else _AFTER_A_TEAR

    def append(self, note: bytes) -> None:
        """Append one note; raise OSError where there is no room."""
        size = self._hold()
        block = self._lead + note + b"\n"
        self._lead = _AFTER_A_TEAR
        try:
            _write_whole(self._descriptor, block)
        except OSError:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            raise
        self._lead = b""
        if size + len(block) > _ROTATE_BYTES:  # of which another process may have written more
            self._begin_anew()
        else:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _hold(self) -> int:
        """Hold the file that stands at the path, shared, and return its size."""
        while True:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
            ours = os.fstat(self._descriptor)
            if ours.st_nlink:
                return ours.st_size
            self._open_again()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _begin_anew(self) -> None:
        """Keep the tail, in which somebody else's note may be the largest."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            return  # somebody else appends; the next note is as good an occasion
        if os.fstat(self._descriptor).st_nlink:
            fresh = self._path.with_suffix(".new")
            with fresh.open("wb") as file:
                file.write(_tail(self._path))
                file.flush()
                os.fsync(file.fileno())  # an empty file under the old name would be a lost anchor
            fresh.replace(self._path)
        self._open_again()

    def _open_again(self) -> None:
        """Open the file at the path before the old one is closed.

        A number that is free for a moment could become the database's, and get the next note.
        """
        before, self._descriptor = self._descriptor, self._open()
        os.close(before)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _write_whole(descriptor: int, block: bytes) -> None:
    if os.write(descriptor, block) != len(block):
        raise OSError(errno.ENOSPC, "the note was cut short")


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(_END)))
        return size == 0 or file.read() == _END


def largest_note(
    path: Path, *, keys: LogKeys, at_most: int | None = None
) -> VerifiedCheckpoint | None:
    """Return the checkpoint of the largest whole note in the file's tail, None without one.

    `at_most` leaves out larger sizes, for a storage that has lost its end. Raises
    LedgerTampered for a whole note that no key of its size signed.
    """
    try:
        tail = b"\n" + _tail(path)
    except FileNotFoundError:
        return None
    try:
        opened = [keys.open(note) for note in _notes(tail, keys.origin)]
    except NoteRejected as error:
        raise LedgerTampered(f"{path.name} holds a note that the log did not sign") from error
    if at_most is not None:
        opened = [one for one in opened if one.size <= at_most]
    return max(opened, key=lambda checkpoint: checkpoint.size, default=None)


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        return file.read()


def _notes(tail: bytes, origin: str) -> Iterable[bytes]:
    """Yield the whole notes: from a line that is the origin to the empty line after signatures."""
    start = b"\n" + origin.encode() + b"\n"
    # A note's empty line is also what precedes the origin of the next: both get it.
    for piece in tail.replace(start, b"\n" + start).split(start)[1:]:
        text, blank, rest = piece.partition(b"\n\n")
        signatures, end, _ = rest.partition(b"\n\n")
        if blank and end:
            yield start[1:] + text + b"\n\n" + signatures + b"\n"
