"""The epoch of the key-encryption key: the ledger says when it moved, the key store follows.

    1 the next KEK is made                    durable before anything names it
    2 entry `key.epoch_rotated`               old and new, and who
    3 surviving keys are wrapped again        in slices, each key whole under one KEK or the other
    4 the old KEK is overwritten and removed

A crash before 2 leaves a KEK that wraps nothing; the next rotation takes it. A crash after 2 is
finished at the next start: what the entry says is what the key store becomes (P13).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Engine, text

from governance.ledger.core import canonical
from governance.ledger.core.record import decode_entry
from governance.ledger.store.keys import KeyStore

EPOCH_ROTATED: Final = "key.epoch_rotated"
OLD: Final = "old"
NEW: Final = "new"

# The envelope is canonical, so a kind has one spelling in it; no other field can hold quotes.
_NEEDLE: Final = f'"kind":"{EPOCH_ROTATED}"'.encode()
_SAYING: Final = {
    "sqlite": text("SELECT env, facts FROM entry WHERE instr(env, :needle) > 0 ORDER BY seq DESC"),
    "postgresql": text(
        "SELECT env, facts FROM entry WHERE position(:needle IN env) > 0 ORDER BY seq DESC"
    ),
}


def finish_rotation(engine: Engine, keys: KeyStore) -> None:
    """Finish a move of the epoch that the ledger states and the key store did not complete.

    Where every key is wrapped under the epoch already, an older KEK is only to be removed.
    """
    epoch = keys.unfinished_epoch()
    if epoch is not None and (epoch == keys.epoch or epoch <= stated_epoch(engine)):
        keys.finish_epoch(epoch)


def stated_epoch(engine: Engine) -> int:
    """Return the epoch that the ledger states last; a log begins in the first."""
    with engine.connect() as connection, connection.begin():
        query = _SAYING[connection.dialect.name]
        row = connection.execute(query, {"needle": _NEEDLE}).first()
    if row is None or decode_entry(row.env).kind != EPOCH_ROTATED:
        return 1
    facts = canonical.loads(row.facts)
    new = facts.get(NEW) if isinstance(facts, dict) else None
    return new if isinstance(new, int) else 1
