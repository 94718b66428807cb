"""Signed notes, verifier keys and cosignatures, against published notes and hostile ones."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.ledger.core import cosignature
from governance.ledger.core.checkpoint import open_checkpoint
from governance.ledger.core.errors import NoteRejected
from governance.ledger.core.note import (
    COSIGNATURE_V1,
    ED25519,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    VerifierKey,
    cosign,
    open_note,
    parse_note,
    sign,
    signature_line,
    with_lines,
)
from tests.unit.ledger.sample import private_key

NOTES = json.loads(
    (Path(__file__).parents[2] / "golden" / "ledger" / "notes.json").read_text(encoding="utf-8")
)
TEXT = "one line\n\nand another\n"
NAME = "log.example/a"
KEY = VerifierKey.of(private_key("a"), name=NAME)
NOTE = sign(TEXT, name=NAME, private_key=private_key("a"))


def vkey(name: str, algorithm: int, public: bytes) -> str:
    """Return a verifier key spelled by hand, whatever it holds."""
    raw = bytes((algorithm,)) + public
    key_id = sha256(name.encode("utf-8", "surrogatepass") + b"\n" + raw).hexdigest()[:8]
    return f"{name}+{key_id}+{base64.b64encode(raw).decode()}"


PUBLIC = KEY.public_key
NOT_KEYS = {
    "nothing": "",
    "no plus": "log.example",
    "one plus": "log.example+0a0b0c0d",
    "no base64": "log.example+0a0b0c0d+",
    "a wrong key id": KEY.text().replace(KEY.key_id.hex(), "00000000"),
    "a key id in capitals": KEY.text().replace(KEY.key_id.hex(), KEY.key_id.hex().upper()),
    "a key id of 9 digits": KEY.text().replace("+", "+0", 1),
    "base64 with padding too much": KEY.text() + "=",
    "base64 with a newline": KEY.text() + "\n",
    "base64 of the web alphabet": KEY.text()[:-4] + "-_-_",
    "an empty name": vkey("", 1, PUBLIC),
    "a space in the name": vkey("a b", 1, PUBLIC),
    "a no-break space in the name": vkey("a\u00a0b", 1, PUBLIC),
    "a control character in the name": vkey("a\x7fb\x01", 1, PUBLIC),
    "a lone surrogate in the name": vkey("a\ud800", 1, PUBLIC),
    "a short key": vkey("a", 1, PUBLIC[:31]),
    "a long key": vkey("a", 1, PUBLIC + b"\0"),
    "an ECDSA type": vkey("a", 2, PUBLIC),
    "an ML-DSA type": vkey("a", 6, bytes(1312)),
    "a type without a number": vkey("a", 255, PUBLIC),
}

P = 2**255 - 19
WEAK = {
    "order 1": "01" + "00" * 31,
    "order 1, other sign": "01" + "00" * 30 + "80",
    "order 2": "ec" + "ff" * 30 + "7f",
    "order 4": "00" * 32,
    "order 4, other sign": "00" * 31 + "80",
    "order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, other sign": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "the other order 8": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "the other order 8, sign": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0 spelled as p": P.to_bytes(32, "little").hex(),
    "1 spelled as p + 1": (P + 1).to_bytes(32, "little").hex(),
    "3 spelled as p + 3": (P + 3).to_bytes(32, "little").hex(),
    "all ones": "ff" * 32,
}

LINE = NOTE.decode().rpartition("\n\n")[2]
BLOB = LINE.split(" ")[2].strip()
NOT_NOTES = {
    "nothing": b"",
    "a text alone": TEXT.encode(),
    "no signature": TEXT.encode() + b"\n",
    "no newline at the end": NOTE[:-1],
    "a newline too much": NOTE + b"\n",
    "carriage returns": NOTE.replace(b"\n", b"\r\n"),
    "a tab in the text": NOTE.replace(b"one line", b"one\tline"),
    "a NUL in the text": NOTE.replace(b"one line", b"one\0line"),
    "not UTF-8": NOTE.replace(b"one", b"\xff\xfe"),
    "a hyphen for the dash": NOTE.replace("—".encode(), b"-"),
    "an en dash for the dash": NOTE.replace("—".encode(), "–".encode()),
    "no space after the dash": NOTE.replace("— ".encode(), "—".encode()),
    "two spaces": NOTE.replace(f"{NAME} ".encode(), f"{NAME}  ".encode()),
    "a plus in the name": NOTE.replace(NAME.encode(), b"a+b"),
    "no name": NOTE.replace(NAME.encode(), b""),
    "no signature blob": NOTE.replace(BLOB.encode(), b""),
    "a blob of the key id alone": NOTE.replace(BLOB.encode(), base64.b64encode(KEY.key_id)),
    "spare bits": NOTE.replace(BLOB.encode(), b"AAAAAAB="),
    "base64 without padding": NOTE.replace(BLOB.encode(), BLOB.rstrip("=").encode()),
    "a space behind": NOTE.replace(BLOB.encode(), BLOB.encode() + b" "),
    "a text without its newline": b"x" + ("\n\n" + LINE).encode()[1:],
    "too many signatures": NOTE + LINE.encode() * MAX_SIGNATURES,
    "too many bytes": b"x" * MAX_NOTE_BYTES + NOTE,
}


def test_the_example_of_the_specification_verifies() -> None:
    example = NOTES["signed_note_example"]
    key = VerifierKey.parse(example["vkey"])
    assert (key.name, key.algorithm, key.key_id.hex()) == ("example.com/foo", ED25519, "530d903a")
    assert key.text() == example["vkey"]
    opened = open_note(example["note"].encode(), [key])
    assert opened.text == "This is an example message.\n"
    assert [signature.key for signature in opened.signatures] == [key]


def test_the_example_of_the_go_library_is_signed_byte_for_byte() -> None:
    example = NOTES["go_note_example"]
    seed = base64.b64decode(example["seed"])[1:]
    signer = Ed25519PrivateKey.from_private_bytes(seed)
    text = example["note"].rpartition("\n\n")[0] + "\n"
    assert VerifierKey.of(signer, name="PeterNeumann").text() == example["vkey"]
    assert sign(text, name="PeterNeumann", private_key=signer) == example["note"].encode()


def test_a_checkpoint_of_a_public_log_with_four_public_witnesses_verifies() -> None:
    public = NOTES["public_log"]
    keys = [VerifierKey.parse(text) for text in [public["log_vkey"], *public["witness_vkeys"]]]
    opened = open_checkpoint(public["note"].encode(), origin=public["origin"], keys=keys)
    assert opened.size == public["size"]
    cosigned = [s for s in opened.signatures if s.key.algorithm == COSIGNATURE_V1]
    assert {s.key.text() for s in cosigned} == set(public["witness_vkeys"])
    assert {s.time_s for s in cosigned} == {public["cosigned_at"]}


def test_a_text_may_have_empty_lines_and_comes_back() -> None:
    assert open_note(NOTE, [KEY]).text == TEXT


@pytest.mark.parametrize("text", NOT_KEYS.values(), ids=NOT_KEYS)
def test_what_is_not_a_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteRejected):
        VerifierKey.parse(text)


@pytest.mark.parametrize("point", WEAK.values(), ids=WEAK)
@pytest.mark.parametrize("algorithm", [ED25519, COSIGNATURE_V1])
def test_a_key_of_small_order_or_another_spelling_is_refused(point: str, algorithm: int) -> None:
    with pytest.raises(NoteRejected, match=r"small order|canonical"):
        VerifierKey(name="a", algorithm=algorithm, public_key=bytes.fromhex(point))


@pytest.mark.parametrize("raw", NOT_NOTES.values(), ids=NOT_NOTES)
def test_what_is_not_a_note_is_refused(raw: bytes) -> None:
    with pytest.raises(NoteRejected):
        open_note(raw, [KEY])


@pytest.mark.parametrize("text", ["", "no newline", "a\tb\n", "a\0\n", "\ud800\n", "a\r\n"])
def test_a_text_that_no_note_can_carry_is_not_signed(text: str) -> None:
    with pytest.raises(NoteRejected):
        sign(text, name=NAME, private_key=private_key("a"))


def test_signatures_of_unknown_keys_are_ignored_even_when_they_are_noise() -> None:
    for line in [
        f"— {NAME} {base64.b64encode(b'9999' + bytes(64)).decode()}\n",  # known name, other id
        f"— other.example {base64.b64encode(KEY.key_id + bytes(64)).decode()}\n",  # and reverse
        f"— other.example {base64.b64encode(bytes(5)).decode()}\n",
        f"— pq.example {base64.b64encode(bytes(2424)).decode()}\n",
    ]:
        assert len(open_note(with_lines(NOTE, [line]), [KEY]).signatures) == 1


@pytest.mark.parametrize("size", [1, 63, 64, 65])
def test_a_bad_signature_of_a_known_key_rejects_the_note(size: int) -> None:
    other = VerifierKey.of(private_key("b"), name="b.example")
    bad = signature_line(key=other, signature=b"\1" * size)
    with pytest.raises(NoteRejected, match="does not verify"):
        open_note(with_lines(NOTE, [bad]), [KEY, other])


def test_a_signature_over_another_text_rejects() -> None:
    with pytest.raises(NoteRejected, match="does not verify"):
        open_note(NOTE.replace(b"one", b"two"), [KEY])


@pytest.mark.parametrize("keys", [[], [VerifierKey.of(private_key("b"), name=NAME)]])
def test_a_note_that_no_known_key_signed_is_refused(keys: list[VerifierKey]) -> None:
    with pytest.raises(NoteRejected, match="no known key"):
        open_note(NOTE, keys)


def test_at_least_sixteen_signatures_are_accepted() -> None:
    signers = [private_key(f"s{number}") for number in range(MAX_SIGNATURES - 1)]
    lines = [
        signature_line(
            key=VerifierKey.of(signer, name=f"s{number}"), signature=signer.sign(TEXT.encode())
        )
        for number, signer in enumerate(signers)
    ]
    keys = [VerifierKey.of(signer, name=f"s{number}") for number, signer in enumerate(signers)]
    assert len(open_note(with_lines(NOTE, lines), [KEY, *keys]).signatures) == MAX_SIGNATURES
    assert MAX_SIGNATURES >= 16


def test_adding_lines_keeps_every_byte_and_refuses_what_is_no_line() -> None:
    line = signature_line(key=KEY, signature=b"x")
    assert with_lines(NOTE, [line]) == NOTE + line.encode()
    assert with_lines(NOTE, []) == NOTE
    for bad in ["x", "\n", line[:-1], "\ud800\n", line + "\n"]:
        with pytest.raises(NoteRejected):
            with_lines(NOTE, [bad])


def test_every_changed_byte_of_a_note_is_refused() -> None:
    for at in range(len(NOTE)):
        for bit in (1, 4, 32, 128):
            mutated = NOTE[:at] + bytes((NOTE[at] ^ bit,)) + NOTE[at + 1 :]
            with pytest.raises(NoteRejected):
                open_note(mutated, [KEY])


# --- cosignatures -----------------------------------------------------------------------------

WITNESS = VerifierKey.of(private_key("w"), name="w.example", algorithm=COSIGNATURE_V1)
TIME_S = 1_767_225_660


def cosigned(time_s: int = TIME_S) -> bytes:
    line = cosign(NOTE, name="w.example", private_key=private_key("w"), time_s=time_s)
    return with_lines(NOTE, [line])


def test_a_cosignature_states_its_time() -> None:
    opened = open_note(cosigned(), [KEY, WITNESS])
    assert [s.time_s for s in opened.signatures] == [None, TIME_S]


def test_a_cosignature_is_over_the_published_message() -> None:
    signature = cosignature.sign(text=TEXT, time_s=TIME_S, private_key=private_key("w"))
    assert signature[:8] == TIME_S.to_bytes(8, "big")
    message = f"cosignature/v1\ntime {TIME_S}\n{TEXT}".encode()
    private_key("w").public_key().verify(signature[8:], message)


def test_every_changed_byte_of_a_cosignature_is_refused() -> None:
    signature = cosignature.sign(text=TEXT, time_s=TIME_S, private_key=private_key("w"))
    for at in range(len(signature)):
        mutated = signature[:at] + bytes((signature[at] ^ 1,)) + signature[at + 1 :]
        with pytest.raises(NoteRejected):
            cosignature.verify(public_key=WITNESS.public_key, signature=mutated, text=TEXT)


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(71), bytes(73), b"\x80" + bytes(71)])
def test_a_cosignature_of_another_form_is_refused(signature: bytes) -> None:
    with pytest.raises(NoteRejected):
        cosignature.verify(public_key=WITNESS.public_key, signature=signature, text=TEXT)


def test_a_time_beyond_the_format_is_refused_although_it_is_signed() -> None:
    message = f"cosignature/v1\ntime {2**63}\n{TEXT}".encode()
    signature = (2**63).to_bytes(8, "big") + private_key("w").sign(message)
    with pytest.raises(NoteRejected, match="time"):
        cosignature.verify(public_key=WITNESS.public_key, signature=signature, text=TEXT)


@pytest.mark.parametrize("time_s", [-1, 2**63])
def test_a_time_outside_the_format_is_not_signed(time_s: int) -> None:
    with pytest.raises(NoteRejected, match="time"):
        cosigned(time_s)


def test_a_plain_signature_does_not_pass_for_a_cosignature_of_the_same_key() -> None:
    plain = sign(TEXT, name="w.example", private_key=private_key("w"))
    with pytest.raises(NoteRejected, match="no known key"):  # the type is part of the key id
        open_note(plain, [WITNESS])


def test_a_key_of_another_curve_point_than_any_is_refused_when_it_verifies() -> None:
    # y = 2 is on no point of the curve: it passes registration and can never verify.
    key = VerifierKey(name="x", algorithm=ED25519, public_key=(2).to_bytes(32, "little"))
    line = signature_line(key=key, signature=bytes(64))
    with pytest.raises(NoteRejected, match="does not verify"):
        open_note(with_lines(NOTE, [line]), [KEY, key])


def test_parsing_alone_verifies_nothing_and_says_what_is_there() -> None:
    note = parse_note(NOTE.replace(b"one", b"two"))
    assert note.signatures[0].name == NAME
    assert note.signatures[0].key_id == KEY.key_id
