"""Processes of one PostgreSQL database: one key store, one cosigner."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from governance.home import Home
from governance.storage.open import open_storage
from governance.storage.seats import KeysNotShared, Seat
from tests.support.postgresql import administer

if TYPE_CHECKING:
    from pathlib import Path

    from governance.clock import FixedClock

pytestmark = pytest.mark.postgres


def copied(home: Home, root: Path) -> Home:
    shutil.copytree(home.root, root)
    return Home.open(root)


def test_a_copied_home_is_refused_while_the_first_one_is_open(
    postgresql_home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    copy = copied(postgresql_home, tmp_path / "copy")
    with open_storage(postgresql_home, clock=clock):
        with pytest.raises(KeysNotShared) as refused, open_storage(copy, clock=clock):
            pytest.fail("two key stores")
        assert (refused.value.code, refused.value.http_status) == ("home.keys_not_shared", 409)
    with open_storage(copy, clock=clock) as storage:
        storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))


def test_another_home_with_the_same_folder_of_keys_is_served(
    postgresql_home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """What is its own are the socket, the port and checkpoints.log."""
    other = copied(postgresql_home, tmp_path / "other")
    shutil.rmtree(other.keys_dir)
    other.keys_dir.symlink_to(postgresql_home.keys_dir)
    with (
        open_storage(postgresql_home, clock=clock) as one,
        open_storage(other, clock=clock) as two,
    ):
        for storage in (one, two, one):
            done = storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
        assert two.ledger.verify().size == done.seq + 1


def test_one_process_leads_and_the_next_one_takes_its_place(postgresql_home: Home) -> None:
    first, second = Seat(postgresql_home), Seat(postgresql_home)
    assert [first.leads(), second.leads(), first.leads()] == [True, False, True]
    first.leave()
    assert second.leads()
    assert not first.leads()
    first.leave()
    second.leave()


def test_a_leader_whose_connection_was_cut_leads_no_more_until_it_is_seated_again(
    postgresql_home: Home, postgresql: str
) -> None:
    first, second = Seat(postgresql_home), Seat(postgresql_home)
    first.take()
    assert first.leads()
    administer(
        postgresql,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' "
        "AND mode = 'ExclusiveLock'",
    )
    assert second.leads()
    assert not first.leads()
    assert not first.leads()
    second.leave()
    assert first.leads()
    first.leave()


def test_a_sqlite_home_leads_itself(sqlite_home: Home) -> None:
    seat = Seat(sqlite_home)
    seat.take()
    assert seat.leads()
    assert not seat.shared
    seat.leave()
