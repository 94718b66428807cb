"""The interface to the keys of bodies: random data keys under random names, destroyed to erase.

A key's name is a pseudonym that says nothing; the row that maps a subject to it dies with the key
(P13). Stores live in `governance.adapters`: a file beside the database, or a service of the site
(PKCS#11, a key-management service). A site gives its own class with the methods of `KeyStore`; it
is one when it passes `tests/unit/storage/test_key_store_contract.py`.

What a store keeps:

    data keys     256 bits each, wrapped under the key-encryption key (KEK) of the current epoch
    subjects      HMAC-SHA256(index key, organisation NUL subject) -> name of a data key
    index key     one, wrapped like a data key; whoever lacks it cannot look for a known person
    epoch         the number of the KEK; the ledger says when it moved (`key.epoch_rotated`)

An epoch moves in two steps with an entry of the ledger between them, so that a crash is finished by
what the entry says: `prepare_epoch` makes the next KEK, `finish_epoch` wraps every surviving key
again and destroys the old KEK when none is left under it. What a backup holds under the old KEK
opens nothing then.
"""

from __future__ import annotations

from typing import Protocol

from governance.errors import GovernanceError, NotFound


class KeyDestroyed(GovernanceError):
    """The key was destroyed so that what it opens is erased."""

    code = "key.destroyed"
    http_status = 410


class KeyUnknown(NotFound):
    """The key store has never held this key."""

    code = "key.unknown"


class KeyStore(Protocol):
    """Where data keys are; safe to use from several threads, and from several processes."""

    @property
    def epoch(self) -> int:
        """The number of the KEK that every key is wrapped under."""
        ...

    def new_key(self) -> str:
        """Make a random 256-bit key, durably, and return its name (32 hex characters)."""
        ...

    def subject_key(self, *, organisation: str, subject: str) -> str:
        """Return the name of the subject's key; the first time make it, durably."""
        ...

    def find_subject(self, *, organisation: str, subject: str) -> str | None:
        """Return the name of the subject's key, None where it was never made or is destroyed."""
        ...

    def mark(self, text: str) -> str:
        """Return a mark of `text` that only this store can compute, 64 hex characters.

        It tells whether the same text comes again, and nothing else: without the index key not
        even a text of few possible values can be found from it.
        """
        ...

    def get(self, key_id: str) -> bytes:
        """Return the key; raise KeyDestroyed or KeyUnknown."""
        ...

    def destroy(self, key_id: str, *, now_us: int) -> None:
        """Destroy the key and what maps a subject to it, durably. Twice is once.

        Its name stays known as destroyed. Raises KeyUnknown.
        """
        ...

    def prepare_epoch(self) -> int:
        """Make the KEK of the next epoch, durably, and return its number. Twice is once."""
        ...

    def finish_epoch(self, epoch: int) -> None:
        """Move to a prepared epoch, where it was not done, and destroy every older KEK."""
        ...

    def unfinished_epoch(self) -> int | None:
        """Return the epoch of a move that stopped half way, None where none did.

        Where no entry of the ledger says that the epoch moved, there is nothing to finish: the KEK
        that was prepared wraps nothing, and the next `prepare_epoch` takes it.
        """
        ...
