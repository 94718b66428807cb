"""The interface to the keys of bodies: random data keys under random names, destroyed to erase.

A key's name is a pseudonym that says nothing; the row that maps a subject to it dies with the key
(P13). Stores live in `governance.adapters`: a file beside the database, or a service of the site.
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
    """Where data keys are; safe to use from several threads."""

    def new_key(self) -> str:
        """Make a random 256-bit key, durably, and return its name (32 hex characters)."""
        ...

    def get(self, key_id: str) -> bytes:
        """Return the key; raise KeyDestroyed or KeyUnknown."""
        ...

    def destroy(self, key_id: str, *, now_us: int) -> None:
        """Destroy the key, durably; its name stays known as destroyed. Twice is once."""
        ...
