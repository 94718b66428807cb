"""Verification of a whole stored log, independent of where it is stored (P3, P14).

Rows are read in order, a block at a time, and only the frontier is kept (a few hundred bytes), so a
log of any size can be checked. Blocks that are as an honest writer leaves them are accepted by
`written`; every other one is looked at row by row here. What is proved and what cannot be:

* Without a checkpoint it proves that the rows agree with each other. Somebody who may write the
  database can rewrite and re-chain all of them; only a root that left the process tells.
* A checkpoint shows a changed prefix or a cut tail. With the log's key stolen, only a witness's
  or a receipt holder's checkpoint does: pass those in as well.
* Entries after the last checkpoint are not anchored; `VerifiedLog.anchored_size` says how many
  are. Lies written at the source are consistent and stay invisible.
* That an erased body was erased by right is said by entries (`subject.erased`), which the fold
  over facts compares with the rows; here erased bodies are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from governance.ledger.core import canonical
from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.errors import BodyUnreadable, LedgerTampered, NotCanonical
from governance.ledger.core.expected import ExpectedRoots
from governance.ledger.core.merkle import Frontier, GrowingFrontier, Tree, leaf_hash
from governance.ledger.core.record import (
    FACTS_DOMAIN,
    MAX_FACTS_BYTES,
    SALT_BYTES,
    body_commitment,
    genesis_prev,
    kind_of,
    spelled_fields,
)
from governance.ledger.core.written import Written, as_written

OpenBody: TypeAlias = "Callable[[StoredEntry], bytes | None]"

BLOCK_ROWS: Final = 128
"""How many rows are looked at together: a millisecond or two of work, and no memory to speak of."""

_PREV: Final = b'"prev":"'
_HEX: Final = 64
_ENTRY_COLUMNS: Final = 6


class StoredEntry(NamedTuple):
    """One entry as a store holds it: the envelope's bytes and the columns beside them.

    A tuple, because a verification makes millions of them.
    """

    seq: int
    event_id: str
    env: bytes
    leaf: bytes
    facts: bytes
    facts_salt: bytes
    body_salt: bytes | None = None
    has_body: bool = False
    body_erased: bool = False


class Block(Protocol):
    """Rows that follow each other, each the first six columns of a `StoredEntry`.

    `beside` are the positions, rising, of rows that have more to them than those; entries of the
    kinds in `telling` are to be read as well. `entry` returns what is stored of one of either, and
    raises LedgerTampered where that cannot be of an honest log; it is asked in the order of the
    rows, and before its row is believed.
    """

    @property
    def rows(self) -> Sequence[Sequence[Any]]:
        """The rows, in order."""
        ...

    @property
    def beside(self) -> Sequence[int]:
        """Which of them have more to them."""
        ...

    @property
    def telling(self) -> frozenset[str]:
        """Which kinds somebody wants to read."""
        ...

    def entry(self, position: int) -> StoredEntry:
        """Return all that is stored of one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLog:
    """What a verification saw. `anchored_size` entries are under a matching checkpoint.

    `bodies_unopened` were present but there was no way to open them (`open_body` was None).
    """

    size: int
    root: bytes
    anchored_size: int
    bodies_checked: int
    bodies_unopened: int
    bodies_erased: int
    last_t_us: int


def verify_log(
    rows: Iterable[StoredEntry],
    *,
    origin: str,
    checkpoints: Sequence[VerifiedCheckpoint],
    open_body: OpenBody | None,
) -> VerifiedLog:
    """Return the state of the log, or raise LedgerTampered at the first bad entry.

    For each row, in order:
    (1) seq        the number is the next one: nothing missing, doubled or moved
    (2) envelope   the bytes are an entry of version 1, and the columns repeat it
    (3) leaf       the stored leaf is the hash of the envelope
    (4) prev       the envelope names the leaf before it, the first one the origin
    (5) t_us       time does not run backwards
    (6) facts_c    the stored facts are those that the envelope commits to
    (7) body_c     so is the body, where it is present and can be opened
    (8) root       at the size of a checkpoint, the root is the one that was signed
    At the end:
    (9) size       the log is as long as the largest checkpoint says

    A wrong root at (8) is reported at the first entry that no smaller checkpoint vouches for:
    some entry from there up to the checkpoint's size was rewritten.
    """
    return verify_blocks(
        _in_blocks(rows), origin=origin, checkpoints=checkpoints, open_body=open_body
    )


def verify_blocks(
    blocks: Iterable[Block],
    *,
    origin: str,
    checkpoints: Sequence[VerifiedCheckpoint],
    open_body: OpenBody | None,
) -> VerifiedLog:
    """Do what `verify_log` does, for rows that come in blocks."""
    reading = _Reading(ExpectedRoots(checkpoints, origin), _Bodies(open_body), origin)
    for block in blocks:
        reading.take(block)
    return reading.finish()


