"""Counts of what was recorded, for the reconciliation: entries by kind, and the rows beside them.

What a row is compared with is always the entries themselves, never a counter that the same write
kept. That rows and entries agree column by column is `rebuild`'s question, and a harder one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine, Table, distinct, func, select

from governance.ledger.core import canonical
from governance.ledger.core.errors import LedgerTampered, NotCanonical
from governance.ledger.core.progress import UNWATCHED, Watch
from governance.ledger.core.record import decode_entry
from governance.ledger.store.streaming import streamed
from governance.ledger.store.tables import EntryRow, Row
from governance.registry.records import Person, ServiceClient
from governance.storage.private_tables import (
    ClientSecretRow,
    CredentialRow,
    IdempotencyRow,
    ObservationRow,
)
from governance.storage.projection import COLUMNS
from governance.storage.rebuild_private import CARRIED
from governance.storage.tables import table_of

ANSWERED: Final = "inference.answered"
INFERENCES: Final = (ANSWERED, "inference.refused", "inference.withheld")

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_IDEMPOTENCY = Row.metadata.tables[IdempotencyRow.__tablename__]
_OBSERVATION = Row.metadata.tables[ObservationRow.__tablename__]
_CREDENTIAL = Row.metadata.tables[CredentialRow.__tablename__]
_SECRET = Row.metadata.tables[ClientSecretRow.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The entries from `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCounts:
    """What one snapshot of the database holds.

    `kinds` counts entries by kind, `inferences_in_window` answers, refusals and withheld answers in
    the asked window, `rows` governed rows by table, `carried` those of them that a successor took
    over from the log before it. `remembered` and `observed` are the entries
    that idempotency keys and observations name, `…_unanswered` those of them that are no answer.
    `credentials_unknown` belong to nobody whom an entry added, `secrets_moved` have another epoch
    than their client's record.
    """

    entries: int
    kinds: Mapping[str, int]
    inferences_in_window: int
    rows: Mapping[str, int]
    remembered: int
    remembered_unanswered: int
    observed: int
    observed_unanswered: int
    credentials: int
    credentials_unknown: int
    secrets: int
    secrets_moved: int
    carried: Mapping[str, int] = field(default_factory=dict)


def count_records(
    engine: Engine, *, window: Window | None = None, watch: Watch = UNWATCHED
) -> RecordCounts:
    """Count entries and rows in one snapshot; raise LedgerTampered at what is no entry."""
    with engine.connect() as connection, connection.begin():
        kinds: Counter[str] = Counter()
        inside = 0
        entries = select(_ENTRY.c.seq, _ENTRY.c.env).order_by(_ENTRY.c.seq)
        with streamed(connection, entries) as rows:
            for row in watch.rows("counts", rows):
                seq, kind = row["seq"], _kind(row["env"], row["seq"])
                kinds[kind] += 1
                if window is not None and window.first <= seq <= window.last:
                    inside += kind in INFERENCES
        return RecordCounts(
            entries=kinds.total(),
            kinds=dict(sorted(kinds.items())),
            inferences_in_window=inside,
            rows={name: _count(connection, Row.metadata.tables[name]) for name in COLUMNS},
            carried=_carried(connection, kinds[CARRIED]),
            remembered=_named(connection, _IDEMPOTENCY),
            remembered_unanswered=_not_answered(connection, _IDEMPOTENCY),
            observed=_named(connection, _OBSERVATION),
            observed_unanswered=_not_answered(connection, _OBSERVATION),
            credentials=_count(connection, _CREDENTIAL),
            credentials_unknown=_unknown_credentials(connection),
            secrets=_count(connection, _SECRET),
            secrets_moved=_moved_secrets(connection),
        )


def _carried(connection: Connection, entries: int) -> dict[str, int]:
    """Return how many rows of each table `ledger.state_carried` inserted."""
    found: Counter[str] = Counter()
    if not entries:
        return found
    # All of them stand at the beginning, and what is of another kind is passed over.
    query = select(_ENTRY.c.env, _ENTRY.c.facts).order_by(_ENTRY.c.seq)
    with streamed(connection, query) as rows:
        for row in rows:
            if decode_entry(row["env"]).kind != CARRIED:
                continue
            facts = canonical.loads(row["facts"])
            changes = facts.get("changes") if isinstance(facts, dict) else None
            for change in changes if isinstance(changes, list) else []:
                if isinstance(change, dict):
                    found[str(change.get("table"))] += 1
            entries -= 1
            if not entries:
                break
    return found


def _named(connection: Connection, table: Table) -> int:
    found: int = connection.execute(select(func.count(distinct(table.c.seq)))).scalar_one()
    return found


def _count(connection: Connection, table: Table) -> int:
    found: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
    return found


def _not_answered(connection: Connection, table: Table) -> int:
    """Return how many entries that the rows name are absent, or of another kind than an answer."""
    envelopes = (
        select(table.c.seq, _ENTRY.c.env)
        .distinct()
        .select_from(table.outerjoin(_ENTRY, _ENTRY.c.seq == table.c.seq))
        .order_by(table.c.seq)
    )
    with streamed(connection, envelopes) as rows:
        return sum(row["env"] is None or _kind(row["env"], row["seq"]) != ANSWERED for row in rows)


def _unknown_credentials(connection: Connection) -> int:
    people = select(table_of(Person).c.id)
    query = select(func.count()).where(_CREDENTIAL.c.person.not_in(people))
    found: int = connection.execute(query).scalar_one()
    return found


def _moved_secrets(connection: Connection) -> int:
    client = table_of(ServiceClient)
    matching = select(client.c.id).where(
        client.c.id == _SECRET.c.client, client.c.secret_epoch == _SECRET.c.epoch
    )
    query = select(func.count()).select_from(_SECRET).where(~matching.exists())
    found: int = connection.execute(query).scalar_one()
    return found


def _kind(env: bytes, seq: int) -> str:
    try:
        return decode_entry(env).kind
    except NotCanonical as error:
        raise LedgerTampered("its envelope is not an entry", sequence=seq) from error
