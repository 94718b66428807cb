"""An exported log as a folder of static files: read with suspicion, written file by whole file.

    checkpoint   log.policy   manifest.json   tile/…

A file appears under its name only when all of it is on the disk, and `checkpoint` only after every
file that it needs; so an export that was interrupted still holds the log of the checkpoint before.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from governance.errors import Conflict, NotFound
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.tiles import TilePath

CHECKPOINT: Final = "checkpoint"
POLICY: Final = "log.policy"
MANIFEST: Final = "manifest.json"

_DRAFTS: Final = ".drafts"


class ExportFolder:
    """A folder that somebody handed over (`core.verify_tiles.Source`)."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise NotFound(
                f"there is no folder {root}", next_step="Name the folder of an exported log."
            )
        self.root = root

    def open(self, path: TilePath) -> BinaryIO | None:
        """Return the tile's bytes, None where there is no such file."""
        return _opened(self.root / path.text(), path.text(), path.first)

    def read(self, name: str, *, limit: int) -> bytes | None:
        """Return one of the three files beside the tiles, at most a byte more than `limit`."""
        opened = _opened(self.root / name, name, None)
        if opened is None:
            return None
        with opened as file:
            return file.read(limit + 1)

    def holds(self, path: TilePath) -> bool:
        """Return whether the tile is there, whatever it says."""
        return (self.root / path.text()).is_file()

    def count_files(self) -> int:
        """Return how many tiles lie in the folder, whatever their names are."""
        return sum(len(files) for _, _, files in os.walk(self.root / "tile"))


class ExportWriter(ExportFolder):
    """The folder, being written by this process alone."""

    def write(self, name: str, chunks: Iterable[bytes], *, private: bool = False) -> None:
        """Write a whole file, or none, under `name`; `private` is for the owner's eyes only."""
        target, draft = self.root / name, self.root / _DRAFTS / "file"
        mode = 0o600 if private else 0o644
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(target)

    def remove_narrower(self, path: TilePath) -> None:
        """Remove the partial tiles that `path`, now written, replaces."""
        full = TilePath(kind=path.kind, level=path.level, index=path.index).text()
        folder = self.root / f"{full}.p"
        if not folder.is_dir():
            return
        for stale in folder.iterdir():
            if stale != self.root / path.text():
                stale.unlink()
        if path.is_full:
            folder.rmdir()


@contextmanager
def writing(root: Path) -> Iterator[ExportWriter]:
    """Own the folder for the length of the block, making it where it is not there.

    Raises Conflict where another process writes to it. What an earlier one left unfinished goes.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Conflict(f"{root} is not a folder", next_step="Name another folder.") from error
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"another process is exporting to {root}", next_step="Wait until it has ended."
            ) from error
        drafts = root / _DRAFTS
        drafts.mkdir(exist_ok=True)
        yield ExportWriter(root)
        for draft in drafts.iterdir():
            draft.unlink()
        drafts.rmdir()
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(path: Path, name: str, sequence: int | None) -> BinaryIO | None:
    """Open a regular file: no link, pipe or device may lead the reader elsewhere or hold it up."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LedgerTampered(f"{name} cannot be read as a file", sequence=sequence) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LedgerTampered(f"{name} is not a regular file", sequence=sequence)
    return os.fdopen(descriptor, "rb")
