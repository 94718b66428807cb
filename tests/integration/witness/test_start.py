"""Before the pen writes: a storage that is not the whole log is refused.

Forks, split views and colluding witnesses are run in tests/attacks/test_outside.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.clock import FixedClock
from governance.home import Home
from governance.ledger.core.errors import LedgerBehind, LedgerTampered
from governance.ledger.core.note import cosign, with_lines
from governance.ledger.store.witnesses import WitnessUnreachable
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
