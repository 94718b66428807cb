"""Verification of an exported log from its files and a pinned policy alone (P3, P14).

Files are read front to back, one record at a time, and each level keeps one tile, so memory does
not grow with the log. Every entry is compared with its leaf in the tiles, with the entry before it,
and with its facts and body; every hash above the leaves with what it is the hash of; and the root
with the signed one. A file that is missing takes only its own part away: leaves stand in for
entries, entries for leaves, and a node of the tile above for both.

What an export cannot show is what no log can: section 10 of docs/reference/ledger-format.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import repeat
from typing import ClassVar, Final, Literal, Protocol

from governance.errors import EXIT_TAMPERED, GovernanceError
from governance.ledger.core.bundles import (
    ExportedBody,
    ExportedFacts,
    Stream,
    read_bodies,
    read_entries,
    read_facts,
)
from governance.ledger.core.checkpoint import Checkpoint, VerifiedCheckpoint, open_checkpoint
from governance.ledger.core.encoding import HASH_BYTES
from governance.ledger.core.erased import ERASED_KIND
from governance.ledger.core.errors import LedgerTampered, NotCanonical, NoteRejected
from governance.ledger.core.log_keys import KeyFold
from governance.ledger.core.merkle import leaf_hash
from governance.ledger.core.note import COSIGNATURE_V1, parse_note
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import Cosigner, cosigners
from governance.ledger.core.record import (
    Entry,
    body_commitment,
    decode_entry,
    facts_commitment,
    genesis_prev,
)
from governance.ledger.core.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Kind,
    TiledTree,
    TileFold,
    TilePath,
    checked_tile,
    subtree_root,
    tile_at,
    tiles_of,
)

# A signed size may be huge and the folder empty; who misses this much fetches it first.
MAX_MISSING: Final = 1000

_NEXT: Final = (
    "Fetch the checkpoint again, and check that the policy names the log that you expect."
)


class ExportIncomplete(GovernanceError):
    """Files of an exported log are missing; `sequence` is the first entry that they would show."""

    code: ClassVar[str] = "ledger.export_incomplete"
    http_status: ClassVar[int] = 422
    exit_code: ClassVar[int] = EXIT_TAMPERED

    def __init__(self, what: str, *, sequence: int) -> None:
        super().__init__(
            f"entry {sequence}: {what}",
            next_step="Fetch the missing files from whoever exported the log, or export it again.",
        )
        self.sequence = sequence


class Source(Protocol):
    """Where tiles are; every name that it is asked for is one of ours, never the folder's."""

    def open(self, path: TilePath) -> AbstractContextManager[Stream] | None:
        """Return the tile's bytes to be read once, None where there is no such file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedCheckpoint:
    """A checkpoint that a pinned policy accepts. S0: the log's word; S1: its witnesses' too."""

    stage: Literal["S0", "S1"]
    checkpoint: VerifiedCheckpoint
    cosigned_by: tuple[Cosigner, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedExport:
    """What was compared, and which files were not there to be.

    `root_confirmed` is False only where missing files left no way to the signed root.
    `erasures_unproven` are bodies whose erasing entry is beyond the checkpoint, or missing. `keys`
    is what the entries say of the log's keys, as far as they could be read.
    """

    size: int
    root_confirmed: bool
    entries_checked: int
    facts_checked: int
    bodies_checked: int
    bodies_erased: int
    erasures_unproven: int
    missing: tuple[TilePath, ...]
    last_t_us: int
    keys: KeyFold


def trusted_checkpoint(note: bytes, policy: Policy) -> TrustedCheckpoint:
    """Return the checkpoint of `note` where `policy` accepts it; raise NoteRejected.

    The log is the one that the note names, if the policy knows it; the folder chooses no key.
    """
    origin = Checkpoint.parse(parse_note(note).text).origin
    log_keys = policy.log_keys(origin)
    if not log_keys:
        raise NoteRejected("the policy does not know the log of this checkpoint", next_step=_NEXT)
    keys = (*log_keys, *policy.witness_keys())
    opened = open_checkpoint(note, origin=origin, keys=keys)
    seen = [one for one in opened.signatures if one.key.algorithm == COSIGNATURE_V1]
    if not policy.satisfied(signature.key for signature in seen):
        raise NoteRejected(
            "too few distinct witnesses cosigned the checkpoint",
            next_step="Export the log again when its witnesses have cosigned, or ask them.",
        )
    return TrustedCheckpoint(
        stage="S0" if policy.quorum is None else "S1",
        checkpoint=opened,
        cosigned_by=cosigners(seen),
    )


def verify_tiles(
    source: Source, *, checkpoint: Checkpoint, kept: Checkpoint | None = None, bodies: bool
) -> VerifiedExport:
    """Return what the files show; raise LedgerTampered naming the first entry that is not so.

    `checkpoint` has been verified, and so has `kept`: an earlier or later one of the same log that
    the reader got elsewhere. `bodies` says whether bundles of bodies are expected.
    """
    reading = _Reading(source=source, checkpoint=checkpoint, bodies=bodies)
    for path in tiles_of(checkpoint.size):
        reading.block(path)
    reading.finish()
    if kept is not None:
        _compare_kept(source, checkpoint, kept)
    return VerifiedExport(
        size=checkpoint.size,
        root_confirmed=reading.fold is not None,
        entries_checked=reading.entries,
        facts_checked=reading.facts,
        bodies_checked=reading.bodies_checked,
        bodies_erased=reading.bodies_erased,
        erasures_unproven=reading.erasures_unproven,
        missing=tuple(reading.missing),
        last_t_us=reading.last_t_us,
        keys=reading.keys,
    )


@dataclass(slots=True, kw_only=True)
class _Reading:
    """The state between blocks of 256 entries. `fold` is None once the way to the root is lost.

    `prev` is the leaf of the entry before, None behind a gap.
    """

    source: Source
    checkpoint: Checkpoint
    bodies: bool
    fold: TileFold | None = field(default_factory=TileFold)
    prev: bytes | None = None
    last_t_us: int = 0
    entries: int = 0
    facts: int = 0
    bodies_checked: int = 0
    bodies_erased: int = 0
    erasures_unproven: int = 0
    missing: list[TilePath] = field(default_factory=list)
    upper: dict[int, tuple[TilePath, bytes | None]] = field(default_factory=dict)
    erasing: tuple[int, bool | None] = (-1, None)
    keys: KeyFold = field(init=False)

    def __post_init__(self) -> None:
        self.prev = genesis_prev(self.checkpoint.origin)
        self.keys = KeyFold(self.checkpoint.origin)

    def block(self, path: TilePath) -> None:
        """Check the entries of one tile of level 0, and take their hashes upwards."""
        tile = self._hashes(path)
        leaves = self._entries(path, tile) or tile
        self.prev = None if leaves is None else leaves[-HASH_BYTES:]
        if self.fold is None:
            return
        if path.is_full:
            root = self._node_above(path) if leaves is None else subtree_root(leaves)
            self._place(root)
        elif leaves is None:
            self.fold = None
        else:
            for at in range(0, len(leaves), HASH_BYTES):
                self.fold.push(leaves[at : at + HASH_BYTES])

    def finish(self) -> None:
        """Compare the root with the signed one."""
        size, root = self.checkpoint.size, self.checkpoint.root
        if self.fold is not None and self.fold.root(size) != root:
            raise _rewritten(size, "is not the one that was signed")

    def _place(self, root: bytes | None) -> None:
        """Compare a node of level 1, and those that it completes, with the tiles above."""
        if root is None or self.fold is None:
            self.fold = None
            return
        for level, position, hashed in self.fold.push(root, level=1):
            path, tile = self._tile_above(level, position // TILE_WIDTH)
            at = position % TILE_WIDTH * HASH_BYTES
            if tile is not None and tile[at : at + HASH_BYTES] != hashed:
                raise LedgerTampered(
                    f"the hash in {path.text()} is not that of the entries from here on",
                    sequence=position << TILE_HEIGHT * level,
                )

    def _node_above(self, path: TilePath) -> bytes | None:
        _path, tile = self._tile_above(1, path.index // TILE_WIDTH)
        at = path.index % TILE_WIDTH * HASH_BYTES
        return None if tile is None else tile[at : at + HASH_BYTES]

    def _tile_above(self, level: int, index: int) -> tuple[TilePath, bytes | None]:
        path = tile_at(self.checkpoint.size, index=index, level=level)
        assert path is not None, "the node is complete, so its tile is not empty"
        if level not in self.upper or self.upper[level][0] != path:
            self.upper[level] = (path, self._hashes(path))
        return self.upper[level]

    def _hashes(self, path: TilePath) -> bytes | None:
        with ExitStack() as stack:
            stream = self._opened(stack, path)
            return None if stream is None else _read_tile(stream, path)

    def _opened(self, stack: ExitStack, path: TilePath) -> Stream | None:
        stream = self.source.open(path)
        if stream is not None:
            return stack.enter_context(stream)
        self.missing.append(path)
        if len(self.missing) > MAX_MISSING:
            first = min(one.first for one in self.missing)
            raise ExportIncomplete(f"more than {MAX_MISSING} files are missing", sequence=first)
        return None

    def _entries(self, path: TilePath, tile: bytes | None) -> bytes | None:
        """Check every entry of the bundle with what belongs to it; return the leaves."""
        paths = {kind: _beside(path, kind) for kind in ("entries", "facts", "bodies")}
        leaves = bytearray()
        with ExitStack() as stack:
            entries = self._opened(stack, paths["entries"])
            facts = self._opened(stack, paths["facts"])
            bodies = self._opened(stack, paths["bodies"]) if self.bodies else None
            if entries is None:
                self.keys.keys = None  # whether a key came or went there is not known
                return None
            rows = zip(
                read_entries(entries, paths["entries"]),
                _nothing(path) if facts is None else read_facts(facts, paths["facts"]),
                _nothing(path) if bodies is None else read_bodies(bodies, paths["bodies"]),
                strict=True,
            )
            for at, (raw, told, body) in enumerate(rows):
                seq, leaf = path.first + at, leaf_hash(raw)
                entry = self._entry(raw, seq)
                if tile is not None and tile[len(leaves) : len(leaves) + HASH_BYTES] != leaf:
                    raise LedgerTampered(f"its hash is not the one in {path.text()}", sequence=seq)
                self._link(entry)
                self._facts(entry, told)
                self._body(entry, body)
                leaves += leaf
                self.prev = leaf
        return bytes(leaves)

    @staticmethod
    def _entry(raw: bytes, seq: int) -> Entry:
        try:
            entry = decode_entry(raw)
        except NotCanonical as error:
            raise LedgerTampered("its bytes are not an entry", sequence=seq) from error
        if entry.seq != seq:
            raise LedgerTampered(f"the entry in its place has number {entry.seq}", sequence=seq)
        return entry

    def _link(self, entry: Entry) -> None:
        if self.prev is not None and entry.prev != self.prev:
            raise LedgerTampered("it does not follow the entry before it", sequence=entry.seq)
        if entry.t_us < self.last_t_us:
            raise LedgerTampered("its time is before that of an earlier entry", sequence=entry.seq)
        self.last_t_us = entry.t_us
        self.entries += 1

    def _facts(self, entry: Entry, told: ExportedFacts | None) -> None:
        if told is None:
            self.keys.add(entry.seq, entry.kind, None)
            return
        if facts_commitment(salt=told.salt, facts=told.facts) != entry.facts_c:
            raise LedgerTampered("its facts are not those that it commits to", sequence=entry.seq)
        self.facts += 1
        self.keys.add(entry.seq, entry.kind, told.facts)

    def _body(self, entry: Entry, body: ExportedBody | None) -> None:
        if body is None:
            return
        if (entry.body_c is None) != (body.state == "none"):
            what = "a body is given that it does not commit to"
            if body.state == "none":
                what = "its body is missing and was not erased"
            raise LedgerTampered(what, sequence=entry.seq)
        if body.state == "present":
            if body_commitment(salt=body.salt, body=body.body) != entry.body_c:
                raise LedgerTampered(
                    "its body is not the one that it commits to", sequence=entry.seq
                )
            self.bodies_checked += 1
        elif body.state == "erased":
            self._erased(entry, body.erased_by)

    def _erased(self, entry: Entry, by: int) -> None:
        if by != self.erasing[0]:
            self.erasing = (by, self._says_erased(by))
        says = self.erasing[1]
        if by <= entry.seq or says is False:
            raise LedgerTampered("no entry says that its body was erased", sequence=entry.seq)
        self.bodies_erased += 1
        self.erasures_unproven += says is None

    def _says_erased(self, seq: int) -> bool | None:
        """Return whether the entry is an erasure; None where it cannot be read here."""
        index, offset = divmod(seq, TILE_WIDTH)
        if seq >= self.checkpoint.size:
            return None
        path = tile_at(self.checkpoint.size, index=index, kind="entries")
        assert path is not None, "the entry is below the size"
        stream = self.source.open(path)
        if stream is None:  # noted as missing when its turn comes
            return None
        with stream as opened:
            for at, raw in enumerate(read_entries(opened, path)):
                if at == offset:
                    return self._entry(raw, seq).kind == ERASED_KIND
        raise AssertionError("a bundle has as many entries as its width")


def _compare_kept(source: Source, checkpoint: Checkpoint, kept: Checkpoint) -> None:
    """Hold the log against a checkpoint that the reader got elsewhere."""
    if kept.origin != checkpoint.origin:
        raise LedgerTampered("the checkpoint that you kept is of another log")
    if kept.size > checkpoint.size:
        raise LedgerTampered(
            f"the tail is cut: the files hold {checkpoint.size} entries, "
            f"the checkpoint that you kept covers {kept.size}",
            sequence=checkpoint.size,
        )

    def read(path: TilePath) -> bytes:
        stream = source.open(path)
        if stream is None:
            raise ExportIncomplete(
                f"{path.text()} is missing, which leads to the checkpoint that you kept",
                sequence=path.first,
            )
        with stream as opened:
            return _read_tile(opened, path)

    if TiledTree(size=checkpoint.size, read=read).root(kept.size) != kept.root:
        raise _rewritten(kept.size, "is not the one in the checkpoint that you kept")


def _read_tile(stream: Stream, path: TilePath) -> bytes:
    return checked_tile(path, stream.read(HASH_BYTES * path.width + 1))


def _beside(path: TilePath, kind: Kind) -> TilePath:
    return TilePath(kind=kind, index=path.index, width=path.width)


def _nothing(path: TilePath) -> Iterator[None]:
    return repeat(None, path.width)


def _rewritten(size: int, how: str) -> LedgerTampered:
    return LedgerTampered(
        f"an entry from here up to {size - 1} was rewritten: the root at size {size} {how}",
        sequence=0,
    )
