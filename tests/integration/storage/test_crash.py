"""Crashes, full disks and second owners: an acknowledged act is never lost (P2)."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError

from governance.clock import SystemClock
from governance.home import Home, HomeOwned
from governance.storage.errors import AuditUnavailable
from governance.storage.open import open_storage
from governance.storage.ports import Unit
from tests.integration.storage.samples import PERSON, answer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from governance.clock import FixedClock
    from governance.storage.open import Storage
    from governance.storage.ports import Recorded

ROOT = Path(__file__).resolve().parents[3]
WRITER = """
import sys
from pathlib import Path
from governance.clock import SystemClock
from governance.home import Home
from governance.storage.open import open_storage
with open_storage(Home.open(Path(sys.argv[1])), clock=SystemClock()) as storage:
    while True:
        done = storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
        print(done.seq, done.event_id, flush=True)
"""


def add(storage: Storage) -> Recorded:
    return storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))


def writer(home: Home) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home.root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("acknowledged", [1, 20])
def test_a_killed_writer_loses_no_acknowledged_act(home: Home, acknowledged: int) -> None:
    with writer(home) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline().split() for _ in range(acknowledged)]
        process.send_signal(signal.SIGKILL)
        seen += [line.split() for line in process.stdout.read().splitlines() if " " in line]
    with open_storage(home, clock=SystemClock()) as storage:
        for seq, event_id in (line for line in seen if len(line) == 2):
            assert storage.ledger.entry(int(seq)).event_id == event_id
        assert storage.ledger.verify().anchored_size >= len(seen)
        add(storage)


@pytest.mark.requirement("P3")
@pytest.mark.parametrize("looked_at", [False, True], ids=["at once", "after a clean look"])
def test_two_ends_in_a_row_before_the_next_commit_are_no_tampering(
    sqlite_home: Home, clock: FixedClock, tmp_path: Path, looked_at: bool
) -> None:
    """A copy of the files while the pen rests is what a kill leaves: the last note is in the file
    alone, and so is the next one, unless the first is stored by whoever opens the home."""
    with open_storage(sqlite_home, clock=clock) as storage:
        add(storage)
        once = ended(sqlite_home, tmp_path / "once")
    if looked_at:
        with open_storage(once, clock=clock):
            pass
    clock.advance(seconds=1)
    with open_storage(once, clock=clock) as storage:
        done = add(storage)
        twice = ended(once, tmp_path / "twice")
    clock.advance(seconds=1)
    with open_storage(twice, clock=clock) as storage:
        assert storage.ledger.entry(done.seq).event_id == done.event_id
        assert storage.ledger.verify().size == done.seq + 1


def ended(home: Home, root: Path) -> Home:
    """Return the home as it would stand if its process had ended now."""
    shutil.copytree(home.root, root, ignore=shutil.ignore_patterns("*.sock"))
    return Home.open(root)


def test_a_second_process_on_a_sqlite_home_is_refused(sqlite_home: Home, clock: FixedClock) -> None:
    with open_storage(sqlite_home, clock=clock):
        with writer(sqlite_home) as process:
            _, errors = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "HomeOwned" in errors
        with pytest.raises(HomeOwned) as refused, open_storage(sqlite_home, clock=clock):
            pytest.fail("two owners")
    assert refused.value.code == "home.owned"
    with open_storage(sqlite_home, clock=clock) as storage:
        add(storage)


def limit_pages(storage: Storage, *, more: int) -> None:
    """Let the pen's SQLite connection grow the file by so many pages and no further."""

    def write(unit: Unit) -> None:
        connection: Connection = unit.connection  # type: ignore[attr-defined]
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + more}").all()

    storage.pen.commit(write)


