"""The stored log as tiles and bundles, no further than the published checkpoint.

A bundle is read in pages of a few rows, each in a transaction of its own: entries and facts never
change, so the pages of one bundle agree, and nothing holds a snapshot while a slow reader reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import Engine, RowMapping, Select, select

from governance.errors import NotFound
from governance.ledger.core.bundles import (
    ExportedBody,
    ExportedFacts,
    body_record,
    entry_record,
    facts_record,
)
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.record import decode_entry
from governance.ledger.core.tiles import TilePath, hash_tile, tile_at
from governance.ledger.store.cells import check_row
from governance.ledger.store.keys import KeyDestroyed, KeyUnknown
from governance.ledger.store.live import LiveLog
from governance.ledger.store.tables import BodyRow, EntryRow, Row

PAGE_ROWS: Final = 16

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]


class LedgerTiles:
    """Tiles and bundles of one home's log, read-only."""

    def __init__(
        self, *, engine: Engine, live: LiveLog, open_body: Callable[[RowMapping], bytes]
    ) -> None:
        self._engine = engine
        self._live = live
        self._open_body = open_body

    @property
    def size(self) -> int:
        """Return the number of entries under the published checkpoint."""
        return self._live.published_size

    def root(self, size: int) -> bytes:
        """Return the root of the tree as it was at `size`; raise NoSuchProof beyond it."""
        return self._live.tree.root(size)

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of `new` extends that of `old`; raise NoSuchProof."""
        return self._live.tree.consistency_proof(old, new)

    def hashes(self, path: TilePath) -> bytes:
        """Return a hash tile; raise NotFound beyond the published checkpoint."""
        self._check(path)
        return hash_tile(self._live.tree, path)

    def records(self, path: TilePath) -> Iterator[bytes]:
        """Return the records of a bundle one by one; raise NotFound beyond the checkpoint.

        Bodies are decrypted: they are for their owner's own export and never served.
        """
        self._check(path)
        match path.kind:
            case "entries":
                return (entry_record(row["env"]) for row in self._rows(select(_ENTRY.c.env), path))
            case "facts":
                return map(_facts, self._rows(select(_ENTRY.c.facts, _ENTRY.c.facts_salt), path))
            case "bodies":
                return map(self._body, self._rows(_with_body(), path))
            case "hashes":
                raise RuntimeError("hash tiles hold no records")

    def erased_since(self, seq: int) -> list[int]:
        """Return the entries whose body an entry from `seq` on says was erased, in order."""
        query = select(_BODY.c.seq).where(_BODY.c.erased_by_seq >= seq).order_by(_BODY.c.seq)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def _check(self, path: TilePath) -> None:
        published = tile_at(self.size, index=path.index, level=path.level, kind=path.kind)
        if published is None or path.width > published.width:
            raise NotFound(
                "the tile is not part of the tree under the last checkpoint",
                next_step="Read the checkpoint, and ask for tiles of a tree of its size.",
            )

    def _rows(self, query: Select[Any], path: TilePath) -> Iterator[RowMapping]:
        end = path.first + path.width
        for start in range(path.first, end, PAGE_ROWS):
            page = query.where(_ENTRY.c.seq >= start, _ENTRY.c.seq < min(start + PAGE_ROWS, end))
            with self._engine.connect() as connection:
                rows = connection.execute(page.order_by(_ENTRY.c.seq)).mappings().all()
            for row in rows:
                check_row(row)
                yield row

    def _erased_by(self, seq: int) -> int | None:
        query = select(_BODY.c.erased_by_seq).where(_BODY.c.seq == seq)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def _body(self, row: RowMapping) -> bytes:
        seq = row["seq"]
        if decode_entry(row["env"]).body_c is None:
            return body_record(ExportedBody(state="none"))
        if row["erased_by_seq"] is not None:
            return body_record(ExportedBody(state="erased", erased_by=row["erased_by_seq"]))
        if row["ciphertext"] is None:
            raise LedgerTampered("its body is missing and was not erased", sequence=seq)
        try:
            body = self._open_body(row)
        except (KeyDestroyed, KeyUnknown) as error:
            erased_by = self._erased_by(seq)  # meanwhile: the row was read before
            if erased_by is not None:
                return body_record(ExportedBody(state="erased", erased_by=erased_by))
            raise LedgerTampered(
                "its body cannot be opened and no entry says that it was erased", sequence=seq
            ) from error
        return body_record(ExportedBody(state="present", salt=row["salt"], body=body))


def _facts(row: RowMapping) -> bytes:
    return facts_record(ExportedFacts(salt=row["facts_salt"], facts=row["facts"]))


def _with_body() -> Select[Any]:
    return select(
        _ENTRY.c.seq,
        _ENTRY.c.env,
        _ENTRY.c.event_id,
        _BODY.c.key_id,
        _BODY.c.nonce,
        _BODY.c.ciphertext,
        _BODY.c.key_commitment,
        _BODY.c.salt,
        _BODY.c.erased_by_seq,
    ).select_from(_ENTRY.outerjoin(_BODY, _BODY.c.seq == _ENTRY.c.seq))
