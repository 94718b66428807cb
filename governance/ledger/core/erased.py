r"""What an entry `subject.erased` says of the bodies that it erased.

    bodies_c = hex H("oncovigil/erased/v1\n" || numbers)   8 bytes each, big-endian, rising

The facts hold the person's key id, how many bodies there were and this commitment over the numbers
of their entries. So whoever sees the rows can tell that exactly those were erased: one more was
destroyed off the record, one less was kept against what was said (P13).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from governance.ledger.core.canonical import Json
from governance.ledger.core.errors import LedgerTampered

ERASED_KIND: Final = "subject.erased"
KEY: Final = "subject_key"
BODIES: Final = "bodies"
COMMITMENT: Final = "bodies_c"

_DOMAIN: Final = b"oncovigil/erased/v1\n"


class ErasedNumbers:
    """Counts numbers of entries in rising order, and commits to them; keeps none."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = sha256(_DOMAIN)

    def add(self, seq: int) -> None:
        """Take the next number."""
        self.count += 1
        self._hash.update(seq.to_bytes(8))

    def commitment(self) -> str:
        """Return the commitment over all numbers so far."""
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedStatement:
    """What the facts of an erasing entry say."""

    key_id: str
    bodies: int
    commitment: str

    def as_facts(self) -> dict[str, Json]:
        """Return the facts."""
        return {KEY: self.key_id, BODIES: self.bodies, COMMITMENT: self.commitment}


def statement_over(key_id: str, seqs: Iterable[int]) -> ErasedStatement:
    """Return what an entry says that erases the bodies of `seqs`, which rise."""
    numbers = ErasedNumbers()
    for seq in seqs:
        numbers.add(seq)
    return ErasedStatement(key_id=key_id, bodies=numbers.count, commitment=numbers.commitment())


def read_statement(facts: Json, *, sequence: int) -> ErasedStatement:
    """Return what the facts say; raise LedgerTampered where they say nothing of the kind."""
    match facts:
        case {"subject_key": str(key_id), "bodies": int(bodies), "bodies_c": str(commitment)}:
            return ErasedStatement(key_id=key_id, bodies=bodies, commitment=commitment)
    raise LedgerTampered("it does not say which bodies it erased", sequence=sequence)
