"""The frozen log of format 1 comes out the same, verifies twice, and is the documented one."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from governance.ledger.core.body_cipher import SealedBody, unseal
from governance.ledger.core.checkpoint import open_checkpoint
from governance.ledger.core.errors import LedgerTampered, ReceiptRejected
from governance.ledger.core.merkle import Frontier, verify_consistency
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.verify import StoredEntry, VerifiedLog, verify_log
from tests.golden.ledger import generate, second_reader
from tests.unit.ledger.sample import ORIGIN, SampleLog, secret

HERE = Path(__file__).parent
FORMAT_PAGE = HERE.parents[2] / "docs" / "reference" / "ledger-format.md"
RECEIPTS = ["v1-s0.receipt.json", "v1-s1.receipt.json", "v1-withheld.receipt.json"]


def frozen(name: str) -> bytes:
    return (HERE / name).read_bytes()


def rows() -> list[dict[str, object]]:
    return json.loads(frozen("v1-log.json"))


def policy_for(name: str) -> bytes:
    text = frozen("v1-policy.txt")
    return re.sub(rb"quorum .*", b"quorum none", text) if "s0" in name else text


def stored(row: dict[str, object]) -> StoredEntry:
    salt = row["body_salt"]
    return StoredEntry(
        seq=int(str(row["seq"])),
        event_id=str(row["event_id"]),
        env=str(row["env"]).encode("ascii"),
        leaf=bytes.fromhex(str(row["leaf"])),
        facts=str(row["facts"]).encode(),
        facts_salt=bytes.fromhex(str(row["facts_salt"])),
        body_salt=bytes.fromhex(str(salt)) if salt else None,
        has_body=row["sealed"] is not None,
        body_erased=False,
    )


def open_frozen_body(row: StoredEntry) -> bytes:
    sealed = rows()[row.seq]["sealed"]
    assert isinstance(sealed, dict)
    parts = {name: bytes.fromhex(text) for name, text in sealed.items()}
    return unseal(SealedBody(**parts), dek=secret("dek"), origin=ORIGIN, event_id=row.event_id)


def verify(entries: list[dict[str, object]]) -> VerifiedLog:
    checkpoint = open_checkpoint(frozen("v1-checkpoint.txt"), origin=ORIGIN, keys=[SampleLog().key])
    return verify_log(
        [stored(row) for row in entries],
        origin=ORIGIN,
        checkpoints=[checkpoint],
        open_body=open_frozen_body,
    )


@pytest.mark.parametrize("name", generate.files())
def test_the_generator_still_writes_the_frozen_bytes(name: str) -> None:
    assert generate.files()[name] == frozen(name)


def test_the_frozen_log_verifies() -> None:
    verified = verify(rows())
    assert (verified.size, verified.anchored_size, verified.bodies_checked) == (11, 11, 7)
    assert Frontier.decode(bytes.fromhex(frozen("v1-frontier.hex").decode())).root() == (
        verified.root
    )


def test_the_frozen_log_verifies_with_the_second_reader() -> None:
    text = frozen("v1-checkpoint.txt").decode()
    origin, size, root = text.split("\n")[:3]
    second_reader.verify_rows(rows(), origin, size=int(size), root=base64.b64decode(root))


@pytest.mark.parametrize("seq", range(11))
def test_both_readers_refuse_a_frozen_row_that_was_changed(seq: int) -> None:
    text = frozen("v1-checkpoint.txt").decode()
    origin, size, root = text.split("\n")[:3]
    changed = rows()
    changed[seq]["facts"] = str(changed[seq]["facts"]).replace("u-1", "u-2")
    with pytest.raises(LedgerTampered, match=f"entry {seq}:"):
        verify(changed)
    with pytest.raises(second_reader.Refused, match=f"facts {seq}"):
        second_reader.verify_rows(changed, origin, size=int(size), root=base64.b64decode(root))


@pytest.mark.parametrize("name", RECEIPTS)
def test_both_readers_agree_on_the_frozen_receipts(name: str) -> None:
    verified = verify_receipt(frozen(name), Policy.parse(policy_for(name)))
    second = second_reader.verify_receipt(frozen(name), policy_for(name).decode())
    assert second == {"seq": verified.seq, "size": verified.size, "facts": verified.facts}
    assert verified.stage == ("S0" if "s0" in name else "S1")


@pytest.mark.parametrize("name", json.loads(frozen("v1-hostile.json")))
def test_both_readers_refuse_the_hostile_receipts(name: str) -> None:
    raw = base64.b64decode(json.loads(frozen("v1-hostile.json"))[name])
    with pytest.raises(ReceiptRejected):
        verify_receipt(raw, Policy.parse(frozen("v1-policy.txt")))
    with pytest.raises(second_reader.Refused):
        second_reader.verify_receipt(raw, frozen("v1-policy.txt").decode())


@pytest.mark.parametrize("vector", json.loads(frozen("v1-consistency.json")))
def test_the_frozen_consistency_proofs_verify(vector: dict[str, object]) -> None:
    verify_consistency(
        old_size=int(str(vector["old"])),
        old_root=bytes.fromhex(str(vector["old_root"])),
        new_size=int(str(vector["new"])),
        new_root=bytes.fromhex(str(vector["new_root"])),
        proof=[bytes.fromhex(h) for h in vector["proof"]],
    )


# --- the format page --------------------------------------------------------------------------


def documented() -> dict[str, str]:
    """Return name -> content of the fenced blocks of the worked example."""
    page = FORMAT_PAGE.read_text(encoding="utf-8")
    return {
        name: content.rstrip("\n")
        for name, content in re.findall(r"```text (\S+)\n(.*?)```", page, re.DOTALL)
    }


def test_the_worked_example_of_the_format_page_is_the_frozen_log() -> None:
    zero, one = rows()[0], rows()[1]
    receipt = json.loads(frozen("v1-s1.receipt.json"))
    assert isinstance(one["sealed"], dict)
    assert documented() == {
        "origin": ORIGIN,
        "genesis_prev": re.search(r'"prev":"(\w+)"', str(zero["env"]))[1],
        "facts_1": one["facts"],
        "facts_salt_1": one["facts_salt"],
        "facts_c_1": re.search(r'"facts_c":"(\w+)"', str(one["env"]))[1],
        "body_1": open_frozen_body(stored(one)).decode(),
        "body_salt_1": one["body_salt"],
        "body_c_1": re.search(r'"body_c":"(\w+)"', str(one["env"]))[1],
        "entry_1": one["env"],
        "leaf_0": zero["leaf"],
        "leaf_1": one["leaf"],
        "dek_1": secret("dek").hex(),
        "nonce_1": one["sealed"]["nonce"],
        "key_commitment_1": one["sealed"]["key_commitment"],
        "ciphertext_1": one["sealed"]["ciphertext"],
        "frontier_11": frozen("v1-frontier.hex").decode().strip(),
        "checkpoint_11": frozen("v1-checkpoint.txt").decode().rstrip("\n"),
        "policy": frozen("v1-policy.txt").decode().rstrip("\n"),
        "proof_7": receipt["proof"].rstrip("\n"),
    }
