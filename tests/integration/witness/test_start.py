"""Before the pen writes: a storage that is not the whole log is refused (attack rows 7 to 11)."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.clock import FixedClock
from governance.home import Home
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.errors import LedgerBehind, LedgerTampered, ReceiptRejected
from governance.ledger.core.merkle import Tree
from governance.ledger.core.note import cosign, with_lines
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.witness import encode_add_checkpoint
from governance.ledger.store.witnesses import WitnessUnreachable
from governance.storage.open import Storage
from governance.witness.witness import Reply
from tests.integration.witness.outside import Outside, act

pytestmark = pytest.mark.requirement("P3")
THREE = ("hospital", "vendor", "body")


@pytest.fixture
def outside(home: Home, clock: FixedClock) -> Outside:
    return Outside.of(home, clock, *THREE)


def written(outside: Outside, *, count: int = 1) -> tuple[str, int]:
    """Commit acts that every witness sees; return the last event id and the size."""
    with outside.opened() as storage:
        event_id = act(storage, count=count)
        storage.cosigner.round()
        return event_id, storage.ledger.head()[0]


def files(home: Home) -> dict[str, bytes]:
    """Return what the home holds, without what every opening touches."""
    kept = ("vigil.sqlite", "checkpoints.log", "log.policy")
    return {name: (home.root / name).read_bytes() for name in kept}


def test_a_restored_backup_refuses_to_write(outside: Outside, tmp_path: Path) -> None:
    """Attack row 9: consistent in itself, with its own checkpoints, and too short."""
    written(outside)
    backup = outside.backup(tmp_path / "backup")
    _event, size = written(outside, count=3)
    outside.restore(backup)
    before = files(outside.home)
    with pytest.raises(LedgerBehind) as behind, outside.opened():
        pytest.fail("opened")
    assert behind.value.code == "ledger.behind_witness"
    assert behind.value.exit_code == 3
    assert behind.value.sequence == size - 3
    assert f"has seen {size} entries" in str(behind.value)
    assert "begin a successor" in behind.value.next_step
    assert files(outside.home) == before


def test_one_witness_that_answers_is_enough_to_refuse(outside: Outside, tmp_path: Path) -> None:
    backup = outside.backup(tmp_path / "backup")
    written(outside)
    outside.restore(backup)
    outside.door("hospital").down = outside.door("body").down = True
    with pytest.raises(LedgerBehind, match="vendor"), outside.opened():
        pytest.fail("opened")


def test_a_backup_that_nobody_saw_more_of_opens(outside: Outside, tmp_path: Path) -> None:
    written(outside)
    backup = outside.backup(tmp_path / "backup")
    outside.restore(backup)
    with outside.opened() as storage:
        act(storage)


def test_a_backup_with_all_witnesses_down_is_found_at_the_first_contact(
    outside: Outside, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(outside)
    backup = outside.backup(tmp_path / "backup")
    written(outside, count=3)
    outside.restore(backup)
    outside.every(down=True)
    with outside.opened() as storage:
        assert "started without comparing" in caplog.text
        act(storage, count=9)  # another history, longer than what they saw
        storage.cosigner.round()
        outside.every(down=False)
        storage.cosigner.round()
        with pytest.raises(LedgerBehind, match="another history"):
            act(storage)
        with pytest.raises(LedgerBehind):
            storage.pen.commit(lambda _unit: None)
    assert "nothing more is written" in caplog.text


def test_a_shorter_storage_is_found_while_it_runs(outside: Outside, tmp_path: Path) -> None:
    backup = outside.backup(tmp_path / "backup")
    written(outside, count=5)
    outside.restore(backup)
    outside.every(down=True)
    with outside.opened() as storage:
        outside.every(down=False)
        act(storage)
        storage.cosigner.round()
        with pytest.raises(LedgerBehind, match="has seen"):
            act(storage)


def test_a_start_without_any_answer_can_be_forbidden(home: Home, clock: FixedClock) -> None:
    outside = Outside.of(home, clock, *THREE, settings="start_unanswered = false")
    outside.every(down=True)
    before = files(outside.home)
    with pytest.raises(WitnessUnreachable) as refused, outside.opened():
        pytest.fail("opened")
    assert refused.value.code == "witness.unreachable"
    assert files(outside.home) == before
    outside.door("body").down = False
    with outside.opened() as storage:
        act(storage)


def _forked(storage: Storage, outside: Outside, *, at: int, size: int) -> tuple[Tree, bytes]:
    """Return another history from `at` on, signed with the log's stolen key."""
    tree = Tree(storage.ledger.tree.leaf(seq) for seq in range(at))
    for number in range(at, size):
        tree.append(bytes([number]) * 32)
    checkpoint = Checkpoint(origin=outside.home.origin, size=size, root=tree.root())
    return tree, sign_checkpoint(checkpoint, private_key=outside.home.log_key())


def test_a_fork_with_the_stolen_key_gains_no_quorum(outside: Outside) -> None:
    """Attack row 7: 422 with the witnesses' size as the old one, 409 with any other."""
    _event, size = written(outside, count=4)
    with outside.opened() as storage:
        tree, note = _forked(storage, outside, at=2, size=size + 3)
        for name in THREE:
            witness = outside.door(name).witness
            for old, status in ((size, 422), (0, 409), (2, 409)):
                proof = tree.consistency_proof(old)
                body = encode_add_checkpoint(old_size=old, proof=proof, checkpoint=note)
                assert witness.add_checkpoint(body).status == status
        act(storage)
        storage.cosigner.round()
        assert storage.cosigner.report().anchored_size == storage.ledger.head()[0]


