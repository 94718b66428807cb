"""The state that a successor carried over: what two people signed, at its place, and nowhere else.

Carried state makes people administrators without anybody's act, so it is bound (P3): it stands in
the entries that follow the first one, in a log that states a predecessor, and its digest is in the
statement that two people signed. The digest is over what the entries state, without regard to how
it is cut into entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from governance.ledger.core import canonical
from governance.ledger.core.canonical import Json
from governance.ledger.core.errors import LedgerTampered
from governance.storage.rebuild_private import CARRIED, CARRIED_CLIENTS, CARRIED_PEOPLE

CARRIED_FROM: Final = "carried_from"
OUTCOMES_DIGEST: Final = "outcomes_sha256"
_LISTS: Final = ("blobs", "changes", CARRIED_PEOPLE, CARRIED_CLIENTS)


class CarriedDigest:
    """The digest of carried state, fed with the facts of its entries in their order."""

    def __init__(self) -> None:
        self._hash = sha256()

    def add(self, facts: Mapping[str, Json]) -> None:
        """Take in what an entry carries."""
        for name in _LISTS:
            listed = facts.get(name)
            for one in listed if isinstance(listed, list) else []:
                self._hash.update(canonical.dumps([name, one]) + b"\n")
        if OUTCOMES_DIGEST in facts:
            told = [OUTCOMES_DIGEST, facts[OUTCOMES_DIGEST]]
            self._hash.update(canonical.dumps(told) + b"\n")

    def hex(self) -> str:
        """Return the digest of what was taken in so far."""
        return self._hash.hexdigest()


class CarriedFold:
    """Reads a log from its beginning and refuses carried state that nobody signed.

    `outcomes` are the digests of carried bodies by the number of their entry; `entries` is how many
    entries carry state.
    """

    def __init__(self, signed: str | None) -> None:
        """Begin with the digest that the first entry states, None where it names no log before."""
        self._signed = signed
        self._digest = CarriedDigest()
        self._runs = signed is not None
        self.outcomes: dict[int, str] = {}
        self.entries = 0

    def add(self, kind: str, facts: Mapping[str, Json], seq: int) -> None:
        """Take in entry `seq`, from 1 on; raise LedgerTampered."""
        if kind != CARRIED and CARRIED_FROM not in facts:
            self.finish()
            return
        if not self._runs:
            raise LedgerTampered(
                "it carries state over from another log, which only the entries behind the first "
                "one of a successor may",
                sequence=seq,
            )
        self.entries += 1
        self._digest.add(facts)
        digest = facts.get(OUTCOMES_DIGEST)
        if isinstance(digest, str):
            self.outcomes[seq] = digest

    def finish(self) -> None:
        """Compare what was carried with what was signed; raise LedgerTampered."""
        if self._runs and self._digest.hex() != self._signed:
            raise LedgerTampered(
                "the state that is carried over is not the one that two people signed", sequence=0
            )
        self._runs = False