class _Reading:
    """Where a verification is: what the next row has to follow from, and what was counted."""

    def __init__(self, anchors: ExpectedRoots, bodies: _Bodies, origin: str) -> None:
        self._anchors = anchors
        self._bodies = bodies
        self._growing = GrowingFrontier(Frontier())
        self._prev = genesis_prev(origin).hex()
        self._last_t_us = 0

    def take(self, block: Block) -> None:
        """Check the next rows, in parts that end where there is a checkpoint to compare."""
        start, count = 0, len(block.rows)
        while start < count:
            end = min(count, start + self._anchors.rows_ahead(self._growing.size, BLOCK_ROWS))
            self._take(block, start, end)
            if self._growing.size == self._anchors.next_size:
                self._anchors.check(self._growing.frontier())  # (8)
            start = end

    def finish(self) -> VerifiedLog:
        """Compare the length (9) and return what was seen."""
        frontier = self._growing.frontier()
        self._anchors.finish(frontier)
        return VerifiedLog(
            size=frontier.size,
            root=frontier.root(),
            anchored_size=self._anchors.matched,
            bodies_checked=self._bodies.checked,
            bodies_unopened=self._bodies.unopened,
            bodies_erased=self._bodies.erased,
            last_t_us=self._last_t_us,
        )

    def _take(self, block: Block, start: int, end: int) -> None:
        rows = block.rows[start:end]
        written = as_written(
            rows, seq=self._growing.size, prev=self._prev, last_t_us=self._last_t_us
        )
        if written is None:
            written = self._row_by_row(block, start, end)  # (1) to (7)
        else:
            self._compare_bodies(block, start, end, written)  # (7)
        self._growing.extend([row[3] for row in rows])
        self._prev, self._last_t_us = written.prev, written.last_t_us

    def _compare_bodies(self, block: Block, start: int, end: int, written: Written) -> None:
        """Check what stands beside rows that are as they were written, in their order."""
        asked = {at for at in block.beside if start <= at < end}
        if not block.telling.isdisjoint(written.kinds):
            asked.update(at for at in range(start, end) if _tells(block, at))
        for at in sorted(asked.union(start + position for position in written.bodies)):
            entry = block.entry(at) if at in asked else StoredEntry(*block.rows[at])
            self._bodies.check(entry, written.bodies.get(at - start))

    def _row_by_row(self, block: Block, start: int, end: int) -> Written:
        """Check each row, and raise for the first that is not as it must be."""
        prev, last_t_us, seq = self._prev, self._last_t_us, self._growing.size
        beside = set(block.beside)
        for at in range(start, end):
            row = block.rows[at]
            if not isinstance(row[2], bytes):
                raise LedgerTampered("its envelope is not bytes", sequence=row[0])
            asked = at in beside or _tells(block, at)
            entry = block.entry(at) if asked else StoredEntry(*row)
            try:
                body_c, last_t_us = _check_row(entry, seq, prev, last_t_us)  # (1) to (6)
            except TypeError as error:
                raise _of_another_type(seq) from error
            self._bodies.check(entry, body_c)  # (7)
            prev, seq = entry.leaf.hex(), seq + 1
        return Written(prev, last_t_us, {}, set())


def _tells(block: Block, at: int) -> bool:
    try:
        return kind_of(block.rows[at][2]) in block.telling
    except NotCanonical:  # no envelope, which its check says
        return False


class _Rows:
    """A block of stored entries that somebody holds."""

    telling: frozenset[str] = frozenset()

    def __init__(self, found: Sequence[StoredEntry]) -> None:
        self._found = found
        self.rows = [row[:_ENTRY_COLUMNS] for row in found]
        self.beside = [
            at
            for at, row in enumerate(found)
            if row.has_body or row.body_erased or row.body_salt is not None
        ]

    def entry(self, position: int) -> StoredEntry:
        return self._found[position]


def _in_blocks(rows: Iterable[StoredEntry]) -> Iterator[_Rows]:
    stream = iter(rows)
    while found := list(islice(stream, BLOCK_ROWS)):
        yield _Rows(found)


def verify_chain(
    rows: Iterable[Sequence[Any]], *, origin: str, checkpoints: Sequence[VerifiedCheckpoint]
) -> Tree:
    """Return the tree over (envelope, leaf) rows, or raise LedgerTampered: the quick check.

    Steps (3), (4), (8) and (9) of `verify_log` only: hashes, links and checkpoints, about three
    times as fast. Under a checkpoint that is all there is to know about the envelopes; it says
    nothing about facts and bodies. Meant for every start, with `verify_log` nightly.
    """
    anchors, stream = ExpectedRoots(checkpoints, origin), iter(rows)
    tree, prev = Tree(), genesis_prev(origin).hex().encode()
    while block := list(islice(stream, anchors.rows_ahead(tree.size, BLOCK_ROWS))):
        prev = _check_links(block, tree.size, prev)
        tree.extend(leaf for _, leaf in block)
        if tree.size == anchors.next_size:
            anchors.check(tree.frontier())
    anchors.finish(tree.frontier())
    return tree


