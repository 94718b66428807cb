"""Entries of the trail, each held against the tree as it is read.

Whoever may write in the database could show a searcher other facts than were logged. So an entry
counts only where its leaf is the tree's and its facts are what it commits to (P3); the tree was
derived and held against every checkpoint when the home was opened.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from governance.ledger.core.canonical import Json
from governance.ledger.core.erased import ERASED_KIND, read_statement
from governance.ledger.core.errors import LedgerTampered, NotCanonical
from governance.ledger.core.record import Entry, decode_entry, facts_commitment, leaf_hash
from governance.ledger.store.view import LedgerEntry, LedgerView
from governance.storage.errors import audit_unavailable
from governance.storage.trail.facets import Facets, changes_of

CHUNK: Final = 1000
_NAME_COLUMNS: Final = {"person": "printed_name", "service_client": "title"}
NAMED: Final = tuple(f"{table}:" for table in _NAME_COLUMNS)
"""What the names of records begin with that carry a printed name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """One verified entry. `body` is "none", "held" or "erased"; it is never opened here."""

    seq: int
    event_id: str
    kind: str
    t_us: int
    facts: Mapping[str, Json]
    body: str


def read_entries(ledger: LedgerView, first: int, end: int) -> Iterator[TrailEntry]:
    """Yield the entries from `first` up to but not including `end`; raise LedgerTampered."""
    while first < end:
        with _faults_told():
            chunk = ledger.entries(first, min(CHUNK, end - first), bodies=False)
        if [entry.seq for entry in chunk] != list(range(first, min(first + CHUNK, end))):
            raise LedgerTampered("an entry is missing", sequence=first)
        for entry in chunk:
            yield _verified(ledger, entry)
        first += len(chunk)


def read_entry(ledger: LedgerView, seq: int) -> TrailEntry:
    """Return one entry; raise NotFound or LedgerTampered."""
    return _verified(ledger, _entry(ledger, seq))


def first_from(ledger: LedgerView, t_us: int, *, size: int) -> int:
    """Return the first entry of the first `size` that is not before the instant.

    Times never go back along the log, so its own entries are the index by time.
    """
    return bisect_left(range(size), t_us, key=lambda seq: read_entry(ledger, seq).t_us)


class Names:
    """Under which printed name each person and calling system acted at which entry."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[tuple[int, str]]] = {}

    def learn(self, entry: TrailEntry) -> None:
        """Keep the names that the next entry gives."""
        for change in changes_of(entry.facts):
            table = str(change.get("table"))
            column = _NAME_COLUMNS.get(table)
            values = change.get("row") or change.get("set")
            if column is None or not isinstance(values, dict) or column not in values:
                continue
            value = values[column]
            name = value[1] if isinstance(value, list) and len(value) == 2 else value
            self._known.setdefault((table, str(change.get("key"))), []).append(
                (entry.seq, str(name))
            )

    def at(self, facets: Facets, seq: int) -> str:
        """Return the printed name of who acted, when entry `seq` was written.

        An answer is a calling system's; an act is a person's, or a system's that is no person.
        """
        if not facets.actor:
            return "the product itself"
        tables = ("service_client",) if facets.is_answer else ("person", "service_client")
        for table in tables:
            known = self._known.get((table, facets.actor), [])
            before = bisect_left(known, seq + 1, key=lambda named: named[0])
            if before:
                return known[before - 1][1]
        return facets.actor


def _entry(ledger: LedgerView, seq: int) -> LedgerEntry:
    with _faults_told():
        return ledger.entry(seq)


@contextmanager
def _faults_told() -> Iterator[None]:
    """Raise AuditUnavailable in the place of what a database says, as its other readers do."""
    try:
        yield
    except SQLAlchemyError as error:
        raise audit_unavailable("the database cannot be read") from error


def _verified(ledger: LedgerView, read: LedgerEntry) -> TrailEntry:
    envelope, facts = _as_logged(ledger, read)
    return TrailEntry(
        seq=envelope.seq,
        event_id=envelope.event_id,
        kind=envelope.kind,
        t_us=envelope.t_us,
        facts=facts,
        body=_body(ledger, read, envelope, facts),
    )


def _as_logged(ledger: LedgerView, read: LedgerEntry) -> tuple[Entry, Mapping[str, Json]]:
    stored = read.stored
    try:
        envelope = decode_entry(stored.env)
    except NotCanonical as error:
        raise LedgerTampered("its envelope is not an entry", sequence=stored.seq) from error
    if envelope.seq != stored.seq or leaf_hash(stored.env) != ledger.tree.leaf(stored.seq):
        raise LedgerTampered("it is not the entry that was logged", sequence=stored.seq)
    if envelope.event_id != stored.event_id:
        raise LedgerTampered("it is stored under another event id", sequence=stored.seq)
    if facts_commitment(salt=stored.facts_salt, facts=stored.facts) != envelope.facts_c:
        raise LedgerTampered("its facts are not those that were logged", sequence=stored.seq)
    if not isinstance(read.facts, dict):
        raise LedgerTampered("its facts are not an object", sequence=stored.seq)
    return envelope, read.facts


def _body(ledger: LedgerView, read: LedgerEntry, envelope: Entry, facts: Mapping[str, Json]) -> str:
    """Return what became of the body, by the entries: the row beside it could say anything."""
    if (envelope.body_c is None) != (read.body_key is None):
        raise LedgerTampered("its body is stored otherwise than was logged", sequence=read.seq)
    if envelope.body_c is None:
        return "none"
    if read.erased_by_seq is None:
        return "held"
    if not read.seq < read.erased_by_seq < ledger.tree.size:
        raise LedgerTampered("no entry says that its body was erased", sequence=read.seq)
    by, said = _as_logged(ledger, _entry(ledger, read.erased_by_seq))
    key_id = read_statement(dict(said), sequence=by.seq).key_id if by.kind == ERASED_KIND else None
    if key_id is None or key_id != facts.get("body_key"):
        raise LedgerTampered("no entry says that its body was erased", sequence=read.seq)
    return "erased"
