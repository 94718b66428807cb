"""Both verifiers say the same of every receipt, honest, damaged or signed in an odd form (P14)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.second_verifier.agreement import receipt_is_accepted
from tests.second_verifier.forging import (
    NO_SALT,
    ORIGIN,
    POLICY,
    b64,
    compact,
    cosigned,
    key_id,
    line,
    log_line,
    note,
    private_key,
    public_key,
    receipt,
    vkey,
)
from tests.unit.ledger.sample import WITNESSES, SampleLog, policy_text

GOLDEN = Path(__file__).parents[1] / "golden" / "ledger"
GOLDEN_POLICY = (GOLDEN / "v1-policy.txt").read_bytes()
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
TAIL = " AAAAAAA=\n"  # the end of a line of an unknown key: an id and one byte


def frozen(name: str) -> bytes:
    return (GOLDEN / f"{name}.receipt.json").read_bytes()


# --- as the project makes them ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["v1-s0", "v1-s1", "v1-withheld"])
def test_frozen_receipts_are_accepted_by_both(name: str) -> None:
    assert receipt_is_accepted(frozen(name), GOLDEN_POLICY, step_down=True)
    assert receipt_is_accepted(frozen(name), GOLDEN_POLICY) is (name != "v1-s0")


@pytest.mark.parametrize("name", json.loads((GOLDEN / "v1-hostile.json").read_bytes()))
def test_frozen_hostile_receipts_are_refused_by_both(name: str) -> None:
    raw = base64.b64decode(json.loads((GOLDEN / "v1-hostile.json").read_bytes())[name])
    assert not receipt_is_accepted(raw, GOLDEN_POLICY)


LOG = SampleLog.of(70)
SUBSETS = st.lists(st.sampled_from(WITNESSES), unique=True)


@given(data=st.data(), witnesses=SUBSETS, with_body=st.booleans(), extra=st.binary(max_size=40))
@settings(max_examples=60)
def test_receipts_of_any_entry_under_any_later_checkpoint_are_judged_alike(
    data: st.DataObject, witnesses: list[str], with_body: bool, extra: bytes
) -> None:
    seq = data.draw(st.integers(0, 69))
    size = data.draw(st.integers(seq + 1, 70))
    quorum = data.draw(st.sampled_from(["none", "any", "all", "1", "2", "3"]))
    raw = LOG.receipt(
        seq, size, witnesses=tuple(witnesses), with_body=with_body, extra=extra or None
    )
    needed = {"none": 0, "any": 1, "all": 3}.get(quorum) if not quorum.isdigit() else int(quorum)
    assert needed is not None
    accepted = receipt_is_accepted(raw, policy_text(quorum=quorum).encode())
    assert accepted is (len(witnesses) >= needed)


# --- damaged ------------------------------------------------------------------------------------


def _damaged(raw: bytes, at: int) -> list[bytes]:
    byte = raw[at]
    return [
        *(raw[:at] + bytes([byte ^ bit]) + raw[at + 1 :] for bit in (1, 0x20, 0x80)),
        raw[:at] + raw[at + 1 :],
        raw[:at] + raw[at : at + 1] + raw[at:],
    ]


def test_a_receipt_with_any_byte_changed_dropped_or_doubled_is_refused_by_both() -> None:
    raw = frozen("v1-s1")
    for at in range(len(raw)):
        for damaged in _damaged(raw, at):
            assert not receipt_is_accepted(damaged, GOLDEN_POLICY), (at, damaged)


def test_only_a_spare_witness_can_be_damaged_away() -> None:
    raw = frozen("v1-withheld")  # three cosigned, two are wanted
    spare = [raw.index(f"— witness.example/{witness}".encode()) for witness in WITNESSES]
    accepted = [
        at
        for at in range(len(raw))
        if receipt_is_accepted(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], GOLDEN_POLICY)
    ]
    ids = range(len("— witness.example/hospital AAAAAA".encode()) + 16)
    assert accepted
    assert all(any(at - start in ids for start in spare) for at in accepted)


WORDS = [
    b"", b" ", b"\n", b"\n\n", b"\r", b"\t", b"\0", b"0", b"1", b"-0", b"1.0", b"true", b"null",
    b"{}", b"[]", b'"', b"\\", b"\\u0041", b"=", b"==", b"+", b"/", b"A", "—".encode(), b"\xff",
    b"extra eA==\n", b"index 7\n", "é".encode(), b"witness.example/hospital ", b",", b":",
]  # fmt: skip
PARTS = ["receipt", "proof", "entry", "facts", "body", "facts_salt"]


def _with_part(raw: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    if part == "receipt":
        return change(raw)
    document = json.loads(raw)
    if part == "proof":
        document[part] = change(document[part].encode()).decode("utf-8", "surrogateescape")
    else:
        document[part] = b64(change(base64.b64decode(document[part])))
    return compact(document)


@given(
    part=st.sampled_from(PARTS),
    cuts=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 80), st.sampled_from(WORDS) | st.binary()),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=1200)
def test_receipts_with_pieces_replaced_are_judged_alike(
    part: str, cuts: list[tuple[float, int, bytes]]
) -> None:
    def change(raw: bytes) -> bytes:
        for place, length, word in cuts:
            at = int(place * len(raw))
            raw = raw[:at] + word + raw[at + length :]
        return raw

    receipt_is_accepted(_with_part(frozen("v1-s1"), part, change), GOLDEN_POLICY)


@given(
    parts=st.permutations(["v1-s0", "v1-s1", "v1-withheld", "other"]),
    names=st.sets(st.sampled_from(["body", "entry", "facts", "facts_salt", "proof", "salt"])),
)
@settings(max_examples=80)
def test_receipts_put_together_from_others_are_judged_alike(
    parts: list[str], names: set[str]
) -> None:
    whole = {"other": LOG.receipt(8, witnesses=WITNESSES)}
    first, second = (json.loads(whole.get(name) or frozen(name)) for name in parts[:2])
    receipt_is_accepted(compact(first | {name: second[name] for name in names}), GOLDEN_POLICY)


# --- signed in an odd form ----------------------------------------------------------------------


def _facts(raw: bytes) -> bytes:
    return receipt(facts=raw)


def _entry(**fields: object) -> bytes:
    return receipt(entry=fields)


def _headed(head: str) -> bytes:
    return receipt(proof=lambda signed: f"{head}\n{signed}")


def _indexed(text: str) -> bytes:
    return _headed(f"c2sp.org/tlog-proof@v1\nindex {text}\n")


def _extra(text: str) -> bytes:
    return _headed(f"c2sp.org/tlog-proof@v1\n{text}index 0\n")


def _text(form: str) -> bytes:
    return receipt(text=lambda root: form.format(o=ORIGIN, r=root))


def _more(lines: str) -> bytes:
    return receipt(noted=lambda text: note(text, more=lines))


def _cosigners(*witnesses: str) -> bytes:
    return receipt(noted=lambda text: note(text, witnesses=witnesses))


def _at_time(time_s: int) -> bytes:
    return receipt(
        noted=lambda text: note(text, witnesses=("a",), more=cosigned("b", text, time_s=time_s))
    )


def _third(signature: Callable[[bytes], bytes]) -> bytes:
    """Return a receipt with a third line of the known witness c."""
    return receipt(
        noted=lambda text: note(text, more=line("w.example/c", "c", 4, signature(text.encode())))
    )


def _with_order_added(signature: bytes) -> bytes:
    s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    return signature[:32] + s.to_bytes(32, "little")


def _log_signature(change: Callable[[bytes], bytes]) -> bytes:
    def noted(text: str) -> str:
        signature = change(private_key("log").sign(text.encode()))
        cosignatures = cosigned("a", text) + cosigned("b", text)
        return f"{text}\n{line(ORIGIN, 'log', 1, signature)}{cosignatures}"

    return receipt(noted=noted)


def _padded_note(size: int) -> bytes:
    def noted(text: str) -> str:
        signed = note(text)
        return f"{signed}— {'x' * (size - len(signed.encode()) - 4 - len(TAIL))}{TAIL}"

    return receipt(noted=noted)


ACCEPTED: dict[str, bytes] = {
    "nothing odd": receipt(),
    "a body": receipt(body=b"x", salt=NO_SALT),
    "an empty body": receipt(body=b"", salt=NO_SALT),
    "the longest body": receipt(body=b"x" * 2_097_152, salt=NO_SALT),
    "a body that is kept back": receipt(
        body=b"x", salt=NO_SALT, document={"body": None, "salt": None}
    ),
    "facts null": _facts(b"null"),
    "facts a text": _facts(b'"x"'),
    "facts 64 deep": _facts(b"[" * 64 + b"]" * 64),
    "facts of the largest integers": _facts(b"[-9007199254740991,9007199254740991]"),
    "facts with an empty name": _facts(b'{"":1}'),
    "facts with a control character in a name": _facts(b'{"\\u0001":1}'),
    "facts with an unescaped DEL": _facts(b'"\x7f"'),
    "facts with a noncharacter": _facts('"\uffff"'.encode()),
    "the longest facts": _facts(b'"' + b"x" * 524_286 + b'"'),
    "time 0": _entry(t_us=0),
    "the latest time": _entry(t_us=2**53 - 1),
    "the longest kind": _entry(kind="a." + "b" * 62),
    "a kind of three words": _entry(kind="a_.b9.c"),
    "one byte of extra": _extra("extra eA==\n"),
    "the longest extra": _extra(f"extra {b64(bytes(4096))}\n"),
    "three witnesses": _cosigners("a", "b", "c"),
    "one witness twice and another": _cosigners("a", "a", "b"),
    "the log's line last": receipt(
        noted=lambda text: f"{text}\n{cosigned('a', text)}{cosigned('b', text)}{log_line(text)}"
    ),
    "a cosignature at second 0": _at_time(0),
    "a cosignature at the last second": _at_time(2**63 - 1),
    "the log as a witness of itself": receipt(
        noted=lambda text: note(text, more=cosigned("log", text, name=ORIGIN))
    ),
    "an unknown key": _more(f"— x{TAIL}"),
    "an unknown key under the log's name": _more(f"— {ORIGIN}{TAIL}"),
    "another name with the log's key id": _more(
        f"— x {b64(key_id(ORIGIN, 1, public_key('log')) + bytes(64))}\n"
    ),
    "a large unknown signature": _more(f"— x {b64(bytes(5000))}\n"),
    "an unknown name with DEL": _more(f"— x\x7fy{TAIL}"),
    "an unknown name with a C1 control": _more(f"— x\x81y{TAIL}"),
    "an unknown name with a zero-width space": _more(f"— x\u200by{TAIL}"),
    "64 signature lines": _more(f"— x{TAIL}" * 61),
    "the longest note": _padded_note(65_536),
}

REFUSED: dict[str, bytes] = {
    "a body of one byte too many": receipt(body=b"x" * 2_097_153, salt=NO_SALT),
    "a document of too many bytes": receipt(body=b"x" * 3_200_000, salt=NO_SALT),
    "a body without salt": receipt(document={"body": "eA=="}),
    "a salt without body": receipt(document={"salt": b64(NO_SALT)}),
    "a body that the entry lacks": receipt(document={"body": "eA==", "salt": b64(NO_SALT)}),
    "a short salt": receipt(body=b"x", salt=bytes(31)),
    "a short salt of facts": receipt(facts_salt=bytes(31)),
    "a long salt of facts": receipt(facts_salt=bytes(33)),
    "no salt of facts": receipt(facts_salt=b""),
    "no facts": _facts(b""),
    "facts with a space": _facts(b"{ }"),
    "facts with a newline": _facts(b"{}\n"),
    "facts with a float": _facts(b"1.5"),
    "facts with an exponent": _facts(b"10e0"),
    "facts NaN": _facts(b"NaN"),
    "facts minus zero": _facts(b"-0"),
    "facts of 5,000 digits": _facts(b"9" * 5000),
    "facts 65 deep": _facts(b"[" * 65 + b"]" * 65),
    "facts 100,000 deep": _facts(b"[" * 100_000 + b"]" * 100_000),
    "facts with 2^53": _facts(b"9007199254740992"),
    "facts with -2^53": _facts(b"-9007199254740992"),
    "facts with a doubled name": _facts(b'{"a":1,"a":1}'),
    "facts with names out of order": _facts(b'{"b":1,"a":1}'),
    "facts with a name that is not ASCII": _facts('{"é":1}'.encode()),
    "facts with a lone surrogate": _facts(b'"\\ud800"'),
    "facts with an escaped pair": _facts(b'"\\ud83d\\ude00"'),
    "facts with an escaped slash": _facts(b'"\\/"'),
    "facts with an upper-case escape": _facts(b'"\\u001F"'),
    "facts with a long escape": _facts(b'"\\u000a"'),
    "facts with a raw control character": _facts(b'"\x01"'),
    "facts with a byte-order mark": _facts(b"\xef\xbb\xbf{}"),
    "facts in UTF-16": _facts("{}".encode("utf-16")),
    "facts that are not UTF-8": _facts(b'"\xff"'),
    "facts overlong": _facts(b'"\xc0\x80"'),
    "facts of one byte too many": _facts(b'"' + b"x" * 524_287 + b'"'),
    "receipt version true": receipt(document={"v": True}),
    "receipt version 2": receipt(document={"v": 2}),
    "receipt version as text": receipt(document={"v": "1"}),
    "another name in the receipt": receipt(document={"x": 1}),
    "a proof that is null": receipt(document={"proof": None}),
    "an entry that is a number": receipt(document={"entry": 1}),
    "a surrogate in the proof": receipt(proof=lambda signed: f"{signed}\ud800"),
    "entry version true": _entry(v=True),
    "entry version 2": _entry(v=2),
    "a number as text": _entry(seq="0"),
    "a number that is false": _entry(seq=False),
    "a negative time": _entry(t_us=-1),
    "a time of 2^53": _entry(t_us=2**53),
    "another name in the entry": _entry(z=1),
    "an entry that is a list": receipt(spell_entry=lambda _fields: b"[]"),
    "an entry with a newline": receipt(spell_entry=lambda fields: compact(fields) + b"\n"),
    "an entry in another order": receipt(
        spell_entry=lambda fields: json.dumps(
            dict(reversed(fields.items())), separators=(",", ":")
        ).encode()
    ),
    "a UUIDv4": _entry(event_id="019b76da-a800-4837-89e8-691f4e31a4fd"),
    "a UUID of another variant": _entry(event_id="019b76da-a800-7837-c9e8-691f4e31a4fd"),
    "a UUID in upper case": _entry(event_id="019B76DA-a800-7837-89e8-691f4e31a4fd"),
    "a UUID without hyphens": _entry(event_id="019b76daa800783789e8691f4e31a4fd"),
    "a UUID with a newline": _entry(event_id="019b76da-a800-7837-89e8-691f4e31a4fd\n"),
    "a kind of one word": _entry(kind="a"),
    "a kind of 65 characters": _entry(kind="a." + "b" * 63),
    "a kind with a digit first": _entry(kind="a.9b"),
    "a kind in upper case": _entry(kind="a.B"),
    "a kind with a newline": _entry(kind="a.b\n"),
    "a kind that ends in a dot": _entry(kind="a.b."),
    "prev of another origin": _entry(prev="a" * 64),
    "prev in upper case": _entry(prev="A" * 64),
    "prev null": _entry(prev=None),
    "body_c an empty text": _entry(body_c=""),
    **{f"index {text!r}": _indexed(text) for text in ("00", "+0", "1", " 0", "\u0660", "")},
    "an index of 5,000 digits": _indexed("9" * 5000),
    "an empty extra": _extra("extra \n"),
    "extra without a space": _extra("extra\n"),
    "extra with spare bits": _extra("extra eB==\n"),
    "extra without padding": _extra("extra eA\n"),
    "extra of one byte too many": _extra(f"extra {b64(bytes(4097))}\n"),
    "extra twice": _extra("extra eA==\nextra eA==\n"),
    "a proof of version 2": _headed("c2sp.org/tlog-proof@v2\nindex 0\n"),
    "a proof with a carriage return": _headed("c2sp.org/tlog-proof@v1\r\nindex 0\n"),
    "a path too long": _headed(f"c2sp.org/tlog-proof@v1\nindex 0\n{b64(bytes(32))}\n"),
    "a path of 64": _headed("c2sp.org/tlog-proof@v1\nindex 0\n" + f"{b64(bytes(32))}\n" * 64),
    "a hash of 31 bytes": _headed(f"c2sp.org/tlog-proof@v1\nindex 0\n{b64(bytes(31))}\n"),
    "two empty lines": _headed("c2sp.org/tlog-proof@v1\nindex 0\n\n"),
    "no newline at the end": receipt(noted=lambda text: note(text)[:-1]),
    "an empty line at the end": _more("\n"),
    "an extension line": _text("{o}\n1\n{r}\nmore\n"),
    "an empty extension line": _text("{o}\n1\n{r}\n\n"),
    "an empty line first": _text("\n{o}\n1\n{r}\n"),
    "a size with a zero first": _text("{o}\n01\n{r}\n"),
    "a size with a sign": _text("{o}\n+1\n{r}\n"),
    "size 0 with its root": _text("{o}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
    "size 0 with another root": _text("{o}\n0\n{r}\n"),
    "a larger size": _text("{o}\n2\n{r}\n"),
    "the largest size": _text(f"{{o}}\n{2**63 - 1}\n{{r}}\n"),
    "a size of 2^63": _text(f"{{o}}\n{2**63}\n{{r}}\n"),
    "another origin": _text("{o}x\n1\n{r}\n"),
    "no origin": _text("\n1\n{r}\n"),
    "a checkpoint with a carriage return": _text("{o}\n1\n{r}\r\n"),
    "no witness": _cosigners(),
    "one witness": _cosigners("a"),
    "one witness twice": _cosigners("a", "a"),
    "one witness under two names": receipt(
        noted=lambda text: note(
            text, witnesses=("a",), more=cosigned("a", text, name="w.example/b")
        )
    ),
    "a witness under an unknown name": receipt(
        noted=lambda text: note(
            text, witnesses=("a",), more=cosigned("b", text, name="w.example/x")
        )
    ),
    "an unknown witness": receipt(
        noted=lambda text: note(text, witnesses=("a",), more=cosigned("z", text))
    ),
    "a witness that signs as a log": receipt(
        noted=lambda text: note(
            text,
            witnesses=("a",),
            more=line("w.example/b", "b", 1, private_key("b").sign(text.encode())),
        )
    ),
    "no line of the log": receipt(
        noted=lambda text: f"{text}\n{cosigned('a', text)}{cosigned('b', text)}"
    ),
    "no lines": receipt(noted=lambda text: f"{text}\n"),
    "no empty line": receipt(noted=lambda text: text),
    "the log signs as a witness only": receipt(
        noted=lambda text: (
            f"{text}\n{cosigned('log', text, name=ORIGIN)}"
            f"{cosigned('a', text)}{cosigned('b', text)}"
        )
    ),
    "the log's signature of another text": _log_signature(
        lambda _signature: private_key("log").sign(b"another text")
    ),
    "the log's signature with a byte more": _log_signature(lambda signature: signature + b"x"),
    "the log's signature with the group order added": _log_signature(_with_order_added),
    "a cosignature at 2^63": _at_time(2**63),
    "a cosignature at 2^64 - 1": _at_time(2**64 - 1),
    "a known witness with zeros": _third(lambda _text: bytes(72)),
    "a known witness with 71 bytes": _third(lambda _text: bytes(71)),
    "a known witness with a plain signature": _third(
        lambda text: bytes(8) + private_key("c").sign(text)
    ),
    "an unknown key without a signature": _more("— x AAAAAA==\n"),
    "an unknown key without a whole id": _more("— x AAAA\n"),
    "an unknown key with spare bits": _more("— x AAAAAAB=\n"),
    "an unknown key without base64": _more("— x\n"),
    "an unknown key with another word": _more("— x AAAAAAA= y\n"),
    "two spaces": _more(f"— x {TAIL}"),
    "a hyphen for the dash": _more(f"- x{TAIL}"),
    "an empty name": _more(f"— {TAIL}"),
    **{
        f"a name with {char!r}": _more(f"— x{char}y{TAIL}")
        for char in "+\t\x01\x1f\x85\xa0\u1680\u2028\u3000"
    },
    "65 signature lines": _more(f"— x{TAIL}" * 62),
    "a note of one byte too many": _padded_note(65_537),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_odd_form_that_the_page_allows_is_accepted_by_both(name: str) -> None:
    assert receipt_is_accepted(ACCEPTED[name], POLICY)


@pytest.mark.parametrize("name", REFUSED)
def test_an_odd_form_that_the_page_forbids_is_refused_by_both_in_spite_of_true_signatures(
    name: str,
) -> None:
    assert not receipt_is_accepted(REFUSED[name], POLICY)


def test_a_receipt_of_another_log_key_is_refused_by_both() -> None:
    other = SampleLog.of(3, key_name="another")
    assert receipt_is_accepted(other.receipt(1), policy_text(log=other.key).encode())
    assert not receipt_is_accepted(other.receipt(1), policy_text().encode())


def test_the_key_of_one_log_does_not_sign_for_another() -> None:
    both = f"log {vkey('other.example', 'other', 1)}\n".encode() + POLICY

    def noted(text: str, mine: str) -> str:
        other = line("other.example", "other", 1, private_key("other").sign(text.encode()))
        return f"{text}\n{mine}{other}{cosigned('a', text)}{cosigned('b', text)}"

    assert receipt_is_accepted(receipt(noted=lambda text: noted(text, log_line(text))), both)
    assert not receipt_is_accepted(receipt(noted=lambda text: noted(text, "")), both)


def test_a_receipt_under_a_malformed_policy_is_refused_by_both() -> None:
    assert not receipt_is_accepted(receipt(), POLICY[:-1])
