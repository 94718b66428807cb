"""Acts inside a batch: each in a savepoint, so that one refusal does not spoil its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from governance.errors import Conflict
from governance.ledger.store.keys import KeyStore
from governance.storage.chain import Draft
from governance.storage.queued import QueuedAct
from governance.storage.sealing import Sealer
from governance.storage.unit import SqlUnit

# An error of one statement; every other error of the database may have cost the transaction.
_OF_THE_STATEMENT: Final = (DataError, IntegrityError, ProgrammingError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An act with its result, or with what it raised."""

    act: QueuedAct
    result: Any
    error: Exception | None

    def release(self) -> None:
        """Tell the caller, now that the batch is durable."""
        if self.error is None:
            self.act.future.set_result(self.result)
        else:
            self.act.future.set_exception(self.error)


def run_act(
    connection: Connection,
    act: QueuedAct,
    *,
    draft: Draft,
    sealer: Sealer,
    keys: KeyStore,
    now_us: int,
) -> Done:
    """Run one act in a savepoint; what it raises is its own result, and leaves nothing."""
    unit = SqlUnit(connection, draft=draft, sealer=sealer, keys=keys, now_us=now_us)
    mark, savepoint = draft.mark(), connection.begin_nested()
    try:
        result = act.write(unit)
        unit.finish()
        savepoint.commit()
    except Exception as error:
        if _is_lost(error):
            raise  # the transaction, and with it the batch
        savepoint.rollback()
        draft.rewind(mark)
        return Done(act=act, result=None, error=_own_error(error))
    return Done(act=act, result=result, error=None)


def _is_lost(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and not isinstance(error, _OF_THE_STATEMENT)


def _own_error(error: Exception) -> Exception:
    """Return what the act's caller gets; a rule of the database is a conflict."""
    if not isinstance(error, IntegrityError):
        return error
    conflict = Conflict(
        "a row exists already, or breaks a rule of its table",
        next_step="Read the records again and decide on what they say now.",
    )
    conflict.__cause__ = error
    return conflict
