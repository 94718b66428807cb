"""Several processes write to one PostgreSQL database: one chain, and nobody waits for ever (P2).

Goal: three servers behind a balancer are one log. Method: real processes, each with threads that
answer and one that commits acts; afterwards the log is verified, folded and compared with what
every process acknowledged.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pytest

from governance.ledger.core.errors import LedgerTampered
from governance.storage import catching_up, place
from governance.storage.engine import writer_engine
from governance.storage.open import open_storage
from governance.storage.statement import run
from tests.integration.storage.samples import answer
from tests.integration.storage.test_answers import DIGEST_A, place_hold, withheld
from tests.support.postgresql import owned
from tests.support.writers import Writer, check_all_there, together

if TYPE_CHECKING:
    from governance.clock import FixedClock
    from governance.home import Home
    from governance.storage.open import Storage
    from governance.storage.ports import Recorded

pytestmark = pytest.mark.postgres

FAIR: float = 3.0
"""The fastest process may acknowledge so many times what the slowest does."""


def add(storage: Storage) -> Recorded:
    return storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))


def three_write(home: Home, *, seconds: float) -> None:
    found = together(home, processes=3, threads=8, seconds=seconds)
    answered = [sum(words[0] == "answer" for words in one) for one in found]
    assert min(answered) > 0
    assert max(answered) <= FAIR * min(answered), answered
    everything = [words for one in found for words in one]
    assert check_all_there(home, everything) > len(everything)


@pytest.mark.requirement("P2")
def test_three_processes_write_one_chain_and_share_it_fairly(postgresql_home: Home) -> None:
    three_write(postgresql_home, seconds=2)


@pytest.mark.campaign
def test_three_processes_write_one_chain_for_a_minute(postgresql_home: Home) -> None:
    three_write(postgresql_home, seconds=60)


@pytest.mark.requirement("P11")
def test_a_hold_in_one_process_withholds_the_answer_in_flight_in_another(
    postgresql_home: Home, clock: FixedClock
) -> None:
    """The other process decided under the old epoch and has heard of nothing."""
    with ExitStack() as stack:
        one = stack.enter_context(open_storage(postgresql_home, clock=clock))
        other = stack.enter_context(open_storage(postgresql_home, clock=clock))
        key_id = one.pen.commit(lambda unit: unit.new_key())
        epoch = other.pen.standing_epoch
        pending = withheld(answer(key_id, epoch=epoch, idempotency=("clinic", "k", DIGEST_A)))
        assert other.pen.answer(pending).result(10).answer.kind == "inference.answered"
        one.pen.commit(place_hold)
        assert other.pen.standing_epoch == epoch
        committed = other.pen.answer(pending).result(10)
        assert (committed.answer.kind, committed.replayed) == ("inference.withheld", False)
        assert other.pen.standing_epoch == epoch + 1


def test_a_key_used_in_one_process_stands_for_its_answer_in_another(
    postgresql_home: Home, clock: FixedClock
) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(open_storage(postgresql_home, clock=clock))
        other = stack.enter_context(open_storage(postgresql_home, clock=clock))
        asked = ("clinic", "k", DIGEST_A)
        key_id = one.pen.commit(lambda unit: unit.new_key())
        first = one.pen.answer(answer(key_id, number=1, idempotency=asked)).result(10)
        again = other.pen.answer(answer(key_id, number=2, idempotency=asked)).result(10)
        assert (again.replayed, again.recorded) == (True, first.recorded)
        assert again.answer.reply == first.answer.reply
        size = other.ledger.verify().size
        assert one.ledger.verify().size == size


def test_a_process_that_slept_reads_what_was_written_before_it_takes_the_lock(
    postgresql_home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "NEAR", 3)
    monkeypatch.setattr(place, "NEAR", 3)
    with ExitStack() as stack:
        one = stack.enter_context(open_storage(postgresql_home, clock=clock))
        other = stack.enter_context(open_storage(postgresql_home, clock=clock))
        for _ in range(11):
            add(one)
        assert add(other).seq == 12
        assert other.ledger.head() == (13, other.ledger.verify().root)


def test_entries_that_another_process_wrote_are_believed_only_as_the_head_commits_to_them(
    postgresql_home: Home, clock: FixedClock
) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(open_storage(postgresql_home, clock=clock))
        other = stack.enter_context(open_storage(postgresql_home, clock=clock))
        add(one)
        engine = writer_engine(owned(postgresql_home))
        with engine.begin() as connection:
            run(connection, "ALTER TABLE entry DISABLE TRIGGER USER")
            run(connection, "UPDATE entry SET env = env || ' '::bytea WHERE seq = 1")
        engine.dispose()
        with pytest.raises(LedgerTampered):
            add(other)


def kill_writers(home: Home, *, rounds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    acknowledged: list[list[str]] = []
    for _ in range(rounds):
        writers = [Writer.of(home, f"p{n}-{rng.integers(1 << 30)}", threads=4, seconds=30)
                   for n in range(2)]  # fmt: skip
        for writer in writers:
            writer.go()
        for writer in writers:
            enough = int(rng.integers(1, 60))
            while writer.count < enough and writer.process.poll() is None:
                pass
            writer.kill()
            acknowledged += writer.end()
    assert acknowledged
    check_all_there(home, acknowledged)


@pytest.mark.requirement("P2")
def test_killed_processes_lose_no_acknowledged_entry(postgresql_home: Home) -> None:
    kill_writers(postgresql_home, rounds=1, seed=1)


@pytest.mark.campaign
def test_processes_killed_twenty_times_lose_no_acknowledged_entry(postgresql_home: Home) -> None:
    kill_writers(postgresql_home, rounds=20, seed=2)
