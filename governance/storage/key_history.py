"""The log's keys as its entries state them; what files a home holds is another question (P3).

Read before anything else of the log is believed, because the checkpoints are opened with these
keys. That is no circle: facts are held against their commitment, a rotation is signed by the key
before it, and the checkpoint that one of the keys opens covers the entries that state them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Engine, text

from governance.ledger.core import canonical
from governance.ledger.core.errors import LedgerTampered, NotCanonical
from governance.ledger.core.log_keys import KEY_EVENTS, LogKeys
from governance.ledger.core.record import decode_entry, facts_commitment
from governance.ledger.store.by_kind import is_of_kind
from governance.ledger.store.cells import check_row

VKEYS: Final = "vkeys"


def read_log_keys(engine: Engine, origin: str) -> LogKeys:
    """Return the keys of the stored log; raise LedgerTampered where its entries do not state any.

    Facts that are not those that were committed to are refused; so is a change that the keys
    before it did not sign.
    """
    condition, values = is_of_kind(engine.dialect.name, sorted(KEY_EVENTS))
    query = text(
        "SELECT seq, env, facts, facts_salt FROM entry "  # noqa: S608 - our names
        f"WHERE seq = 0 OR {condition} ORDER BY seq"
    )
    with engine.connect() as connection, connection.begin():
        rows = list(connection.execute(query, values))
    if not rows or rows[0].seq != 0:
        raise LedgerTampered("the first entry is missing", sequence=0)
    keys = LogKeys.begin(origin, _facts(*rows[0])[1].get(VKEYS))
    for row in rows[1:]:
        kind, facts = _facts(*row)
        keys = keys.after(row.seq, kind, facts)
    return keys


def _facts(seq: int, env: bytes, raw: bytes, salt: bytes) -> tuple[str, dict[str, canonical.Json]]:
    check_row({"seq": seq, "env": env, "facts": raw, "facts_salt": salt})
    try:
        entry = decode_entry(env)
        facts = canonical.loads(raw)
        committed = facts_commitment(salt=salt, facts=raw)
    except NotCanonical as error:
        raise LedgerTampered(
            "its envelope or facts are not canonical JSON", sequence=seq
        ) from error
    if not isinstance(facts, dict) or committed != entry.facts_c:
        raise LedgerTampered("its facts are not those that it commits to", sequence=seq)
    return entry.kind, facts
