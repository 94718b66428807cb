"""A checkpoint has three lines, one spelling, one origin, and the signature of its log."""

from __future__ import annotations

import base64

import pytest

from governance.ledger.core.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from governance.ledger.core.errors import NoteRejected
from governance.ledger.core.merkle import EMPTY_ROOT
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey, cosign, sign, with_lines
from tests.unit.ledger.sample import ORIGIN, SampleLog, private_key, witness_key

ROOT = bytes(range(32))
ROOT_TEXT = base64.b64encode(ROOT).decode()
CHECKPOINT = Checkpoint(origin=ORIGIN, size=42, root=ROOT)
KEY = VerifierKey.of(private_key("log"), name=ORIGIN)
NOTE = sign_checkpoint(CHECKPOINT, private_key=private_key("log"))


def text(size: str = "42", root: str = ROOT_TEXT, origin: str = ORIGIN, rest: str = "") -> str:
    return f"{origin}\n{size}\n{root}\n{rest}"


MALFORMED = {
    "nothing": "",
    "a leading zero": text("042"),
    "a double zero": text("00"),
    "a plus": text("+42"),
    "a minus": text("-42"),
    "minus zero": text("-0"),
    "an underscore": text("4_2"),
    "a space before": text(" 42"),
    "a space behind": text("42 "),
    "a decimal point": text("42.0"),
    "an exponent": text("4e1"),
    "hexadecimal": text("0x2a"),
    "Arabic-Indic digits": text("\u0664\u0662"),
    "full-width digits": text("\uff14\uff12"),
    "a superscript": text("4\u00b2"),
    "no size": text(""),
    "a size of 2**63": text(str(2**63)),
    "a size of a thousand digits": text("9" * 1000),
    "an extension line": text(rest="ext\n"),
    "an empty extension line": text(rest="\n"),
    "no newline at the end": text()[:-1],
    "an empty origin": text(origin=""),
    "two lines": f"{ORIGIN}\n42\n",
    "no root": text(root=""),
    "a root of 31 bytes": text(root=base64.b64encode(ROOT[:31]).decode()),
    "a root of 33 bytes": text(root=base64.b64encode(ROOT + b"\0").decode()),
    "a root in hexadecimal": text(root=ROOT.hex()),
    "a root without padding": text(root=ROOT_TEXT.rstrip("=")),
    "a root with spare bits": text(root=ROOT_TEXT[:-2] + "9="),
    "a root of the web alphabet": text(root="-" + ROOT_TEXT[1:]),
    "a root with a space": text(root=ROOT_TEXT[:5] + " " + ROOT_TEXT[5:]),
    "a root in another script": text(root="\u0410" + ROOT_TEXT[1:]),
    "an empty log with a root": text("0"),
}


@pytest.mark.parametrize("size", [1, 9, 10, 2**53, 2**63 - 1])
def test_a_checkpoint_comes_back_from_its_text(size: int) -> None:
    checkpoint = Checkpoint(origin=ORIGIN, size=size, root=ROOT)
    assert checkpoint.text() == f"{ORIGIN}\n{size}\n{ROOT_TEXT}\n"
    assert Checkpoint.parse(checkpoint.text()) == checkpoint


def test_the_empty_log_has_the_root_of_nothing() -> None:
    empty = Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT)
    assert Checkpoint.parse(empty.text()) == empty


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
def test_another_text_is_refused_even_when_the_log_signed_it(malformed: str) -> None:
    with pytest.raises(NoteRejected):
        Checkpoint.parse(malformed)
    if malformed.endswith("\n"):
        note = sign(malformed, name=ORIGIN, private_key=private_key("log"))
        with pytest.raises(NoteRejected):
            open_checkpoint(note, origin=ORIGIN, keys=[KEY])


