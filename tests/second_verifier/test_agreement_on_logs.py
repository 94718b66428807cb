"""Both verifiers say the same of every log, and name the same first bad row (P3, P14)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.ledger.core import canonical
from governance.ledger.core.errors import NotCanonical, ProofRejected
from governance.ledger.core.merkle import Tree, root_from_inclusion_proof, verify_consistency
from governance.ledger.core.note import sign, with_lines
from tests.second_verifier import verifier
from tests.second_verifier.agreement import Row, log_is_accepted, receipt_is_accepted
from tests.second_verifier.forging import NO_SALT, b64, compact, digest
from tests.unit.ledger.sample import (
    ORIGIN,
    WITNESSES,
    SampleLog,
    event_id,
    policy_text,
    private_key,
)

POLICY = policy_text().encode()


def rows_of(log: SampleLog) -> list[Row]:
    return [
        Row(
            seq=row.seq,
            event_id=row.event_id,
            env=row.env,
            leaf=row.leaf,
            facts=row.facts,
            facts_salt=row.facts_salt,
            body=log.open_body(row),
            body_salt=row.body_salt,
        )
        for row in log.rows
    ]


LOG = SampleLog.of(11)
ROWS = rows_of(LOG)  # rows 0, 3, 6 and 9 have no body
NOTES = [LOG.note(5), LOG.note(11)]


def edited(at: int, **fields: object) -> list[Row]:
    return [*ROWS[:at], replace(ROWS[at], **fields), *ROWS[at + 1 :]]  # type: ignore[arg-type]


def forged(*specs: dict[str, object]) -> list[Row]:
    """Return a log that is chained rightly over odd entries; `facts` and fields replace ours."""
    rows: list[Row] = []
    prev = digest(b"oncovigil/genesis/v1\n", ORIGIN.encode())
    for seq, spec in enumerate(specs):
        facts = spec.get("facts", b"{}")
        assert isinstance(facts, bytes)
        fields: dict[str, object] = {
            "body_c": None,
            "event_id": event_id(seq),
            "facts_c": digest(b"oncovigil/facts/v1\n", NO_SALT, facts).hex(),
            "kind": "test.done",
            "prev": prev.hex(),
            "seq": seq,
            "t_us": seq,
            "v": 1,
        }
        fields |= {name: value for name, value in spec.items() if name != "facts"}
        env = compact(fields)
        prev = digest(b"\x00", env)
        row = Row(
            seq=seq,
            event_id=str(fields["event_id"]),
            env=env,
            leaf=prev,
            facts=facts,
            facts_salt=NO_SALT,
        )
        rows.append(row)
    return rows


def rewritten_from(at: int) -> SampleLog:
    """Return a log that agrees with itself and is another one from row `at` on."""
    log = SampleLog.of(at)
    while len(log.rows) < len(ROWS):
        log.append(kind="test.rewritten", facts={"n": len(log.rows)}, body=None)
    return log


ROOT_OF_NOTHING = sign(
    f"{ORIGIN}\n0\n{b64(ROWS[0].leaf)}\n", name=ORIGIN, private_key=private_key("log")
)
ERASED = edited(4, body=None, body_salt=None, erased=True)
UNOPENED = [replace(row, body=None, sealed=row.body is not None) for row in ROWS]

ACCEPTED: dict[str, tuple[Sequence[Row], Sequence[bytes]]] = {
    "no entries": ([], []),
    "no entries under a checkpoint of none": ([], [LOG.note(0)]),
    "no checkpoint": (ROWS, []),
    "checkpoints of every size": (ROWS, [LOG.note(size) for size in range(12)]),
    "one checkpoint twice": (ROWS, [LOG.note(5), LOG.note(5)]),
    "entries after the last checkpoint": (ROWS, [LOG.note(5)]),
    "a tail that no checkpoint covers is cut": (ROWS[:9], [LOG.note(5)]),
    "an erased body": (ERASED, NOTES),
    "times that are equal": (forged({"t_us": 5}, {"t_us": 5}), []),
    "one event twice": (forged({}, {"event_id": event_id(0)}), []),
    "rewritten without a checkpoint": (rows_of(rewritten_from(7)), []),
    "rewritten after the last checkpoint": (rows_of(rewritten_from(7)), [LOG.note(5)]),
}

REFUSED: dict[str, tuple[Sequence[Row], Sequence[bytes]]] = {
    "the tail is cut": (ROWS[:9], NOTES),
    "everything is cut": ([], NOTES),
    "the first row is dropped": (ROWS[1:], NOTES),
    "a row is dropped": ([*ROWS[:3], *ROWS[4:]], NOTES),
    "a row is doubled": ([*ROWS[:4], *ROWS[3:]], NOTES),
    "two rows are swapped": ([*ROWS[:3], ROWS[4], ROWS[3], *ROWS[5:]], NOTES),
    "the order is reversed": (ROWS[::-1], NOTES),
    "a row of another number": (edited(4, seq=5), NOTES),
    "a row of another event": (edited(4, event_id=event_id(5)), NOTES),
    "a row of another leaf": (edited(4, leaf=ROWS[5].leaf), NOTES),
    "a short leaf": (edited(4, leaf=ROWS[4].leaf[:31]), NOTES),
    "another entry under its own leaf": (edited(4, env=ROWS[5].env, leaf=ROWS[5].leaf), NOTES),
    "an entry that is none": (edited(4, env=b"{}"), NOTES),
    "facts of another row": (edited(4, facts=ROWS[5].facts), NOTES),
    "a short salt": (edited(4, facts_salt=ROWS[4].facts_salt[:31]), NOTES),
    "body of another row": (edited(4, body=ROWS[5].body), NOTES),
    "a short salt of a body": (edited(4, body_salt=NO_SALT[:31]), NOTES),
    "a body that is gone, without a mark": (edited(4, body=None, body_salt=None), NOTES),
    "a body that is gone, but not its salt": (edited(4, body=None), NOTES),
    "a body without salt": (edited(4, body_salt=None), NOTES),
    "a mark of erasure over a body": (edited(4, erased=True), NOTES),
    "a mark of erasure over a salt": (edited(4, body=None, erased=True), NOTES),
    "a mark of erasure over a body without salt": (edited(4, body_salt=None, erased=True), NOTES),
    "a mark of erasure where no body was": (edited(3, erased=True), NOTES),
    "a salt where no body was": (edited(3, body_salt=NO_SALT), NOTES),
    "a body where none was": (edited(3, body=b"x", body_salt=NO_SALT), NOTES),
    "a body of one byte too many": (edited(4, body=bytes(2_097_153)), NOTES),
    "facts of one byte too many": (forged({"facts": b'"' + b"x" * 524_287 + b'"'}), []),
    "a time that runs back": (forged({"t_us": 5}, {"t_us": 4}), []),
    "another origin": (rows_of(SampleLog.of(3, origin=f"{ORIGIN}x")), []),
    "an entry of another number": (forged({}, {"seq": 2}), []),
    "a body that never was": (forged({"body_c": "a" * 64}), []),
    "another log, chained rightly": (forged(*[{}] * 11), NOTES),
    "rewritten under a checkpoint": (rows_of(rewritten_from(7)), NOTES),
    "a wrong root before a row that fails": (
        [*rows_of(rewritten_from(3))[:8], ROWS[9]],
        NOTES,
    ),
    "a row that fails before a wrong root": (
        [ROWS[0], replace(ROWS[1], facts=b"{}"), *rows_of(rewritten_from(3))[2:]],
        NOTES,
    ),
    "a checkpoint of another key": (ROWS, [SampleLog.of(11, key_name="another").note()]),
    "a checkpoint of another log": (ROWS, [SampleLog.of(11, origin=f"{ORIGIN}x").note()]),
    "a checkpoint with a changed root": (ROWS, [NOTES[1].replace(b"8i1j", b"8i1k")]),
    "a checkpoint of no entries with a root": (ROWS, [ROOT_OF_NOTHING]),
    "two roots of one size": (ROWS, [LOG.note(11), rewritten_from(7).note(11)]),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_log_that_is_whole_is_accepted_by_both(name: str) -> None:
    assert log_is_accepted(*ACCEPTED[name], POLICY)


@pytest.mark.parametrize("name", REFUSED)
def test_a_log_that_is_not_whole_is_refused_by_both_at_the_same_row(name: str) -> None:
    assert not log_is_accepted(*REFUSED[name], POLICY)


def test_bodies_that_nobody_opened_are_counted_alike() -> None:
    assert log_is_accepted(UNOPENED, NOTES, POLICY, opened=False)


@pytest.mark.parametrize("facts", [b"{ }", b"\xff", b"1.0"])
def test_committed_facts_that_are_not_canonical_are_refused_by_both(facts: bytes) -> None:
    assert not log_is_accepted(forged({}, {"facts": facts}), [], POLICY)


@pytest.mark.parametrize("at", range(11))
@pytest.mark.parametrize("name", ["env", "leaf", "facts", "facts_salt", "body", "body_salt"])
def test_a_row_with_any_bit_changed_is_refused_by_both(at: int, name: str) -> None:
    raw = getattr(ROWS[at], name)
    for place in range(0, len(raw or b""), 7):
        changed = raw[:place] + bytes([raw[place] ^ 1 << place % 8]) + raw[place + 1 :]
        assert not log_is_accepted(edited(at, **{name: changed}), NOTES, POLICY)


def test_a_checkpoint_needs_the_quorum_of_the_policy() -> None:
    policy = policy_text(quorum="2").encode()
    assert log_is_accepted(ROWS, [LOG.note(witnesses=WITNESSES[:2])], policy)
    assert not log_is_accepted(ROWS, [LOG.note(witnesses=WITNESSES[:1])], policy)
    assert not log_is_accepted(ROWS, [LOG.note()], policy)
    twice = LOG.note(witnesses=WITNESSES[:1])
    again = twice.decode().splitlines(keepends=True)[-1]
    assert not log_is_accepted(ROWS, [with_lines(twice, [again])], policy)


# --- at random ----------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def logs(draw: st.DrawFn) -> SampleLog:
    log = SampleLog()
    kinds = st.from_regex(r"[a-z][a-z0-9_]{0,8}(\.[a-z][a-z0-9_]{0,8}){1,3}", fullmatch=True)
    for _ in range(draw(st.integers(0, 20))):
        log.append(
            kind=draw(kinds), facts=draw(VALUES), body=draw(st.none() | st.binary(max_size=30))
        )
    return log


@given(log=logs(), data=st.data())
@settings(max_examples=60)
def test_logs_and_receipts_of_the_builders_are_accepted_by_both(
    log: SampleLog, data: st.DataObject
) -> None:
    sizes = data.draw(st.sets(st.integers(0, len(log.rows))))
    assert log_is_accepted(rows_of(log), [log.note(size) for size in sizes], POLICY)
    for row in log.rows[:3]:
        assert receipt_is_accepted(log.receipt(row.seq, with_body=data.draw(st.booleans())), POLICY)
    frontier = verifier.Frontier()
    for row in log.rows:
        frontier.add(row.leaf)
    assert frontier.stored() == log.tree.frontier().encode()


MOVES = st.tuples(
    st.sampled_from(["drop", "double", "swap", "move", "cut", "edit", "unmark", "graft"]),
    st.integers(0, 10),
    st.integers(0, 10),
)


def moved(rows: list[Row], what: str, one: int, other: int) -> list[Row]:
    if not rows:
        return rows
    one, other = one % len(rows), other % len(rows)
    match what:
        case "drop":
            return rows[:one] + rows[one + 1 :]
        case "double":
            return [*rows[:other], rows[one], *rows[other:]]
        case "swap":
            rows[one], rows[other] = rows[other], rows[one]
        case "move":
            rows.insert(other, rows.pop(one))
        case "cut":
            return rows[:one]
        case "edit":
            rows[one] = replace(rows[one], facts=rows[other].facts, leaf=rows[other].leaf)
        case "unmark":
            rows[one] = replace(rows[one], body=None, body_salt=None, erased=not rows[one].erased)
        case _:
            return rows[:one] + rows_of(rewritten_from(one))[one:]
    return rows


@given(moves=st.lists(MOVES, min_size=1, max_size=3), sizes=st.sets(st.integers(0, 11)))
@settings(max_examples=300)
def test_rows_moved_about_are_judged_alike(
    moves: list[tuple[str, int, int]], sizes: set[int]
) -> None:
    rows = list(ROWS)
    for move in moves:
        rows = moved(rows, *move)
    log_is_accepted(rows, [LOG.note(size) for size in sorted(sizes)], POLICY)


# --- proofs -------------------------------------------------------------------------------------

LEAVES = [digest(bytes([n])) for n in range(40)]
TREE = Tree(LEAVES)
FORGE = st.sampled_from(["honest", "shorter", "longer", "swapped", "flipped", "doubled"])


def forged_path(path: list[bytes], how: str, at: int) -> list[bytes]:
    if not path:
        return [*path, LEAVES[0]] if how == "longer" else path
    at %= len(path)
    match how:
        case "shorter":
            return path[:at] + path[at + 1 :]
        case "longer":
            return [*path, LEAVES[at]]
        case "swapped":
            return path[::-1]
        case "flipped":
            return [*path[:at], digest(path[at]), *path[at + 1 :]]
        case "doubled":
            return [*path[:at], path[at], *path[at:]]
        case _:
            return path


@given(
    data=st.data(), how=FORGE, at=st.integers(0, 9), moved_by=st.sampled_from([0, 0, 0, 1, -1, 40])
)
@settings(max_examples=300)
def test_inclusion_proofs_lead_both_to_the_same_root_or_none(
    data: st.DataObject, how: str, at: int, moved_by: int
) -> None:
    size = data.draw(st.integers(1, 40))
    index = data.draw(st.integers(0, size - 1))
    path = forged_path(TREE.inclusion_proof(index, size), how, at)
    roots: list[bytes | None] = []
    try:
        roots.append(
            root_from_inclusion_proof(LEAVES[index], index=index + moved_by, size=size, proof=path)
        )
    except ProofRejected:
        roots.append(None)
    try:
        roots.append(
            verifier.root_from_path(
                leaf=LEAVES[index], index=index + moved_by, size=size, path=path
            )
        )
    except verifier.Refused:
        roots.append(None)
    assert roots[0] == roots[1], (index, moved_by, size, path)
    if how == "honest" and moved_by == 0:
        assert roots[0] == TREE.root(size)


@given(
    data=st.data(), how=FORGE, at=st.integers(0, 9), wrong=st.sampled_from(["", "", "old", "new"])
)
@settings(max_examples=300)
def test_consistency_proofs_are_judged_alike(
    data: st.DataObject, how: str, at: int, wrong: str
) -> None:
    new = data.draw(st.integers(0, 40))
    old = data.draw(st.integers(0, new))
    path = forged_path(TREE.consistency_proof(old, new), how, at)
    old_root = LEAVES[0] if wrong == "old" else TREE.root(old)
    new_root = LEAVES[0] if wrong == "new" else TREE.root(new)
    try:
        verify_consistency(
            old_size=old, old_root=old_root, new_size=new, new_root=new_root, proof=path
        )
        project = True
    except ProofRejected:
        project = False
    try:
        verifier.check_consistency(
            old=old, new=new, old_root=old_root, new_root=new_root, path=path
        )
        second = True
    except verifier.Refused:
        second = False
    assert project is second, (old, new, how, wrong, path)
    if how == "honest" and not wrong:
        assert project


# --- canonical JSON -----------------------------------------------------------------------------

PIECES = st.sampled_from([
    "{", "}", "[", "]", ",", ":", '"', "a", '"a"', '"b"', "0", "-0", "1", "-", "1.0", "1e1",
    "9007199254740991", "9007199254740992", "true", "null", "NaN", "Infinity", " ", "\n",
    "\\n", "\\u000a", "\\u001f", "\\ud800", "\\/", "é", "\x7f", "\ufeff", "\U0001f600",
])  # fmt: skip


def _canonical_for_both(raw: bytes) -> None:
    try:
        project = json.dumps(canonical.loads(raw))
    except NotCanonical:
        project = None
    try:
        second = json.dumps(verifier.canonical_json(raw, "it"))
    except verifier.Refused:
        second = None
    assert project == second, raw


@given(pieces=st.lists(PIECES, max_size=8))
@settings(max_examples=1500)
def test_json_of_random_pieces_is_read_alike(pieces: list[str]) -> None:
    _canonical_for_both("".join(pieces).encode())


@given(value=VALUES, place=st.floats(0, 1), piece=PIECES)
@settings(max_examples=400)
def test_canonical_json_with_a_piece_put_in_is_read_alike(
    value: canonical.Json, place: float, piece: str
) -> None:
    raw = canonical.dumps(value).decode()
    at = int(place * len(raw))
    _canonical_for_both(raw.encode())
    _canonical_for_both((raw[:at] + piece + raw[at:]).encode())
