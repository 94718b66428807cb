"""Key-encryption keys as files `kek-<epoch>.bin`, and the database of wrapped keys beside them.

A KEK file appears whole or not at all, and is overwritten before it is unlinked. Overwriting
reaches the blocks of a file system that writes in place; copies that a journal, a snapshot, a
flash controller or a backup made are out of this program's reach.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from governance import ids
from governance.errors import GovernanceError

_NAME: Final = re.compile(r"kek-([1-9][0-9]{0,8})\.bin", re.ASCII)
_PRAGMAS: Final = {
    "journal_mode": "wal",
    "synchronous": 2,
    "secure_delete": 1,
    "trusted_schema": 0,
    "busy_timeout": 10_000,
}


class KeyStoreUnavailable(GovernanceError):
    """The key store cannot be read or written now."""

    code = "key.store_unavailable"
    http_status = 503


class KekFiles:
    """The KEK files of one folder, by epoch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def epochs(self) -> list[int]:
        """Return the epochs whose file is there, in order."""
        found = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return sorted(int(match[1]) for match in found if match is not None)

    def read(self, epoch: int) -> bytes:
        """Return the KEK; raise KeyStoreUnavailable where its file is gone."""
        try:
            kek = self._path(epoch).read_bytes()
        except OSError as error:
            raise KeyStoreUnavailable(
                f"the key-encryption key of epoch {epoch} is not there",
                next_step="A copy of keys.sqlite from before the last rotation opens nothing, by "
                "intention; put back the keys.sqlite of the present epoch.",
            ) from error
        if len(kek) != _KEK_BYTES:
            raise KeyStoreUnavailable(
                f"the key-encryption key of epoch {epoch} has another length than a key",
                next_step="Restore the file from its own backup.",
            )
        return kek

    def make(self, epoch: int) -> None:
        """Make the file with a random key, on the disk when this returns.

        A file of that name is never replaced, whoever made it: keys may be wrapped under it.
        Raises FileExistsError. The caller holds the store's write lock.
        """
        for left in self._folder.glob(".kek-*.new"):
            left.unlink(missing_ok=True)  # a crash left it; it wraps nothing
        draft = self._folder / f".kek-{epoch}.{ids.key_id()}.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, ids.key())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, self._path(epoch))
        finally:
            draft.unlink()
        self._flush()

    def destroy(self, epoch: int) -> None:
        """Overwrite the file and remove it; nothing where it is not there."""
        path = self._path(epoch)
        try:
            descriptor = os.open(path, os.O_WRONLY)
        except FileNotFoundError:
            return
        try:
            os.pwrite(descriptor, bytes(_KEK_BYTES), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.unlink()
        self._flush()

    def _path(self, epoch: int) -> Path:
        return self._folder / f"kek-{epoch}.bin"

    def _flush(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection whose settings were asserted; transactions are begun by hand."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        _set_pragmas(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_pragmas(connection: sqlite3.Connection) -> None:
    for name, value in _PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {value}")
        found = connection.execute(f"PRAGMA {name}").fetchone()
        if found is None or found[0] != value:
            raise KeyStoreUnavailable(
                f"the key store refused PRAGMA {name} = {value}",
                next_step="Put the home on a local file system that SQLite supports.",
            )


@contextmanager
def translated() -> Iterator[None]:
    """Turn an error of SQLite or of the disk into KeyStoreUnavailable."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise KeyStoreUnavailable(
            "the key store cannot be read or written",
            next_step="Check the disk and the permissions of the home's keys folder.",
        ) from error


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock from the start: two processes never make two keys for one subject."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


_KEK_BYTES: Final = 32
