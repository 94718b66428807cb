"""What entries say of the log's keys: a range each, and nothing that was not signed (P3)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from governance.ledger.core.after_closing import AFTER_CLOSING
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.errors import LedgerTampered, NoteRejected
from governance.ledger.core.log_keys import (
    KEY_RETIRED,
    KEY_ROTATED,
    LOG_CLOSED,
    KeyFold,
    LogKeys,
    retirement_facts,
    rotation_facts,
)
from governance.ledger.core.note import VerifierKey
from governance.ledger.core.policy import Policy, with_log_keys
from tests.unit.ledger.sample import ORIGIN, policy_text, private_key, witness_key

pytestmark = pytest.mark.requirement("P3")
A, B, C = (private_key(name) for name in ("log", "log-2", "log-3"))
KEY_A, KEY_B, KEY_C = (VerifierKey.of(key, name=ORIGIN) for key in (A, B, C))
BEGUN = LogKeys.begin(ORIGIN, [KEY_A.text()])


def rotation(seq: int = 5, old: Any = A, new: Any = B, origin: str = ORIGIN) -> dict[str, Any]:
    return dict(rotation_facts(origin=origin, size=seq, old=old, new=new))


def retirement(seq: int = 9) -> dict[str, Any]:
    return dict(retirement_facts(origin=ORIGIN, size=seq, retired=KEY_A, remaining=B))


ROTATED = BEGUN.after(5, KEY_ROTATED, rotation())
RETIRED = ROTATED.after(9, KEY_RETIRED, retirement())


def note(size: int, *keys: Any) -> bytes:
    checkpoint = Checkpoint(origin=ORIGIN, size=size, root=bytes(32))
    return sign_checkpoint(checkpoint, private_key=keys[0], also=keys[1:])


def test_each_key_has_the_sizes_that_the_entries_give_it() -> None:
    assert BEGUN.at(1) == BEGUN.at(10**9) == (KEY_A,)
    assert [RETIRED.at(size) for size in (5, 6, 9, 10)] == [
        (KEY_A,), (KEY_A, KEY_B), (KEY_A, KEY_B), (KEY_B,),
    ]  # fmt: skip
    assert (ROTATED.in_force, RETIRED.in_force) == ((KEY_A, KEY_B), (KEY_B,))
    assert [keys.last_seq for keys in (BEGUN, ROTATED, RETIRED)] == [0, 5, 9]


@pytest.mark.parametrize(
    ("size", "keys"),
    [(1, [A]), (5, [A]), (6, [A]), (6, [B]), (7, [A, B]), (9, [A]), (10, [B]), (10, [A, B])],
)
def test_a_checkpoint_counts_under_a_key_of_its_size(size: int, keys: list[Any]) -> None:
    assert RETIRED.open(note(size, *keys)).size == size


@pytest.mark.parametrize(("size", "keys"), [(5, [B]), (1, [B]), (10, [A]), (99, [A]), (10, [C])])
def test_a_checkpoint_under_a_key_of_other_sizes_does_not(size: int, keys: list[Any]) -> None:
    with pytest.raises(NoteRejected):
        RETIRED.open(note(size, *keys))


def test_a_bad_line_of_either_key_refuses_the_note() -> None:
    good = note(7, A, B).decode()
    for at in (-1, -2):
        lines = good.splitlines()
        name, coded = lines[at].rsplit(" ", 1)
        raw = bytearray(base64.b64decode(coded))
        raw[20] ^= 1
        lines[at] = f"{name} {base64.b64encode(bytes(raw)).decode()}"
        with pytest.raises(NoteRejected):
            RETIRED.open(("\n".join(lines) + "\n").encode())


def without(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return {**facts, "signatures": {k: v for k, v in facts["signatures"].items() if k != name}}


def signed_as(facts: dict[str, Any], name: str, by: str) -> dict[str, Any]:
    return {**facts, "signatures": {**facts["signatures"], name: facts["signatures"][by]}}


BAD_ROTATIONS: dict[str, dict[str, Any]] = {
    "no signature of the old key": without(rotation(), "old"),
    "no signature of the new key": without(rotation(), "new"),
    "the old key's twice": signed_as(rotation(), "new", "old"),
    "the new key's twice": signed_as(rotation(), "old", "new"),
    "stated for another entry": rotation(6),
    "stated for another log": rotation(origin="example.org/other/audit/x"),
    "from a key that is not in force": rotation(old=C),
    "to the key that is in force": rotation(new=A),
    "no keys": {},
    "keys that are no text": {"old": 1, "new": None},
    "a witness's key": {**rotation(), "new": witness_key("hospital").text()},
    "other names": {**rotation(), "signatures": []},
    "a signature that is no base64": {**rotation(), "signatures": {"old": "?", "new": "?"}},
    "another new key than was stated": {**rotation(), "new": KEY_C.text()},
}


@pytest.mark.parametrize("name", BAD_ROTATIONS)
def test_a_rotation_that_the_keys_did_not_state_is_refused(name: str) -> None:
    with pytest.raises(LedgerTampered) as found:
        BEGUN.after(5, KEY_ROTATED, BAD_ROTATIONS[name])
    assert found.value.sequence == 5


BAD_RETIREMENTS: dict[str, dict[str, Any]] = {
    "no signature": {**retirement(), "signatures": {}},
    "stated for another entry": retirement(8),
    "signed by the retired key": dict(
        retirement_facts(origin=ORIGIN, size=9, retired=KEY_B, remaining=A)
    ),
    "of a key that never was": dict(
        retirement_facts(origin=ORIGIN, size=9, retired=KEY_C, remaining=B)
    ),
    "no keys": {},
}


@pytest.mark.parametrize("name", BAD_RETIREMENTS)
def test_a_retirement_that_the_remaining_key_did_not_state_is_refused(name: str) -> None:
    with pytest.raises(LedgerTampered):
        ROTATED.after(9, KEY_RETIRED, BAD_RETIREMENTS[name])


def test_steps_out_of_order_are_refused() -> None:
    with pytest.raises(LedgerTampered):
        BEGUN.after(9, KEY_RETIRED, retirement())
    with pytest.raises(LedgerTampered):
        RETIRED.after(9, KEY_RETIRED, retirement())
    with pytest.raises(LedgerTampered):
        ROTATED.after(6, KEY_ROTATED, rotation(6, old=B, new=C))
    with pytest.raises(LedgerTampered, match="has had"):
        RETIRED.after(12, KEY_ROTATED, rotation(12, old=B, new=A))


def test_a_second_rotation_and_the_end_of_the_log() -> None:
    twice = RETIRED.after(12, KEY_ROTATED, rotation(12, old=B, new=C))
    assert twice.in_force == (KEY_B, KEY_C)
    assert twice.after(20, LOG_CLOSED, {}).closed_seq == 20
    assert twice.after(20, "person.added", {}) == twice


@pytest.mark.parametrize("kind", sorted(AFTER_CLOSING))
def test_duties_to_persons_may_follow_the_end_of_a_log(kind: str) -> None:
    assert RETIRED.after(20, LOG_CLOSED, {}).after(21, kind, {}).closed_seq == 20


@pytest.mark.parametrize(
    "kind", ["person.added", "role.granted", "inference.answered", LOG_CLOSED, KEY_ROTATED]
)
def test_nothing_else_may_follow_the_end_of_a_log(kind: str) -> None:
    closed = RETIRED.after(20, LOG_CLOSED, {})
    with pytest.raises(LedgerTampered, match="closed the log"):
        closed.after(21, kind, rotation(21, old=B, new=C))
    fold = KeyFold(ORIGIN)
    fold.keys = closed
    with pytest.raises(LedgerTampered, match="closed the log"):
        fold.add(21, kind, b"{}")


@pytest.mark.parametrize("vkeys", [None, [], "x", ["x"], [KEY_A.text(), 1], [7]])
def test_a_log_without_a_readable_key_does_not_begin(vkeys: Any) -> None:
    with pytest.raises(LedgerTampered):
        LogKeys.begin(ORIGIN, vkeys)


def test_a_policy_takes_other_log_keys_and_keeps_everything_else() -> None:
    before = policy_text()
    changed = with_log_keys(before, [KEY_A, KEY_B])
    old, new = Policy.parse(before.encode()), Policy.parse(changed.encode())
    assert new.log_keys(ORIGIN) == (KEY_A, KEY_B)
    assert (new.witnesses, new.groups, new.quorum) == (old.witnesses, old.groups, old.quorum)
    assert with_log_keys(changed, [KEY_A]) == with_log_keys(before, [KEY_A])
