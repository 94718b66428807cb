"""The trust policy in force: the one that the ledger states last, in entry 0 or in a change of it.

`log.policy` is the copy that verifiers take and pin. A quorum that somebody lowers in that file is
found, because what counts is the entry (P3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, select, text

from governance.home import Home
from governance.ledger.core import canonical
from governance.ledger.core.errors import LedgerTampered, NotCanonical, PolicyRejected
from governance.ledger.core.policy import Policy
from governance.ledger.core.record import decode_entry, facts_commitment
from governance.ledger.store.by_kind import is_of_kind
from governance.ledger.store.cells import check_row
from governance.ledger.store.tables import EntryRow, Row

POLICY_CHANGED: Final = "ledger.policy_changed"
STATED: Final = "policy"
CHANGED_FROM: Final = "old"
CHANGED_TO: Final = "new"

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInForce:
    """The policy, the entry that states it, and the one that it replaced."""

    text: str
    policy: Policy
    seq: int
    before: str | None


def policy_in_force(engine: Engine) -> PolicyInForce:
    """Return what the ledger states; raise LedgerTampered where its facts were changed."""
    with engine.connect() as connection, connection.begin():
        last = _last_change(connection)
        seq = 0 if last is None else int(last)
        facts = _facts(connection, seq)
    stated, before = facts.get(STATED if last is None else CHANGED_TO), facts.get(CHANGED_FROM)
    if not isinstance(stated, str):
        raise LedgerTampered("it does not state the log's policy", sequence=seq)
    try:
        policy = Policy.parse(stated.encode())
    except PolicyRejected as error:
        raise LedgerTampered("it states no policy that can be read", sequence=seq) from error
    return PolicyInForce(
        text=stated, policy=policy, seq=seq, before=before if isinstance(before, str) else None
    )


def _last_change(connection: Connection) -> int | None:
    condition, values = is_of_kind(connection.dialect.name, [POLICY_CHANGED])
    query = text(f"SELECT max(seq) FROM entry WHERE {condition}")  # noqa: S608 - our names
    return connection.execute(query, values).scalar()


def finish_policy_change(home: Home, in_force: PolicyInForce) -> None:
    """Write `log.policy` where a crash came between a change's entry and the file."""
    try:
        found = home.policy_path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return  # not what a crash leaves; the check of the file says so
    if found == in_force.before:
        home.write_policy(in_force.text)


def _facts(connection: Connection, seq: int) -> dict[str, canonical.Json]:
    row = connection.execute(select(_ENTRY).where(_ENTRY.c.seq == seq)).mappings().first()
    if row is None:
        raise LedgerTampered("the first entry is missing", sequence=seq)
    check_row(row)
    try:
        facts = canonical.loads(row["facts"])
    except NotCanonical as error:
        raise LedgerTampered("its facts are not canonical JSON", sequence=seq) from error
    committed = facts_commitment(salt=row["facts_salt"], facts=row["facts"])
    if not isinstance(facts, dict) or committed != decode_entry(row["env"]).facts_c:
        raise LedgerTampered("its facts are not those that it commits to", sequence=seq)
    return facts
