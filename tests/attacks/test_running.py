"""Rows 18 to 20, 26 to 28, 33 and 36: time, signatures, faults, load and artifacts of a server."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from governance.adapters.model_store import ArtifactTampered, read_artifact
from governance.clock import FixedClock
from governance.home import Home
from governance.ledger.core import canonical
from governance.ledger.core.errors import LedgerTampered, ReceiptRejected
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.record import decode_entry, encode_entry
from governance.registry.records import Signature
from governance.storage.errors import audit_unavailable
from governance.storage.open import inspect_storage, open_storage
from tests.attacks.support import ANSWER, SIZE, found, rewrite, verified
from tests.functional.api.support import make_home, running
from tests.integration.faults import campaign
from tests.integration.faults.harness import Fault
from tests.integration.faults.small_disk import judge, run_story
from tests.integration.storage.test_tampering import tampering
from tests.integration.witness.outside import Outside, act
from tests.support.project import ROOT
from tests.support.small_deployment import (
    EVERYWHERE,
    MODEL,
    START_US,
    VERSION,
    TickingClock,
    small,
)

DAY_US = 86_400_000_000


# --- time -------------------------------------------------------------------------------------


def written_at(home: Home, shift: str) -> dict[str, int]:
    """Commit an act in a process whose clock is moved."""
    module = "tests.integration.faults.clock_jump"
    done = subprocess.run(
        ["faketime", "-f", shift, sys.executable, "-m", module, str(home.root)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return seen


@pytest.fixture
def today(tmp_path: Path) -> Home:
    """Return a home that was made by the machine's own clock."""
    from governance.clock import SystemClock
    from governance.storage.open import create_home

    return create_home(
        tmp_path / "today", organisation="acme", deployment="test", clock=SystemClock()
    )


@pytest.mark.slow
@pytest.mark.usefixtures("faketime")
def test_18_a_clock_that_is_set_back_moves_no_entry_back_and_is_recorded(today: Home) -> None:
    """A day back, then a day ahead, then right again: order stays, and each jump back is told."""
    first = written_at(today, "-0d")
    back = written_at(today, "-1d")
    assert back["wall_us"] < first["wall_us"] - DAY_US // 2
    assert back["t_us"] >= first["t_us"]
    ahead = written_at(today, "+1d")
    assert ahead["t_us"] > first["t_us"] + DAY_US // 2
    right = written_at(today, "-0d")
    assert right["t_us"] >= ahead["t_us"]
    with inspect_storage(today) as inspected:
        entries = inspected.ledger.entries(0, 100)
        inspected.ledger.verify()
        inspected.rebuild()
    skews: list[Any] = [entry for entry in entries if entry.kind == "clock.skew"]
    assert [skew.seq + 1 for skew in skews] == [back["seq"], right["seq"]]
    for skew, after in zip(skews, (back, right), strict=True):
        assert skew.facts["before_us"] - skew.facts["wall_us"] > DAY_US // 2
        assert abs(skew.facts["wall_us"] - after["wall_us"]) < 60_000_000
    assert [entry.t_us for entry in entries] == sorted(entry.t_us for entry in entries)


def test_18_backdating_is_bounded_by_the_cosigning_times(home: Home, clock: FixedClock) -> None:
    """Our clock stands still, then runs ahead, each by a day; the witnesses go by their own."""
    theirs = FixedClock(now_us=clock.now_us())
    outside = Outside.of(home, clock, "hospital", "vendor", "body", their_clock=theirs)
    seen = []
    with outside.opened() as storage:
        for ours_s, theirs_s in ((1, 1), (1, 86_400), (2 * 86_400, 1)):
            clock.advance(seconds=ours_s)
            theirs.advance(seconds=theirs_s)
            event_id = act(storage)
            storage.cosigner.round()
            raw = storage.ledger.receipt(event_id)
            seen.append(verify_receipt(raw, storage.ledger.policy))
    honest, behind, ahead = seen
    cosigned_us = [[one.time_s * 1_000_000 for one in receipt.cosigned_by] for receipt in seen]
    assert [len(times) for times in cosigned_us] == [3, 3, 3]
    # Neither signed root is ours to choose: one is without the entry, the next one is with it.
    for earlier, later in pairwise(seen):
        assert earlier.size <= later.seq < later.size
    assert abs(honest.entry.t_us - cosigned_us[0][0]) <= 2_000_000
    # What was backdated by a day was seen a day later, and could not be put before the honest one.
    assert behind.entry.t_us >= honest.entry.t_us
    assert min(cosigned_us[1]) - behind.entry.t_us > DAY_US - 2_000_000
    # What was dated ahead was seen a day before the time that it claims.
    assert ahead.entry.t_us - max(cosigned_us[2]) > DAY_US - 4_000_000


