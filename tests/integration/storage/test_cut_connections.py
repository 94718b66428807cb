"""Connections that are cut in the middle of a commit, and a database that is restarted (P2).

Goal: an acknowledged entry is there, and an entry that is asked for again is there once. Method:
real processes write through a wire that is cut at drawn commits: before the server saw the COMMIT,
after it committed without a word, or with the COMMIT still on its way while the process looks
whether its batch stands.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from governance.home import Home
from governance.storage.errors import AuditUnavailable
from governance.storage.open import open_storage
from tests.integration.storage.samples import answer
from tests.integration.storage.test_several_writers import add
from tests.support.postgresql import WRITER, Wire, administer, own_server, owned
from tests.support.writers import Writer, check_all_there

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from governance.clock import FixedClock

pytestmark = pytest.mark.postgres

FATES = ("before", "after", "late")


class Cuts:
    """Cuts only while `fates` has something left, so that a home can be opened in peace."""

    def __init__(self) -> None:
        self.fates: list[str] = []

    def __call__(self) -> str:
        return self.fates.pop(0) if self.fates else "pass"


def through(home: Home, address: str) -> Home:
    """Return the home as it reaches its database through another address."""
    config = home.root / "vigil.toml"
    config.write_text(config.read_text().replace(str(home.database), address))
    return Home.open(home.root)


def kinds(home: Home, clock: FixedClock, kind: str) -> int:
    with open_storage(home, clock=clock) as storage:
        return Counter(entry.kind for entry in storage.ledger.entries(0, 10_000))[kind]


@pytest.mark.requirement("P2")
@pytest.mark.parametrize("fate", FATES)
def test_an_act_whose_commit_is_cut_is_recorded_once(
    postgresql_home: Home, postgresql: str, clock: FixedClock, fate: str
) -> None:
    direct, cuts = str(postgresql_home.database), Cuts()
    wire = Wire(postgresql, cuts)
    home = through(postgresql_home, wire.address(direct))
    with open_storage(home, clock=clock) as storage:
        add(storage)
        cuts.fates.append(fate)
        assert add(storage).seq == 2
        assert wire.cut == 1
        assert add(storage).seq == 3
        assert storage.ledger.verify().size == 4
    wire.close()
    home = through(home, direct)
    assert kinds(home, clock, "test.added") == 3


@pytest.mark.parametrize("fate", FATES)
def test_an_answer_whose_commit_is_cut_is_recorded_once_beside_another_process(
    postgresql_home: Home, postgresql: str, clock: FixedClock, fate: str
) -> None:
    """The other process takes the head while this one looks whether its batch stands."""
    direct, cuts = str(postgresql_home.database), Cuts()
    other = Home.open(postgresql_home.root)
    wire = Wire(postgresql, cuts)
    home = through(postgresql_home, wire.address(direct))
    with (
        open_storage(home, clock=clock) as storage,
        open_storage(other, clock=clock) as beside,
    ):
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        asked = ("clinic", "k", "a" * 64)
        cuts.fates.append(fate)
        future = storage.pen.answer(answer(key_id, idempotency=asked))
        add(beside)
        first = future.result(30)
        again = beside.pen.answer(answer(key_id, idempotency=asked)).result(30)
        assert (again.replayed, again.recorded) == (True, first.recorded)
        assert add(storage).seq == 3
        assert beside.ledger.verify().size == 4
    wire.close()


def test_where_it_cannot_be_known_whether_an_act_stands_it_is_not_written_again(
    postgresql_home: Home, postgresql: str, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct, cuts = str(postgresql_home.database), Cuts()
    wire = Wire(postgresql, cuts)
    home = through(postgresql_home, wire.address(direct))
    with open_storage(home, clock=clock) as storage:
        add(storage)
        cuts.fates.append("after")

        def away(_connection: object, staged: object) -> None:
            if staged is not None:  # a commit whose end was not seen
                raise OperationalError("SELECT", {}, OSError("the database is away"))

        monkeypatch.setattr(storage.pen, "_standing", away)
        with pytest.raises(AuditUnavailable):
            add(storage)
        monkeypatch.undo()
        assert add(storage).seq == 3
        assert storage.ledger.verify().size == 4
    wire.close()


def write_under(
    home: Home, disturb: Callable[[list[Writer]], None], *, processes: int, seconds: float
) -> int:
    """Let processes write while `disturb` runs; check everything; return how much was said."""
    writers = [Writer.of(home, f"p{n}", threads=4, seconds=seconds) for n in range(processes)]
    for writer in writers:
        writer.go()
    disturb(writers)
    acknowledged = [words for writer in writers for words in writer.end()]
    assert all(writer.process.returncode == 0 for writer in writers)
    return len(acknowledged) if check_all_there(home, acknowledged) else 0


def cut_and_terminate(home: Home, server: str, *, seconds: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    direct = str(home.database)
    wire = Wire(server, lambda: str(rng.choice(FATES)) if rng.random() < 0.05 else "pass")
    database = direct.rsplit("/", 1)[1].partition("?")[0]

    def terminate(writers: list[Writer]) -> None:
        while any(writer.process.poll() is None for writer in writers):
            administer(
                str(owned(home)).replace(f":{wire.port}", ""),
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                f"datname = '{database}' AND usename = '{WRITER}' AND random() < 0.3",
            )
            time.sleep(float(rng.uniform(0.05, 0.4)))

    reached = through(home, direct)
    writers = [Writer.of(reached, "p0", threads=4, seconds=seconds)]
    # The second process goes over the wire: same home, same database, another way to it.
    assert writers[0].wait_ready()
    reached = through(home, wire.address(direct))
    writers.append(Writer.of(reached, "p1", threads=4, seconds=seconds))
    assert writers[1].wait_ready()
    through(reached, direct)
    for writer in writers:
        writer.go()
    terminate(writers)
    acknowledged = [words for writer in writers for words in writer.end()]
    wire.close()
    assert wire.cut
    assert acknowledged
    check_all_there(home, acknowledged)


@pytest.mark.requirement("P2")
def test_cut_and_terminated_connections_lose_nothing_and_repeat_nothing(
    postgresql_home: Home, postgresql: str
) -> None:
    cut_and_terminate(postgresql_home, postgresql, seconds=3, seed=3)


@pytest.mark.campaign
def test_a_minute_of_cut_and_terminated_connections(postgresql_home: Home, postgresql: str) -> None:
    cut_and_terminate(postgresql_home, postgresql, seconds=60, seed=4)


def restart_under(home: Home, server: object, *, times: int, seconds: float) -> None:
    def restart(writers: list[Writer]) -> None:
        for _ in range(times):
            before = writers[0].count
            while writers[0].count < before + 5 and writers[0].process.poll() is None:
                time.sleep(0.01)
            server.stop()  # type: ignore[attr-defined]
            server.start()  # type: ignore[attr-defined]

    assert write_under(home, restart, processes=2, seconds=seconds)


@pytest.mark.requirement("P2")
def test_a_database_that_is_restarted_loses_nothing_and_the_processes_go_on(
    tmp_path: Path, new_home: Callable[[Path, str], Home]
) -> None:
    with own_server() as server:
        home = new_home(tmp_path / "home", server.get_uri())
        restart_under(home, server, times=1, seconds=5)


@pytest.mark.campaign
def test_a_database_that_is_restarted_ten_times_loses_nothing(
    tmp_path: Path, new_home: Callable[[Path, str], Home]
) -> None:
    with own_server() as server:
        home = new_home(tmp_path / "home", server.get_uri())
        restart_under(home, server, times=10, seconds=60)