def _check_links(rows: Iterable[Sequence[Any]], seq: int, prev: bytes) -> bytes:
    """Check (3) and (4) for rows from `seq` on; return what the next entry names."""
    hashed = sha256
    for env, leaf in rows:
        # `merkle.leaf_hash`, whose call an entry costs a third of its hash.
        if not isinstance(env, bytes) or hashed(b"\x00" + env).digest() != leaf:
            raise LedgerTampered("its leaf is not the hash of its envelope", sequence=seq)
        at = env.find(_PREV) + len(_PREV)
        if env[at : at + _HEX] != prev:
            raise LedgerTampered("the entry does not follow the one before it", sequence=seq)
        prev, seq = leaf.hex().encode(), seq + 1
    return prev


def _of_another_type(sequence: int) -> LedgerTampered:
    """SQLite stores in a column what it is given: text where bytes were written."""
    return LedgerTampered("its columns are not of the types that were written", sequence=sequence)


class _Bodies:
    """Step (7) and its three counts."""

    def __init__(self, open_body: OpenBody | None) -> None:
        self._open_body = open_body
        self.checked = self.unopened = self.erased = 0

    def check(self, row: StoredEntry, body_c: str | None) -> None:
        stored = row.has_body or row.body_salt is not None
        if body_c is None:
            if stored or row.body_erased:
                raise LedgerTampered(
                    "a body is stored that it does not commit to", sequence=row.seq
                )
        elif row.body_erased:
            # A salt that outlives its body lets a body of few possible values be guessed.
            if stored:
                raise LedgerTampered("something of its erased body is left", sequence=row.seq)
            self.erased += 1
        elif not row.has_body or row.body_salt is None:
            raise LedgerTampered("its body is missing and was not erased", sequence=row.seq)
        elif self._open_body is None:
            self.unopened += 1
        else:
            self._compare(row, body_c, row.body_salt, self._open_body)
            self.checked += 1

    @staticmethod
    def _compare(row: StoredEntry, body_c: str, salt: bytes, open_body: OpenBody) -> None:
        try:
            body = open_body(row)
        except BodyUnreadable as error:
            raise LedgerTampered("its body does not open", sequence=row.seq) from error
        if body is None:
            raise LedgerTampered("its body does not open", sequence=row.seq)
        try:
            committed = body_commitment(salt=salt, body=body)
        except NotCanonical as error:  # a salt or a size that was never written
            raise LedgerTampered("its body has another form", sequence=row.seq) from error
        if committed.hex() != body_c:
            raise LedgerTampered("its body is not the one that it commits to", sequence=row.seq)


def _check_row(row: StoredEntry, seq: int, prev: str, last_t_us: int) -> tuple[str | None, int]:
    """Return what the envelope says of the body and the time; one function, because it is hot."""
    number, event_id, env, leaf, facts, facts_salt, _, _, _ = row
    if number != seq:  # (1)
        found = "is missing" if number > seq else "is doubled or out of order"
        raise LedgerTampered(f"an entry {found}: found number {number} here", sequence=seq)
    try:
        body_c, spelled_id, facts_c, _, spelled_prev, spelled_seq, t_us = spelled_fields(env)
    except NotCanonical as error:  # (2)
        raise LedgerTampered("its envelope is not an entry", sequence=seq) from error
    if spelled_seq != seq or spelled_id != event_id:
        raise LedgerTampered("its columns differ from its envelope", sequence=seq)
    if leaf_hash(env) != leaf:  # (3)
        raise LedgerTampered("its leaf is not the hash of its envelope", sequence=seq)
    if spelled_prev != prev:  # (4)
        raise LedgerTampered("the entry does not follow the one before it", sequence=seq)
    if t_us < last_t_us:  # (5)
        raise LedgerTampered("its time is before that of the entry before it", sequence=seq)
    if len(facts_salt) != SALT_BYTES or len(facts) > MAX_FACTS_BYTES:  # (6) never written so
        raise LedgerTampered("its facts have another form", sequence=seq)
    # `record.facts_commitment`, whose two calls an entry cost as much as its hash.
    if sha256(FACTS_DOMAIN + facts_salt + facts).hexdigest() != facts_c:
        raise LedgerTampered("its facts are not those that it commits to", sequence=seq)
    try:
        canonical.loads(facts)
    except NotCanonical as error:
        raise LedgerTampered("its facts are not canonical JSON", sequence=seq) from error
    return body_c, t_us
