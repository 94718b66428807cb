"""A receipt is checked in another process with nothing but the public key (P14)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from governance.ledger.core.errors import ReceiptRejected
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.operations.inspect.verify_receipt import receipt_in
from tests.support.demonstration import Demonstration, result, run_vigil


@pytest.fixture
def taken_home(finished: Demonstration, tmp_path: Path) -> Path:
    """The two files that an auditor takes home: an answer as it came, and the log's policy."""
    answer = (finished.home / "answer.receipt.json").read_bytes()
    (tmp_path / "answer.receipt.json").write_bytes(answer)
    (tmp_path / "log.policy").write_bytes((finished.home / "log.policy").read_bytes())
    return tmp_path


def test_it_verifies_far_from_the_home(taken_home: Path) -> None:
    policy = ("--policy", str(taken_home / "log.policy"))
    answer = taken_home / "answer.receipt.json"
    report = result(run_vigil("receipt", "verify", str(answer), *policy, "--json"))
    assert report["stage"] == "S0"
    assert report["kind"] == "inference.answered"
    body = json.loads(report["body"])
    told = json.loads(body["reply"])
    received = json.loads(answer.read_bytes())
    del received["receipt"]
    assert received.pop("event_id") == report["event_id"]
    assert told == received


def test_another_log_key_does_not_verify_it(taken_home: Path, tmp_path: Path) -> None:
    made = tmp_path / "other"
    done = run_vigil(
        "init", "--organisation", "elsewhere", "--administrator", "eve", "--printed-name",
        "Eve Elsewhere", "--home", str(made), password="a-long-enough-password",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = str(taken_home / "answer.receipt.json")
    refused = run_vigil("receipt", "verify", answer, "--policy", str(made / "log.policy"))
    assert refused.returncode == 3
    assert "receipt.rejected" in refused.stderr


def test_any_changed_character_is_rejected(taken_home: Path) -> None:
    policy = Policy.parse((taken_home / "log.policy").read_bytes())
    receipt = receipt_in((taken_home / "answer.receipt.json").read_bytes())
    verify_receipt(receipt, policy)
    accepted = []
    for place, byte in enumerate(receipt):
        changed = receipt[:place] + bytes([byte ^ 1]) + receipt[place + 1 :]
        try:
            verify_receipt(receipt_in(changed), policy)
        except ReceiptRejected:
            continue
        accepted.append(place)
    assert accepted == []
