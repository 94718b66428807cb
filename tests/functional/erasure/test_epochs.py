"""The epoch of the key-encryption key: what the ledger says is what the key store becomes (P13)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from governance.adapters.key_files import KekFiles
from governance.adapters.key_store import FileKeyStore
from governance.errors import Forbidden
from tests.support.about_people import SUBJECT, People, again, people

pytestmark = pytest.mark.requirement("P13")


class Stopped(BaseException):
    """The process ends here."""


def files(opened: People) -> list[str]:
    return sorted(path.name for path in opened.small.deployment.home.keys_dir.glob("kek-*"))


def test_an_administrator_moves_the_epoch_and_every_body_still_opens(tmp_path: Path) -> None:
    with people(tmp_path) as opened:
        committed = opened.ask()
        before = opened.key_of()
        rotated = opened.small.perform("ada", "keys.rotate_epoch")
        entry = opened.small.deployment.ledger.entry(rotated["seq"])
        assert entry.kind == "key.epoch_rotated"
        assert isinstance(entry.facts, dict)
        said = {name: entry.facts[name] for name in ("actor", "old", "new")}
        assert said == {"actor": "ada", "old": 1, "new": 2}
        assert files(opened) == ["kek-2.bin"]
        assert opened.key_of() == before
        assert opened.ask().answer.facts["body_key"] == before
        opened.verify()
    with again(tmp_path) as opened:
        assert opened.small.deployment.keys.epoch == 2
        body = opened.small.deployment.ledger.body(committed.recorded.seq)
        assert body is not None
        assert SUBJECT in body.decode()
        assert opened.small.perform("ada", "keys.rotate_epoch")["new"] == 3
        opened.verify()


@pytest.mark.parametrize("person", ["cas", "reg", "mo"])
def test_nobody_else_moves_it(tmp_path: Path, person: str) -> None:
    with people(tmp_path) as opened:
        with pytest.raises(Forbidden):
            opened.small.perform(person, "keys.rotate_epoch")
        assert files(opened) == ["kek-1.bin"]


@pytest.mark.parametrize(
    ("owner", "name", "moved"),
    [
        (KekFiles, "make", False),
        (FileKeyStore, "finish_epoch", True),
        (FileKeyStore, "_wrap_slice", True),
        (FileKeyStore, "_empty_log", True),
        (KekFiles, "destroy", True),
    ],
    ids=["before the KEK", "after the entry", "while wrapping", "after wrapping", "removing"],
)
def test_a_crash_anywhere_is_finished_by_what_the_entry_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, moved: bool
) -> None:
    def stopped(*_: object) -> None:
        raise Stopped

    with people(tmp_path) as opened:
        committed = opened.ask()
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, stopped)
            with pytest.raises(Stopped):
                opened.small.perform("ada", "keys.rotate_epoch")
    with again(tmp_path) as opened:
        deployment = opened.small.deployment
        assert deployment.keys.epoch == (2 if moved else 1)
        assert files(opened) == (["kek-2.bin"] if moved else ["kek-1.bin"])
        assert deployment.ledger.body(committed.recorded.seq) is not None
        opened.verify()


def test_a_kek_that_no_entry_names_wraps_nothing_and_is_taken_by_the_next_move(
    tmp_path: Path,
) -> None:
    with people(tmp_path) as opened:
        assert opened.small.deployment.keys.prepare_epoch() == 2
    with again(tmp_path) as opened:
        assert opened.small.deployment.keys.epoch == 1
        assert files(opened) == ["kek-1.bin", "kek-2.bin"]
        prepared = (opened.small.deployment.home.keys_dir / "kek-2.bin").read_bytes()
        opened.small.perform("ada", "keys.rotate_epoch")
        assert files(opened) == ["kek-2.bin"]
        assert (opened.small.deployment.home.keys_dir / "kek-2.bin").read_bytes() == prepared


def test_every_survivor_is_under_the_new_epoch_and_the_destroyed_stay_so(tmp_path: Path) -> None:
    with people(tmp_path, days=0) as opened:
        opened.ask()
        opened.ask("MRN-2")
        opened.request()
        opened.confirm()
        opened.small.perform("ada", "keys.rotate_epoch")
        connection = sqlite3.connect(opened.small.deployment.home.keys_dir / "keys.sqlite")
        rows = connection.execute(
            "SELECT kek_epoch, wrapped IS NULL, destroyed_us IS NULL FROM data_key"
        ).fetchall()
        connection.close()
        assert {row for row in rows if not row[1]} == {(2, 0, 1)}
        assert [row[1:] for row in rows if row[1]] == [(1, 0)]
        opened.verify()