def test_18_a_time_before_the_neighbour_is_refused_even_when_signed(home: Home) -> None:
    """By whoever has the log's key: everything chained and signed anew, one entry a day earlier."""

    def earlier(seq: int, env: bytes) -> bytes:
        entry = decode_entry(env)
        return encode_entry(replace(entry, t_us=entry.t_us - DAY_US)) if seq == ANSWER else env

    with tampering(home) as connection:
        rewrite(connection, home, change=earlier, sign=True)
    tampered = found(home)
    assert tampered.sequence == ANSWER
    assert tampered.what == "its time is before that of the entry before it"


def test_19_a_backdated_signature_is_an_entry_like_every_other(tmp_path: Path) -> None:
    """Whoever sets the clock back and signs gets the instant of the entry before, and a skew."""
    clock = TickingClock(now_us=START_US + 2 * DAY_US)
    with small(tmp_path, clock) as opened:
        opened.perform(
            "sam", "hold.place", model=MODEL, scope=EVERYWHERE, cause="drift", reason="before"
        )
        before = opened.deployment.ledger.entries(opened.size() - 1, 1)[0].t_us
        clock.advance(seconds=-86_400)
        opened.approved_version()
        with opened.deployment.reader() as reader:
            last = reader.find(Signature)[-1]
        entries = opened.deployment.ledger.entries(0, 1_000)
        assert before <= last.signed_us <= entries[-1].t_us
        assert "clock.skew" in [entry.kind for entry in entries]
        opened.deployment.ledger.verify()
        opened.deployment.rebuild()


def test_20_a_signature_moved_to_another_record_is_found(tmp_path: Path) -> None:
    """By an insider who writes through the pen itself, with every hash and signature in order."""
    with small(tmp_path) as opened:
        with opened.deployment.reader() as reader:
            real = reader.find(Signature)[0]
        moved = replace(real, id="S-999", record=VERSION, record_type="version")
        seq = opened.deployment.pen.commit(
            lambda unit: unit.record(kind="review.signed", actor="mo", add=[moved]).seq
        )
        opened.deployment.ledger.verify()
        with pytest.raises(LedgerTampered, match="signature") as caught:
            opened.deployment.rebuild()
        assert caught.value.sequence == seq


# --- faults and load ---------------------------------------------------------------------------

WRITER = """
import sys, time
from pathlib import Path
from governance.clock import SystemClock
from governance.errors import GovernanceError
from governance.home import Home
from governance.storage.open import open_storage
try:
    with open_storage(Home.open(Path(sys.argv[1])), clock=SystemClock()) as storage:
        storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
        print("owner", flush=True)
        sys.stdin.read()
except GovernanceError as error:
    print(error.code, flush=True)
"""


def test_26_of_four_processes_on_one_sqlite_home_one_writes(home: Home) -> None:
    """No busy handler to starve behind: one owner by file lock, the others are told at once."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(home.root)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    said = [process.stdout.readline().strip() for process in processes if process.stdout]
    for process in processes:
        process.communicate(timeout=60)
    assert sorted(said) == ["home.owned"] * 3 + ["owner"]
    verified(home)
    with inspect_storage(home) as inspected:
        kinds = [entry.kind for entry in inspected.ledger.entries(SIZE, 100)]
    assert kinds.count("test.added") == 1


def test_26_no_writer_starves_behind_the_one_pen(home: Home, clock: FixedClock) -> None:
    """Four writers that never pause: nobody is overtaken for long, the slowest gets half.

    Waiting is counted in commits of the others: the measure is the queue's, not the machine's.
    """
    order: list[int] = []
    with open_storage(home, clock=clock) as storage:

        def write(writer: int) -> None:
            while len(order) < 400:
                storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
                order.append(writer)

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert storage.ledger.verify().size == SIZE + len(order)
    places = [[at for at, who in enumerate(order) if who == writer] for writer in range(4)]
    assert min(map(len, places)) >= len(order) / 4 / 2
    waits = sorted(later - sooner for own in places for sooner, later in pairwise(own))
    assert waits[-1] <= 20 * waits[len(waits) // 2]


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("what", ["EIO", "ENOSPC", "KILL"])
def test_27_a_fault_at_the_flush_of_a_commit_loses_nothing(tmp_path: Path, what: str) -> None:
    home = campaign.template(tmp_path)
    fault = Fault(phase="commit", call="fdatasync", what=what, when="6")
    assert campaign.tried(home, tmp_path, fault).hits


def test_28_an_answer_that_was_never_logged_has_no_receipt_that_the_client_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate cannot answer without its entry, and a server that drops it has no proof to show."""
    with running(make_home(tmp_path / "home")) as api:
        pen, policy = api.deployment.pen, api.deployment.ledger.policy
        honest = api.ask().json()

        def dropping(_pending: object) -> object:
            raise audit_unavailable("the append was dropped")

        monkeypatch.setattr(pen, "answer", dropping)
        size = api.size()
        refusal = api.ask()
        assert refusal.status_code == 503
        assert refusal.json()["code"] == "gate.audit_unavailable"
        assert "rows" not in refusal.json()
        assert api.size() == size
    # A server that answers all the same can only show the receipt of something else.
    receipt = canonical.dumps(honest["receipt"])
    proven = verify_receipt(receipt, policy)
    assert proven.entry.event_id == honest["event_id"]
    invented: Any = {**honest["receipt"]}
    invented["entry"] = _with_event(invented["entry"], proven.entry.event_id)
    with pytest.raises(ReceiptRejected):
        verify_receipt(canonical.dumps(invented), policy)


