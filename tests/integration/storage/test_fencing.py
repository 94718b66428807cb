"""The fencing epoch on PostgreSQL: a process with old keys, policy or schema writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from governance.ledger.core.log_keys import KEY_EVENTS
from governance.ledger.store.tables import LogHeadRow
from governance.operations.admin import schema as commands
from governance.operations.admin.recovering import given_up
from governance.storage import fencing
from governance.storage import schema as migrations
from governance.storage.engine import writer_engine
from governance.storage.epochs import EPOCH_ROTATED
from governance.storage.errors import AuditUnavailable, Fenced
from governance.storage.fencing import epoch_at_start, fence
from governance.storage.open import open_storage
from governance.storage.succession.pending import HomeSucceeded
from governance.storage.trust import POLICY_CHANGED
from tests.integration.storage.samples import answer
from tests.support.postgresql import owned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from governance.clock import FixedClock
    from governance.home import Home
    from governance.storage.open import Storage
    from governance.storage.ports import Recorded


def add(storage: Storage, kind: str = "test.added") -> Recorded:
    return storage.pen.commit(lambda unit: unit.record(kind=kind, actor="ana"))


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    engine = writer_engine(owned(home))
    yield engine
    engine.dispose()


@pytest.fixture
def shared_engine(postgresql_home: Home) -> Iterator[Engine]:
    engine = writer_engine(owned(postgresql_home))
    yield engine
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.requirement("P3")
def test_a_fenced_process_writes_nothing_more_until_it_is_started_again(
    postgresql_home: Home, clock: FixedClock
) -> None:
    told: list[bool] = []
    with open_storage(postgresql_home, clock=clock) as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        storage.pen.when_fenced(lambda: told.append(True))
        add(storage)
        assert commands.fence_writers(postgresql_home.root)["epoch"] == 1
        with pytest.raises(AuditUnavailable):
            storage.pen.answer(answer(key_id)).result(10)
        with pytest.raises(Fenced, match="fenced") as refused:
            add(storage)
        assert (refused.value.code, refused.value.http_status) == ("ledger.fenced", 503)
        assert storage.pen.fault is not None
        assert told == [True]
        assert storage.ledger.verify().size == 2
    with open_storage(postgresql_home, clock=clock) as storage:
        assert add(storage).seq == 2


@pytest.mark.postgres
@pytest.mark.requirement("P3")
def test_a_recovery_stops_the_processes_that_run_and_lets_none_start(
    postgresql_home: Home, clock: FixedClock
) -> None:
    with open_storage(postgresql_home, clock=clock) as storage:
        add(storage)
        with given_up(postgresql_home, clock) as old:
            with pytest.raises(Fenced):
                add(storage)
            with pytest.raises(HomeSucceeded), open_storage(postgresql_home, clock=clock):
                pytest.fail("it opened")
            old.made()
            old.to("the/successor", "00" * 32)
    with (
        pytest.raises(HomeSucceeded, match="the/successor"),
        open_storage(postgresql_home, clock=clock),
    ):
        pytest.fail("it opened")


@pytest.mark.postgres
def test_a_recovery_that_comes_to_nothing_leaves_the_home_as_it_was(
    postgresql_home: Home, clock: FixedClock
) -> None:
    with pytest.raises(LookupError), given_up(postgresql_home, clock):
        raise LookupError
    with open_storage(postgresql_home, clock=clock) as storage:
        add(storage)


@pytest.mark.postgres
def test_an_act_that_changes_what_processes_hold_fences_all_but_its_own(
    postgresql_home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance.storage.chain.FENCING_KINDS", frozenset({"test.turned"}))
    with (
        open_storage(postgresql_home, clock=clock) as one,
        open_storage(postgresql_home, clock=clock) as other,
    ):
        add(one, "test.turned")
        with pytest.raises(Fenced):
            add(other)
        assert add(one).seq == 2


@pytest.mark.postgres
def test_an_act_that_is_refused_moves_no_epoch(
    postgresql_home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, shared_engine: Engine
) -> None:
    monkeypatch.setattr("governance.storage.chain.FENCING_KINDS", frozenset({"test.turned"}))
    with open_storage(postgresql_home, clock=clock) as storage:

        def refused(unit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            unit.record(kind="test.turned", actor="ana")
            raise LookupError

        with pytest.raises(LookupError):
            storage.pen.commit(refused)
        add(storage)
    assert epoch_at_start(shared_engine) == 0


def test_a_process_that_changes_its_own_policy_goes_on(
    home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance.storage.chain.FENCING_KINDS", frozenset({"test.turned"}))
    with open_storage(home, clock=clock) as storage:
        add(storage, "test.turned")
        assert add(storage).seq == 2


def test_every_kind_that_changes_what_processes_hold_in_memory_fences() -> None:
    assert {POLICY_CHANGED, EPOCH_ROTATED, *KEY_EVENTS} == fencing.FENCING_KINDS


def test_only_a_new_revision_moves_the_epoch(engine: Engine) -> None:
    before = epoch_at_start(engine)
    migrations.upgrade(engine)
    assert epoch_at_start(engine) == before


@pytest.mark.postgres
def test_a_migration_waits_for_the_head_and_so_never_for_a_writer_that_waits_for_it(
    shared_engine: Engine,
) -> None:
    other = writer_engine(shared_engine.url.render_as_string(hide_password=False))
    with shared_engine.begin() as connection:
        fencing.lock_head(connection)
        with other.connect() as waiting:
            waiting.exec_driver_sql("SET lock_timeout = '50ms'")
            with pytest.raises(Exception, match="lock timeout"):
                fencing.lock_head(waiting)
    other.dispose()


def test_a_database_without_a_log_has_no_epoch(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {LogHeadRow.__tablename__}")
    assert epoch_at_start(engine) is None
    with pytest.raises(Exception, match="no log"):
        fence(engine)


def test_a_sqlite_home_is_not_fenced_by_hand(sqlite_home: Home) -> None:
    with pytest.raises(commands.FenceRefused) as refused:
        commands.fence_writers(sqlite_home.root)
    assert refused.value.code == "db.fence_refused"
