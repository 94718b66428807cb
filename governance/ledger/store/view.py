"""What everybody reads of the ledger: entries, receipts, and the verdict of a verification."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, func, literal, select

from governance.errors import NotFound
from governance.ledger.core import canonical
from governance.ledger.core.body_cipher import SealedBody, unseal
from governance.ledger.core.canonical import Json
from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.errors import LedgerTampered, NotCanonical, NoteRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import Tree
from governance.ledger.core.policy import Policy
from governance.ledger.core.progress import UNWATCHED, Watch
from governance.ledger.core.proof import TlogProof
from governance.ledger.core.receipt import build_receipt
from governance.ledger.core.record import decode_entry
from governance.ledger.core.verify import StoredEntry, VerifiedLog, verify_log
from governance.ledger.store.anchors import Anchor, StoredAnchors, largest_cosigned
from governance.ledger.store.by_kind import numbers_of
from governance.ledger.store.cells import Columns, check_cells, check_row
from governance.ledger.store.checkpoints import StoredCheckpoints
from governance.ledger.store.erased import NEEDLE, Erasures
from governance.ledger.store.key_ring import KeyRing
from governance.ledger.store.keys import KeyDestroyed, KeyStore, KeyUnknown
from governance.ledger.store.live import LiveLog
from governance.ledger.store.note_file import largest_note
from governance.ledger.store.streaming import streamed, streamed_tuples
from governance.ledger.store.tables import (
    LARGEST,
    BodyRow,
    CheckpointRow,
    CosignatureRow,
    EntryRow,
    Row,
)
from governance.ledger.store.tiles import LedgerTiles

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]
_CHECKPOINT = Row.metadata.tables[CheckpointRow.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An entry as people read it. `body_key` is None for an entry without a body."""

    stored: StoredEntry
    kind: str
    t_us: int
    facts: Json
    body_key: str | None
    erased_by_seq: int | None

    @property
    def seq(self) -> int:
        """The entry's number."""
        return self.stored.seq

    @property
    def event_id(self) -> str:
        """The entry's identifier."""
        return self.stored.event_id


