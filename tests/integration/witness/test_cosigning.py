"""What the pen signs reaches the witnesses, and receipts become S1 (P3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.clock import FixedClock
from governance.home import Home
from governance.ledger.core.errors import LedgerTampered, ReceiptRejected
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.operations.inspect.verify_ledger import report_on
from governance.storage.cosigner import AnchorReport
from governance.storage.errors import AuditUnavailable
from governance.storage.open import Storage, inspect_storage
from governance.witness.witness import Reply
from tests.integration.storage.samples import answer
from tests.integration.storage.test_tampering import change
from tests.integration.witness.outside import Outside, act

pytestmark = pytest.mark.requirement("P3")
THREE = ("hospital", "vendor", "body")


@pytest.fixture
def outside(home: Home, clock: FixedClock) -> Outside:
    return Outside.of(home, clock, *THREE)


def stage(storage: Storage, event_id: str) -> str:
    policy = Policy.parse(storage.ledger.policy_text.encode())
    return verify_receipt(storage.ledger.receipt(event_id), policy).stage


def lags(report: AnchorReport) -> dict[str, int]:
    return {one.name: one.lag for one in report.witnesses}


def test_a_receipt_is_upgraded_after_a_round(outside: Outside) -> None:
    with outside.opened() as storage:
        event_id = act(storage)
        with pytest.raises(ReceiptRejected, match="quorum"):
            stage(storage, event_id)
        storage.cosigner.round()
        assert stage(storage, event_id) == "S1"
        proved = verify_receipt(storage.ledger.receipt(event_id), storage.ledger.policy)
        assert {one.name for one in proved.cosigned_by} == {f"{n}.example" for n in THREE}
        report = storage.cosigner.report()
        assert report.anchored_size == report.size == storage.ledger.head()[0]
        assert lags(report) == dict.fromkeys(THREE, 0)


def test_the_receipt_verifies_with_the_pinned_file_alone(outside: Outside) -> None:
    with outside.opened() as storage:
        event_id = act(storage)
        storage.cosigner.round()
        receipt = storage.ledger.receipt(event_id)
    pinned = Policy.parse(outside.home.policy_path.read_bytes())
    assert verify_receipt(receipt, pinned).stage == "S1"


def test_an_answer_of_the_last_moment_is_s0_and_later_s1(outside: Outside) -> None:
    with outside.opened() as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        storage.cosigner.round()
        committed = storage.pen.answer(answer(key_id)).result(10)
        policy = storage.ledger.policy
        assert verify_receipt(committed.receipt, policy.without_quorum()).stage == "S0"
        with pytest.raises(ReceiptRejected, match="quorum"):
            verify_receipt(committed.receipt, policy)
        storage.cosigner.round()
        assert stage(storage, committed.recorded.event_id) == "S1"


def test_two_of_three_are_enough_and_one_is_not(outside: Outside) -> None:
    with outside.opened() as storage:
        event_id = act(storage)
        outside.door("hospital").down = outside.door("vendor").down = True
        storage.cosigner.round()
        report = storage.cosigner.report()
        assert report.anchored_size == 0
        assert lags(report) == {"hospital": report.size, "vendor": report.size, "body": 0}
        outside.door("vendor").down = False
        storage.cosigner.round()
        assert stage(storage, event_id) == "S1"


def test_with_every_witness_down_the_log_goes_on_and_says_so(
    outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    outside.every(down=True)
    with outside.opened() as storage:
        assert "started without comparing" in caplog.text
        event_id = act(storage)
        storage.cosigner.round()
        storage.cosigner.round()
        assert caplog.text.count("does not cosign") == len(THREE)  # once, not at every round
        report = storage.cosigner.report()
        assert not report.stopped
        assert {one.fault for one in report.witnesses} == {"it is down"}
        policy = storage.ledger.policy.without_quorum()
        assert verify_receipt(storage.ledger.receipt(event_id), policy).stage == "S0"
        outside.every(down=False)
        storage.cosigner.round()
        assert "cosigns again" in caplog.text
        assert stage(storage, event_id) == "S1"


def test_what_was_cosigned_is_known_after_a_restart(outside: Outside) -> None:
    with outside.opened() as storage:
        event_id = act(storage)
        storage.cosigner.round()
        size = storage.ledger.head()[0]
    outside.every(down=True)
    with outside.opened() as storage:
        assert stage(storage, event_id) == "S1"
        report = storage.cosigner.report()
        assert (report.anchored_size, report.size) == (size, size)
        assert lags(report) == dict.fromkeys(THREE, 0)


def test_lines_of_two_processes_make_one_quorum(outside: Outside) -> None:
    with outside.opened() as storage:
        event_id = act(storage)
        outside.door("vendor").down = outside.door("body").down = True
        storage.cosigner.round()
    outside.door("vendor").down = False
    with outside.opened() as storage:
        storage.cosigner.round()
        assert stage(storage, event_id) == "S1"


def test_nothing_new_is_not_sent_again(outside: Outside) -> None:
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        asked = {name: outside.door(name).asked for name in THREE}
        storage.cosigner.round()
        assert {name: outside.door(name).asked for name in THREE} == asked


def test_a_witness_that_was_ahead_of_our_memory_is_caught_up_with(outside: Outside) -> None:
    """Its cosignature got lost on the way back: it states its size, and the next try fits."""
    door = outside.door("hospital")
    with outside.opened() as storage:
        act(storage)
        lost: list[Reply] = []

        def lose(body: bytes) -> Reply:
            lost.append(door.witness.add_checkpoint(body))
            return Reply(status=502)

        door.answer = lose
        storage.cosigner.round()
        assert lost[0].status == 200
        door.answer = None
        act(storage, count=3)
        storage.cosigner.round()
        assert lags(storage.cosigner.report()) == dict.fromkeys(THREE, 0)


def test_verification_reports_what_a_quorum_has_seen(outside: Outside) -> None:
    with outside.opened() as storage:
        assert report_on(storage.ledger, storage.rebuild).anchored_size == 0
        act(storage)
        storage.cosigner.round()
        seen = storage.ledger.head()[0]
        act(storage, count=2)
        report = report_on(storage.ledger, storage.rebuild)
        assert (report.witnesses, report.anchored_size, report.size) == (3, seen, seen + 2)
        with inspect_storage(outside.home) as inspected:
            beside = report_on(inspected.ledger, inspected.rebuild)
        assert (beside.witnesses, beside.anchored_size) == (3, seen)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cosignature SET line = replace(line, 'A', 'B')",
        "UPDATE cosignature SET size = size - 1",
        "UPDATE cosignature SET line = (SELECT max(line) FROM cosignature)",
    ],
)
def test_changed_cosignatures_are_found(outside: Outside, statement: str) -> None:
    with outside.opened() as storage:
        for _ in range(3):
            act(storage)
            storage.cosigner.round()
        change(outside.home, statement)
        with pytest.raises(LedgerTampered):
            storage.ledger.verify()
        with pytest.raises(LedgerTampered):
            storage.ledger.anchored_size()


def test_cosignatures_that_were_taken_away_lower_what_is_anchored(outside: Outside) -> None:
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        change(outside.home, "DELETE FROM cosignature")
        assert storage.ledger.anchored_size() == 0


def test_a_stranger_beside_the_witnesses_is_ignored(outside: Outside) -> None:
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        size = storage.ledger.head()[0]
        insert = f"INSERT INTO cosignature VALUES ({size}, 'stranger+00000000', 'noise')"
        change(outside.home, insert)
        storage.ledger.verify()
        assert storage.ledger.anchored_size() == size


# --- hostile answers -----------------------------------------------------------------------------


def _garbage(body: bytes) -> Reply:
    return Reply(status=200, body=b"\xff" * 100)


HOSTILE = {
    "garbage": _garbage,
    "nothing": lambda _body: Reply(status=200),
    "HTML": lambda _body: Reply(status=200, body=b"<html>\n"),
    "a far size": lambda _body: Reply(
        status=409, body=b"9223372036854775807\n", content_type="text/x.tlog.size"
    ),
    "no size": lambda _body: Reply(status=409, body=b"x\n", content_type="text/x.tlog.size"),
    "a size of another type": lambda _body: Reply(status=409, body=b"1\n"),
    "422 for nothing": lambda _body: Reply(status=422),
    "404": lambda _body: Reply(status=404),
    "403": lambda _body: Reply(status=403),
    "400": lambda _body: Reply(status=400),
    "302": lambda _body: Reply(status=302),
    "500": lambda _body: Reply(status=500),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_witness_is_not_believed_and_stops_nothing(outside: Outside, hostile) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    outside.door("hospital").answer = hostile
    with outside.opened() as storage:
        event_id = act(storage)
        storage.cosigner.round()
        assert stage(storage, event_id) == "S1"  # by the two others
        faults = {one.name: one.fault for one in storage.cosigner.report().witnesses}
        assert faults["hospital"]
        assert faults["vendor"] is None
        act(storage)


def test_a_cosignature_over_another_checkpoint_is_not_taken(outside: Outside) -> None:
    door = outside.door("hospital")
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        old = door.witness
        reply = b""

        def replay(body: bytes) -> Reply:
            return Reply(status=200, body=reply)

        seen = storage.ledger.stored_anchor()
        assert seen is not None
        reply = "".join(
            line
            for line in seen.note.decode().splitlines(keepends=True)
            if "hospital.example" in line
        ).encode()
        door.answer = replay
        act(storage)
        storage.cosigner.round()
        assert lags(storage.cosigner.report())["hospital"] > 0
        assert door.witness is old


# --- stop_after_minutes --------------------------------------------------------------------------


@pytest.mark.requirement("P2")
def test_answers_stop_when_the_witnesses_are_silent_for_too_long(
    home: Home, clock: FixedClock
) -> None:
    outside = Outside.of(home, clock, *THREE, settings="stop_after_minutes = 5")
    with outside.opened() as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        storage.cosigner.round()
        clock.advance(seconds=3600)
        storage.pen.answer(answer(key_id)).result(10)  # an idle hour is no silence
        outside.every(down=True)
        clock.advance(seconds=299)
        storage.cosigner.round()
        storage.pen.answer(answer(key_id)).result(10)
        clock.advance(seconds=1)
        with pytest.raises(AuditUnavailable) as stopped:
            storage.pen.answer(answer(key_id))
        assert stopped.value.code == "gate.audit_unavailable"
        assert "witness" in str(stopped.value)
        assert storage.cosigner.report().stopped
        act(storage)  # a hold or a recall is never blocked by it
        outside.every(down=False)
        storage.cosigner.round()
        storage.pen.answer(answer(key_id)).result(10)
        assert not storage.cosigner.report().stopped


def test_the_time_of_silence_goes_on_over_a_restart(home: Home, clock: FixedClock) -> None:
    outside = Outside.of(home, clock, *THREE, settings="stop_after_minutes = 5")
    with outside.opened() as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        storage.cosigner.round()
        act(storage)
    outside.every(down=True)
    clock.advance(seconds=300)
    with outside.opened() as storage, pytest.raises(AuditUnavailable):
        storage.pen.answer(answer(key_id))


def test_by_default_nothing_stops(outside: Outside, clock: FixedClock) -> None:
    outside.every(down=True)
    with outside.opened() as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        clock.advance(seconds=1_000_000)
        storage.pen.answer(answer(key_id)).result(10)


# --- who is asked --------------------------------------------------------------------------------


@pytest.mark.requirement("P15")
def test_nobody_is_asked_without_configuration(home: Home, clock: FixedClock) -> None:
    outside = Outside.of(home, clock, apply=False)
    with outside.opened() as storage, storage.cosigner.running():
        act(storage)
        storage.cosigner.round()
        report = storage.cosigner.report()
    assert outside.contacted == []
    assert (report.quorum, report.witnesses, report.stopped) == (False, (), False)


@pytest.mark.requirement("P15")
def test_a_witness_that_is_not_in_force_gets_no_checkpoint(home: Home, clock: FixedClock) -> None:
    outside = Outside.of(home, clock, *THREE, apply=False)
    with outside.opened() as storage:
        asked = {name: outside.door(name).asked for name in THREE}
        act(storage)
        storage.cosigner.round()
        assert {name: outside.door(name).asked for name in THREE} == asked
        assert storage.cosigner.report().anchored_size == 0


def test_a_witness_of_the_policy_without_an_address_is_shown(
    outside: Outside, tmp_path: Path
) -> None:
    config = outside.home.root / "vigil.toml"
    config.write_text(config.read_text().split("\n[[witness]]")[0] + "\n")
    outside.home = Home.open(outside.home.root)
    with outside.opened() as storage:
        faults = {one.name: one.fault for one in storage.cosigner.report().witnesses}
        assert faults == dict.fromkeys(THREE, "vigil.toml gives no address for it")


def test_the_thread_does_its_rounds_and_ends(outside: Outside) -> None:
    with outside.opened() as storage:
        event_id = act(storage)
        with storage.cosigner.running():
            pass  # the first round is at once, and the end waits for it
        assert stage(storage, event_id) == "S1"
