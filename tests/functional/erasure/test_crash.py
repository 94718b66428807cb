"""A process that is killed anywhere in an erasure leaves a person, or nobody; never half of one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from governance.errors import Forbidden, GovernanceError
from governance.ledger.store.keys import KeyDestroyed
from governance.storage import erasing
from tests.support.about_people import OTHER, SUBJECT, again, people
from tests.support.project import ROOT

if TYPE_CHECKING:
    from tests.support.about_people import People

pytestmark = pytest.mark.requirement("P13")

# The process ends at once, without unwinding, at the named function; the erasing act arms it.
KILLED = """
import importlib, os, sys
from pathlib import Path
from tests.support.about_people import again
module, name, before = sys.argv[2], sys.argv[3], sys.argv[4] == "before"
owner = importlib.import_module(module)
*path, last = name.split(".")
for part in path:
    owner = getattr(owner, part)
original = getattr(owner, last)
def ending(*args, **kwargs):
    if not before:
        original(*args, **kwargs)
    os._exit(9)
from governance.operations.erase import decide_erasure
emptying = decide_erasure.erase_bodies
def armed(*args, **kwargs):
    setattr(owner, last, ending)
    (ending if name == "erase_bodies" else emptying)(*args, **kwargs)
with again(Path(sys.argv[1]), days_later=3) as opened:
    decide_erasure.erase_bodies = armed
    opened.confirm()
"""

# Where it is killed, and whether the person is erased then.
STEPS = {
    "the bodies are emptied, nothing is committed": (
        "governance.operations.erase.decide_erasure", "erase_bodies", "after", False,
    ),
    "committed, the note is not signed": (
        "governance.storage.place", "Place.advance", "before", True,
    ),
    "the key is to be destroyed": (
        "governance.adapters.key_store", "FileKeyStore.destroy", "before", True,
    ),
    "the key is destroyed, the files are not swept": (
        "governance.storage.erasing", "_sweep", "before", True,
    ),
    "the files are swept, the mark is there": (
        "governance.storage.erasing", "_sweep", "after", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_is_finished_before_the_pen_writes_again(
    tmp_path: Path, step: str
) -> None:
    with people(tmp_path, days=0) as opened:
        key_id = _asked(opened)
    module, name, when, erased = STEPS[step]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), module, name, when],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 9, ended.stderr
    with again(tmp_path, days_later=4) as opened:
        ledger, keys = opened.small.deployment.ledger, opened.small.deployment.keys
        if not erased:
            assert opened.key_of() == key_id
            assert ledger.verify().bodies_erased == 0
            assert opened.confirm()["bodies"] == 3
        assert opened.key_of() is None
        with pytest.raises(KeyDestroyed):
            keys.get(key_id)
        assert ledger.verify().bodies_erased == 3
        assert not opened.small.deployment.finish_erasures()
        opened.verify()


def _asked(opened: People) -> str:
    for subject in (SUBJECT, OTHER, SUBJECT):
        opened.ask(subject)
    key_id = opened.key_of()
    assert key_id is not None
    opened.request()
    return key_id


def test_a_key_store_that_cannot_be_written_leaves_the_erasure_standing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance.adapters.key_store import FileKeyStore, KeyStoreUnavailable

    def broken(*_: object, **__: object) -> None:
        raise KeyStoreUnavailable("the disk is full", next_step="Make room.")

    with people(tmp_path, days=0) as opened:
        key_id = _asked(opened)
        with monkeypatch.context() as patched:
            patched.setattr(FileKeyStore, "destroy", broken)
            erased = opened.confirm()
        assert "the disk is full" in erased["unfinished"]
        assert opened.small.deployment.keys.get(key_id)
        opened.verify()
        # Whoever asks meanwhile is not answered under the key that goes.
        with pytest.raises(Exception, match="the subject was erased") as refused:
            opened.ask()
        assert refused.value.code == "gate.subject_erased"  # type: ignore[attr-defined]
        for who in ("mo", "aud", "rea", "sam"):
            with pytest.raises(Forbidden):
                opened.small.perform(who, "erasure.finish")
        assert opened.small.deployment.keys.get(key_id), "who may not, destroys nothing"
        assert opened.small.perform("cas", "erasure.finish") == {"was_left": True}
        assert opened.small.perform("cas", "erasure.finish") == {"was_left": False}
        with pytest.raises(KeyDestroyed):
            opened.small.deployment.keys.get(key_id)
        assert opened.ask().answer.status == 200
        opened.verify()


def test_a_long_read_delays_the_sweep_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = erasing._empty_log

    def at_once(connection: object) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")  # type: ignore[attr-defined]
        connection.rollback()  # type: ignore[attr-defined]
        waited(connection)  # type: ignore[arg-type]

    with people(tmp_path, days=0) as opened:
        _asked(opened)
        monkeypatch.setattr(erasing, "_empty_log", at_once)
        with opened.small.deployment.reader() as reader:
            reader.last_seq()  # a snapshot that still shows the bodies
            erased = opened.confirm()
        assert "write-ahead log" in erased["unfinished"]
        assert opened.key_of() is None
        assert opened.small.deployment.finish_erasures()
        opened.verify()


def test_a_reader_of_another_program_does_not_stop_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def busy(_connection: object) -> None:
        raise erasing.ResidueLeft("old pages are left", next_step="End the export.")

    with people(tmp_path, days=0) as opened:
        key_id = _asked(opened)
        monkeypatch.setattr(erasing, "_sweep", busy)
        assert "old pages are left" in opened.confirm()["unfinished"]
    with again(tmp_path, days_later=3) as opened:
        assert "old pages are left" in caplog.text
        with pytest.raises(KeyDestroyed):
            opened.small.deployment.keys.get(key_id)
        opened.verify()
        monkeypatch.undo()
        assert opened.small.deployment.finish_erasures()
        assert not opened.small.deployment.finish_erasures()


def test_answers_and_verifications_go_on_while_somebody_is_erased(tmp_path: Path) -> None:
    """Whoever asks meanwhile is answered or refused with a code; no body is left without a key."""
    ended = threading.Event()
    codes: list[str] = []

    def ask(opened: People, subject: str) -> None:
        while not ended.is_set():
            try:
                opened.ask(subject)
            except GovernanceError as error:
                codes.append(error.code)

    with people(tmp_path, days=0) as opened, ThreadPoolExecutor(4) as pool:
        opened.ask()
        asking = [pool.submit(ask, opened, subject) for subject in (SUBJECT, SUBJECT, OTHER)]
        try:
            for number in range(1, 4):
                while opened.key_of() is None:  # somebody asks about the person again
                    time.sleep(0)
                opened.request()
                assert opened.confirm(f"E-{number}")["bodies"] > 1
                opened.small.deployment.ledger.verify()
        finally:
            ended.set()
        for one in asking:
            one.result(30)
        assert set(codes) <= {"gate.subject_erased"}
        opened.verify()
