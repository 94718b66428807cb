"""The quick look at rows against the steps that look at each: no byte is judged otherwise (P3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

import pytest

from governance.ledger.core import verify, written
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.record import (
    KIND_AT,
    KIND_AT_WITH_BODY,
    facts_commitment,
    genesis_prev,
    leaf_hash,
)
from governance.ledger.core.verify import BLOCK_ROWS, StoredEntry, verify_log
from tests.second_verifier.agreement import Row, log_is_accepted
from tests.unit.ledger.sample import ORIGIN, SampleLog, policy_text, secret

LOG = SampleLog.of(4)
AT = 2  # has a body; rows 0 and 3 have none
BARE = 3
POLICY = policy_text().encode()
# One of each class of bytes that a reader of envelopes or of JSON might take for something else.
CLASSES = [b"0", b"7", b"a", b"g", b"F", b'"', b"\\", b" ", b"-", b"_", b".", b"e", b"\n", b"\xff"]


def body_of(row: StoredEntry) -> bytes | None:
    """Return the body of that number, whatever event its row names."""
    return LOG.open_body(LOG.rows[row.seq])


def said(rows: Sequence[StoredEntry]) -> tuple[object, ...]:
    """Return what a verification finds: all of it, or where and what."""
    try:
        return (verify_log(rows, origin=ORIGIN, checkpoints=[], open_body=body_of),)
    except LedgerTampered as fault:
        return fault.code, fault.sequence, fault.what


@pytest.fixture
def row_by_row(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[StoredEntry]], object]:
    """Return `said` without the quick look."""

    def look(rows: Sequence[StoredEntry]) -> tuple[object, ...]:
        with monkeypatch.context() as patched:
            patched.setattr(verify, "as_written", lambda *_args, **_kwargs: None)
            return said(rows)

    return look


def read_quickly(rows: Sequence[StoredEntry]) -> bool:
    """Tell whether the quick look takes these rows."""
    six = [row[:6] for row in rows]
    start = genesis_prev(ORIGIN).hex()
    return written.as_written(six, seq=0, prev=start, last_t_us=0) is not None


def chained(rows: Sequence[StoredEntry], at: int, env: bytes) -> list[StoredEntry]:
    """Return rows of which one has another envelope, and all that hangs on it is made to fit.

    Its column of the event repeats what it says, its leaf is its hash, and the rows behind follow:
    nothing but the reading of the envelope can find it.
    """
    found = re.search(rb'"event_id":"([^"]*)"', env)
    event_id = rows[at].event_id if found is None else found[1].decode("latin-1")
    done = [*rows[:at], rows[at]._replace(env=env, event_id=event_id, leaf=leaf_hash(env))]
    for row in rows[at + 1 :]:
        prev = b'"prev":"%b"' % done[-1].leaf.hex().encode()
        env = re.sub(rb'"prev":"[0-9a-f]{64}"', prev, row.env)
        done.append(row._replace(env=env, leaf=leaf_hash(env)))
    return done


def with_facts(at: int, facts: bytes, salt: bytes) -> list[StoredEntry]:
    """Return rows of which one commits to these facts."""
    digest = sha256(b"oncovigil/facts/v1\n" + salt + facts).hexdigest().encode()
    env = re.sub(rb'"facts_c":"[0-9a-f]{64}"', b'"facts_c":"%b"' % digest, LOG.rows[at].env)
    rows = chained(LOG.rows, at, env)
    rows[at] = rows[at]._replace(facts=facts, facts_salt=salt)
    return rows


def edits(raw: bytes) -> Iterator[bytes]:
    """Yield `raw` with one byte of each class put in, put in place of another, or taken away."""
    for place in range(len(raw)):
        yield raw[:place] + raw[place + 1 :]
        for one in CLASSES:
            yield raw[:place] + one + raw[place + 1 :]
            yield raw[:place] + one + raw[place:]


def agreed_by_three(rows: Sequence[StoredEntry]) -> bool:
    """Tell whether the rows are accepted, by the second verifier as well, at the same row."""
    names = ("seq", "event_id", "env", "leaf", "facts", "facts_salt", "body_salt")
    opened = [
        Row(**{name: getattr(row, name) for name in names}, body=body_of(row)) for row in rows
    ]
    return log_is_accepted(opened, [], POLICY)


def test_what_an_honest_writer_stores_is_taken_by_the_quick_look() -> None:
    assert read_quickly(LOG.rows)
    log = SampleLog()
    for number in range(20):
        facts = {"n": number, "name": 'Bjørn \\ "O\'Neil"', "list": [{"a": [None, True]}, []]}
        log.append(kind="a." + "b" * 62, facts=facts, body=b"" if number % 2 else None)
    assert read_quickly(log.rows)


@pytest.mark.parametrize("at", [AT, BARE], ids=["with a body", "without one"])
def test_an_envelope_with_any_byte_changed_is_judged_alike(
    at: int, row_by_row: Callable[[Sequence[StoredEntry]], object]
) -> None:
    accepted = 0
    for number, env in enumerate(edits(LOG.rows[at].env)):
        rows = chained(LOG.rows, at, env)
        quickly = said(rows)
        assert quickly == row_by_row(rows), env
        accepted += len(quickly) == 1
        if len(quickly) == 1 or number % 97 == 0:
            assert agreed_by_three(rows) == (len(quickly) == 1), env
    assert accepted > 50  # another kind, number of an event or later time is no fault of a row


SPELLINGS = {
    "kind": [b"a", b"a.b", b"a..b", b"a.b.", b"A.b", b"a.b_", b"a._b", b"a.1", b"1.a", b"",
             b"a." + b"b" * 62, b"a." + b"b" * 63, b"a.\xc3\xa9", b'a.b","kind":"a.b'],
    "event_id": [
        b"018f5d2c-0000-7000-8000-00000000000",
        b"018f5d2c-0000-7000-8000-0000000000012",
        b"018f5d2c-0000-4000-8000-000000000001",
        b"018f5d2c-0000-7000-7000-000000000001",
        b"018f5d2c-0000-7000-c000-000000000001",
        b"018f5d2c-0000-7000-b000-000000000001",
        b"018F5D2C-0000-7000-8000-000000000001",
        b"018f5d2c00000-7000-8000-000000000001",
        b"018f5d2c-0000-7000-8000-00000000000\xb2",
    ],
    "t_us": [b"9007199254740991", b"9007199254740992", b"09007199254740991", b"9999999999999999",
             b"1", b"0", b"-1", b"-767225600004000", b"1_76722560000400", b" 767225600004000",
             b"1e15", b"1767225600004000 ", b"+767225600004000", b"1767225600004000.0",
             b'"1767225600004000"'],
    "seq": [b"0", b"02", b"-2", b"2.0", b"3", b"9007199254740992"],
    "v": [b"0", b"2", b"01", b"1.0", b'"1"', b"1 "],
    "body_c": [b"null", b"true", b'""', b'"' + b"a" * 63 + b'"', b'"' + b"A" * 64 + b'"',
               b'"' + b"a" * 64 + b'"', b'"' + b"a" * 65 + b'"', b"n" * 66, b"nul", b"nulls"],
}  # fmt: skip


@pytest.mark.parametrize("at", [AT, BARE], ids=["with a body", "without one"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_a_field_in_any_odd_spelling_is_judged_alike(
    name: str, at: int, row_by_row: Callable[[Sequence[StoredEntry]], object]
) -> None:
    for spelling in SPELLINGS[name]:
        quoted = name in {"kind", "event_id"}
        value = b'"%b"' % spelling if quoted else spelling
        env = re.sub(
            rb'"%b":("[^"]*"|[^,}]*)' % name.encode(),
            lambda _, value=value: b'"%b":%b' % (name.encode(), value),  # type: ignore[misc]
            LOG.rows[at].env,
            count=1,
        )
        rows = chained(LOG.rows, at, env)
        quickly = said(rows)
        assert quickly == row_by_row(rows), env
        assert agreed_by_three(rows) == (len(quickly) == 1), env


def test_committed_facts_with_any_byte_changed_are_judged_alike(
    row_by_row: Callable[[Sequence[StoredEntry]], object],
) -> None:
    honest = b'{"a":[1,{"b":null}],"c":"x","d":-7,"e":true,"f":9007199254740991}'
    accepted = 0
    for number, facts in enumerate(edits(honest)):
        rows = with_facts(AT, facts, secret("salt"))
        quickly = said(rows)
        assert quickly == row_by_row(rows), facts
        accepted += len(quickly) == 1
        if len(quickly) == 1 or number % 31 == 0:
            assert agreed_by_three(rows) == (len(quickly) == 1), facts
    assert accepted > 50


@pytest.mark.parametrize(
    "facts",
    [
        b"null", b"[]", b'"text"', b"7", b"1.0", b"-0", b'{"a":1.5}', b'{"a":[1.5]}',
        b'{"a":{"b":[{"c":1e22}]}}', b'{"a":9007199254740992}', b'{"a":[-9007199254740992]}',
        b'{"a":99999999999999999999999}', b'{"a":1,"a":1}', b'{"b":1,"a":1}', b'{"a": 1}',
        b'{"\xc3\xa9":1}', b'{"a":"\xc3\xa9"}', b'{"a":"\\u00e9"}', b'{"a":"\\ud800"}',
        b'{"a":"\\/"}', b'{"a":"\\u001f"}', b'{"a":"\xff"}', b"", b"{", b"\xef\xbb\xbf{}",
        b'{"a":' + b"[" * 63 + b"]" * 63 + b"}", b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
        b"[" * 64 + b"]" * 64, b"[" * 65 + b"]" * 65,
        b'{"a":"' + b"x" * (524_288 - 8) + b'"}', b'{"a":"' + b"x" * (524_288 - 7) + b'"}',
    ],
)  # fmt: skip
def test_facts_of_every_form_are_judged_alike(
    facts: bytes, row_by_row: Callable[[Sequence[StoredEntry]], object]
) -> None:
    rows = with_facts(BARE, facts, secret("salt"))
    assert said(rows) == row_by_row(rows)
    assert agreed_by_three(rows) == (len(said(rows)) == 1)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_salt_of_another_length_that_is_committed_to_is_found(
    length: int, row_by_row: Callable[[Sequence[StoredEntry]], object]
) -> None:
    rows = with_facts(AT, b"{}", bytes(length))
    assert said(rows) == row_by_row(rows)
    assert said(rows)[1:] == (AT, "its facts have another form")


CELLS = [None, "text", 7, 7.5, b"", b"bytes", bytearray(b"bytes"), (), "é", "\udc80"]


@pytest.mark.parametrize("column", StoredEntry._fields[:6])
def test_a_cell_of_any_type_is_judged_alike(
    column: str, row_by_row: Callable[[Sequence[StoredEntry]], object]
) -> None:
    for at in range(len(LOG.rows)):
        for cell in CELLS:
            rows = list(LOG.rows)
            rows[at] = rows[at]._replace(**{column: cell})
            assert said(rows) == row_by_row(rows), (at, cell)
            assert len(said(rows)) == 3, (at, cell)


def test_a_fault_is_named_where_it_is_in_a_block_and_behind_one() -> None:
    log = SampleLog.of(BLOCK_ROWS + 20)
    for at in (0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 19):
        rows = list(log.rows)
        rows[at] = rows[at]._replace(facts=b"{}")
        with pytest.raises(LedgerTampered) as caught:
            verify_log(rows, origin=ORIGIN, checkpoints=[], open_body=log.open_body)
        assert caught.value.sequence == at


def test_of_two_faults_the_first_is_named_whichever_step_finds_it() -> None:
    body, envelope = LOG.rows[AT - 1], LOG.rows[AT]
    rows = list(LOG.rows)
    rows[AT - 1] = body._replace(body_salt=secret("another"))
    rows[AT] = envelope._replace(leaf=bytes(32))
    assert said(rows)[1:] == (AT - 1, "its body is not the one that it commits to")


def test_the_places_of_a_kind_are_where_a_kind_is() -> None:
    for row, at in ((LOG.rows[BARE], KIND_AT), (LOG.rows[AT], KIND_AT_WITH_BODY)):
        assert row.env[:at].endswith(b'"kind":"')


def test_the_commitment_that_is_forged_here_is_the_one_of_the_format() -> None:
    row = with_facts(AT, b"{}", secret("salt"))[AT]
    assert facts_commitment(salt=secret("salt"), facts=b"{}").hex().encode() in row.env