class LedgerView:
    """The stored log of one home, read-only."""

    def __init__(
        self,
        *,
        engine: Engine,
        live: LiveLog,
        keys: KeyStore,
        ring: KeyRing,
        policy_text: str,
        notes_path: Path,
        refresh: Callable[[], None],
    ) -> None:
        self.origin = live.origin
        self.policy_text = policy_text
        self._engine = engine
        self._live = live
        self._keys = keys
        self._ring = ring
        self._notes_path = notes_path
        self._refresh = refresh
        self.tiles = LedgerTiles(engine=engine, live=live, open_body=self._open)
        self.checkpoints = StoredCheckpoints(engine=engine)

    def head(self) -> tuple[int, bytes]:
        """Return size and root under the last signed checkpoint."""
        return self._live.head()

    def checkpoint(self) -> str:
        """Return the last signed checkpoint, a C2SP note."""
        return self._live.note.decode()

    def entry(self, seq: int) -> LedgerEntry:
        """Return entry `seq`; raise NotFound."""
        return _readable(self._entry_row(seq))

    def find(self, event_id: str) -> LedgerEntry:
        """Return the entry with this event id; raise NotFound."""
        query = _rows().where(_ENTRY.c.event_id == event_id)
        with self._connect() as connection:
            row = _one(connection, query)
        if row is None:
            raise NotFound(f"the ledger has no event {event_id}", next_step="Check the identifier.")
        return _readable(row)

    def entries(
        self, from_seq: int = 0, limit: int = 100, *, bodies: bool = True
    ) -> list[LedgerEntry]:
        """Return up to `limit` entries from `from_seq` on, in order.

        Without `bodies` their ciphertexts stay in the database, for whoever reads many.
        """
        if from_seq > LARGEST:
            return []
        rows = _rows() if bodies else _rows_without_bodies()
        query = rows.where(_ENTRY.c.seq >= from_seq).order_by(_ENTRY.c.seq).limit(limit)
        with self._connect() as connection:
            return [_readable(row) for row in connection.execute(query).mappings()]

    def numbers_of(self, kinds: Sequence[str], *, limit: int) -> list[int]:
        """Return the numbers of up to `limit` entries of these kinds, the latest first."""
        with self._connect() as connection:
            return numbers_of(connection, kinds, limit=limit)

    def body(self, seq: int) -> bytes | None:
        """Return the decrypted body of entry `seq`, None where it has none or it is erased.

        Raises NotFound, KeyDestroyed, KeyUnknown, or BodyUnreadable where it was changed.
        """
        return self._open_unless_erased(self._entry_row(seq))

    def _entry_row(self, seq: int) -> RowMapping:
        row = None
        if 0 <= seq <= LARGEST:
            with self._connect() as connection:
                row = _one(connection, _rows().where(_ENTRY.c.seq == seq))
        if row is None:
            raise NotFound(
                f"the ledger has no entry {seq}", next_step="Ask for a number below its size."
            )
        return row

    def _open_unless_erased(self, row: RowMapping) -> bytes | None:
        """Return the body; None also where it is erased between reading the row and opening it."""
        if row["ciphertext"] is None:
            return None
        try:
            return self._open(row)
        except KeyDestroyed:
            if self._is_erased(row["seq"]):
                return None
            raise

    def _is_erased(self, seq: int) -> bool:
        """Whether the body is marked as erased by now, in another snapshot than the one in use."""
        query = select(_BODY.c.erased_by_seq).where(_BODY.c.seq == seq)
        with self._connect() as connection:
            return connection.execute(query).scalar() is not None

    def _is_destroyed(self, key_id: str) -> bool:
        try:
            self._keys.get(key_id)
        except KeyDestroyed:
            return True
        except KeyUnknown:
            return False
        return False

    def receipt(self, event_id: str) -> bytes:
        """Return the receipt of an event under the best checkpoint that covers it; raise NotFound.

        That is the last one which a quorum of witnesses cosigned (S1), else the last one (S0). The
        body is in it unless it was erased.
        """
        query = _rows().where(_ENTRY.c.event_id == event_id)
        with self._connect() as connection:
            row = _one(connection, query)
        if row is None:
            raise NotFound(f"the ledger has no event {event_id}", next_step="Check the identifier.")
        if row["seq"] >= self._live.published_size:
            self._refresh()  # another process of this database wrote it
        body = self._open_unless_erased(row)
        return build_receipt(
            entry=row["env"],
            facts=row["facts"],
            facts_salt=row["facts_salt"],
            body=body,
            body_salt=None if body is None else row["salt"],
            proof=self._live.best_proof(row["seq"]),
        )

    def proof(self, seq: int) -> TlogProof:
        """Return the proof of entry `seq` as a receipt would hold it; raise NoSuchProof."""
        return self._live.best_proof(seq)

    def verify(
        self, *, watch: Watch = UNWATCHED, destroyed: list[int] | None = None
    ) -> VerifiedLog:
        """Check every entry, body and checkpoint; raise LedgerTampered naming the first fault.

        One snapshot is read once, in order. Bodies are decrypted and compared; a body without a
        key is accepted only where a later entry says that it was erased. Where somebody is erased
        meanwhile, the snapshot is no longer what is kept, and another one is read.
        `destroyed` is for a recovery: bodies of keys that are known as destroyed are listed there,
        and notes in checkpoints.log that are ahead of the storage are what it recovers from.
        """
        while True:
            try:
                return self._verify(watch, destroyed)
            except _ErasedMeanwhile:
                continue

    def _verify(self, watch: Watch, destroyed: list[int] | None) -> VerifiedLog:
        newest = [self.log_keys.open(self._live.note)]
        at_most = None if destroyed is None else self._live.tree.size
        in_file = largest_note(self._notes_path, keys=self.log_keys, at_most=at_most)
        if in_file is not None:
            newest.append(in_file)
        elif destroyed is None:
            raise LedgerTampered(f"{self._notes_path.name} is gone, or holds no whole note")
        with self._connect() as connection:
            query = _rows().order_by(_ENTRY.c.seq)
            with streamed_tuples(connection, query) as found:
                watched = watch.rows("entries", found)
                names = query.selected_columns.keys()
                rows = _Rows(names, watched, self._open, self._is_erased)
                if destroyed is not None:
                    destroyed.clear()
                    rows.tolerate(destroyed, self._is_destroyed)
                verified = verify_log(
                    rows, origin=self.origin, checkpoints=newest, open_body=rows.open_body
                )
            rows.erasures.check(connection)
            self._check_orphans(connection)
            self._check_checkpoints(connection, verified, watch)
            self._anchors().check(connection, watch=watch)
        return verified

    @property
    def log_keys(self) -> LogKeys:
        """The keys of the log, each with the sizes that it may sign."""
        return self._ring.keys

    @property
    def vkey(self) -> str:
        """The newest key of the log, for verifiers."""
        return self.log_keys.newest.text()

    @property
    def policy(self) -> Policy:
        """The trust policy in force."""
        return Policy.parse(self.policy_text.encode())

    @property
    def tree(self) -> Tree:
        """The tree that this view was derived with; it only grows."""
        return self._live.tree

    def use_policy(self, text: str) -> Anchor | None:
        """Judge by another policy from now on; return the largest stored anchor under it."""
        self.policy_text = text
        return self.stored_anchor()

    def stored_anchor(self) -> Anchor | None:
        """Return the largest stored checkpoint with a quorum; raise LedgerTampered at a bad one."""
        with self._connect() as connection:
            return self._anchors().largest(connection)

    def anchor_under(self, policy: Policy, *, above: int, first: bool) -> Anchor | None:
        """Return the first or the last stored checkpoint above a size with the policy's quorum."""
        judged = StoredAnchors(keys=self.log_keys, policy=policy, tree=self._live.tree)
        with self._connect() as connection:
            return judged.above(connection, above, first=first)

    def cosigned_sizes(self) -> dict[str, int]:
        """Return the largest size that each witness cosigned, by `anchors.witness_id`."""
        with self._connect() as connection:
            return largest_cosigned(connection)

    def anchored_size(self) -> int:
        """Return how many entries are under a stored checkpoint that a quorum cosigned (P3).

        Every counted line is verified now. Raises LedgerTampered at one that is not as signed.
        """
        anchor = self.stored_anchor()
        return 0 if anchor is None else anchor.size

    def _anchors(self) -> StoredAnchors:
        return StoredAnchors(
            keys=self.log_keys,
            policy=self.policy,
            tree=self._live.tree,
        )

    def _check_orphans(self, connection: Connection) -> None:
        known = select(_ENTRY.c.seq)
        orphan = select(func.min(_BODY.c.seq)).where(_BODY.c.seq.not_in(known))
        seq = connection.execute(orphan).scalar()
        if seq is not None:
            raise LedgerTampered("a body is stored for an entry that is not there", sequence=seq)

    def _check_checkpoints(
        self, connection: Connection, verified: VerifiedLog, watch: Watch
    ) -> None:
        check_cells(connection, (CheckpointRow.__tablename__, CosignatureRow.__tablename__))
        first = connection.execute(select(func.min(_CHECKPOINT.c.size))).scalar()
        with streamed(connection, select(_CHECKPOINT).order_by(_CHECKPOINT.c.size)) as rows:
            for row in watch.rows("checkpoints", rows):
                size = row["size"]
                opened = self._opened(size, row["note"])
                # What another process signed after our tree was last grown is compared next time.
                known = size <= self._live.tree.size
                if size > verified.size or (known and opened.root != self._live.tree.root(size)):
                    raise LedgerTampered(
                        f"the stored checkpoint of size {size} is not of this log",
                        sequence=size - 1,
                    )

        if first != 1:  # the first entry is signed when it is made
            raise LedgerTampered("signed checkpoints are gone from the database")

    def _opened(self, size: int, note: str) -> VerifiedCheckpoint:
        try:
            opened = self.log_keys.open(note.encode())
        except NoteRejected as error:
            raise LedgerTampered(
                f"the stored checkpoint of size {size} is not what the log signed",
                sequence=size - 1,
            ) from error
        if opened.size != size:
            raise LedgerTampered(
                f"the checkpoint of size {opened.size} is stored as {size}", sequence=size - 1
            )
        return opened

    def _open(self, row: Columns) -> bytes:
        return unseal(
            SealedBody(
                nonce=row["nonce"],
                ciphertext=row["ciphertext"],
                key_commitment=row["key_commitment"],
            ),
            dek=self._keys.get(row["key_id"]),
            origin=self.origin,
            event_id=row["event_id"],
        )

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin() as snapshot:
            yield connection
            snapshot.rollback()


