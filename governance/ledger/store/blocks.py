"""Entries in blocks, with the bodies that belong to them: what a verification of everything reads.

Two cursors go through one snapshot side by side, because a join would cost every entry something,
and few columns of it are needed. A body for whose number there is no entry is passed over here;
`WholeLog` looks for such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from governance.ledger.core.erased import ERASED_KIND
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.verify import StoredEntry
from governance.ledger.store.cells import Columns, check_row
from governance.ledger.store.entries import stored_entry, stored_facts
from governance.ledger.store.erased import NEEDLE, Erasures
from governance.ledger.store.keys import KeyDestroyed, KeyUnknown
from governance.ledger.store.tables import BodyRow, EntryRow, Row

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]

# `core.verify.StoredEntry` begins with these, in this order.
_ENTRY_NAMES: Final = ("seq", "event_id", "env", "leaf", "facts", "facts_salt")
_BODY_NAMES: Final = (
    "seq", "key_id", "nonce", "ciphertext", "key_commitment", "salt", "erased_by_seq"
)  # fmt: skip
ALL_ENTRIES = select(*(_ENTRY.c[name] for name in _ENTRY_NAMES)).order_by(_ENTRY.c.seq)
ALL_BODIES = select(*(_BODY.c[name] for name in _BODY_NAMES)).order_by(_BODY.c.seq)

Cells = Sequence[Any]


class ErasedMeanwhile(Exception):
    """Somebody was erased while a snapshot was read that still shows the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """How bodies are opened, and what is known of keys beside the snapshot.

    Where `destroyed` is a list, bodies whose key `is_destroyed` count as erased and are listed.
    """

    opener: Callable[[Columns], bytes]
    is_erased: Callable[[int], bool]
    is_destroyed: Callable[[str], bool]
    destroyed: list[int] | None


class Blocks:
    """The blocks of a log (`core.verify.Block`), and what they say was erased."""

    def __init__(
        self, entries: Iterable[list[Cells]], stored: Iterator[Cells], *, bodies: Bodies
    ) -> None:
        """Take lists of rows of ALL_ENTRIES, and the rows of ALL_BODIES."""
        self.erasures = Erasures()
        self._entries = entries
        self._stored = stored
        self._bodies = bodies
        self._opened: Columns | None = None

    def __iter__(self) -> Iterator[EntryBlock]:
        waiting = next(self._stored, None)
        for rows in self._entries:
            last, found = rows[-1][0], {}
            while waiting is not None and waiting[0] <= last:
                found[waiting[0]] = waiting
                waiting = next(self._stored, None)
            yield EntryBlock(rows, found, read=self._read)

    def open_body(self, stored: StoredEntry) -> bytes | None:
        """Return the plaintext of the entry that was read last (`core.verify.OpenBody`)."""
        row = self._opened
        if row is None or row["seq"] != stored.seq:
            raise RuntimeError("a body is opened while its entry is checked")
        try:
            return self._bodies.opener(row)
        except (KeyDestroyed, KeyUnknown) as error:
            if self._bodies.is_erased(stored.seq):
                raise ErasedMeanwhile from error
            raise LedgerTampered(
                "its body cannot be opened and no entry says that it was erased",
                sequence=stored.seq,
            ) from error

    def _read(self, row: Cells, body: Cells | None) -> StoredEntry:
        seq, env, facts = row[0], row[2], row[4]
        if NEEDLE in env:
            self.erasures.add(env, stored_facts(facts, seq), seq)
        if body is None:
            return StoredEntry(*row)
        named = dict(zip(_BODY_NAMES, body, strict=True))
        named |= zip(_ENTRY_NAMES, row, strict=True)
        _check_beside(named)
        self._opened = named
        return self._without_lost(stored_entry(named), named)

    def _without_lost(self, stored: StoredEntry, row: Columns) -> StoredEntry:
        destroyed = self._bodies.destroyed
        if destroyed is None or not stored.has_body or not self._bodies.is_destroyed(row["key_id"]):
            return stored
        destroyed.append(stored.seq)
        return stored._replace(body_salt=None, has_body=False, body_erased=True)


class EntryBlock:
    """Rows of entries, and the rows of those of them that have bodies, by number."""

    telling: Final = frozenset({ERASED_KIND})

    def __init__(
        self,
        rows: list[Cells],
        bodies: dict[int, Cells],
        *,
        read: Callable[[Cells, Cells | None], StoredEntry],
    ) -> None:
        self.rows = rows
        self.beside = [at for at, row in enumerate(rows) if row[0] in bodies] if bodies else []
        self._bodies = bodies
        self._read = read

    def entry(self, position: int) -> StoredEntry:
        """Return what is stored of a row, all of it; raise LedgerTampered."""
        row = self.rows[position]
        return self._read(row, self._bodies.get(row[0]))


def _check_beside(row: Columns) -> None:
    """Compare what stands beside the sealed bytes: the key's name."""
    check_row(row)
    seq = row["seq"]
    facts = stored_facts(row["facts"], seq)
    if not isinstance(facts, dict) or facts.get("body_key") != row["key_id"]:
        raise LedgerTampered("its body is stored under another key's name", sequence=seq)
    by = row["erased_by_seq"]
    if by is not None and by <= seq:
        raise LedgerTampered("no entry says that its body was erased", sequence=seq)
