"""What operations see of storage: a reader, a unit of work, and the pen that commits it.

The contract is kept by one suite on SQLite and on PostgreSQL (tests/integration/storage).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from audits.estimate import Json
from governance.registry.records import Record
from governance.storage.promise import Promise

R = TypeVar("R", bound=Record)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Plaintext that goes into an entry's erasable body under the key `key_id`.

    `of_subject` says that the key is a person's, who may be erased before the entry is written.
    """

    content: bytes
    key_id: str
    of_subject: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Where an act stands in the ledger."""

    seq: int
    event_id: str
    t_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One outcome as monitors read it: what happened, when, and when it became known."""

    batch: str
    model: str
    series: str
    month: str
    value: str
    known_us: int


class Reader(Protocol):
    """Reads of one consistent state."""

    def get(self, kind: type[R], key: str) -> R | None:
        """Return the record with this id, or None."""
        ...

    def require(self, kind: type[R], key: str) -> R:
        """Return the record with this id, or raise NotFound."""
        ...

    def find(self, kind: type[R], /, **equals: str | int | bool | None) -> list[R]:
        """Return the records whose columns equal the given values, in order of creation."""
        ...

    def blob(self, digest: str) -> bytes:
        """Return content by its SHA-256, verified; raise NotFound or LedgerTampered."""
        ...

    def last_seq(self) -> int:
        """Return the ledger position of the last entry in this state."""
        ...

    def outcomes(self, *, model: str, through_month: str | None = None) -> list[OutcomeRow]:
        """Return the model's outcome rows in the order in which they were recorded."""
        ...


class Unit(Reader, Protocol):
    """One act in the making. Everything it records stands or falls together."""

    @property
    def now_us(self) -> int:
        """The one instant of this unit, never before the ledger's last entry."""
        ...

    @property
    def next_seq(self) -> int:
        """The ledger position that the next `record` of this unit takes."""
        ...

    def next_id(self, kind: type[Record], *, prefix: str) -> str:
        """Return the next free id of the kind, e.g. "R-7"; ids are never used again."""
        ...

    def put_blob(self, content: bytes, *, media_type: str) -> str:
        """Store content by its SHA-256 and return that; storing it again changes nothing.

        The unit's next `record` names it in its facts, so an act ends with an entry, not a blob.
        """
        ...

    def new_key(self) -> str:
        """Make a data key in the key store, durably, and return its random key id."""
        ...

    def put_outcomes(self, rows: Sequence[OutcomeRow], *, source: str) -> None:
        """Store outcome rows beside the next entry, of kind `outcome.recorded`.

        Its body is `storage.unit.outcomes_body(rows, source=source)`.
        """
        ...

    def record(
        self,
        *,
        kind: str,
        actor: str,
        add: Sequence[Record] = (),
        replace: Sequence[tuple[Record, Record]] = (),
        notes: Mapping[str, Json] | None = None,
        body: Body | None = None,
    ) -> Recorded:
        """Append one entry and apply its changes to the governed tables.

        `replace` pairs hold the record as it was read and as it is to be; a row that is no longer
        as it was read raises Conflict. A change to a release, hold or version moves the standing
        epoch. `notes` are further permanent facts and hold no personal data of a subject.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAnswer:
    """An answer or refusal that waits for its durable entry (P2).

    `epoch` and `until_us` are what the decision was taken under. Where either moved before the
    commit, `redecide(reader, epoch, now_us)` gives the answer that is recorded instead.
    """

    kind: str
    facts: Mapping[str, Json]
    body: Body | None
    reply: bytes
    status: int
    epoch: int
    until_us: int | None
    redecide: Callable[[Reader, int, int], PendingAnswer] | None = None
    # Caller, key, SHA-256 of the request; only of an answer with a body, from which it is repeated.
    idempotency: tuple[str, str, str] | None = None
    observations: Sequence[tuple[str, ...]] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedAnswer:
    """An answer that stands in the ledger; only now may it leave.

    `prove` makes the receipt from what is durable and signed already, so whoever sends the answer
    makes it in his own thread, while the pen is at the next batch.
    """

    answer: PendingAnswer
    recorded: Recorded
    prove: Callable[[], bytes]
    replayed: bool = False

    @property
    def receipt(self) -> bytes:
        """The receipt, under the checkpoint that was signed over this answer's commit."""
        return self.prove()


class Pen(Protocol):
    """The one writer of the process: a queue, a thread, a connection."""

    @property
    def standing_epoch(self) -> int:
        """The standing epoch after this process's last commit: what answers are decided under."""
        ...

    def commit(self, write: Callable[[Unit], T]) -> T:
        """Run `write` in a transaction of its own fate and return when it is durable.

        `write` may run twice, where the first transaction was lost: it acts on the unit alone.
        """
        ...

    def answer(self, pending: PendingAnswer) -> Promise[CommittedAnswer]:
        """Queue an answer; the future ends when its entry is durable and signed."""
        ...

    def close(self) -> None:
        """Finish what is queued and release the home."""
        ...