class _Rows:
    """Streams stored entries, and opens the body of the one that was given last."""

    def __init__(
        self,
        names: Sequence[str],
        found: Iterable[Sequence[Any]],
        opener: Callable[[Columns], bytes],
        is_erased: Callable[[int], bool],
    ) -> None:
        self.erasures = Erasures()
        self._names = names
        self._found = found
        self._opener = opener
        self._is_erased = is_erased
        self._row: Columns | None = None
        self._destroyed: list[int] | None = None
        self._is_destroyed: Callable[[str], bool] = lambda _key_id: False

    def __iter__(self) -> Iterator[StoredEntry]:
        for row in self._found:
            seq, env, facts, body_seq = row[0], row[2], row[4], row[6]
            if not isinstance(env, bytes):
                raise LedgerTampered("its envelope is not bytes", sequence=seq)
            if NEEDLE in env:
                self.erasures.add(env, _facts(facts, seq), seq)
            if body_seq is None:
                yield StoredEntry(*row[:6])
            else:
                self._row = named = dict(zip(self._names, row, strict=True))
                self._check_columns(named)
                yield self._without_lost(_stored(named), named)

    def tolerate(self, destroyed: list[int], is_destroyed: Callable[[str], bool]) -> None:
        """Take bodies of destroyed keys as erased, and list their entries in `destroyed`."""
        self._destroyed, self._is_destroyed = destroyed, is_destroyed

    def _without_lost(self, stored: StoredEntry, row: Columns) -> StoredEntry:
        if self._destroyed is None or not stored.has_body or not self._is_destroyed(row["key_id"]):
            return stored
        self._destroyed.append(stored.seq)
        return stored._replace(body_salt=None, has_body=False, body_erased=True)

    def open_body(self, stored: StoredEntry) -> bytes | None:
        """Return the plaintext (`core.verify.OpenBody`)."""
        row = self._row
        if row is None or row["seq"] != stored.seq:
            raise RuntimeError("a body is opened while its entry is checked")
        try:
            return self._opener(row)
        except (KeyDestroyed, KeyUnknown) as error:
            if self._is_erased(stored.seq):
                raise _ErasedMeanwhile from error
            raise LedgerTampered(
                "its body cannot be opened and no entry says that it was erased",
                sequence=stored.seq,
            ) from error

    def _check_columns(self, row: Columns) -> None:
        """Compare what stands beside the sealed bytes: the key's name."""
        check_row(row)
        seq = row["seq"]
        facts = _facts(row["facts"], seq)
        if not isinstance(facts, dict) or facts.get("body_key") != row["key_id"]:
            raise LedgerTampered("its body is stored under another key's name", sequence=seq)
        by = row["erased_by_seq"]
        if by is not None and by <= seq:
            raise LedgerTampered("no entry says that its body was erased", sequence=seq)