@pytest.mark.parametrize(
    "fields", [{"size": -1}, {"size": 2**63}, {"root": b""}, {"root": bytes(33)}, {"size": 0}]
)
def test_a_checkpoint_out_of_range_is_not_made(fields: dict[str, object]) -> None:
    with pytest.raises(NoteRejected):
        Checkpoint(**({"origin": ORIGIN, "size": 42, "root": ROOT} | fields))


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "a\u2003b"])
def test_an_origin_that_is_no_key_name_is_not_signed(origin: str) -> None:
    with pytest.raises(NoteRejected):
        sign_checkpoint(
            Checkpoint(origin=origin, size=1, root=ROOT), private_key=private_key("log")
        )


def test_a_signed_checkpoint_opens_and_keeps_its_bytes() -> None:
    opened = open_checkpoint(NOTE, origin=ORIGIN, keys=[KEY])
    assert opened.checkpoint == CHECKPOINT
    assert (opened.origin, opened.size, opened.root) == (ORIGIN, 42, ROOT)
    assert opened.note == NOTE


def test_every_changed_byte_is_refused() -> None:
    for at in range(len(NOTE)):
        for bit in (1, 2, 16, 64):
            mutated = NOTE[:at] + bytes((NOTE[at] ^ bit,)) + NOTE[at + 1 :]
            with pytest.raises(NoteRejected):
                open_checkpoint(mutated, origin=ORIGIN, keys=[KEY])


def test_a_checkpoint_of_another_log_is_refused_although_its_key_is_known() -> None:
    other = VerifierKey.of(private_key("log"), name="example.org/other")
    note = sign_checkpoint(
        Checkpoint(origin="example.org/other", size=42, root=ROOT), private_key=private_key("log")
    )
    with pytest.raises(NoteRejected, match="another log"):
        open_checkpoint(note, origin=ORIGIN, keys=[KEY, other])


def test_a_key_that_is_known_for_another_log_does_not_sign_for_this_one() -> None:
    note = sign(CHECKPOINT.text(), name="example.org/other", private_key=private_key("log"))
    other = VerifierKey.of(private_key("log"), name="example.org/other")
    with pytest.raises(NoteRejected, match="did not sign"):
        open_checkpoint(note, origin=ORIGIN, keys=[KEY, other])


def test_witnesses_alone_do_not_make_a_checkpoint() -> None:
    log = SampleLog.of(3)
    note = log.note(witnesses=("hospital",))
    witness_only = b"".join(
        line for line in note.splitlines(keepends=True) if ORIGIN.encode() + b" " not in line
    )
    with pytest.raises(NoteRejected, match="did not sign"):
        open_checkpoint(witness_only, origin=ORIGIN, keys=[log.key, witness_key("hospital")])


def test_a_witness_under_the_name_of_the_log_is_not_the_log() -> None:
    line = cosign(NOTE, name=ORIGIN, private_key=private_key("hospital"), time_s=1)
    disguised = VerifierKey.of(private_key("hospital"), name=ORIGIN, algorithm=COSIGNATURE_V1)
    text_part, _, _ = NOTE.rpartition(b"\n\n")
    with pytest.raises(NoteRejected, match="did not sign"):
        open_checkpoint(text_part + b"\n\n" + line.encode(), origin=ORIGIN, keys=[KEY, disguised])


def test_cosignatures_come_with_the_checkpoint() -> None:
    log = SampleLog.of(3)
    note = log.note(witnesses=("hospital", "vendor"))
    keys = [log.key, witness_key("hospital"), witness_key("vendor")]
    opened = open_checkpoint(note, origin=ORIGIN, keys=keys)
    assert [signature.key for signature in opened.signatures] == keys


def test_after_a_key_rotation_either_key_opens_a_checkpoint_that_both_signed() -> None:
    old, new = KEY, VerifierKey.of(private_key("log 2"), name=ORIGIN)
    second = sign_checkpoint(CHECKPOINT, private_key=private_key("log 2"))
    both = with_lines(NOTE, [second.decode().rpartition("\n\n")[2]])
    for keys in ([old], [new], [old, new]):
        assert open_checkpoint(both, origin=ORIGIN, keys=keys).size == 42
