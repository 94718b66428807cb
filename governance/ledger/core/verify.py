"""Verification of a whole stored log, independent of where it is stored (P3, P14).

`verify_log` reads rows in order and keeps only the frontier (a few hundred bytes), so a log of any
size can be checked. What it proves and what it cannot:

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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeAlias

from governance.ledger.core import canonical
from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.errors import BodyUnreadable, LedgerTampered, NotCanonical
from governance.ledger.core.merkle import Frontier, GrowingFrontier, Tree, leaf_hash
from governance.ledger.core.record import (
    FACTS_DOMAIN,
    MAX_FACTS_BYTES,
    SALT_BYTES,
    body_commitment,
    genesis_prev,
    spelled_fields,
)

OpenBody: TypeAlias = "Callable[[StoredEntry], bytes | None]"

_PREV: Final = b'"prev":"'
_HEX: Final = 64


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
    anchors = _Anchors(checkpoints, origin)
    bodies = _Bodies(open_body)
    growing, prev, last_t_us = GrowingFrontier(Frontier()), genesis_prev(origin).hex(), 0
    for row in rows:
        try:
            body_c, t_us = _check_row(row, growing.size, prev, last_t_us)  # (1) to (6)
        except TypeError as error:
            raise _of_another_type(growing.size) from error
        bodies.check(row, body_c)  # (7)
        growing.push(leaf := row.leaf)
        prev, last_t_us = leaf.hex(), t_us
        if growing.size == anchors.next_size:
            anchors.check(growing.frontier())  # (8)
    frontier = growing.frontier()
    anchors.finish(frontier)  # (9)
    return VerifiedLog(
        size=frontier.size,
        root=frontier.root(),
        anchored_size=anchors.matched,
        bodies_checked=bodies.checked,
        bodies_unopened=bodies.unopened,
        bodies_erased=bodies.erased,
        last_t_us=last_t_us,
    )


def verify_chain(
    rows: Iterable[Sequence[Any]], *, origin: str, checkpoints: Sequence[VerifiedCheckpoint]
) -> Tree:
    """Return the tree over (envelope, leaf) rows, or raise LedgerTampered: the quick check.

    Steps (3), (4), (8) and (9) of `verify_log` only: hashes, links and checkpoints, about three
    times as fast. Under a checkpoint that is all there is to know about the envelopes; it says
    nothing about facts and bodies. Meant for every start, with `verify_log` nightly.
    """
    anchors = _Anchors(checkpoints, origin)
    tree, size, prev = Tree(), 0, genesis_prev(origin).hex().encode()
    for env, leaf in rows:
        if not isinstance(env, bytes) or leaf_hash(env) != leaf:
            raise LedgerTampered("its leaf is not the hash of its envelope", sequence=size)
        at = env.find(_PREV) + len(_PREV)
        if env[at : at + _HEX] != prev:
            raise LedgerTampered("the entry does not follow the one before it", sequence=size)
        tree.append(leaf)
        size, prev = size + 1, leaf.hex().encode()
        if size == anchors.next_size:
            anchors.check(tree.frontier())
    anchors.finish(tree.frontier())
    return tree


def _of_another_type(sequence: int) -> LedgerTampered:
    """SQLite stores in a column what it is given: text where bytes were written."""
    return LedgerTampered("its columns are not of the types that were written", sequence=sequence)


class _Anchors:
    """The checkpoints, smallest first, each compared when the log reaches its size."""

    def __init__(self, checkpoints: Sequence[VerifiedCheckpoint], origin: str) -> None:
        if any(checkpoint.origin != origin for checkpoint in checkpoints):
            raise LedgerTampered("a checkpoint is of another log")
        self._waiting = sorted(checkpoints, key=lambda checkpoint: -checkpoint.size)
        self.matched = 0
        self.next_size: int | None = None
        self.check(Frontier())

    def check(self, frontier: Frontier) -> None:
        while self._waiting and self._waiting[-1].size == frontier.size:
            if self._waiting.pop().root != frontier.root():
                raise LedgerTampered(
                    f"an entry from here up to {frontier.size - 1} was rewritten: "
                    f"the root at size {frontier.size} is not the one that was signed",
                    sequence=self.matched,
                )
            self.matched = frontier.size
        self.next_size = self._waiting[-1].size if self._waiting else None

    def finish(self, frontier: Frontier) -> None:
        if self._waiting:
            raise LedgerTampered(
                f"the tail is cut: the log has {frontier.size} entries, "
                f"a signed checkpoint covers {self._waiting[0].size}",
                sequence=frontier.size,
            )


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