def test_a_full_disk_answers_nothing_and_the_pen_recovers_when_there_is_room(
    sqlite_home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_storage(sqlite_home, clock=clock) as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        limit_pages(storage, more=0)
        # A dropped connection forgets the limit; the disk is full for the new one as well.
        drop = storage.pen._drop
        monkeypatch.setattr(storage.pen, "_drop", lambda: None)
        size = storage.ledger.head()[0]
        large = b"x" * 60_000

        def write(unit: Unit) -> None:
            unit.put_blob(large, media_type="text/plain")
            unit.record(kind="person.added", actor="ana", add=[PERSON])

        with pytest.raises(AuditUnavailable) as refused:
            storage.pen.commit(write)
        assert (refused.value.code, refused.value.http_status) == ("gate.audit_unavailable", 503)
        with storage.reader() as reader:
            assert reader.get(type(PERSON), PERSON.id) is None
        assert storage.ledger.head()[0] == size
        monkeypatch.undo()
        drop()
        storage.pen.commit(write)
        storage.pen.answer(answer(key_id)).result(10)
        assert storage.ledger.verify().size == size + 2
        storage.rebuild()


@pytest.mark.parametrize("losses", [1, 2], ids=["once", "twice"])
def test_a_lost_transaction_is_tried_once_more(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, losses: int
) -> None:
    stage, left = storage.pen._stage, [losses]

    def losing(connection, acts, answers):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        staged = stage(connection, acts, answers)
        if left[0]:
            left[0] -= 1
            raise OperationalError("INSERT", {}, OSError("disk I/O error"))
        return staged

    monkeypatch.setattr(storage.pen, "_stage", losing)
    if losses == 1:
        assert add(storage).seq == 1
    else:
        with pytest.raises(AuditUnavailable):
            add(storage)
        assert add(storage).seq == 1
    assert storage.ledger.verify().size == 2


def test_a_commit_whose_end_was_not_seen_is_found_by_its_event_id_and_not_repeated(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database committed, the connection broke before it could say so."""
    from sqlalchemy.engine import Connection as Engaged

    commit, left = Engaged._commit_impl, [1]

    def breaking(connection: Engaged) -> None:
        commit(connection)
        if left[0]:
            left[0] -= 1
            raise OperationalError("COMMIT", {}, OSError("connection lost"))

    monkeypatch.setattr(Engaged, "_commit_impl", breaking)
    assert add(storage).seq == 1
    monkeypatch.undo()
    assert left == [0]
    assert add(storage).seq == 2
    assert storage.ledger.verify().size == 3


def test_a_commit_that_stands_is_acknowledged_only_once_it_is_flushed_again(
    sqlite_home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush that failed may have left it in memory alone; a reader sees it there all the same."""
    from sqlalchemy.engine import Connection as Engaged

    from governance.storage import committer
    from governance.storage.errors import SettingRefused

    commit, left, flushed = Engaged._commit_impl, [1], []

    def breaking(connection: Engaged) -> None:
        commit(connection)
        if left[0]:
            left[0] -= 1
            raise OperationalError("COMMIT", {}, OSError("disk I/O error"))

    def refusing(connection: Connection) -> None:
        flushed.append(connection)
        raise SettingRefused("a reader is in the way", next_step="wait")

    with open_storage(sqlite_home, clock=clock) as storage:
        monkeypatch.setattr(Engaged, "_commit_impl", breaking)
        monkeypatch.setattr(committer, "flush_log", refusing)
        with pytest.raises(AuditUnavailable):
            add(storage)
        monkeypatch.undo()
        assert (left, len(flushed)) == ([0], 1)
        assert add(storage).seq == 2  # the first one stands and was not recorded twice
        assert storage.ledger.verify().size == 3


def test_a_note_that_cannot_be_kept_releases_nothing(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(note: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.pen._notes, "append", full)
    with pytest.raises(AuditUnavailable, match="checkpoint"):
        add(storage)
    monkeypatch.undo()
    assert add(storage).seq == 2
    assert storage.ledger.verify().anchored_size == 3


def test_a_head_that_nobody_signed_is_signed_at_the_next_start(
    home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_storage(home, clock=clock) as storage:
        add(storage)
    notes = home.checkpoints_log.read_bytes()
    home.checkpoints_log.write_bytes(notes.split(b"\n\n" + home.origin.encode())[0] + b"\n\n")
    with open_storage(home, clock=clock) as storage:
        assert storage.ledger.head()[0] == 2
