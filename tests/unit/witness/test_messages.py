"""The messages of tlog-witness: one spelling each, and nothing believed without a signature."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import GovernanceError
from governance.ledger.core.errors import LedgerTampered, NoteRejected, WitnessMessageRejected
from governance.ledger.core.log_keys import LogKeys
from governance.ledger.core.note import VerifierKey, cosign, parse_note, with_lines
from governance.ledger.core.witness import (
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    encode_add_checkpoint,
    encode_size,
    open_seen,
    parse_add_checkpoint,
    parse_cosignatures,
    parse_size,
    seen_path,
)
from tests.support.project import ROOT
from tests.unit.ledger.sample import ORIGIN, SampleLog, private_key, witness_key
from tests.unit.witness.parties import LOG, START_S, request

NOTE = LOG.note(11)
KEY = witness_key("hospital")
LOG_KEYS = LogKeys.begin(ORIGIN, [LOG.key.text()])
HASH = base64.b64encode(bytes(32)).decode()
PUBLIC = json.loads((ROOT / "tests/golden/ledger/notes.json").read_text())["public_log"]


def line(name: str = "hospital", *, note: bytes = NOTE, key_of: str | None = None) -> str:
    """Return the cosignature of a sample witness, made with another's key where asked."""
    return cosign(
        note,
        name=f"witness.example/{name}",
        private_key=private_key(key_of or name),
        time_s=START_S,
    )


BAD_REQUESTS = {
    "empty": b"",
    "no empty line": b"old 0\n",
    "no old line": f"{HASH}\n\n".encode() + NOTE,
    "leading zero": b"old 01\n\n" + NOTE,
    "negative": b"old -1\n\n" + NOTE,
    "plus": b"old +1\n\n" + NOTE,
    "underscore": b"old 1_0\n\n" + NOTE,
    "two spaces": b"old  1\n\n" + NOTE,
    "space behind": b"old 1 \n\n" + NOTE,
    "no number": b"old \n\n" + NOTE,
    "upper case": b"Old 1\n\n" + NOTE,
    "carriage return": b"old 1\r\n\r\n" + NOTE,
    "other digits": "old \N{ARABIC-INDIC DIGIT ONE}\n\n".encode() + NOTE,
    "beyond 2**63 - 1": b"old 9223372036854775808\n\n" + NOTE,
    "short hash": b"old 1\n" + base64.b64encode(bytes(31)) + b"\n\n" + NOTE,
    "long hash": b"old 1\n" + base64.b64encode(bytes(33)) + b"\n\n" + NOTE,
    "spare bits": f"old 1\n{HASH[:-2]}B=\n\n".encode() + NOTE,
    "no padding": f"old 1\n{HASH[:-1]}\n\n".encode() + NOTE,
    "64 hashes": b"old 1\n" + f"{HASH}\n".encode() * 64 + b"\n" + NOTE,
    "too large": b"old 0\n\n" + bytes(MAX_REQUEST_BYTES),
}


def test_the_request_is_that_of_the_specification() -> None:
    """The example body of c2sp.org/tlog-witness in its parts."""
    raw = encode_add_checkpoint(old_size=20852014, proof=[bytes(32), b"\1" * 32], checkpoint=NOTE)
    second = base64.b64encode(b"\1" * 32).decode()
    assert raw == f"old 20852014\n{HASH}\n{second}\n\n".encode() + NOTE


@pytest.mark.parametrize("old", [0, 1, 2, 3, 7, 8, 11])
def test_a_request_comes_back_as_it_was_sent(old: int) -> None:
    proof = LOG.tree.consistency_proof(old, 11)
    read = parse_add_checkpoint(request(11, old=old))
    assert (read.old_size, list(read.proof), read.checkpoint) == (old, proof, NOTE)


def test_a_proof_of_63_hashes_is_read() -> None:
    raw = encode_add_checkpoint(old_size=1, proof=[bytes(32)] * 63, checkpoint=NOTE)
    assert len(parse_add_checkpoint(raw).proof) == 63


