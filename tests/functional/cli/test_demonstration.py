"""The demonstration as a newcomer meets it, and what anybody can check afterwards."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.support.demonstration import Demonstration, result, run_vigil


def test_it_tells_thirteen_steps_and_shows_each_password_once(finished: Demonstration) -> None:
    assert "13. Everything is verified again" in finished.told
    assert set(finished.passwords) == {"ada", "mo", "rea", "sam"}
    for password in finished.passwords.values():
        assert finished.told.count(password) == 1


def test_no_password_is_kept_anywhere_in_the_home(finished: Demonstration) -> None:
    for path in finished.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(word.encode() in content for word in finished.passwords.values()), path


def test_running_it_again_changes_nothing(demonstration: Demonstration) -> None:
    before = result(demonstration.vigil("ledger", "verify", "--json"))
    again = demonstration.vigil("demo", "--check")
    assert again.returncode == 0
    assert "is finished" in again.stdout
    after = result(demonstration.vigil("ledger", "verify", "--json"))
    assert (after["size"], after["root"]) == (before["size"], before["root"])


def test_it_is_never_built_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    done = run_vigil("demo", "--check", "--home", str(tmp_path))
    assert done.returncode == 1
    assert "record.conflict" in done.stderr
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_the_rules_stand_in_the_ledger_before_the_attempt(finished: Demonstration) -> None:
    with sqlite3.connect(finished.home / "vigil.sqlite") as database:
        plan_seq, opened_seq, evidence_seq = database.execute(
            "SELECT plan_seq, opened_seq, created_seq FROM evidence"
        ).fetchone()
        kinds = dict(database.execute("SELECT seq, env FROM entry").fetchall())
    assert plan_seq < opened_seq < evidence_seq
    assert json.loads(kinds[plan_seq])["kind"] == "review.decided"
    assert json.loads(kinds[opened_seq])["kind"] == "attempt.opened"


def test_a_finding_is_one_entry_with_its_review_and_its_hold(finished: Demonstration) -> None:
    with sqlite3.connect(finished.home / "vigil.sqlite") as database:
        places = [
            database.execute(f"SELECT created_seq FROM {table} WHERE id = ?", (key,)).fetchone()
            for table, key in (("finding", "F-1"), ("review", "R-5"), ("hold", "H-1"))
        ]
    assert len(set(places)) == 1


def test_evidence_is_reproduced_to_the_same_digest(demonstration: Demonstration) -> None:
    demonstration.login("rea")
    again = result(demonstration.vigil("audit", "reproduce", "E-1", "--json"))
    assert again["identical"] is True
    assert again["digest"] == again["reproduced_digest"]


@pytest.mark.parametrize("words", [("--help",), ("model", "--help"), ("--version",)])
def test_help_needs_no_home(words: tuple[str, ...]) -> None:
    done = run_vigil(*words)
    assert done.returncode == 0
    assert done.stdout
