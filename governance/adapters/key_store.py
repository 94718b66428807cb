"""Data keys in a file of their own, wrapped by a key-encryption key beside it.

The file is another database than the ledger's, so that a backup of the ledger holds no key and
an erasure is not undone by restoring one (P13). A data key is stored as AES-256-GCM under the KEK
of its epoch, with its own name as associated data: a wrapped key cannot be given another name.
Destroying a key overwrites its bytes (secure_delete) and empties the write-ahead log; copies that
a file system or a backup made of `keys.sqlite` are out of this program's reach, which is why the
KEK has epochs.

A site with a key-management service gives its own class with the methods of `KeyStore`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from governance import ids
from governance.errors import GovernanceError
from governance.ledger.store.keys import KeyDestroyed, KeyStore, KeyUnknown

__all__ = ["FileKeyStore", "KeyStore", "KeyStoreUnavailable", "KeyUnwrapFailed"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS data_key (
    key_id TEXT PRIMARY KEY CHECK (length(key_id) = 32),
    kek_epoch INTEGER NOT NULL,
    nonce BLOB,
    wrapped BLOB,
    destroyed_us INTEGER,
    CHECK ((destroyed_us IS NULL) = (wrapped IS NOT NULL AND nonce IS NOT NULL))
) WITHOUT ROWID
"""
_PRAGMAS: Final = {
    "journal_mode": "wal",
    "synchronous": 2,
    "secure_delete": 1,
    "trusted_schema": 0,
    "busy_timeout": 10_000,
}
_DOMAIN: Final = b"oncovigil/dek/v1\n"
_CACHED: Final = 4096


class KeyStoreUnavailable(GovernanceError):
    """The key store cannot be read or written now."""

    code = "key.store_unavailable"
    http_status = 503


class KeyUnwrapFailed(GovernanceError):
    """A stored key does not open under its KEK: the wrong KEK, or changed bytes."""

    code = "key.unwrap_failed"


class FileKeyStore:
    """The key store of a home: `keys.sqlite` and `kek-<epoch>.bin` in one folder."""

    def __init__(self, folder: Path, *, kek_epoch: int = 1) -> None:
        """Open the store in `folder`; raise KeyStoreUnavailable."""
        self._kek = (folder / f"kek-{kek_epoch}.bin").read_bytes()
        self._kek_epoch = kek_epoch
        self._lock = threading.Lock()
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        with _translated():
            self._connection = _connect(folder / "keys.sqlite")

    def new_key(self) -> str:
        """Make a key; when this returns, it is on the disk (P2: before the entry that uses it)."""
        key_id, key, nonce = ids.key_id(), ids.key(), ids.nonce()
        wrapped = AESGCM(self._kek).encrypt(nonce, key, _DOMAIN + key_id.encode())
        with self._lock, _translated(), self._connection:
            self._connection.execute(
                "INSERT INTO data_key VALUES (?, ?, ?, ?, NULL)",
                (key_id, self._kek_epoch, nonce, wrapped),
            )
        self._remember(key_id, key)
        return key_id

    def get(self, key_id: str) -> bytes:
        """Return the key; raise KeyDestroyed, KeyUnknown or KeyUnwrapFailed."""
        with self._lock:
            key = self._cache.get(key_id)
            if key is not None:
                self._cache.move_to_end(key_id)
                return key
            with _translated():
                row = self._connection.execute(
                    "SELECT nonce, wrapped FROM data_key WHERE key_id = ?", (key_id,)
                ).fetchone()
        if row is None:
            raise KeyUnknown(
                f"the key store has no key {key_id}",
                next_step="Check that the key store belongs to this home.",
            )
        key = self._unwrap(key_id, *row)
        self._remember(key_id, key)
        return key

    def destroy(self, key_id: str, *, now_us: int) -> None:
        """Destroy the key and drop it from memory; raise KeyUnknown."""
        with self._lock:
            self._cache.pop(key_id, None)
            with _translated(), self._connection:
                found = self._connection.execute(
                    "UPDATE data_key SET nonce = NULL, wrapped = NULL, "
                    "destroyed_us = coalesce(destroyed_us, ?) WHERE key_id = ?",
                    (now_us, key_id),
                )
            with _translated():
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if found.rowcount == 0:
            raise KeyUnknown(
                f"the key store has no key {key_id}",
                next_step="Check the key id in the entry's facts.",
            )

    def close(self) -> None:
        """Close the file and forget every key."""
        with self._lock:
            self._cache.clear()
            self._connection.close()

    def _unwrap(self, key_id: str, nonce: bytes | None, wrapped: bytes | None) -> bytes:
        if nonce is None or wrapped is None:
            raise KeyDestroyed(
                f"the key {key_id} was destroyed",
                next_step="What it opened is erased; the entry's facts and proof remain.",
            )
        try:
            return AESGCM(self._kek).decrypt(nonce, wrapped, _DOMAIN + key_id.encode())
        except (InvalidTag, ValueError) as error:
            raise KeyUnwrapFailed(
                f"the key {key_id} does not open under its key-encryption key",
                next_step="Restore keys.sqlite and its KEK file from one backup.",
            ) from error

    def _remember(self, key_id: str, key: bytes) -> None:
        with self._lock:
            self._cache[key_id] = key
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        _set_pragmas(connection)
        with connection:
            connection.execute(_SCHEMA)
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
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise KeyStoreUnavailable(
            "the key store cannot be read or written",
            next_step="Check the disk and the permissions of the home's keys folder.",
        ) from error