class _ErasedMeanwhile(Exception):
    """Somebody was erased while a snapshot was read that still shows the body."""


def _rows() -> Select[Any]:
    return select(
        _ENTRY,
        _BODY.c.seq.label("body_seq"),
        _BODY.c.key_id,
        _BODY.c.nonce,
        _BODY.c.ciphertext,
        _BODY.c.key_commitment,
        _BODY.c.salt,
        _BODY.c.erased_by_seq,
    ).select_from(_ENTRY.outerjoin(_BODY, _BODY.c.seq == _ENTRY.c.seq))


def _rows_without_bodies() -> Select[Any]:
    return select(
        _ENTRY,
        _BODY.c.key_id,
        _BODY.c.erased_by_seq,
        literal(None).label("ciphertext"),
        literal(None).label("salt"),
    ).select_from(_ENTRY.outerjoin(_BODY, _BODY.c.seq == _ENTRY.c.seq))


def _stored(row: Columns) -> StoredEntry:
    return StoredEntry(
        seq=row["seq"],
        event_id=row["event_id"],
        env=row["env"],
        leaf=row["leaf"],
        facts=row["facts"],
        facts_salt=row["facts_salt"],
        body_salt=row["salt"],
        has_body=row["ciphertext"] is not None,
        body_erased=row["erased_by_seq"] is not None,
    )


def _facts(raw: bytes, seq: int) -> Json:
    try:
        return canonical.loads(raw)
    except NotCanonical as error:
        raise LedgerTampered("its facts are not canonical JSON", sequence=seq) from error


def _one(connection: Connection, query: Select[Any]) -> RowMapping | None:
    row = connection.execute(query).mappings().first()
    if row is not None:
        check_row(row)
    return row


def _readable(row: Columns) -> LedgerEntry:
    check_row(row)
    try:
        entry = decode_entry(row["env"])
    except NotCanonical as error:
        raise LedgerTampered("its envelope is not an entry", sequence=row["seq"]) from error
    return LedgerEntry(
        stored=_stored(row),
        kind=entry.kind,
        t_us=entry.t_us,
        facts=_facts(row["facts"], row["seq"]),
        body_key=row["key_id"],
        erased_by_seq=row["erased_by_seq"],
    )
