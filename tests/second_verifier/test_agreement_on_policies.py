"""Both verifiers read the same out of every policy, or both refuse it (P14)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.second_verifier import verifier
from tests.second_verifier.agreement import policy_is_accepted, receipt_is_accepted
from tests.second_verifier.forging import (
    LOG_LINE,
    ORIGIN,
    POLICY,
    WITNESS_LINES,
    WITNESSES,
    b64,
    digest,
    key_id,
    note,
    public_key,
    receipt,
    vkey,
    vkey_of,
)

P = 2**255 - 19
ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
A, B, C = (WITNESS_LINES[witness] for witness in WITNESSES)
NONE = "quorum none\n"


def _log_with(blob: bytes) -> str:
    """Return a policy with a log key of these bytes: the type and the public key."""
    return f"log {vkey_of(ORIGIN, blob[0], blob[1:])}\n{NONE}"


def _point(y: int, sign: int = 0) -> str:
    return _log_with(b"\x01" + (y | sign << 255).to_bytes(32, "little"))


def _off_the_curve() -> int:
    """Return the first y from 2 that no point of the curve has (RFC 8032 section 5.1.3)."""
    d = -121665 * pow(121666, -1, P)
    return next(
        y
        for y in range(2, 100)
        if pow((y * y - 1) * pow(d * y * y + 1, -1, P), (P - 1) // 2, P) == P - 1
    )


def _witness_named(name: str) -> str:
    return f"{LOG_LINE}witness {name} {vkey('w', 'a', 4)}\nquorum {name}\n"


def _key_named(name: str) -> str:
    return f"{LOG_LINE}witness a {vkey(name, 'a', 4)}\nquorum a\n"


def _with_id(text: str) -> str:
    return f"log {ORIGIN}+{text}+{b64(bytes([1]) + public_key('log'))}\n{NONE}"


def _comment(text: str) -> str:
    return f"#{text}\n{LOG_LINE}{NONE}"


ACCEPTED = {
    "two of three": POLICY.decode(),
    "no witnesses": LOG_LINE + NONE,
    "no log": NONE,
    "a quorum of one witness": LOG_LINE + A + "quorum a\n",
    "tabs and many spaces": LOG_LINE.replace(" ", "\t \t") + "\tquorum  none\t\n",
    "a line of spaces": LOG_LINE + " \t\n" + NONE,
    "an indented comment": " # x\n" + LOG_LINE + NONE,
    "a comment in another script": _comment("é \x81 \x85 \u2028"),
    "an address": LOG_LINE[:-1] + " https://log.example/\n" + NONE,
    "two logs": LOG_LINE + f"log {vkey('other', 'other', 1)}\n" + NONE,
    "two keys of one log": LOG_LINE + f"log {vkey(ORIGIN, 'other', 1)}\n" + NONE,
    "a group in a group": LOG_LINE + A + B + C + "group g any a b\ngroup h all g c\nquorum h\n",
    "a quorum that is a member": LOG_LINE + A + B + "group g any a b\nquorum a\n",
    "a quorum before other lines": LOG_LINE + A + "quorum a\n" + B,
    **{f"a witness named {n}": _witness_named(n) for n in ("any", "2", "a+b", "#a", "a\xa0b")},
    "a key named in another script": _key_named("é\x81\u200b"),
    "an origin of another shape": f"log {vkey('x', 'log', 1)}\n" + NONE,
    "a key off the curve": _point(_off_the_curve()),
    "512 lines": LOG_LINE + "#\n" * 510 + NONE,
    "65,536 bytes": _comment("x" * (65_536 - len(_comment("")))),
}

REFUSED = {
    "nothing": "",
    "an empty line": "\n",
    "no newline at the end": LOG_LINE + NONE[:-1],
    "carriage returns": (LOG_LINE + NONE).replace("\n", "\r\n"),
    "a byte-order mark": "\ufeff" + LOG_LINE + NONE,
    "no quorum": LOG_LINE,
    "two quorums": LOG_LINE + NONE + NONE,
    "an undefined quorum": LOG_LINE + "quorum x\n",
    "a quorum before its witness": LOG_LINE + "quorum a\n" + A,
    "a quorum of two words": LOG_LINE + A + B + "quorum a b\n",
    "an empty quorum": LOG_LINE + "quorum\n",
    "a comment behind a line": LOG_LINE + "quorum none # x\n",
    "two addresses": LOG_LINE[:-1] + " x y\n" + NONE,
    "an unknown word": LOG_LINE + "trust me\n" + NONE,
    "a word in upper case": LOG_LINE + "QUORUM none\n",
    **{f"a comment with {c!r}": _comment(c) for c in "\0\x01\x0b\r\x1f\x7f"},
    "a log with a witness's key type": f"log {vkey(ORIGIN, 'log', 4)}\n" + NONE,
    "a witness with a log's key type": LOG_LINE + f"witness a {vkey('w', 'a', 1)}\n" + NONE,
    "another key type": f"log {vkey(ORIGIN, 'log', 2)}\n" + NONE,
    "a log twice": LOG_LINE + LOG_LINE + NONE,
    "a key under two log names": LOG_LINE + f"log {vkey('other', 'log', 1)}\n" + NONE,
    "a key that is log and witness": LOG_LINE + f"witness a {vkey('w', 'log', 4)}\n" + NONE,
    "a key under two witness names": LOG_LINE + A + f"witness z {vkey('w.z', 'a', 4)}\n" + NONE,
    "a witness named none": LOG_LINE + f"witness none {vkey('w', 'a', 4)}\n" + NONE,
    "a group named none": LOG_LINE + A + "group none any a\n" + NONE,
    "a member named none": LOG_LINE + A + "group g any none\n" + NONE,
    "a name twice": LOG_LINE + A + f"witness a {vkey('w', 'z', 4)}\n" + NONE,
    "a group with a witness's name": LOG_LINE + A + "group a any a\n" + NONE,
    "a group in itself": LOG_LINE + A + "group g any g\nquorum g\n",
    "a group before its member": LOG_LINE + A + "group g any h\ngroup h any a\nquorum g\n",
    "a member twice": LOG_LINE + A + "group g any a a\nquorum g\n",
    "a member of two groups": LOG_LINE + A + B + "group g any a\ngroup h any a b\nquorum g\n",
    "a group without members": LOG_LINE + "group g all\n" + NONE,
    **{
        f"{k} of 1": LOG_LINE + A + f"group g {k} a\nquorum g\n"
        for k in ("0", "2", "01", "+1", "-1", "ALL", "\u0661", "9" * 40)
    },
    "a number of 5,000 digits": LOG_LINE + A + f"group g {'9' * 5000} a\nquorum g\n",
    **{f"a key named {n!r}": _key_named(n) for n in ("", "w\xa0", "\u2028w", "\u3000", "w\x85")},
    "a key id in upper case": _with_id(key_id(ORIGIN, 1, public_key("log")).hex().upper()),
    "another key id": _with_id("00000000"),
    "a short key id": _with_id(key_id(ORIGIN, 1, public_key("log")).hex()[1:]),
    "a key without padding": LOG_LINE[:-2] + "\n" + NONE,
    "a key of 31 bytes": _log_with(b"\x01" + bytes([9]) * 31),
    "a key of 33 bytes": _log_with(b"\x01" + bytes([9]) * 33),
    "a key of no bytes": _log_with(b"\x01"),
    **{
        f"a point of small order {number}": _point(y, sign)
        for number, (y, sign) in enumerate(
            (y, sign) for y in (0, 1, P - 1, ORDER_8, P - ORDER_8) for sign in (0, 1)
        )
    },
    **{f"y = p + {y - P}": _point(y) for y in (P, P + 1, 2**255 - 1)},
    "513 lines": LOG_LINE + "#\n" * 511 + NONE,
    "65,537 bytes": _comment("x" * (65_537 - len(_comment("")))),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_policy_that_the_page_allows_is_read_alike_by_both(name: str) -> None:
    assert policy_is_accepted(ACCEPTED[name].encode())


@pytest.mark.parametrize("name", REFUSED)
def test_a_policy_that_the_page_forbids_is_refused_by_both(name: str) -> None:
    assert not policy_is_accepted(REFUSED[name].encode())


def test_a_policy_that_is_not_utf8_is_refused_by_both() -> None:
    assert not policy_is_accepted(b"#\xff\n" + POLICY)


# Found by search: the keys of these two numbers have one key id under the name "w".
COLLIDING = (20707, 43283)


def _numbered_key(number: int) -> bytes:
    raw = digest(b"collide", number.to_bytes(4, "big"))
    return raw[:31] + bytes([raw[31] & 0x3F])


def colliding_policy() -> bytes:
    keys = [_numbered_key(number) for number in COLLIDING]
    assert len({key_id("w", 4, key) for key in keys}) == 1
    lines = "".join(f"witness {n} {vkey_of('w', 4, key)}\n" for n, key in enumerate(keys))
    return (LOG_LINE + lines + NONE).encode()


def test_two_keys_of_one_name_and_key_id_are_refused() -> None:
    with pytest.raises(verifier.Refused, match="one name and one key id"):
        verifier.read_policy(colliding_policy())


def test_two_keys_of_one_name_and_key_id_are_refused_by_both() -> None:
    assert not policy_is_accepted(colliding_policy())


# --- at random ----------------------------------------------------------------------------------

LINES = st.sampled_from([
    LOG_LINE, A, B, C, NONE, "quorum g\n", "quorum h\n", "quorum a\n", "group g any a b\n",
    "group g 2 a b c\n", "group h all g c\n", "group h 1 a\n", "# x\n", "\n", " \t\n",
    f"log {vkey('other', 'other', 1)}\n", f"witness d {vkey('w.d', 'd', 4)} https://d\n",
])  # fmt: skip


@given(
    lines=st.lists(LINES, max_size=9),
    noise=st.text(" \t\n#+a1=", max_size=3),
    place=st.floats(0, 1),
)
@settings(max_examples=400)
def test_policies_of_shuffled_lines_are_read_alike(
    lines: list[str], noise: str, place: float
) -> None:
    text = "".join(lines)
    at = int(place * len(text))
    policy_is_accepted((text[:at] + noise + text[at:]).encode())


def test_a_policy_with_any_byte_changed_is_read_alike() -> None:
    for at in range(len(POLICY)):
        for bit in (1, 0x20, 0x80):
            policy_is_accepted(POLICY[:at] + bytes([POLICY[at] ^ bit]) + POLICY[at + 1 :])


@given(
    signed=st.lists(st.sampled_from(WITNESSES), max_size=4),
    inner=st.sampled_from(["any", "all", "1", "2"]),
    outer=st.sampled_from(["any", "all", "1", "2"]),
    quorum=st.sampled_from(["a", "c", "g", "h"]),
)
@settings(max_examples=150)
def test_quorums_of_groups_in_groups_are_counted_alike(
    signed: list[str], inner: str, outer: str, quorum: str
) -> None:
    groups = f"group g {inner} a b\ngroup h {outer} g c\nquorum {quorum}\n"
    inside = len({"a", "b"} & set(signed)) >= (1 if inner in {"any", "1"} else 2)
    members = inside + ("c" in signed)
    expected = {
        "a": "a" in signed,
        "c": "c" in signed,
        "g": inside,
        "h": members >= (1 if outer in {"any", "1"} else 2),
    }[quorum]
    raw = receipt(noted=lambda text: note(text, witnesses=signed))
    assert receipt_is_accepted(raw, (LOG_LINE + A + B + C + groups).encode()) is expected
