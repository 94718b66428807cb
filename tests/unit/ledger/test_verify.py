"""A stored log that was changed anywhere is reported at the exact entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from governance.errors import EXIT_TAMPERED
from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.errors import BodyUnreadable, LedgerTampered
from governance.ledger.core.merkle import EMPTY_ROOT
from governance.ledger.core.record import decode_entry, encode_entry, leaf_hash
from governance.ledger.core.verify import StoredEntry, VerifiedLog, verify_chain, verify_log
from tests.unit.ledger.sample import ORIGIN, SampleLog, event_id, secret

SIZE = 12
LOG = SampleLog.of(SIZE)
AT = 7  # has a body, as each entry that is no multiple of three
BARE = 6  # has none


def verify(
    rows: list[StoredEntry], *checkpoints: VerifiedCheckpoint, bodies: bool = True
) -> VerifiedLog:
    return verify_log(
        rows,
        origin=ORIGIN,
        checkpoints=checkpoints,
        open_body=LOG.open_body if bodies else None,
    )


def tampered(rows: list[StoredEntry], *checkpoints: VerifiedCheckpoint) -> LedgerTampered:
    with pytest.raises(LedgerTampered) as caught:
        verify(rows, *checkpoints)
    return caught.value


def changed(at: int, **columns: object) -> list[StoredEntry]:
    rows = list(LOG.rows)
    rows[at] = rows[at]._replace(**columns)
    return rows


def rewritten(at: int, **fields: object) -> list[StoredEntry]:
    """Return rows in which the envelope `at` was changed and its own leaf hashed again."""
    env = encode_entry(replace(decode_entry(LOG.rows[at].env), **fields))
    return changed(at, env=env, leaf=leaf_hash(env))


def rechained(rows: list[StoredEntry]) -> list[StoredEntry]:
    """Return rows that agree with each other from first to last: what an administrator can do."""
    done: list[StoredEntry] = []
    for number, row in enumerate(rows):
        entry = decode_entry(row.env)
        prev = done[-1].leaf if done else entry.prev
        env = encode_entry(replace(entry, seq=number, prev=prev))
        done.append(row._replace(seq=number, env=env, leaf=leaf_hash(env)))
    return done


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes((raw[-1] ^ 1,))


# --- an honest log ----------------------------------------------------------------------------


def test_an_honest_log_is_verified_with_what_was_and_was_not_checked() -> None:
    assert verify(LOG.rows, LOG.checkpoint(5), LOG.checkpoint(10)) == VerifiedLog(
        size=SIZE,
        root=LOG.tree.root(),
        anchored_size=10,
        bodies_checked=8,
        bodies_unopened=0,
        bodies_erased=0,
        last_t_us=decode_entry(LOG.rows[-1].env).t_us,
    )


def test_without_checkpoints_nothing_is_anchored_and_it_says_so() -> None:
    assert verify(LOG.rows).anchored_size == 0


def test_without_a_way_to_open_bodies_they_are_counted_as_unopened() -> None:
    verified = verify(LOG.rows, bodies=False)
    assert (verified.bodies_checked, verified.bodies_unopened) == (0, 8)


def test_the_empty_log_is_a_log() -> None:
    verified = verify([], SampleLog().checkpoint(0))
    assert (verified.size, verified.root) == (0, EMPTY_ROOT)


def test_checkpoints_may_come_in_any_order_and_twice() -> None:
    marks = [LOG.checkpoint(size) for size in (12, 3, 12, 7, 1)]
    assert verify(LOG.rows, *marks).anchored_size == SIZE


def test_rows_are_read_once_and_one_at_a_time() -> None:
    alive: list[int] = []

    def stream() -> Iterator[StoredEntry]:
        for row in LOG.rows:
            alive.append(row.seq)
            yield row

    rows = stream()
    verify_log(rows, origin=ORIGIN, checkpoints=[], open_body=None)
    assert alive == list(range(SIZE))
    assert next(rows, None) is None


def test_erased_bodies_are_counted_and_the_rest_still_verifies() -> None:
    rows = changed(AT, has_body=False, body_salt=None, body_erased=True)
    verified = verify(rows, LOG.checkpoint())
    assert (verified.bodies_checked, verified.bodies_erased) == (7, 1)
    assert verified.anchored_size == SIZE


# --- each field of a row ----------------------------------------------------------------------

COLUMNS = {
    "its number": {"seq": AT + 1},
    "a lower number": {"seq": AT - 1},
    "its event id": {"event_id": event_id(99)},
    "one bit of its envelope": {"env": flipped(LOG.rows[AT].env)},
    "its envelope cut": {"env": LOG.rows[AT].env[:-1]},
    "its envelope empty": {"env": b""},
    "its envelope with a space": {"env": LOG.rows[AT].env.replace(b":", b": ", 1)},
    "the envelope of its neighbour": {"env": LOG.rows[AT + 1].env},
    "one bit of its leaf": {"leaf": flipped(LOG.rows[AT].leaf)},
    "its leaf empty": {"leaf": b""},
    "one bit of its facts": {"facts": flipped(LOG.rows[AT].facts)},
    "its facts empty": {"facts": b""},
    "the facts of its neighbour": {"facts": LOG.rows[AT + 1].facts},
    "facts beyond the limit": {"facts": bytes(600_000)},
    "one bit of the salt of its facts": {"facts_salt": flipped(LOG.rows[AT].facts_salt)},
    "a salt of another length": {"facts_salt": b"short"},
    "one bit of the salt of its body": {"body_salt": secret("another")},
    "a body salt of another length": {"body_salt": b"short"},
    "its body salt gone": {"body_salt": None},
    "its body gone": {"has_body": False},
    "its body and salt gone": {"has_body": False, "body_salt": None},
    "marked as erased while all is there": {"body_erased": True},
    "marked as erased while the salt is there": {"body_erased": True, "has_body": False},
    "marked as erased while the body is there": {"body_erased": True, "body_salt": None},
}

ENVELOPES = {
    "its facts commitment": {"facts_c": secret("x")},
    "its body commitment": {"body_c": secret("x")},
    "its body commitment gone": {"body_c": None},
    "its event id": {"event_id": event_id(99)},
    "its link": {"prev": secret("x")},
    "its number": {"seq": AT + 1},
    "its time moved back": {"t_us": decode_entry(LOG.rows[AT - 1].env).t_us - 1},
}


@pytest.mark.parametrize("columns", COLUMNS.values(), ids=COLUMNS)
def test_a_changed_column_is_reported_at_its_entry(columns: dict[str, object]) -> None:
    error = tampered(changed(AT, **columns), LOG.checkpoint())
    assert error.sequence == AT
    assert error.exit_code == EXIT_TAMPERED
    assert f"entry {AT}" in str(error)
    assert error.what in str(error)


@pytest.mark.parametrize("fields", ENVELOPES.values(), ids=ENVELOPES)
def test_an_envelope_changed_with_its_leaf_is_reported_at_its_entry(
    fields: dict[str, object],
) -> None:
    assert tampered(rewritten(AT, **fields), LOG.checkpoint()).sequence == AT


@pytest.mark.parametrize(
    "fields", [{"kind": "inference.refused"}, {"t_us": decode_entry(LOG.rows[AT].env).t_us + 1}]
)
def test_a_field_that_only_the_chain_knows_breaks_the_next_link(fields: dict[str, object]) -> None:
    rows = rewritten(AT - 1, **fields)
    error = tampered(rows, LOG.checkpoint())
    assert error.sequence == AT
    assert "follow" in error.what


@pytest.mark.parametrize(
    "columns",
    [
        {"has_body": True},
        {"body_salt": secret("x")},
        {"has_body": True, "body_salt": secret("x")},
        {"body_erased": True},
    ],
)
def test_a_body_at_an_entry_that_has_none_is_reported(columns: dict[str, object]) -> None:
    assert tampered(changed(BARE, **columns)).sequence == BARE


# --- bodies -----------------------------------------------------------------------------------


def _open(row: StoredEntry, *, returns: bytes | None = None, fails: bool = False) -> bytes | None:
    if row.seq != AT:
        return LOG.open_body(row)
    if fails:
        raise BodyUnreadable("no", next_step="none")
    return returns


@pytest.mark.parametrize(
    "behaviour",
    [{"returns": None}, {"fails": True}, {"returns": b"{}"}, {"returns": bytes(3 << 20)}],
    ids=["none", "unreadable", "another", "too large"],
)
def test_a_body_that_does_not_open_or_is_another_is_reported(
    behaviour: dict[str, object],
) -> None:
    with pytest.raises(LedgerTampered) as caught:
        verify_log(
            LOG.rows,
            origin=ORIGIN,
            checkpoints=[],
            open_body=lambda row: _open(row, **behaviour),
        )
    assert caught.value.sequence == AT


def test_a_ciphertext_moved_to_another_entry_is_reported() -> None:
    log = SampleLog.of(SIZE)
    log.sealed[AT], log.sealed[AT + 1] = log.sealed[AT + 1], log.sealed[AT]
    with pytest.raises(LedgerTampered) as caught:
        verify_log(log.rows, origin=ORIGIN, checkpoints=[], open_body=log.open_body)
    assert caught.value.sequence == AT


# --- rows -------------------------------------------------------------------------------------


def test_a_dropped_row_is_a_gap() -> None:
    error = tampered(LOG.rows[:AT] + LOG.rows[AT + 1 :])
    assert error.sequence == AT
    assert "missing" in error.what


def test_a_doubled_row_is_reported_at_the_second() -> None:
    error = tampered(LOG.rows[: AT + 1] + LOG.rows[AT:])
    assert error.sequence == AT + 1
    assert "doubled" in error.what


def test_swapped_rows_are_reported_at_the_first() -> None:
    rows = list(LOG.rows)
    rows[AT], rows[AT + 1] = rows[AT + 1], rows[AT]
    assert tampered(rows).sequence == AT


def test_swapped_rows_with_their_numbers_repaired_break_the_chain() -> None:
    rows = list(LOG.rows)
    for here, there in ((AT, AT + 1), (AT + 1, AT)):
        env = encode_entry(replace(decode_entry(LOG.rows[there].env), seq=here))
        rows[here] = LOG.rows[there]._replace(seq=here, env=env, leaf=leaf_hash(env))
    error = tampered(rows)
    assert error.sequence == AT
    assert "follow" in error.what


def test_an_inserted_row_is_reported_there() -> None:
    extra = LOG.rows[AT]._replace(event_id=event_id(99))
    assert tampered([*LOG.rows[:AT], extra, *LOG.rows[AT:]]).sequence == AT


def test_a_row_of_another_log_is_reported_there() -> None:
    other = SampleLog.of(SIZE, origin="example.org/other/audit/1")
    rows = [*LOG.rows[:AT], other.rows[AT], *LOG.rows[AT + 1 :]]
    assert tampered(rows).sequence == AT


def test_a_whole_log_of_another_origin_is_reported_at_its_first_entry() -> None:
    other = SampleLog.of(SIZE, origin="example.org/other/audit/1")
    assert tampered(other.rows).sequence == 0


def test_the_cut_tail_is_named_with_both_sizes_and_needs_a_checkpoint() -> None:
    assert verify(LOG.rows[:8]).size == 8  # the rows alone cannot tell
    error = tampered(LOG.rows[:8], LOG.checkpoint(5), LOG.checkpoint(12), LOG.checkpoint(10))
    assert error.sequence == 8
    assert "8 entries" in error.what
    assert "12" in error.what


def test_an_emptied_log_is_a_cut_tail() -> None:
    assert tampered([], LOG.checkpoint()).sequence == 0


@pytest.mark.parametrize("from_row", range(SIZE))
def test_a_log_rewritten_and_chained_again_without_the_key_needs_a_checkpoint(
    from_row: int,
) -> None:
    forged = rewritten(from_row, kind="model.recalled")
    rows = rechained(forged)
    assert verify(rows).size == SIZE  # consistent with itself, as it must be
    error = tampered(rows, LOG.checkpoint())
    assert "rewritten" in error.what
    assert error.sequence == 0


@pytest.mark.parametrize(("from_row", "named"), [(0, 0), (4, 0), (5, 5), (8, 5), (9, 9), (11, 9)])
def test_the_rewritten_part_is_narrowed_by_the_checkpoints_that_still_match(
    from_row: int, named: int
) -> None:
    rows = rechained(rewritten(from_row, kind="model.recalled"))
    marks = [LOG.checkpoint(size) for size in (5, 9, 12)]
    assert tampered(rows, *marks).sequence == named


def test_a_removed_entry_chained_over_is_found_by_the_checkpoint() -> None:
    rows = rechained(LOG.rows[:AT] + LOG.rows[AT + 1 :])
    assert verify(rows, bodies=False).size == SIZE - 1
    assert tampered(rows, LOG.checkpoint(10)).sequence is not None


def test_a_checkpoint_of_another_log_is_not_compared() -> None:
    other = SampleLog.of(SIZE, origin="example.org/other/audit/1")
    error = tampered(LOG.rows, other.checkpoint())
    assert error.sequence is None
    assert "another log" in error.what


def test_a_wrong_root_for_the_empty_log_cannot_be_signed_into_a_checkpoint() -> None:
    assert verify(LOG.rows, SampleLog().checkpoint(0)).anchored_size == 0


def test_times_may_stand_still_but_not_run_backwards() -> None:
    same = decode_entry(LOG.rows[AT - 1].env).t_us
    assert verify(rechained(rewritten(AT, t_us=same))).size == SIZE
    assert tampered(rechained(rewritten(AT, t_us=same - 1))).sequence == AT


def test_an_error_tells_no_content() -> None:
    error = tampered(changed(AT, facts=b'{"name":"Ann Example"}'))
    assert "Ann" not in str(error) + error.next_step


# --- the quick check --------------------------------------------------------------------------


def pairs(rows: list[StoredEntry]) -> list[tuple[bytes, bytes]]:
    return [(row.env, row.leaf) for row in rows]


def test_the_quick_check_returns_the_tree() -> None:
    tree = verify_chain(pairs(LOG.rows), origin=ORIGIN, checkpoints=[LOG.checkpoint(9)])
    assert [tree.root(size) for size in range(SIZE + 1)] == [
        LOG.tree.root(size) for size in range(SIZE + 1)
    ]


@pytest.mark.parametrize(
    ("rows", "sequence"),
    [
        (changed(AT, env=flipped(LOG.rows[AT].env)), AT),
        (changed(AT, leaf=flipped(LOG.rows[AT].leaf)), AT),
        (changed(AT, env=b"", leaf=leaf_hash(b"")), AT),
        (rewritten(AT, prev=secret("x")), AT),
        (rewritten(AT, kind="model.recalled"), AT + 1),
        (LOG.rows[:AT] + LOG.rows[AT + 1 :], AT),
        (LOG.rows[: AT + 1] + LOG.rows[AT:], AT + 1),
        (LOG.rows[:AT], AT),
        (rechained(rewritten(AT, kind="model.recalled")), 5),
    ],
    ids=[
        "an envelope",
        "a leaf",
        "an empty envelope",
        "a link",
        "an envelope with its leaf",
        "a dropped row",
        "a doubled row",
        "a cut tail",
        "chained again",
    ],
)
def test_the_quick_check_finds_what_the_hashes_tell(rows: list[StoredEntry], sequence: int) -> None:
    with pytest.raises(LedgerTampered) as caught:
        verify_chain(pairs(rows), origin=ORIGIN, checkpoints=[LOG.checkpoint(5), LOG.checkpoint()])
    assert caught.value.sequence == sequence


def test_the_quick_check_says_nothing_of_facts_and_bodies() -> None:
    rows = changed(AT, facts=b"{}")
    verify_chain(pairs(rows), origin=ORIGIN, checkpoints=[LOG.checkpoint()])
    assert tampered(rows).sequence == AT
