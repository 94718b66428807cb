"""From facts and body to what an entry commits to; everything that needs no lock.

Canonical bytes, salts, commitments and encryption are made in the caller's thread, so that under
the head lock only the envelope is left: sequence number, time, link and one hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from governance import ids
from governance.ledger.core import canonical
from governance.ledger.core.body_cipher import SealedBody, seal
from governance.ledger.core.canonical import Json
from governance.ledger.core.record import body_commitment, facts_commitment
from governance.ledger.store.keys import KeyStore
from governance.storage.ports import Body

# For an event id, for the two salts, and for the body's encryption.
_RANDOM: Final = (ids.TAIL_BYTES, ids.SALT_BYTES, ids.SALT_BYTES, ids.NONCE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBody:
    """A body in both forms: the plaintext for the receipt, the sealed one for the database."""

    content: bytes
    key_id: str
    salt: bytes
    commitment: bytes
    sealed: SealedBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An entry that lacks only its place in the log."""

    event_id: str
    kind: str
    facts: bytes
    facts_salt: bytes
    facts_c: bytes
    body: PreparedBody | None
    touches_standing: bool


class Sealer:
    """Prepares entries of one log."""

    def __init__(self, *, origin: str, keys: KeyStore) -> None:
        self._origin = origin
        self._keys = keys

    def mark(self, text: str) -> str:
        """Return the key store's mark of `text` (`KeyStore.mark`)."""
        return self._keys.mark(text)

    def prepare(
        self,
        *,
        kind: str,
        facts: Mapping[str, Json],
        body: Body | None,
        now_us: int,
        touches_standing: bool = False,
    ) -> Prepared:
        """Return the entry; raise NotCanonical, TooLarge, KeyUnknown or KeyDestroyed.

        Facts name the body's key, so that a changed key id beside the entry is found (P3).
        """
        tail, facts_salt, body_salt, nonce = ids.drawn(*_RANDOM)
        event_id = ids.event_id(now_us=now_us, tail=tail)
        permanent = dict(facts)
        if body is not None:
            permanent["body_key"] = body.key_id
        encoded = canonical.dumps(permanent)
        return Prepared(
            event_id=event_id,
            kind=kind,
            facts=encoded,
            facts_salt=facts_salt,
            facts_c=facts_commitment(salt=facts_salt, facts=encoded),
            body=None if body is None else self._seal(body, event_id, body_salt, nonce),
            touches_standing=touches_standing,
        )

    def _seal(self, body: Body, event_id: str, salt: bytes, nonce: bytes) -> PreparedBody:
        return PreparedBody(
            content=body.content,
            key_id=body.key_id,
            salt=salt,
            commitment=body_commitment(salt=salt, body=body.content),
            sealed=seal(
                body.content,
                dek=self._keys.get(body.key_id),
                origin=self._origin,
                event_id=event_id,
                nonce=nonce,
            ),
        )
