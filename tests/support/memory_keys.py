"""A key store in memory: the second implementation, to hold the interface against.

It wraps nothing; an epoch is a number. What it shows is that no caller needs the files.
"""

from __future__ import annotations

import hmac
import threading
from dataclasses import dataclass, field

from governance import ids
from governance.ledger.store.keys import KeyDestroyed, KeyUnknown


@dataclass(kw_only=True)
class MemoryKeyStore:
    """See `governance.ledger.store.keys.KeyStore`."""

    epoch: int = 1
    _keys: dict[str, bytes | None] = field(default_factory=dict)
    _subjects: dict[str, str] = field(default_factory=dict)
    _index_key: bytes = field(default_factory=ids.key)
    _prepared: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_key(self) -> str:
        """Make a key."""
        key_id = ids.key_id()
        self._keys[key_id] = ids.key()
        return key_id

    def subject_key(self, *, organisation: str, subject: str) -> str:
        """Return the subject's key, or make it."""
        mark = self.mark(f"subject\x00{organisation}\x00{subject}")
        with self._lock:
            if mark not in self._subjects:
                self._subjects[mark] = self.new_key()
            return self._subjects[mark]

    def find_subject(self, *, organisation: str, subject: str) -> str | None:
        """Return the subject's key."""
        return self._subjects.get(self.mark(f"subject\x00{organisation}\x00{subject}"))

    def mark(self, text: str) -> str:
        """Return the mark."""
        return hmac.digest(self._index_key, text.encode(), "sha256").hex()

    def get(self, key_id: str) -> bytes:
        """Return the key."""
        key = self._keys.get(key_id, b"")
        if key is None:
            raise KeyDestroyed("the key was destroyed", next_step="nothing opens what it sealed")
        if not key:
            raise KeyUnknown("there is no such key", next_step="check the key id")
        return key

    def destroy(self, key_id: str, *, now_us: int) -> None:
        """Destroy the key."""
        del now_us
        with self._lock:
            if key_id not in self._keys:
                raise KeyUnknown("there is no such key", next_step="check the key id")
            self._keys[key_id] = None
            self._subjects = {
                mark: known for mark, known in self._subjects.items() if known != key_id
            }

    def prepare_epoch(self) -> int:
        """Prepare the next epoch."""
        self._prepared = self.epoch + 1
        return self._prepared

    def finish_epoch(self, epoch: int) -> None:
        """Move to the epoch."""
        self.epoch = max(self.epoch, epoch)
        self._prepared = None

    def unfinished_epoch(self) -> int | None:
        """Return the prepared epoch."""
        return self._prepared
