"""Answers inside a batch: idempotency, the second look at standing, rows and receipts.

An answer was decided outside the lock, under a standing epoch. Under the lock the epoch and the
decision's `until_us` are compared once more; where either moved, the caller's `redecide` gives
what is recorded instead, so an answer in flight is withheld by a recall (P1, P11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlalchemy import Connection, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from governance.errors import GovernanceError
from governance.ledger.core import canonical
from governance.ledger.core.receipt import build_receipt
from governance.ledger.store.live import LiveLog
from governance.ledger.store.tables import Row
from governance.ledger.store.view import LedgerView
from governance.storage.bulk import SqlRow, insert_rows
from governance.storage.chain import Draft
from governance.storage.errors import IdempotencyMismatch
from governance.storage.ports import CommittedAnswer, PendingAnswer, Reader, Recorded
from governance.storage.private_tables import IdempotencyRow, ObservationRow
from governance.storage.sealing import Prepared, Sealer

_IDEMPOTENCY = Row.metadata.tables[IdempotencyRow.__tablename__]
_OBSERVATION = Row.metadata.tables[ObservationRow.__tablename__]

CallerKey: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedAnswer:
    """An answer in the queue, sealed by the thread that asked."""

    pending: PendingAnswer
    prepared: Prepared
    future: Future[CommittedAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An answer that has its place in the draft."""

    pending: PendingAnswer
    prepared: Prepared
    recorded: Recorded
    env: bytes

    def committed(self, live: LiveLog) -> CommittedAnswer:
        """Return the answer with its receipt; the checkpoint over it is published."""
        body = self.prepared.body
        return CommittedAnswer(
            answer=self.pending,
            recorded=self.recorded,
            receipt=build_receipt(
                entry=self.env,
                facts=self.prepared.facts,
                facts_salt=self.prepared.facts_salt,
                body=None if body is None else body.content,
                body_salt=None if body is None else body.salt,
                proof=live.proof(self.recorded.seq),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What an idempotency key stands for already."""

    request_digest: str
    seq: int
    status: int
    reply: bytes | None


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
    known = _stored(connection, [a.pending.idempotency for a in answers if a.pending.idempotency])
    for queued in answers:
        asked = queued.pending.idempotency
        before = None if asked is None else known.get(asked[:2])
        if asked is not None and before is not None:
            batch.fates.append((queued, _repeated(before, asked[2])))
            continue
        try:
            pending, prepared = _decided_again(queued, reader, draft, sealer, now_us)
            recorded, env = draft.append(prepared, t_us=now_us)
        except SQLAlchemyError:
            raise  # the transaction is lost, and so is the batch
        except Exception as error:  # noqa: BLE001 - one answer's failure goes to its own caller
            batch.fates.append((queued, error))
            continue
        placed = Placed(pending=pending, prepared=prepared, recorded=recorded, env=env)
        batch.fates.append((queued, placed))
        batch.observations.extend(_observations(placed))
        if asked is not None:
            known[asked[:2]] = _remember(batch, placed, asked)
    return batch


def replayed(pending: PendingAnswer, stored: Stored, ledger: LedgerView) -> CommittedAnswer:
    """Return the stored reply of an earlier request with its receipt.

    Raises KeyDestroyed or ReplayFailed where the answer was erased since.
    """
    entry = ledger.entry(stored.seq)
    reply = stored.reply if stored.reply is not None else _reply_in(ledger.body(stored.seq))
    facts = entry.facts if isinstance(entry.facts, dict) else {}
    return CommittedAnswer(
        answer=replace(pending, kind=entry.kind, facts=facts, reply=reply, status=stored.status),
        recorded=Recorded(seq=stored.seq, event_id=entry.event_id, t_us=entry.t_us),
        receipt=ledger.receipt(entry.event_id),
        replayed=True,
    )


def _stored(
    connection: Connection, asked: Sequence[tuple[str, str, str]]
) -> dict[CallerKey, Stored]:
    if not asked:
        return {}
    table = _IDEMPOTENCY.c
    query = select(_IDEMPOTENCY).where(
        tuple_(table.caller, table.key).in_([item[:2] for item in asked])
    )
    return {
        (row.caller, row.key): Stored(
            request_digest=row.request_digest, seq=row.seq, status=row.status, reply=row.reply
        )
        for row in connection.execute(query)
    }


def _repeated(before: Stored, request_digest: str) -> Fate:
    if before.request_digest == request_digest:
        return before
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


def _observations(placed: Placed) -> list[SqlRow]:
    key_id = None if placed.prepared.body is None else placed.prepared.body.key_id
    return [
        (placed.recorded.seq, position, canonical.dumps(list(codes)).decode(), key_id)
        for position, codes in enumerate(placed.pending.observations)
    ]


def _remember(batch: AnswerBatch, placed: Placed, asked: tuple[str, str, str]) -> Stored:
    caller, key, request_digest = asked
    # With a body the reply is in it, sealed and erasable; it is not kept a second time.
    reply = placed.pending.reply if placed.prepared.body is None else None
    seq, status, t_us = placed.recorded.seq, placed.pending.status, placed.recorded.t_us
    batch.idempotency.append((caller, key, request_digest, seq, status, reply, t_us))
    return Stored(
        request_digest=request_digest,
        seq=seq,
        status=status,
        reply=reply,
    )


class ReplayFailed(GovernanceError):
    """The stored answer has no reply that could be sent again."""

    code = "gate.replay_failed"
    http_status = 409


def _reply_in(body: bytes | None) -> bytes:
    document = None if body is None else canonical.loads(body)
    if isinstance(document, Mapping) and isinstance(reply := document.get("reply"), str):
        return reply.encode()
    raise ReplayFailed(
        "the answer to this idempotency key is recorded, but its reply is no longer stored",
        next_step="Look the event up in the ledger; send a new request under a new key.",
    )
