"""What somebody with write access to the files can do, and how it is found (exit code 3).

The rows of the attack table that a single home can show: edited envelope, facts, salts and bodies,
a deleted row, a truncated tail, an UPDATE of a governed row, an exchanged artifact.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from tests.support.demonstration import Demonstration, result

TAMPERED: Final = 3
BYTES_OF_AN_ENTRY: Final = ("env", "leaf", "facts", "facts_salt")
LIFTED: Final = "UPDATE hold SET state = 'lifted', lifted_us = placed_us WHERE id = 'H-1'"
BYTES_OF_A_BODY: Final = ("nonce", "ciphertext", "key_commitment", "salt")


@contextmanager
def _database(demonstration: Demonstration) -> Iterator[sqlite3.Connection]:
    """Open the database as an administrator of the machine would: triggers are in the way."""
    connection = sqlite3.connect(demonstration.home / "vigil.sqlite")
    try:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        yield connection
        connection.commit()
    finally:
        connection.close()


def _flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _expect_tampered(demonstration: Demonstration, *said: str) -> None:
    done = demonstration.vigil("ledger", "verify")
    assert done.returncode == TAMPERED, done.stdout + done.stderr
    for word in said:
        assert word in done.stderr


def test_an_untouched_home_verifies(demonstration: Demonstration) -> None:
    report = result(demonstration.vigil("ledger", "verify", "--json"))
    assert report["size"] > 50
    assert report["bodies_checked"] > 0
    assert report["witnesses"] == 0
    assert report["anchored_size"] == 0


@pytest.mark.parametrize("column", BYTES_OF_AN_ENTRY)
def test_one_flipped_byte_in_an_entry_is_named(demonstration: Demonstration, column: str) -> None:
    with _database(demonstration) as database:
        query = f"SELECT {column} FROM entry WHERE seq = 7"
        content = bytes(database.execute(query).fetchone()[0])
        database.execute(f"UPDATE entry SET {column} = ? WHERE seq = 7", (_flip(content),))
    _expect_tampered(demonstration, "entry 7")


@pytest.mark.parametrize("column", BYTES_OF_A_BODY)
def test_one_flipped_byte_in_a_body_is_named(demonstration: Demonstration, column: str) -> None:
    with _database(demonstration) as database:
        seq, content = database.execute(
            f"SELECT seq, {column} FROM body ORDER BY seq LIMIT 1"
        ).fetchone()
        database.execute(f"UPDATE body SET {column} = ? WHERE seq = ?", (_flip(content), seq))
    _expect_tampered(demonstration, f"entry {seq}")


def test_a_deleted_row_is_named(demonstration: Demonstration) -> None:
    with _database(demonstration) as database:
        database.execute("DELETE FROM entry WHERE seq = 9")
    _expect_tampered(demonstration)


def test_a_truncated_tail_is_found_through_the_last_checkpoint(
    demonstration: Demonstration,
) -> None:
    with _database(demonstration) as database:
        size = database.execute("SELECT count(*) FROM entry").fetchone()[0]
        for table in ("body", "outcome", "observation"):
            database.execute(f"DELETE FROM {table} WHERE seq >= ?", (size - 3,))
        database.execute("DELETE FROM entry WHERE seq >= ?", (size - 3,))
    _expect_tampered(demonstration, str(size))


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE version SET state = 'recalled' WHERE id = 'forecasting/1'", "forecasting/1"),
        (LIFTED, "H-1"),
        ("UPDATE person SET printed_name = 'Somebody Else' WHERE id = 'rea'", "rea"),
        ("UPDATE release SET scope = 'demo-hospital/other' WHERE id = 'REL-1'", "REL-1"),
        ("DELETE FROM finding WHERE id = 'F-1'", "F-1"),
        ("UPDATE outcome SET value = '1' WHERE month = '2005-05'", "outcome"),
    ],
)
def test_a_governed_row_changed_behind_the_ledger_is_found(
    demonstration: Demonstration, statement: str, row: str
) -> None:
    with _database(demonstration) as database:
        assert database.execute(statement).rowcount > 0
    done = demonstration.vigil("ledger", "rebuild", "--check")
    assert done.returncode == TAMPERED, done.stdout + done.stderr
    assert row in done.stderr


def test_a_server_does_not_start_over_a_tampered_home(demonstration: Demonstration) -> None:
    with _database(demonstration) as database:
        database.execute(LIFTED)
    done = demonstration.vigil("serve", "--port", "0")
    assert done.returncode == TAMPERED
    assert "H-1" in done.stderr


def test_an_exchanged_artifact_is_found_before_it_is_loaded(demonstration: Demonstration) -> None:
    (artifact,) = demonstration.home.glob("artifacts/**/parameters.json")
    artifact.write_bytes(_flip(artifact.read_bytes()))
    demonstration.login("mo")
    done = demonstration.vigil("model", "verify", "forecasting")
    assert done.returncode == TAMPERED
    assert "gate.digest_mismatch" in done.stderr


def test_a_version_released_behind_the_ledger_is_found(demonstration: Demonstration) -> None:
    with _database(demonstration) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(release)")]
        copied = ", ".join("'REL-9'" if name == "id" else name for name in columns)
        database.execute(f"INSERT INTO release SELECT {copied} FROM release WHERE id = 'REL-1'")
    done = demonstration.vigil("ledger", "rebuild", "--check")
    assert done.returncode == TAMPERED, done.stdout + done.stderr
    assert "REL-9" in done.stderr
