"""Data keys in a file of their own, wrapped by a key-encryption key beside it.

The file is another database than the ledger's, so that a backup of the ledger holds no key and
an erasure is not undone by restoring one (P13). A data key is stored as AES-256-GCM under the KEK
of its epoch, with its own name as associated data: a wrapped key cannot be given another name.
Which key is a subject's is found by an HMAC under the index key, so the identifier is nowhere in
the clear. Destroying a key overwrites its bytes and its subject's row (secure_delete) and empties
the write-ahead log; copies that a file system or a backup made of `keys.sqlite` are out of this
program's reach, which is why the KEK has epochs.

A site with a key-management service gives its own class with the methods of `KeyStore`.
"""

from __future__ import annotations

import hmac
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from governance import ids
from governance.adapters.key_files import (
    KekFiles,
    KeyStoreUnavailable,
    connect,
    translated,
    writing,
)
from governance.errors import GovernanceError
from governance.ledger.store.keys import KeyDestroyed, KeyStore, KeyUnknown

__all__ = ["FileKeyStore", "KeyStore", "KeyStoreUnavailable", "KeyUnwrapFailed"]

_SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS data_key (
        key_id TEXT PRIMARY KEY CHECK (length(key_id) = 32),
        kek_epoch INTEGER NOT NULL,
        nonce BLOB,
        wrapped BLOB,
        destroyed_us INTEGER,
        CHECK ((destroyed_us IS NULL) = (wrapped IS NOT NULL AND nonce IS NOT NULL))
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS subject_key (
        subject BLOB PRIMARY KEY CHECK (length(subject) = 32),
        key_id TEXT NOT NULL UNIQUE REFERENCES data_key (key_id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS index_key (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        kek_epoch INTEGER NOT NULL,
        nonce BLOB NOT NULL,
        wrapped BLOB NOT NULL
    )
    """,
)
_DOMAIN: Final = b"oncovigil/dek/v1\n"
_INDEX_DOMAIN: Final = b"oncovigil/index-key/v1\n"
_SUBJECT: Final = b"oncovigil/subject/v1\n"
_MARK: Final = b"oncovigil/mark/v1\n"
_CACHED: Final = 4096
_SLICE: Final = 2000


class KeyUnwrapFailed(GovernanceError):
    """A stored key does not open under its KEK: the wrong KEK, or changed bytes."""

    code = "key.unwrap_failed"


class FileKeyStore:
    """The key store of a home: `keys.sqlite` and `kek-<epoch>.bin` in one folder."""

    def __init__(self, folder: Path) -> None:
        """Open the store in `folder`; raise KeyStoreUnavailable or KeyUnwrapFailed."""
        self._files = KekFiles(folder)
        self._keks: dict[int, bytes] = {}
        self._lock = threading.RLock()
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        with translated():
            self._connection = connect(folder / "keys.sqlite")
            try:
                self._index_key = self._open_index()
            except BaseException:
                self._connection.close()
                raise

    @property
    def epoch(self) -> int:
        """The epoch that new keys are wrapped under; another process may have moved it."""
        with self._lock, translated():
            return int(self._connection.execute("SELECT kek_epoch FROM index_key").fetchone()[0])

    def new_key(self) -> str:
        """Make a key; when this returns, it is on the disk (P2: before the entry that uses it)."""
        with self._lock, translated(), writing(self._connection):
            key_id, key = self._make()
        self._remember(key_id, key)
        return key_id

    def subject_key(self, *, organisation: str, subject: str) -> str:
        """Return the name of the subject's key; the first time make it, on the disk."""
        mapped = self._mapped(organisation, subject)
        with self._lock, translated():
            found = self._find(mapped)
            if found is not None:
                return found
            with writing(self._connection):
                found = self._find(mapped)  # another process may have made it meanwhile
                if found is not None:
                    return found
                key_id, key = self._make()
                self._connection.execute("INSERT INTO subject_key VALUES (?, ?)", (mapped, key_id))
        self._remember(key_id, key)
        return key_id

    def find_subject(self, *, organisation: str, subject: str) -> str | None:
        """Return the name of the subject's key, None where there is none."""
        with self._lock, translated():
            return self._find(self._mapped(organisation, subject))

    def mark(self, text: str) -> str:
        """Return the HMAC of `text` under the index key, in hexadecimal."""
        return hmac.digest(self._index_key, _MARK + text.encode(), "sha256").hex()

    def get(self, key_id: str) -> bytes:
        """Return the key; raise KeyDestroyed, KeyUnknown or KeyUnwrapFailed."""
        with self._lock:
            key = self._cache.get(key_id)
            if key is not None:
                self._cache.move_to_end(key_id)
                return key
            with translated():
                row = self._connection.execute(
                    "SELECT kek_epoch, nonce, wrapped FROM data_key WHERE key_id = ?", (key_id,)
                ).fetchone()
            if row is None:
                raise _unknown(key_id)
            epoch, nonce, wrapped = row
            if nonce is None or wrapped is None:
                raise KeyDestroyed(
                    f"the key {key_id} was destroyed",
                    next_step="What it opened is erased; the entry's facts and proof remain.",
                )
            key = self._unwrap(epoch, nonce, wrapped, _name(key_id))
            self._remember(key_id, key)
        return key

    def destroy(self, key_id: str, *, now_us: int) -> None:
        """Destroy the key, its subject's row and the copy in memory; raise KeyUnknown."""
        with self._lock:
            self._cache.pop(key_id, None)
            with translated():
                with writing(self._connection):
                    self._connection.execute("DELETE FROM subject_key WHERE key_id = ?", (key_id,))
                    found = self._connection.execute(
                        "UPDATE data_key SET nonce = NULL, wrapped = NULL, "
                        "destroyed_us = coalesce(destroyed_us, ?) WHERE key_id = ?",
                        (now_us, key_id),
                    )
                self._empty_log()
        if found.rowcount == 0:
            raise _unknown(key_id)

    def prepare_epoch(self) -> int:
        """Make `kek-<next>.bin` where it is not there yet, and return its epoch.

        Look and make are under the write lock: of two processes one makes it, and the other sees
        it, or sees an epoch that has moved on.
        """
        with self._lock, translated(), writing(self._connection):
            following = self.epoch + 1
            if following not in self._files.epochs():
                self._files.make(following)
        return following

    def finish_epoch(self, epoch: int) -> None:
        """Wrap every key again under the KEK of `epoch`, then destroy the older KEK files.

        New keys are wrapped under it from the first transaction on. The others follow in slices, so
        that another process waits for one of them and not for all; each row says its epoch.
        """
        with self._lock, translated():
            with writing(self._connection):
                if self.epoch < epoch:
                    self._wrap_index(epoch)
            epoch = max(epoch, self.epoch)  # another process may have moved on
            while self._wrap_slice(epoch):
                pass
            self._empty_log()
            # The rows are on the disk under the new KEK before the old one goes.
            for older in self._files.epochs():
                if older < epoch:
                    self._files.destroy(older)
                    self._keks.pop(older, None)

    def unfinished_epoch(self) -> int | None:
        """Return the epoch of a prepared KEK, or the present one where an older KEK is left."""
        with self._lock, translated():
            epochs, epoch = self._files.epochs(), self.epoch
        if epochs and epochs[-1] > epoch:
            return epochs[-1]
        return epoch if epochs and epochs[0] < epoch else None

    def inherit(
        self, other: FileKeyStore, *, keys: Iterable[str], subjects: Iterable[str]
    ) -> dict[str, str]:
        """Take data keys of `other` over by name, and give each named subject a new key here.

        Return the new key's name by the old one's; a subject whose key is destroyed has none. Only
        where a subject is named the index key is taken over too, so that the subject is found
        under the identifier that nobody tells us. This store has held no key yet. Raises as `get`.
        """
        named, new = list(subjects), {}
        with self._lock, translated(), writing(self._connection):
            if self._connection.execute("SELECT 1 FROM data_key LIMIT 1").fetchone() is not None:
                raise RuntimeError("only an empty key store inherits")
            if named:
                self._index_key = other._index_key
                self._wrap_index(self.epoch)
            for key_id in dict.fromkeys(keys):
                self._insert(key_id, other.get(key_id))
            for old in dict.fromkeys(named):
                mapped = other._mapped_of(old)
                if mapped is not None:
                    new[old], _key = self._make()
                    self._connection.execute(
                        "INSERT INTO subject_key VALUES (?, ?)", (mapped, new[old])
                    )
        return new

    def close(self) -> None:
        """Close the file and forget every key."""
        with self._lock:
            self._cache.clear()
            self._keks.clear()
            self._index_key = b""
            self._connection.close()

    # --- with the lock held ---------------------------------------------------------------------

    def _open_index(self) -> bytes:
        """Make the tables and the index key where they are not there; return the index key."""
        row = self._index_row()
        if row is None:
            with writing(self._connection):
                for statement in _SCHEMA:
                    self._connection.execute(statement)
                if self._index_row() is None:
                    epoch, nonce = self._first_epoch(), ids.nonce()
                    wrapped = self._kek(epoch).encrypt(nonce, ids.key(), _INDEX_DOMAIN)
                    self._connection.execute(
                        "INSERT INTO index_key VALUES (1, ?, ?, ?)", (epoch, nonce, wrapped)
                    )
            row = self._index_row()
        assert row is not None
        return self._unwrap(*row, _INDEX_DOMAIN)

    def _index_row(self) -> tuple[int, bytes, bytes] | None:
        known = self._connection.execute(
            "SELECT name FROM sqlite_schema WHERE name = 'index_key'"
        ).fetchone()
        if known is None:
            return None
        row = self._connection.execute("SELECT kek_epoch, nonce, wrapped FROM index_key").fetchone()
        return None if row is None else (int(row[0]), row[1], row[2])

    def _first_epoch(self) -> int:
        epochs = self._files.epochs()
        if len(epochs) != 1:
            raise KeyStoreUnavailable(
                "a new key store needs exactly one key-encryption key",
                next_step="Restore keys.sqlite of this home from its backup.",
            )
        return epochs[0]

    def _make(self) -> tuple[str, bytes]:
        """Insert a new key in the open transaction, under the KEK of the epoch that it sees."""
        key_id, key = ids.key_id(), ids.key()
        self._insert(key_id, key)
        return key_id, key

    def _insert(self, key_id: str, key: bytes) -> None:
        epoch, nonce = self.epoch, ids.nonce()
        wrapped = self._kek(epoch).encrypt(nonce, key, _name(key_id))
        self._connection.execute(
            "INSERT INTO data_key VALUES (?, ?, ?, ?, NULL)", (key_id, epoch, nonce, wrapped)
        )

    def _wrap_slice(self, epoch: int) -> bool:
        """Wrap some surviving keys of older epochs again; return whether there were any."""
        kek = self._kek(epoch)
        with writing(self._connection):
            rows = self._connection.execute(
                "SELECT key_id, kek_epoch, nonce, wrapped FROM data_key "
                "WHERE wrapped IS NOT NULL AND kek_epoch < ? LIMIT ?",
                (epoch, _SLICE),
            ).fetchall()
            for key_id, old, nonce, wrapped in rows:
                key = self._unwrap(old, nonce, wrapped, _name(key_id))
                fresh = ids.nonce()
                self._connection.execute(
                    "UPDATE data_key SET kek_epoch = ?, nonce = ?, wrapped = ? WHERE key_id = ?",
                    (epoch, fresh, kek.encrypt(fresh, key, _name(key_id)), key_id),
                )
        return bool(rows)

    def _wrap_index(self, epoch: int) -> None:
        """Wrap the index key again in the open transaction: the epoch of new keys is its epoch."""
        nonce = ids.nonce()
        wrapped = self._kek(epoch).encrypt(nonce, self._index_key, _INDEX_DOMAIN)
        self._connection.execute(
            "UPDATE index_key SET kek_epoch = ?, nonce = ?, wrapped = ?", (epoch, nonce, wrapped)
        )

    def _find(self, mapped: bytes) -> str | None:
        row = self._connection.execute(
            "SELECT key_id FROM subject_key WHERE subject = ?", (mapped,)
        ).fetchone()
        return None if row is None else str(row[0])

    def _mapped_of(self, key_id: str) -> bytes | None:
        with self._lock, translated():
            row = self._connection.execute(
                "SELECT subject FROM subject_key WHERE key_id = ?", (key_id,)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def _mapped(self, organisation: str, subject: str) -> bytes:
        named = f"{organisation}\x00{subject}".encode()
        return hmac.digest(self._index_key, _SUBJECT + named, "sha256")

    def _kek(self, epoch: int) -> AESGCM:
        kek = self._keks.get(epoch)
        if kek is None:
            kek = self._keks[epoch] = self._files.read(epoch)
        return AESGCM(kek)

    def _unwrap(self, epoch: int, nonce: bytes, wrapped: bytes, named: bytes) -> bytes:
        try:
            return self._kek(epoch).decrypt(nonce, wrapped, named)
        except (InvalidTag, ValueError) as error:
            raise KeyUnwrapFailed(
                "a stored key does not open under its key-encryption key",
                next_step="Restore keys.sqlite and its KEK file from one backup.",
            ) from error

    def _empty_log(self) -> None:
        """Move the log into the file and empty it: old pages would still hold what was removed."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _remember(self, key_id: str, key: bytes) -> None:
        with self._lock:
            self._cache[key_id] = key
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)


def _name(key_id: str) -> bytes:
    return _DOMAIN + key_id.encode()


def _unknown(key_id: str) -> KeyUnknown:
    return KeyUnknown(
        f"the key store has no key {key_id}",
        next_step="Check the key id in the entry's facts.",
    )
