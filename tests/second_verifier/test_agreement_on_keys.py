"""Both verifiers say the same of logs whose key was rotated, and of those that only say so (P3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.log_keys import retirement_facts, rotation_facts
from governance.ledger.core.note import VerifierKey
from tests.second_verifier.agreement import Row, log_is_accepted
from tests.unit.ledger.sample import ORIGIN, SampleLog, private_key

pytestmark = pytest.mark.requirement("P14")
A, B, C = (private_key(name) for name in ("log", "log-2", "log-3"))
VKEYS = [VerifierKey.of(key, name=ORIGIN).text() for key in (A, B, C)]
BOTH = f"log {VKEYS[0]}\nlog {VKEYS[1]}\nquorum none\n".encode()
OLD, NEW = (f"log {vkey}\nquorum none\n".encode() for vkey in VKEYS[:2])
Said = dict[int, tuple[str, dict[str, Any]]]


def rotation(seq: int = 3, old: Any = A, new: Any = B, origin: str = ORIGIN) -> Any:
    return "key.rotated", dict(rotation_facts(origin=origin, size=seq, old=old, new=new))


def retirement(seq: int = 6, retired: int = 0, remaining: Any = B) -> Any:
    key = VerifierKey.parse(VKEYS[retired])
    facts = retirement_facts(origin=ORIGIN, size=seq, retired=key, remaining=remaining)
    return "key.retired", dict(facts)


USUAL: Said = {3: rotation(), 6: retirement()}


def written(said: Said, *, genesis: Any = None, size: int = 9) -> SampleLog:
    log = SampleLog()
    first = {"vkeys": VKEYS[:1]} if genesis is None else genesis
    for seq in range(size):
        kind, facts = said.get(seq, ("test.done", {"n": seq}))
        kind, facts = ("ledger.genesis", first) if seq == 0 else (kind, facts)
        log.append(kind=kind, facts={"actor": "u-1", **facts}, body=None)
    return log


def rows(log: SampleLog) -> list[Row]:
    return [
        Row(
            seq=row.seq, event_id=row.event_id, env=row.env, leaf=row.leaf, facts=row.facts,
            facts_salt=row.facts_salt,
        )
        for row in log.rows
    ]  # fmt: skip


def note(log: SampleLog, size: int, *keys: Any) -> bytes:
    checkpoint = Checkpoint(origin=ORIGIN, size=size, root=log.tree.root(size))
    return sign_checkpoint(checkpoint, private_key=keys[0], also=keys[1:])


LOG = written(USUAL)


@pytest.mark.parametrize(
    ("size", "keys", "policy"),
    [
        (1, [A], BOTH), (3, [A], BOTH), (4, [A, B], BOTH), (6, [A, B], BOTH), (7, [B], BOTH),
        (9, [B], BOTH), (5, [A, B], OLD), (5, [A, B], NEW), (9, [B], NEW), (3, [A], OLD),
        (9, [A, B], BOTH),
    ],
)  # fmt: skip
def test_checkpoints_under_a_key_of_their_size_are_accepted_by_both(
    size: int, keys: Sequence[Any], policy: bytes
) -> None:
    assert log_is_accepted(rows(LOG), [note(LOG, size, *keys)], policy)


@pytest.mark.parametrize(
    ("size", "keys", "policy"),
    [
        (7, [A], BOTH), (9, [A], OLD), (3, [B], NEW), (1, [B], BOTH), (9, [C], BOTH),
        (9, [A, B], OLD), (3, [A, B], NEW),
    ],
)  # fmt: skip
def test_checkpoints_under_a_key_of_other_sizes_are_refused_by_both(
    size: int, keys: Sequence[Any], policy: bytes
) -> None:
    assert not log_is_accepted(rows(LOG), [note(LOG, size, *keys)], policy)


def signed(said: Any, **signatures: Any) -> Any:
    kind, facts = said
    return kind, facts | {"signatures": facts["signatures"] | signatures}


_FACTS = rotation()[1]["signatures"]
BAD: dict[str, Said] = {
    "of another entry": {3: rotation(4)},
    "of another log": {3: rotation(origin="example.org/other")},
    "of a key that is not in force": {3: rotation(old=C)},
    "to the key that is there": {3: rotation(new=A)},
    "twice at once": {3: rotation(), 5: rotation(5, old=B, new=C)},
    "by the new key alone": {3: signed(rotation(), old=_FACTS["new"])},
    "by the old key alone": {3: signed(rotation(), new=_FACTS["old"])},
    "by nobody": {3: ("key.rotated", rotation()[1] | {"signatures": {}})},
    "without signatures": {3: ("key.rotated", rotation()[1] | {"signatures": None})},
    "with a signature that is no base64": {3: signed(rotation(), old="x")},
    "with another key": {3: ("key.rotated", rotation()[1] | {"new": VKEYS[2]})},
    "without keys": {3: ("key.rotated", {})},
    "a retirement without a rotation": {6: retirement()},
    "a retirement by the retired": {3: rotation(), 6: retirement(6, 1, A)},
    "a retirement of another entry": {3: rotation(), 6: retirement(7)},
    "a retirement of a stranger": {3: rotation(), 6: retirement(6, 2, B)},
    "a retirement twice": {**USUAL, 8: retirement(8)},
    "a key that comes back": {**USUAL, 8: rotation(8, old=B, new=A)},
}


@pytest.mark.parametrize("name", BAD)
def test_a_rotation_that_was_not_signed_is_refused_by_both_at_its_row(name: str) -> None:
    log = written(BAD[name])
    assert not log_is_accepted(rows(log), [note(log, 2, A)], BOTH)


@pytest.mark.parametrize(
    "genesis", [{"vkeys": []}, {"vkeys": "x"}, {"vkeys": ["x"]}, {"vkeys": [1]}, {"vkeys": None}]
)
def test_a_log_that_names_no_readable_key_is_refused_by_both(genesis: Any) -> None:
    log = written({}, genesis=genesis)
    assert not log_is_accepted(rows(log), [note(log, 2, A)], BOTH)


def test_a_log_that_says_nothing_of_its_keys_takes_those_of_the_policy() -> None:
    log = written({}, genesis={})
    assert log_is_accepted(rows(log), [note(log, 9, B)], BOTH)
    assert log_is_accepted(rows(log), [note(log, 9, A)], BOTH)


def test_a_log_of_two_rotations() -> None:
    log = written({**USUAL, 7: rotation(7, old=B, new=C)})
    policy = BOTH.replace(b"quorum", f"log {VKEYS[2]}\nquorum".encode())
    assert log_is_accepted(rows(log), [note(log, 8, B, C), note(log, 9, C)], policy)
    assert not log_is_accepted(rows(log), [note(log, 7, C)], policy)
