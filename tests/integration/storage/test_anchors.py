"""A home without its anchors is no new home: checkpoints, triggers, keys and policy (P3)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from sqlalchemy import text

from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.merkle import Frontier, leaf_hash
from governance.ledger.core.record import decode_entry, encode_entry, genesis_prev
from governance.storage.engine import writer_engine
from governance.storage.open import inspect_storage, open_storage
from tests.integration.storage.samples import PERSON
from tests.integration.storage.test_tampering import change, tampering
from tests.support.postgresql import owned

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from governance.clock import FixedClock
    from governance.home import Home
    from governance.storage.open import Storage


@pytest.fixture
def closed(home: Home, clock: FixedClock) -> Home:
    """Return a home with five entries of different instants that no process has open."""
    with open_storage(home, clock=clock) as storage:
        for number in range(4):
            clock.advance(seconds=1)
            storage.pen.commit(
                lambda unit, number=number: unit.record(
                    kind="test.added", actor="ana", add=[replace(PERSON, id=f"p{number}")]
                )
            )
    return home


def refused(home: Home, clock: FixedClock) -> str:
    with pytest.raises(LedgerTampered) as found, open_storage(home, clock=clock):
        pytest.fail("the home opened")
    return found.value.what


def chain_again(connection: Connection, *, at: int, origin: str) -> None:
    """Write the history anew from entry `at` on, as somebody without any key can."""
    rows = connection.execute(text("SELECT seq, env FROM entry ORDER BY seq")).all()
    prev, frontier = genesis_prev(origin), Frontier()
    for seq, env in rows:
        entry = replace(decode_entry(env), prev=prev)
        fresh = encode_entry(replace(entry, kind="test.forged") if seq == at else entry)
        prev = leaf_hash(fresh)
        frontier = frontier.push(prev)
        connection.execute(
            text("UPDATE entry SET env = :env, leaf = :leaf WHERE seq = :seq"),
            {"env": fresh, "leaf": prev, "seq": seq},
        )
    connection.execute(
        text("UPDATE log_head SET head_leaf = :leaf, frontier = :frontier"),
        {"leaf": prev, "frontier": frontier.encode()},
    )


def test_a_new_home_is_signed_before_anybody_opens_it(home: Home) -> None:
    with inspect_storage(home) as inspected:
        assert inspected.ledger.head()[0] == 1
        assert inspected.ledger.verify().anchored_size == 1
        inspected.rebuild()
    assert home.checkpoints_log.read_text().startswith(f"{home.origin}\n1\n")


def test_a_history_written_anew_without_any_anchor_is_refused_and_never_signed(
    closed: Home, clock: FixedClock
) -> None:
    with tampering(closed) as connection:
        connection.execute(text("DELETE FROM checkpoint"))
        chain_again(connection, at=3, origin=closed.origin)
    closed.checkpoints_log.unlink()
    assert "checkpoints.log is gone" in refused(closed, clock)
    assert not closed.checkpoints_log.exists()


def test_a_history_written_anew_behind_the_first_note_is_refused(
    closed: Home, clock: FixedClock
) -> None:
    first, _, _ = closed.checkpoints_log.read_text().partition(f"{closed.origin}\n2\n")
    closed.checkpoints_log.write_text(first)
    with tampering(closed) as connection:
        connection.execute(text("DELETE FROM checkpoint WHERE size > 1"))
        chain_again(connection, at=3, origin=closed.origin)
    assert "more entries than one commit's" in refused(closed, clock)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM checkpoint", "DELETE FROM checkpoint WHERE size = 1"]
)
def test_checkpoints_that_are_gone_from_the_database_are_missed(
    closed: Home, clock: FixedClock, statement: str
) -> None:
    change(closed, statement)
    assert "checkpoints are gone" in refused(closed, clock)


@pytest.mark.parametrize("content", [None, b"", b"acme"])
def test_a_lost_or_emptied_note_file_is_missed(
    closed: Home, clock: FixedClock, content: bytes | None
) -> None:
    closed.checkpoints_log.unlink()
    if content is not None:
        closed.checkpoints_log.write_bytes(content)
    assert "checkpoints.log is gone" in refused(closed, clock)


def test_a_note_file_that_goes_missing_under_a_running_server_is_found_by_verifying(
    storage: Storage, home: Home
) -> None:
    home.checkpoints_log.unlink()
    with pytest.raises(LedgerTampered, match=r"checkpoints\.log is gone"):
        storage.ledger.verify()


def test_checkpoints_deleted_under_a_running_server_are_found_by_verifying(
    storage: Storage, home: Home
) -> None:
    change(home, "DELETE FROM checkpoint")
    with pytest.raises(LedgerTampered, match="checkpoints are gone"):
        storage.ledger.verify()


def test_what_one_crash_leaves_unsigned_is_signed_at_the_next_start(
    closed: Home, clock: FixedClock
) -> None:
    """The last commit stands and its note does not: a crash between steps 7 and 8."""
    kept, _, _ = closed.checkpoints_log.read_text().partition(f"{closed.origin}\n5\n")
    closed.checkpoints_log.write_text(kept)
    change_only(closed, "DELETE FROM checkpoint WHERE size = 5")
    with open_storage(closed, clock=clock) as storage:
        assert storage.ledger.head()[0] == 5
    assert f"{closed.origin}\n5\n" in closed.checkpoints_log.read_text()


def change_only(home: Home, statement: str) -> None:
    """Delete from an append-only table and leave the database with its triggers."""
    engine = writer_engine(owned(home))
    with engine.begin() as connection:
        if home.is_sqlite:
            query = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
            triggers = connection.exec_driver_sql(query).all()
            for name, _ in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.exec_driver_sql(statement)
            for _, sql in triggers:
                connection.exec_driver_sql(sql)
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql(statement)
    engine.dispose()


# --- triggers ------------------------------------------------------------------------------------

SQLITE_ATTACKS = [
    ("DROP TRIGGER entry_refuses_update",),
    ("DROP TRIGGER checkpoint_refuses_delete",),
    ("DROP TRIGGER cosignature_refuses_update",),
    (
        "DROP TRIGGER blob_refuses_update",
        "CREATE TRIGGER blob_refuses_update BEFORE UPDATE ON blob BEGIN SELECT 1; END",
    ),
]
IDLE_FUNCTION = (
    "CREATE OR REPLACE FUNCTION vigil_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RETURN NULL; END $$"
)
POSTGRESQL_ATTACKS = [
    ("DROP TRIGGER entry_refuses_change ON entry",),
    ("DROP TRIGGER cosignature_refuses_truncate ON cosignature",),
    ("ALTER TABLE checkpoint DISABLE TRIGGER ALL",),
    (IDLE_FUNCTION,),
]


def run(home: Home, statements: tuple[str, ...]) -> None:
    engine = writer_engine(owned(home))
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("statements", SQLITE_ATTACKS, ids=lambda statements: statements[-1][:40])
def test_a_missing_or_idle_trigger_is_found_on_sqlite(
    sqlite_home: Home, clock: FixedClock, statements: tuple[str, ...]
) -> None:
    with open_storage(sqlite_home, clock=clock) as storage:
        run(sqlite_home, statements)
        with pytest.raises(LedgerTampered, match="append-only"):
            storage.rebuild()
    assert "append-only" in refused(sqlite_home, clock)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "statements", POSTGRESQL_ATTACKS, ids=lambda statements: statements[-1][:40]
)
def test_a_missing_or_idle_trigger_is_found_on_postgresql(
    postgresql_home: Home, clock: FixedClock, statements: tuple[str, ...]
) -> None:
    with open_storage(postgresql_home, clock=clock) as storage:
        run(postgresql_home, statements)
        with pytest.raises(LedgerTampered, match="append-only"):
            storage.rebuild()
    assert "append-only" in refused(postgresql_home, clock)


# --- keys and policy -----------------------------------------------------------------------------


def exchange(home: Home, name: str) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    (home.keys_dir / name).write_bytes(pem)


def test_an_exchanged_signing_key_is_found(sqlite_home: Home, clock: FixedClock) -> None:
    with open_storage(sqlite_home, clock=clock) as storage:
        exchange(sqlite_home, "signature.pem")
        with pytest.raises(LedgerTampered, match=r"entry 0: keys/signature\.pem"):
            storage.rebuild()
    assert "signature.pem" in refused(sqlite_home, clock)


def test_an_exchanged_log_key_is_found(sqlite_home: Home, clock: FixedClock) -> None:
    exchange(sqlite_home, "log.pem")
    with pytest.raises(LedgerTampered), open_storage(sqlite_home, clock=clock):
        pytest.fail("the home opened")


@pytest.mark.parametrize("policy", ["log attacker+00000000+AAAA\nquorum none\n", None])
def test_an_exchanged_or_lost_policy_is_found(
    sqlite_home: Home, clock: FixedClock, policy: str | None
) -> None:
    with open_storage(sqlite_home, clock=clock) as storage:
        sqlite_home.policy_path.unlink()
        if policy is not None:
            sqlite_home.policy_path.write_text(policy)
        with pytest.raises(LedgerTampered, match=r"log\.policy"):
            storage.rebuild()
    with (
        pytest.raises(LedgerTampered, match=r"log\.policy"),
        open_storage(sqlite_home, clock=clock),
    ):
        pytest.fail("the home opened")
