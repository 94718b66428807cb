"""Rows 1 to 9, 24, 25: what somebody who owns the database does to the stored log (P3)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from governance.adapters.key_store import FileKeyStore
from governance.ledger.core.errors import LedgerBehind
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.record import leaf_hash
from governance.operations.admin.schema import upgrade_schema
from governance.storage import chain
from governance.storage.errors import AuditUnavailable
from governance.storage.open import inspect_storage, open_storage
from tests.attacks.support import (
    ACT,
    ANSWER,
    SIZE,
    add_person,
    another_kind,
    attack,
    column,
    cut,
    flipped,
    found,
    found_running,
    refused,
    rewrite,
    seal_again,
    verified,
)
from tests.integration.storage.test_tampering import tampering
from tests.integration.witness.outside import Outside, act

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from governance.clock import FixedClock
    from governance.home import Home

pytestmark = pytest.mark.requirement("P3")
THREE = ("hospital", "vendor", "body")


def test_the_history_that_is_attacked_verifies(home: Home) -> None:
    assert verified(home) == SIZE


@pytest.mark.parametrize("part", ["ciphertext", "nonce", "key_commitment", "salt"])
def test_01_an_edited_body_is_found(home: Home, part: str) -> None:
    changed = flipped(column(home, part, ANSWER, "body"))
    attack(home, f"UPDATE body SET {part} = :new WHERE seq = :seq", new=changed, seq=ANSWER)
    tampered = found(home)
    assert tampered.sequence == ANSWER
    assert "its body" in tampered.what


def test_01_a_body_sealed_again_with_its_own_key_is_found(home: Home) -> None:
    """Whoever has the key store can seal another body; the entry commits to the plaintext."""
    with tampering(home) as connection:
        query = text("SELECT key_id FROM body WHERE seq = :seq")
        key_id = connection.execute(query, {"seq": ANSWER}).scalar_one()
    keys = FileKeyStore(home.keys_dir)
    seal_again(home, ANSWER, b'{"reply":"another","request":"{}","v":1}', keys.get(key_id))
    keys.close()
    tampered = found(home)
    assert tampered.sequence == ANSWER
    assert tampered.what == "its body is not the one that it commits to"


def test_02_an_edited_envelope_is_found(home: Home, clock: FixedClock) -> None:
    env = column(home, "env", ACT).replace(b"person.added", b"person.xdded")
    attack(home, "UPDATE entry SET env = :env WHERE seq = :seq", env=env, seq=ACT)
    for tampered in (found(home), refused(home, clock)):
        assert tampered.sequence == ACT
        assert tampered.what == "its leaf is not the hash of its envelope"


def test_02_an_envelope_edited_with_its_leaf_breaks_the_next_link(
    home: Home, clock: FixedClock
) -> None:
    env = column(home, "env", ACT).replace(b"person.added", b"person.xdded")
    attack(
        home,
        "UPDATE entry SET env = :env, leaf = :leaf WHERE seq = :seq",
        env=env,
        leaf=leaf_hash(env),
        seq=ACT,
    )
    for tampered in (found(home), refused(home, clock)):
        assert tampered.sequence == ACT + 1
        assert tampered.what == "the entry does not follow the one before it"


def test_03_a_deleted_middle_row_is_a_gap(home: Home, clock: FixedClock) -> None:
    def delete() -> None:
        tables = ("observation", "body", "entry")
        attack(home, *(f"DELETE FROM {table} WHERE seq = {ANSWER}" for table in tables))

    tampered = found_running(home, clock, delete)
    assert tampered.sequence == ANSWER
    assert tampered.what == f"an entry is missing: found number {ANSWER + 1} here"
    assert refused(home, clock).sequence == found(home).sequence == ANSWER


def test_04_swapped_rows_break_the_chain(home: Home, clock: FixedClock) -> None:
    one, other = 5, 7

    def swap() -> None:
        for first, second in ((one, 99), (other, one), (99, other)):
            attack(home, f"UPDATE entry SET seq = {second} WHERE seq = {first}")

    tampered = found_running(home, clock, swap)
    assert tampered.sequence == one
    assert tampered.what == "its columns differ from its envelope"
    assert refused(home, clock).what == "the entry does not follow the one before it"
    assert refused(home, clock).sequence == found(home).sequence == one


def test_05_a_cut_tail_is_found_by_the_last_signed_size(home: Home, clock: FixedClock) -> None:
    cut(home, SIZE - 2)
    for tampered in (found(home), refused(home, clock)):
        assert tampered.sequence == SIZE - 2
        assert tampered.what == (
            f"the tail is cut: the log has {SIZE - 2} entries, a signed checkpoint covers {SIZE}"
        )


def test_05_a_tail_cut_together_with_every_checkpoint_is_found_by_the_witnesses(
    home: Home, clock: FixedClock
) -> None:
    """The chain alone cannot see it: what is left was once the whole log."""
    outside = Outside.of(home, clock, *THREE)
    with outside.opened() as storage:
        storage.cosigner.round()
        size = storage.ledger.head()[0]
    kept, _, _ = home.checkpoints_log.read_text().partition(f"{home.origin}\n{SIZE - 1}\n")
    cut(home, SIZE - 2)
    attack(home, f"DELETE FROM cosignature WHERE size > {SIZE - 2}")
    home.checkpoints_log.write_text(kept)
    with pytest.raises(LedgerBehind, match=f"has seen {size} entries") as behind, outside.opened():
        pytest.fail("the home opened")
    assert behind.value.sequence == SIZE - 2


def test_06_a_history_rewritten_without_a_key_does_not_lead_to_the_signed_root(
    home: Home, clock: FixedClock
) -> None:
    """Every hash and link is right again; only the signature is not theirs to make."""
    with tampering(home) as connection:
        rewrite(connection, home, change=another_kind(ACT))
    for tampered in (found(home), refused(home, clock)):
        assert "was rewritten" in tampered.what
        assert "is not the one that was signed" in tampered.what
        assert tampered.sequence is not None
        assert tampered.sequence <= ACT or "signed checkpoint" in tampered.what


def test_07_a_history_rewritten_with_the_log_key_meets_the_witnesses(
    home: Home, clock: FixedClock
) -> None:
    """At home everything verifies, which is why somebody else has to have seen it."""
    outside = Outside.of(home, clock, *THREE)
    with outside.opened() as storage:
        storage.cosigner.round()
        tree, size = storage.ledger.tree, storage.ledger.head()[0]
        honest = [tree.consistency_proof(old, size) for old in range(size + 1)]
    attack(home, "DELETE FROM cosignature")
    with tampering(home) as connection:
        rewrite(connection, home, change=another_kind(ACT), sign=True)
    with inspect_storage(home) as inspected:
        assert inspected.ledger.verify().size == size
        forged = inspected.ledger.checkpoint().encode()
    from governance.ledger.core.witness import encode_add_checkpoint

    for name in THREE:
        witness = outside.door(name).witness
        for old in range(size + 1):
            body = encode_add_checkpoint(old_size=old, proof=honest[old], checkpoint=forged)
            assert witness.add_checkpoint(body).status == 409
    with pytest.raises(LedgerBehind, match="another history"), outside.opened():
        pytest.fail("the home opened")


def test_08_checkpoints_that_were_deleted_are_missed(home: Home, clock: FixedClock) -> None:
    attack(home, "DELETE FROM checkpoint")
    assert "signed checkpoints are gone" in found(home).what
    home.checkpoints_log.unlink()
    assert "checkpoints.log is gone" in refused(home, clock).what


def test_08_with_all_local_state_replaced_receipts_and_witnesses_still_tell(
    home: Home, clock: FixedClock
) -> None:
    """A new history under the same key, from nothing: every anchor in the home is the forger's."""
    outside = Outside.of(home, clock, *THREE)
    with outside.opened() as storage:
        storage.cosigner.round()
        in_the_field = storage.ledger.receipt(storage.ledger.entry(ACT).event_id)
        policy = storage.ledger.policy
    attack(home, "DELETE FROM cosignature")
    with tampering(home) as connection:
        rewrite(connection, home, change=another_kind(1), sign=True)
    held = verify_receipt(in_the_field, policy)
    assert held.stage == "S1"
    with inspect_storage(home) as inspected:
        assert inspected.ledger.tree.root(held.size) != held.root
        assert inspected.ledger.tree.leaf(held.seq) != leaf_hash(_entry_of(in_the_field))
    with pytest.raises(LedgerBehind, match="another history"), outside.opened():
        pytest.fail("the home opened")


