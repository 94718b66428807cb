"""The bodies that are marked as erased, against the entries that say so (P13).

A body that somebody emptied without an entry, one that an entry erased and that is still there, and
a list that differs from the one that was committed to are all tampering.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from governance.ledger.core.canonical import Json
from governance.ledger.core.erased import (
    ERASED_KIND,
    ErasedNumbers,
    ErasedStatement,
    read_statement,
)
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.streaming import streamed
from governance.ledger.store.tables import BodyRow, Row

_BODY = Row.metadata.tables[BodyRow.__tablename__]
_ERASED = (
    select(_BODY.c.seq, _BODY.c.key_id, _BODY.c.erased_by_seq)
    .where(_BODY.c.erased_by_seq.is_not(None))
    .order_by(_BODY.c.seq)
)
# The envelope is canonical, so a kind has one spelling in it; no other field can hold quotes.
NEEDLE: Final = f'"kind":"{ERASED_KIND}"'.encode()


class Erasures:
    """What the entries of one log say was erased; filled while they are read, then compared."""

    def __init__(self) -> None:
        self._said: dict[int, ErasedStatement] = {}

    def add(self, env: bytes, facts: Json, seq: int) -> None:
        """Take in an entry; all but erasing ones say nothing."""
        if NEEDLE in env:
            self._said[seq] = read_statement(facts, sequence=seq)

    def check(self, connection: Connection) -> int:
        """Compare with the stored bodies; return how many are erased, or raise LedgerTampered."""
        found: dict[int, ErasedNumbers] = {}
        with streamed(connection, _ERASED) as rows:
            for row in rows:
                said = self._said.get(row["erased_by_seq"])
                if said is None or said.key_id != row["key_id"]:
                    raise LedgerTampered(
                        "no entry says that its body was erased, under its key",
                        sequence=row["seq"],
                    )
                found.setdefault(row["erased_by_seq"], ErasedNumbers()).add(row["seq"])
        for seq, said in self._said.items():
            numbers = found.get(seq, ErasedNumbers())
            if (numbers.count, numbers.commitment()) != (said.bodies, said.commitment):
                raise LedgerTampered(
                    f"it says that it erased {said.bodies} bodies, and the bodies that name it "
                    "are not these",
                    sequence=seq,
                )
            self._check_gone(connection, said)
        return sum(numbers.count for numbers in found.values())

    @staticmethod
    def _check_gone(connection: Connection, said: ErasedStatement) -> None:
        left = select(_BODY.c.seq).where(
            _BODY.c.key_id == said.key_id, _BODY.c.erased_by_seq.is_(None)
        )
        seq = connection.execute(left.limit(1)).scalar()
        if seq is not None:
            raise LedgerTampered("its body is there, under a key that was erased", sequence=seq)
