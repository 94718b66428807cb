"""The pen signs what was committed, and stops at a head that it did not leave (P3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from governance.ledger.core.errors import LedgerTampered
from governance.storage.open import open_storage
from tests.integration.storage.samples import PERSON

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from governance.clock import FixedClock
    from governance.home import Home
    from governance.storage.open import Storage
    from governance.storage.ports import Unit


def add(number: int) -> Callable[[Unit], object]:
    return lambda unit: unit.record(kind=f"test.act_{number}", actor=PERSON.id)


@pytest.mark.requirement("P3")
def test_a_tree_that_is_not_the_committed_one_is_never_signed(storage: Storage) -> None:
    storage.pen.commit(add(1))
    size, note = storage.pen._live.published
    storage.pen._live.tree._levels[1][-1] ^= 1  # a bit of the only peak, in memory
    with pytest.raises(LedgerTampered, match="in memory"):
        storage.pen.commit(add(2))
    assert storage.pen._live.published == (size, note)
    with pytest.raises(LedgerTampered):
        storage.pen.commit(add(3))


@pytest.mark.requirement("P3")
@pytest.mark.parametrize(
    "change",
    [
        "head_leaf = randomblob(32)",
        "frontier = substr(frontier, 1, 8) || randomblob(length(frontier) - 8)",
        "next_seq = next_seq - 1",
        "epoch = epoch + 1",
        "standing_epoch = standing_epoch + 1",
        "last_t_us = last_t_us - 1",
        "last_t_us = 'soon'",
    ],
)
def test_a_head_that_somebody_changed_while_the_pen_rested_stops_it(
    sqlite_home: Home, clock: FixedClock, change: str
) -> None:
    def tamper(connection: Connection) -> None:
        connection.exec_driver_sql(f"UPDATE log_head SET {change} WHERE id = 1")
        connection.commit()

    with open_storage(sqlite_home, clock=clock) as storage:
        storage.pen.commit(add(1))
        storage.pen.maintain(tamper)
        with pytest.raises(LedgerTampered):
            storage.pen.commit(add(2))
