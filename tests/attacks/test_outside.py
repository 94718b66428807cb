"""Rows 10, 11 and 21: other parties, and whoever holds the log's key (P3)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.errors import LedgerBehind, ReceiptRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.merkle import Tree
from governance.ledger.core.note import cosign, with_lines
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.witness import encode_add_checkpoint
from governance.ledger.store.anchors import anchor_of
from tests.integration.witness.outside import Outside, act

if TYPE_CHECKING:
    from governance.clock import FixedClock
    from governance.home import Home
    from governance.storage.open import Storage

pytestmark = pytest.mark.requirement("P3")
THREE = ("hospital", "vendor", "body")


@pytest.fixture
def outside(home: Home, clock: FixedClock) -> Outside:
    return Outside.of(home, clock, *THREE)


def fork(storage: Storage, outside: Outside, *, at: int, size: int) -> tuple[Tree, bytes]:
    """Return another history from `at` on, signed with the log's stolen key."""
    tree = Tree(storage.ledger.tree.leaf(seq) for seq in range(at))
    for number in range(at, size):
        tree.append(bytes([number]) * 32)
    checkpoint = Checkpoint(origin=outside.home.origin, size=size, root=tree.root())
    return tree, sign_checkpoint(checkpoint, private_key=outside.home.log_key())


def test_10_at_most_one_of_two_views_reaches_the_quorum(outside: Outside, tmp_path: Path) -> None:
    """Two honest-looking logs under one key, each shown to some of the witnesses."""
    copy = outside.backup(tmp_path / "copy")
    outside.door("vendor").down = outside.door("body").down = True
    with outside.opened() as storage:
        event_of_one = act(storage)
        storage.cosigner.round()
        one = storage.ledger.receipt(event_of_one)
    outside.restore(copy)
    outside.every(down=False)
    outside.door("hospital").down = True  # it would tell
    with outside.opened() as storage:
        event_of_other = act(storage, count=2)
        storage.cosigner.round()
        other = storage.ledger.receipt(event_of_other)
    policy = Policy.parse(outside.home.policy_path.read_bytes())
    assert verify_receipt(other, policy).stage == "S1"
    with pytest.raises(ReceiptRejected, match="too few distinct witnesses") as rejected:
        verify_receipt(one, policy)
    assert rejected.value.step == "quorum"
    outside.every(down=False)
    with pytest.raises(LedgerBehind, match="hospital has seen another history"), outside.opened():
        pytest.fail("the home opened")


def test_11_one_colluding_witness_is_no_quorum(outside: Outside) -> None:
    """One of three signs both histories, as often as it likes and at any time."""
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        size = storage.ledger.head()[0]
        _tree, forged = fork(storage, outside, at=2, size=size)
        policy = storage.ledger.policy
    evil = outside.homes["vendor"]
    lines = [
        cosign(forged, name=evil.vkey.name, private_key=evil.key, time_s=1_900_000_000 + number)
        for number in range(3)
    ]
    signed = with_lines(forged, lines)
    origin = outside.home.origin
    keys = LogKeys.begin(origin, [policy.log_keys(origin)[0].text()])
    assert anchor_of(signed, keys=keys, policy=policy) is None
    second = outside.homes["body"]
    line = cosign(forged, name=second.vkey.name, private_key=second.key, time_s=1_900_000_000)
    both = with_lines(signed, [line])
    assert anchor_of(both, keys=keys, policy=policy) is not None  # k evil ones can


@pytest.mark.parametrize("at", [2, 5])
def test_21_a_fork_with_the_stolen_key_gains_no_quorum(outside: Outside, at: int) -> None:
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        size = storage.ledger.head()[0]
        tree, forged = fork(storage, outside, at=at, size=size + 3)
        for name in THREE:
            witness = outside.door(name).witness
            for old, status in ((size, 422), (0, 409), (at, 409)):
                proof = tree.consistency_proof(old)
                body = encode_add_checkpoint(old_size=old, proof=proof, checkpoint=forged)
                assert witness.add_checkpoint(body).status == status
        act(storage)
        storage.cosigner.round()
        assert storage.cosigner.report().anchored_size == storage.ledger.head()[0]


def test_21_a_thief_who_is_ahead_of_us_stops_the_pen(outside: Outside) -> None:
    with outside.opened() as storage:
        storage.cosigner.round()
        size = storage.ledger.head()[0]
        tree, forged = fork(storage, outside, at=size, size=size + 2)
        proof = tree.consistency_proof(size)
        body = encode_add_checkpoint(old_size=size, proof=proof, checkpoint=forged)
        assert outside.door("vendor").witness.add_checkpoint(body).status == 200
        act(storage)
        storage.cosigner.round()
        with pytest.raises(LedgerBehind):
            act(storage)
    with pytest.raises(LedgerBehind), outside.opened():
        pytest.fail("the home opened")