def test_a_thief_who_is_ahead_of_us_stops_the_pen(outside: Outside) -> None:
    """Attack row 21: with the log's key, and before us, he shows the witnesses another history."""
    _event, size = written(outside)
    with outside.opened() as storage:
        tree, note = _forked(storage, outside, at=size, size=size + 2)
        body = encode_add_checkpoint(
            old_size=size, proof=tree.consistency_proof(size), checkpoint=note
        )
        assert outside.door("vendor").witness.add_checkpoint(body).status == 200
        act(storage)
        storage.cosigner.round()
        with pytest.raises(LedgerBehind):
            act(storage)
    with pytest.raises(LedgerBehind), outside.opened():
        pytest.fail("opened")


def test_at_most_one_of_two_histories_reaches_the_quorum(outside: Outside, tmp_path: Path) -> None:
    """Attack row 10: two honest-looking logs under one key, each shown to some witnesses."""
    copy = outside.backup(tmp_path / "copy")
    for name in ("vendor", "body"):
        outside.door(name).down = True
    with outside.opened() as storage:
        first = act(storage)
        storage.cosigner.round()
        receipt_of_first = storage.ledger.receipt(first)
    outside.restore(copy)
    outside.every(down=False)
    outside.door("hospital").down = True  # it would tell
    with outside.opened() as storage:
        second = act(storage, count=2)
        storage.cosigner.round()
        receipt_of_second = storage.ledger.receipt(second)
    policy = Policy.parse(outside.home.policy_path.read_bytes())
    assert verify_receipt(receipt_of_second, policy).stage == "S1"
    with pytest.raises(ReceiptRejected, match="quorum"):
        verify_receipt(receipt_of_first, policy)


def test_one_colluding_witness_is_not_enough(outside: Outside) -> None:
    """Attack row 11: k - 1 evil witnesses sign both histories."""
    _event, size = written(outside, count=3)
    policy = Policy.parse(outside.home.policy_path.read_bytes())
    with outside.opened() as storage:
        _tree, note = _forked(storage, outside, at=2, size=size)
    evil = outside.homes["vendor"]
    line = cosign(note, name=evil.vkey.name, private_key=evil.key, time_s=1_900_000_000)
    assert not policy.satisfied([evil.vkey])
    assert not policy.satisfied([evil.vkey, evil.vkey])
    from governance.ledger.core.log_keys import LogKeys
    from governance.ledger.store.anchors import anchor_of

    anchor = anchor_of(
        with_lines(note, [line, line]),
        keys=LogKeys.begin(outside.home.origin, [policy.logs[0].text()]),
        policy=policy,
    )
    assert anchor is None


def test_a_witness_cannot_stop_us_with_a_history_that_it_invented(outside: Outside) -> None:
    """It has no key of the log: what it shows is not believed, at the start or later."""
    written(outside)
    evil = outside.homes["vendor"]
    text = f"{outside.home.origin}\n999\n{'A' * 43}=\n"
    from governance.ledger.core.note import sign

    forged = sign(text, name=outside.home.origin, private_key=evil.key)
    line = cosign(forged, name=evil.vkey.name, private_key=evil.key, time_s=1_900_000_000)
    shown = with_lines(forged, [line])
    door = outside.door("vendor")
    door.show = lambda: Reply(status=200, body=shown)
    door.answer = lambda _body: Reply(status=409, body=b"999\n", content_type="text/x.tlog.size")
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        act(storage)
        assert storage.cosigner.report().anchored_size > 0


def test_a_witness_that_lost_its_memory_is_shown_as_such(outside: Outside) -> None:
    written(outside, count=3)
    door = outside.door("vendor")
    home = outside.homes["vendor"]
    home.database_path.unlink()
    from governance.witness.store import SeenStore

    SeenStore(home.database_path)
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        assert door.asked
        report = storage.cosigner.report()
        assert report.anchored_size == report.size


# --- the policy in force -------------------------------------------------------------------------


def test_a_quorum_that_was_lowered_in_the_file_is_found(outside: Outside) -> None:
    path = outside.home.policy_path
    path.write_text(path.read_text().replace("quorum:2-of-3 2 ", "quorum:2-of-3 1 "))
    with pytest.raises(LedgerTampered, match=r"log\.policy"), outside.opened():
        pytest.fail("opened")


def test_a_lower_quorum_in_the_configuration_changes_nothing_by_itself(
    outside: Outside,
) -> None:
    config = outside.home.root / "vigil.toml"
    config.write_text(config.read_text().replace("quorum = 0", "quorum = 1"))
    outside.home = Home.open(outside.home.root)
    outside.door("vendor").down = outside.door("body").down = True
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        assert storage.cosigner.report().anchored_size == 0


def test_a_crash_between_entry_and_file_is_finished(home: Home, clock: FixedClock) -> None:
    before = home.policy_path.read_text()
    outside = Outside.of(home, clock, *THREE)
    after = outside.home.policy_path.read_text()
    outside.home.policy_path.write_text(before)
    with outside.opened() as storage:
        assert storage.ledger.policy_text == after
    assert outside.home.policy_path.read_text() == after


def test_a_changed_policy_entry_is_found(outside: Outside) -> None:
    from tests.integration.storage.test_tampering import change

    change(
        outside.home,
        "UPDATE entry SET facts = CAST(replace(CAST(facts AS TEXT), '2-of-3', '1-of-3') AS BLOB)"
        " WHERE seq = (SELECT max(seq) FROM entry)",
    )
    with pytest.raises(LedgerTampered), outside.opened():
        pytest.fail("opened")