def _entry_of(receipt: bytes) -> bytes:
    import base64
    import json

    return base64.b64decode(json.loads(receipt)["entry"])


def test_09_a_restored_backup_refuses_to_start(home: Home, clock: FixedClock) -> None:
    """The whole home, consistent in itself; only the witnesses know that there was more."""
    outside = Outside.of(home, clock, *THREE)
    with outside.opened() as storage:
        storage.cosigner.round()
    backup = outside.backup(home.root.parent / "backup")
    with outside.opened() as storage:
        act(storage, count=3)
        storage.cosigner.round()
        size = storage.ledger.head()[0]
    outside.restore(backup)
    with pytest.raises(LedgerBehind, match=f"has seen {size} entries") as behind, outside.opened():
        pytest.fail("the home opened")
    assert behind.value.exit_code == 3
    assert behind.value.sequence == size - 3


def test_09_a_restored_database_is_shorter_than_the_notes(home: Home, clock: FixedClock) -> None:
    backup = Path(shutil.copy(home.database_path, home.root.parent / "backup.sqlite"))
    with open_storage(home, clock=clock) as storage:
        add_person(storage, "later")
    shutil.copy(backup, home.database_path)
    assert f"a signed checkpoint covers {SIZE + 1}" in refused(home, clock).what


@pytest.mark.parametrize("index", [2, 3, 4], ids=["env", "leaf", "facts"])
def test_24_a_bit_that_flips_before_it_is_stored_is_never_signed(
    home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    insert = chain.insert_rows

    def flipping(connection: Connection, table: Table, rows: list[Any]) -> None:
        if table.name == "entry":
            rows = [(*row[:index], flipped(row[index], 40), *row[index + 1 :]) for row in rows]
        insert(connection, table, rows)

    with open_storage(home, clock=clock) as storage:
        notes = home.checkpoints_log.read_bytes()
        monkeypatch.setattr(chain, "insert_rows", flipping)
        with pytest.raises(AuditUnavailable, match="refused the write twice"):
            add_person(storage, "flipped")
        assert home.checkpoints_log.read_bytes() == notes
        monkeypatch.undo()
        add_person(storage, "whole")
        assert storage.ledger.verify().size == SIZE + 1


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (f"DELETE FROM entry WHERE seq = {SIZE - 1}", "tail is cut"),
        ("DELETE FROM person WHERE id = 'p2'", "the database does not"),
        ("DELETE FROM body WHERE seq = 5", "its body is missing and was not erased"),
    ],
    ids=["an entry", "a governed row", "a body"],
)
def test_25_rows_that_a_migration_loses_are_found(
    home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, lost: str, said: str
) -> None:
    from governance.storage import schema

    upgrade = schema.upgrade

    def losing(engine: Any) -> None:
        upgrade(engine)
        attack(home, "PRAGMA foreign_keys = 0", lost)

    monkeypatch.setattr(schema, "upgrade", losing)
    upgrade_schema(home.root)
    assert said in found(home).what
