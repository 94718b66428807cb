"""Answers inside a batch: idempotency, the second look at standing, rows and receipts.

An answer was decided outside the lock, under a standing epoch. Under the lock the epoch and the
decision's `until_us` are compared once more; where either moved, the caller's `redecide` gives
what is recorded instead, so an answer in flight is withheld by a recall (P1, P11).

A repetition under an idempotency key goes the same way first. Only what would be answered now is
answered from the record, and only where the recorded answer rests on what governs now: nothing is
repeated that a hold, a rollback or another entry has stopped (P11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeAlias

from sqlalchemy import Connection, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from governance.clock import MICROSECONDS
from governance.errors import GovernanceError
from governance.ledger.core import canonical
from governance.ledger.core.canonical import Json
from governance.ledger.core.receipt import build_receipt
from governance.ledger.store.live import LiveLog
from governance.ledger.store.tables import EntryRow, Row
from governance.ledger.store.view import LedgerView
from governance.storage.bulk import SqlRow, insert_rows
from governance.storage.chain import Draft
from governance.storage.erasing import Gone
from governance.storage.errors import IdempotencyMismatch, RepeatSuperseded
from governance.storage.ports import CommittedAnswer, PendingAnswer, Reader, Recorded
from governance.storage.private_tables import IdempotencyRow, ObservationRow
from governance.storage.promise import Promise
from governance.storage.sealing import Prepared, Sealer

_IDEMPOTENCY = Row.metadata.tables[IdempotencyRow.__tablename__]
_OBSERVATION = Row.metadata.tables[ObservationRow.__tablename__]

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]

CallerKey: TypeAlias = tuple[str, str]

KEPT_US: Final = 24 * 60 * 60 * MICROSECONDS
"""How long an idempotency key stands for its answer."""

AUTHORITY: Final = ("model", "release", "entry")
"""The facts of an answer that say what it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedAnswer:
    """An answer in the queue, sealed by the thread that asked."""

    pending: PendingAnswer
    prepared: Prepared
    future: Promise[CommittedAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An answer that has its place in the draft."""

    pending: PendingAnswer
    prepared: Prepared
    recorded: Recorded
    env: bytes

    def committed(self, live: LiveLog) -> CommittedAnswer:
        """Return the answer; the checkpoint over it is published, and its receipt names that."""
        return CommittedAnswer(
            answer=self.pending,
            recorded=self.recorded,
            prove=partial(self._receipt, live, live.published),
        )

    def _receipt(self, live: LiveLog, published: tuple[int, bytes]) -> bytes:
        body = self.prepared.body
        return build_receipt(
            entry=self.env,
            facts=self.prepared.facts,
            facts_salt=self.prepared.facts_salt,
            body=None if body is None else body.content,
            body_salt=None if body is None else body.salt,
            proof=live.proof(self.recorded.seq, under=published),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What an idempotency key stands for already; `facts` are those of the entry."""

    request_digest: str
    seq: int
    facts: Mapping[str, Json]


Fate: TypeAlias = Placed | Stored | Exception


@dataclass(slots=True, kw_only=True)
class AnswerBatch:
    """The answers of one transaction: their fates in order, and the rows beside the entries."""

    fates: list[tuple[QueuedAnswer, Fate]] = field(default_factory=list)
    observations: list[SqlRow] = field(default_factory=list)
    idempotency: list[SqlRow] = field(default_factory=list)

    def write(self, connection: Connection) -> None:
        """Insert the rows, after the entries that they refer to."""
        insert_rows(connection, _OBSERVATION, self.observations)
        insert_rows(connection, _IDEMPOTENCY, self.idempotency)


def place_answers(
    answers: Sequence[QueuedAnswer],
    *,
    connection: Connection,
    reader: Reader,
    draft: Draft,
    sealer: Sealer,
    now_us: int,
) -> AnswerBatch:
    """Give every answer its fate under the head lock; nothing is written yet."""
    batch = AnswerBatch()
    asked = [a.pending.idempotency for a in answers if a.pending.idempotency]
    known = _stored(connection, asked, now_us) if asked else {}
    gone = Gone.among(
        [queued.pending for queued in answers],
        connection,
        mark=sealer.mark,
        forgotten_us=now_us - KEPT_US,
    )
    for queued in answers:
        fate: Fate
        try:
            pending, prepared = _decided_again(queued, reader, draft, sealer, now_us)
            gone.refuse(pending)
            fate = _repeated(pending, known) or _placed(pending, prepared, draft, now_us)
        except SQLAlchemyError:
            raise  # the transaction is lost, and so is the batch
        except Exception as error:  # noqa: BLE001 - one answer's failure goes to its own caller
            fate = error
        batch.fates.append((queued, fate))
        if isinstance(fate, Placed):
            if fate.pending.observations:
                batch.observations.extend(_observations(fate))
            if fate.pending.idempotency is not None:
                _remember(batch, known, fate, fate.pending.idempotency)
    return batch


def replayed(pending: PendingAnswer, stored: Stored, ledger: LedgerView) -> CommittedAnswer:
    """Return the stored reply of an earlier request with its receipt.

    Raises KeyDestroyed or ReplayFailed where the answer was erased since, and IdempotencyMismatch
    where it is one to another request, whatever the row beside it says.
    """
    entry = ledger.entry(stored.seq)
    recorded = _texts(ledger.body(stored.seq))
    receipt = ledger.receipt(entry.event_id)
    if pending.body is None or recorded["request"] != _texts(pending.body.content)["request"]:
        raise _another_request()
    return CommittedAnswer(
        answer=replace(
            pending, kind=entry.kind, facts=stored.facts, reply=recorded["reply"].encode()
        ),
        recorded=Recorded(seq=stored.seq, event_id=entry.event_id, t_us=entry.t_us),
        prove=lambda: receipt,
        replayed=True,
    )


def _repeated(pending: PendingAnswer, known: Mapping[CallerKey, Stored]) -> Stored | None:
    """Return what the answer's key stands for, None for nothing; raise where it is no repetition.

    A refusal in the place of an answer has no key.
    """
    asked = pending.idempotency
    before = None if asked is None else known.get(asked[:2])
    if asked is None or before is None:
        return None
    if before.request_digest != asked[2]:
        raise _another_request()
    if any(before.facts.get(name) != pending.facts.get(name) for name in AUTHORITY):
        raise RepeatSuperseded(
            "the answer under this idempotency key rests on a release or an entry that no longer "
            "governs",
            next_step="Do not use that answer; send the question again under a new key.",
        )
    return before


def _stored(
    connection: Connection, asked: Sequence[tuple[str, str, str]], now_us: int
) -> dict[CallerKey, Stored]:
    """Forget the keys whose day is over, and return what the others stand for."""
    table = _IDEMPOTENCY.c
    connection.execute(_IDEMPOTENCY.delete().where(table.created_us <= now_us - KEPT_US))
    query = (
        select(table.caller, table.key, table.request_digest, table.seq, _ENTRY.c.facts)
        .select_from(_IDEMPOTENCY.join(_ENTRY, _ENTRY.c.seq == table.seq))
        .where(tuple_(table.caller, table.key).in_([item[:2] for item in asked]))
    )
    return {
        (row.caller, row.key): Stored(
            request_digest=row.request_digest, seq=row.seq, facts=_object(row.facts)
        )
        for row in connection.execute(query)
    }


def _object(facts: bytes) -> Mapping[str, Json]:
    document = canonical.loads(facts)
    return document if isinstance(document, dict) else {}


def _another_request() -> IdempotencyMismatch:
    return IdempotencyMismatch(
        "the idempotency key was used before, for another request",
        next_step="Use a new key for a new request, or send the first request unchanged.",
    )


def _decided_again(
    queued: QueuedAnswer, reader: Reader, draft: Draft, sealer: Sealer, now_us: int
) -> tuple[PendingAnswer, Prepared]:
    pending, epoch = queued.pending, draft.standing_epoch
    over = pending.until_us is not None and now_us >= pending.until_us
    if pending.redecide is None or (pending.epoch == epoch and not over):
        return pending, queued.prepared
    decided = pending.redecide(reader, epoch, now_us)
    return decided, sealer.prepare(
        kind=decided.kind, facts=decided.facts, body=decided.body, now_us=now_us
    )


def _placed(pending: PendingAnswer, prepared: Prepared, draft: Draft, now_us: int) -> Placed:
    recorded, env = draft.append(prepared, t_us=now_us)
    return Placed(pending=pending, prepared=prepared, recorded=recorded, env=env)


def _observations(placed: Placed) -> list[SqlRow]:
    key_id = None if placed.prepared.body is None else placed.prepared.body.key_id
    return [
        (placed.recorded.seq, position, canonical.dumps(list(codes)).decode(), key_id)
        for position, codes in enumerate(placed.pending.observations)
    ]


def _remember(
    batch: AnswerBatch,
    known: dict[CallerKey, Stored],
    placed: Placed,
    asked: tuple[str, str, str],
) -> None:
    caller, key, digest = asked
    seq, t_us = placed.recorded.seq, placed.recorded.t_us
    batch.idempotency.append((caller, key, digest, seq, t_us))
    known[caller, key] = Stored(request_digest=digest, seq=seq, facts=placed.pending.facts)


class ReplayFailed(GovernanceError):
    """The stored answer has no reply that could be sent again."""

    code = "gate.replay_failed"
    http_status = 409


def _texts(body: bytes | None) -> dict[str, str]:
    """Return the exact request and reply that a body holds."""
    match None if body is None else canonical.loads(body):
        case {"request": str(request), "reply": str(reply)}:
            return {"request": request, "reply": reply}
    raise ReplayFailed(
        "the answer to this idempotency key is recorded, but its reply is no longer stored",
        next_step="Look the event up in the ledger; send a new request under a new key.",
    )