def _with_event(entry: str, event_id: str) -> str:
    import base64

    raw = base64.b64decode(entry)
    other = event_id[:-1] + ("0" if event_id[-1] != "0" else "1")
    return base64.b64encode(raw.replace(event_id.encode(), other.encode())).decode()


# --- artifacts and floods ------------------------------------------------------------------------


class Malicious:
    """What runs when a pickle is opened."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (os.system, ("touch pwned",))


@pytest.mark.parametrize("attack", ["pickle", "changed", "symlink", "gone", "registered pickle"])
def test_33_a_malicious_artifact_is_refused_before_it_is_opened(
    tmp_path: Path, attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our predictors are canonical parameters: nothing in them runs, and the digest comes first."""
    monkeypatch.chdir(tmp_path)
    root = make_home(tmp_path / "home")
    (artifact,) = root.glob("artifacts/**/parameters.json")
    good, bad = artifact.read_bytes(), pickle.dumps(Malicious())
    if attack == "gone":
        artifact.unlink()
    elif attack == "symlink":
        (tmp_path / "elsewhere").write_bytes(bad)
        artifact.unlink()
        artifact.symlink_to(tmp_path / "elsewhere")
    elif attack == "changed":
        artifact.write_bytes(good.replace(b'"', b"'", 1))
    elif attack == "registered pickle":
        from models.errors import ModelError
        from models.predictor import load_predictor

        with pytest.raises((ModelError, ValueError)):
            load_predictor("forecasting/path-table/1", json.loads(json.dumps(bad.hex())))
        with pytest.raises(ModelError):
            load_predictor("python/pickle/1", {})
        artifact.write_bytes(bad)
    else:
        artifact.write_bytes(bad)
    with running(root) as api:
        reply = api.ask()
        assert reply.status_code != 200 or "gate.digest_mismatch" in reply.text
        assert "gate.digest_mismatch" in reply.text
    assert not (tmp_path / "pwned").exists()


def test_33_an_extra_file_beside_the_artifact_is_never_read(tmp_path: Path) -> None:
    root = make_home(tmp_path / "home")
    (artifact,) = root.glob("artifacts/**/parameters.json")
    (artifact.parent / "model.pkl").write_bytes(pickle.dumps(Malicious()))
    (artifact.parent / "MLmodel").write_text("flavors: {python_function: {loader_module: os}}")
    with running(root) as api:
        assert api.ask().status_code == 200
    with pytest.raises(ArtifactTampered):
        read_artifact(root=artifact.parent, uri="model.pkl", digest="00" * 32)


def test_36_a_flood_is_stopped_by_the_clients_quota_and_hides_nothing(tmp_path: Path) -> None:
    root = make_home(tmp_path / "home", limits={"requests_per_minute": 5})
    with running(root) as api:
        size = api.size()
        replies = [api.ask() for _ in range(12)]
        answered = [reply for reply in replies if reply.status_code == 200]
        assert {reply.status_code for reply in replies} == {200, 429}
        assert len(answered) < 12
        assert api.size() == size + len(answered)
        for reply in answered:
            assert api.deployment.ledger.find(reply.json()["event_id"])
        assert api.deployment.ledger.verify().size == api.size()


@pytest.mark.slow
@pytest.mark.usefixtures("small_file_system")
def test_36_a_full_disk_fails_closed_and_stays_readable(tmp_path: Path) -> None:
    judge(run_story(tmp_path))