@pytest.mark.parametrize("raw", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_what_is_not_a_request_is_refused(raw: bytes) -> None:
    with pytest.raises(WitnessMessageRejected):
        parse_add_checkpoint(raw)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_by_our_own_error(raw: bytes) -> None:
    for read in (
        lambda: parse_add_checkpoint(raw),
        lambda: parse_size(raw),
        lambda: parse_cosignatures(raw, checkpoint=NOTE, key=KEY),
        lambda: open_seen(raw, keys=LOG_KEYS, witness=KEY),
    ):
        with contextlib.suppress(GovernanceError):
            assert isinstance(read(), int), "nothing that short but a size can be read"


@given(st.binary(max_size=20), st.integers(0, 300), st.integers(0, 20))
def test_a_changed_request_is_another_or_is_refused(patch: bytes, at: int, cut: int) -> None:
    whole = request(11, old=3)
    changed = whole[:at] + patch + whole[at + cut :]
    try:
        read = parse_add_checkpoint(changed)
    except WitnessMessageRejected:
        return
    again = encode_add_checkpoint(
        old_size=read.old_size, proof=read.proof, checkpoint=read.checkpoint
    )
    assert again == changed


def test_a_size_comes_back_and_other_spellings_are_refused() -> None:
    assert parse_size(encode_size(0)) == 0
    assert parse_size(encode_size(2**63 - 1)) == 2**63 - 1
    for raw in (b"", b"\n", b"1", b"01\n", b"-1\n", b"1\n\n", b" 1\n", b"1\r\n", b"1" * 40 + b"\n"):
        with pytest.raises(WitnessMessageRejected):
            parse_size(raw)


def test_the_cosignature_of_the_witness_is_taken_and_strangers_lines_are_left() -> None:
    own = line()
    answer = (line("vendor") + own + line("notified-body")).encode()
    assert parse_cosignatures(answer, checkpoint=NOTE, key=KEY) == (own,)
    assert parse_cosignatures((own + own).encode(), checkpoint=NOTE, key=KEY) == (own,)


HOSTILE_ANSWERS = {
    "nothing": b"",
    "an empty line": b"\n",
    "only a stranger's line": line("vendor").encode(),
    "its name, another's key": line("hospital", key_of="vendor").encode(),
    "another checkpoint": line(note=LOG.note(10)).encode(),
    "a bad line beside a good one": (line() + line(note=LOG.note(10))).encode(),
    "a line without its newline": line().encode()[:-1],
    "a note of its own": b"evil\n\n" + line().encode(),
    "a second note behind": line().encode() + b"\n" + line().encode(),
    "an empty line between": line().encode() + b"\n\n" + line().encode(),
    "not UTF-8": line().encode() + b"\xff\n",
    "a hundred lines": line("vendor").encode() * 100,
    "too large": line().encode() + bytes(MAX_ANSWER_BYTES),
    "HTML": b"<html>502</html>\n",
    "a NUL": line().encode() + b"\0\n",
}


@pytest.mark.parametrize("raw", HOSTILE_ANSWERS.values(), ids=HOSTILE_ANSWERS)
def test_a_hostile_answer_is_refused(raw: bytes) -> None:
    with pytest.raises((WitnessMessageRejected, NoteRejected)):
        parse_cosignatures(raw, checkpoint=NOTE, key=KEY)


@pytest.mark.parametrize("at", range(0, len(line().encode()), 3))
def test_a_changed_byte_of_a_cosignature_is_refused(at: int) -> None:
    raw = bytearray(line().encode())
    raw[at] ^= 1
    with pytest.raises((WitnessMessageRejected, NoteRejected)):
        parse_cosignatures(bytes(raw), checkpoint=NOTE, key=KEY)


def test_published_cosignatures_of_public_witnesses_are_read() -> None:
    """A checkpoint of a public log with four public witnesses: see tests/golden/ledger."""
    text, _, lines = PUBLIC["note"].rpartition("\n\n")
    signed = [one for one in lines.splitlines(keepends=True) if PUBLIC["origin"] in one]
    cosigned = "".join(one for one in lines.splitlines(keepends=True) if one not in signed)
    checkpoint = f"{text}\n\n{''.join(signed)}".encode()
    for vkey in PUBLIC["witness_vkeys"]:
        key = VerifierKey.parse(vkey)
        (found,) = parse_cosignatures(cosigned.encode(), checkpoint=checkpoint, key=key)
        assert found in cosigned
        assert found.startswith(f"— {key.name} ")


def test_what_a_witness_saw_needs_both_signatures() -> None:
    def opened(note: bytes) -> int:
        return open_seen(note, keys=LOG_KEYS, witness=KEY).size

    assert opened(with_lines(NOTE, [line()])) == 11
    evil = SampleLog(key_name="evil")
    evil.append(kind="model.registered", facts={}, body=None)
    for note in (
        NOTE,  # only the log
        with_lines(NOTE, [line("vendor")]),  # another witness
        with_lines(evil.note(1), [line(note=evil.note(1))]),  # a history that it invented
        (parse_note(NOTE).text + "\n" + line()).encode(),  # the log did not sign
    ):
        with pytest.raises((NoteRejected, WitnessMessageRejected)):
            opened(note)


def test_another_logs_checkpoint_is_not_taken_for_ours() -> None:
    other = SampleLog.of(3, origin="example.org/other")
    note = with_lines(other.note(3), [line(note=other.note(3))])
    with pytest.raises(NoteRejected):
        open_seen(note, keys=LOG_KEYS, witness=KEY)
    with pytest.raises(LedgerTampered, match="not the log's"):
        LogKeys.begin(ORIGIN, [LOG.key.text(), other.key.text()])


def test_the_address_of_what_was_seen_is_a_digest_of_the_origin() -> None:
    assert seen_path(ORIGIN) != seen_path(ORIGIN + "x")
    assert Path(seen_path(ORIGIN)).name == "checkpoint"
    assert len(Path(seen_path(ORIGIN)).parent.name) == 64
