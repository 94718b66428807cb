"""A policy says exactly who counts, and counts nobody twice."""

from __future__ import annotations

import pytest

from governance.ledger.core.errors import PolicyRejected
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey
from governance.ledger.core.policy import MAX_POLICY_BYTES, Policy
from tests.unit.ledger.sample import (
    ORIGIN,
    SampleLog,
    policy,
    policy_text,
    private_key,
    witness_key,
)

LOG = SampleLog().key.text()
H, N, V = (witness_key(name).text() for name in ("hospital", "notified-body", "vendor"))
HOSPITAL, NOTIFIED, VENDOR = (witness_key(name) for name in ("hospital", "notified-body", "vendor"))

MALFORMED = {
    "nothing": "",
    "no quorum": f"log {LOG}\n",
    "no newline at the end": f"log {LOG}\nquorum none",
    "two quorums": "quorum none\nquorum none\n",
    "an unknown word": "trust me\nquorum none\n",
    "a word in capitals": f"LOG {LOG}\nquorum none\n",
    "a log without a key": "log\nquorum none\n",
    "a log with too many words": f"log {LOG} https://a b\nquorum none\n",
    "a log with a broken key": f"log {LOG[:-1]}\nquorum none\n",
    "a log with the key of a witness": f"log {H}\nquorum none\n",
    "a witness with the key of a log": f"witness a {LOG}\nquorum none\n",
    "a witness without a key": "witness a\nquorum none\n",
    "the same log twice": f"log {LOG}\nlog {LOG}\nquorum none\n",
    "one witness under two names": f"witness a {H}\nwitness b {H}\nquorum none\n",
    "a witness named none": f"witness none {H}\nquorum none\n",
    "a name twice": f"witness a {H}\nwitness a {N}\nquorum none\n",
    "a group named like a witness": f"witness a {H}\ngroup a any a\nquorum none\n",
    "a group without members": f"witness a {H}\ngroup g any\nquorum none\n",
    "a group without a threshold": f"witness a {H}\ngroup g\nquorum none\n",
    "a group of strangers": f"witness a {H}\ngroup g any b\nquorum none\n",
    "a group of itself": f"witness a {H}\ngroup g any a g\nquorum none\n",
    "a group of none": f"witness a {H}\ngroup g any none\nquorum none\n",
    "a group before its witness": f"group g any a\nwitness a {H}\nquorum g\n",
    "a member twice in a group": f"witness a {H}\ngroup g 2 a a\nquorum g\n",
    "a member in two groups": f"witness a {H}\ngroup g any a\ngroup h any a\nquorum g\n",
    "a threshold of zero": f"witness a {H}\ngroup g 0 a\nquorum g\n",
    "a threshold above the members": f"witness a {H}\ngroup g 2 a\nquorum g\n",
    "a threshold with a sign": f"witness a {H}\ngroup g +1 a\nquorum g\n",
    "a threshold with a leading zero": f"witness a {H}\ngroup g 01 a\nquorum g\n",
    "a threshold in another script": f"witness a {H}\ngroup g \u0661 a\nquorum g\n",
    "a threshold that is negative": f"witness a {H}\ngroup g -1 a\nquorum g\n",
    "a quorum of a stranger": "quorum b\n",
    "a quorum before its witness": f"quorum a\nwitness a {H}\n",
    "a quorum of two": f"witness a {H}\nwitness b {N}\nquorum a b\n",
    "a quorum of nothing": "quorum\n",
    "carriage returns": "quorum none\r\n",
    "a vertical tab": "quorum\x0bnone\n",
    "a NUL": "# \0\nquorum none\n",
    "too many lines": "\n" * 600 + "quorum none\n",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyRejected):
        Policy.parse(text.encode())


def test_a_policy_that_is_not_utf_8_or_too_large_is_refused() -> None:
    with pytest.raises(PolicyRejected, match="UTF-8"):
        Policy.parse(b"# \xff\nquorum none\n")
    with pytest.raises(PolicyRejected, match="bytes"):
        Policy.parse(b"#" * MAX_POLICY_BYTES + b"\nquorum none\n")


def test_the_error_names_the_line() -> None:
    with pytest.raises(PolicyRejected, match="line 3"):
        Policy.parse(b"# a comment\n\ntrust me\nquorum none\n")


def test_a_key_of_the_log_cannot_be_a_witness_of_it() -> None:
    same = VerifierKey.of(private_key("log"), name="w.example", algorithm=COSIGNATURE_V1)
    with pytest.raises(PolicyRejected, match="in the file already"):
        Policy.parse(f"log {LOG}\nwitness w {same.text()}\nquorum w\n".encode())


def test_spaces_tabs_comments_urls_and_names_of_any_script_are_fine() -> None:
    read = Policy.parse(
        f"\t # two \u00e9\n\n  log\t {LOG}  https://log.example/ \n"
        f"witness Zeuge-\u00e4 {H} https://w.example\nquorum\tZeuge-\u00e4\t\n".encode()
    )
    assert read.logs == (SampleLog().key,)
    assert read.satisfied([HOSPITAL])
    assert not read.satisfied([VENDOR])


def test_no_quorum_is_always_satisfied_and_means_the_word_of_the_log_alone() -> None:
    assert policy().quorum is None
    assert policy().satisfied([])
    assert not policy(quorum="all").satisfied([])
    assert policy(quorum="all").without_quorum().satisfied([])


@pytest.mark.parametrize(
    ("quorum", "cosigners", "enough"),
    [
        ("any", [], False),
        ("any", [VENDOR], True),
        ("2", [VENDOR], False),
        ("2", [VENDOR, VENDOR], False),
        ("2", [VENDOR, HOSPITAL], True),
        ("all", [VENDOR, HOSPITAL], False),
        ("all", [VENDOR, HOSPITAL, NOTIFIED], True),
    ],
)
def test_a_quorum_counts_distinct_witnesses(
    quorum: str, cosigners: list[VerifierKey], *, enough: bool
) -> None:
    assert policy(quorum=quorum).satisfied(cosigners) is enough


def test_one_witness_under_two_key_names_is_one_witness() -> None:
    alias = VerifierKey.of(private_key("vendor"), name="alias.example", algorithm=COSIGNATURE_V1)
    assert alias != VENDOR
    assert not policy(quorum="2").satisfied([VENDOR, alias])


def test_a_plain_signature_of_a_witness_key_is_no_cosignature() -> None:
    plain = VerifierKey.of(private_key("vendor"), name=VENDOR.name)
    assert not policy(quorum="any").satisfied([plain])


def test_groups_of_groups_need_each_organisation() -> None:
    read = Policy.parse(
        (
            f"witness X1 {H}\nwitness X2 {N}\nwitness Y1 {V}\n"
            "group X any X1 X2\ngroup both all X Y1\nquorum both\n"
        ).encode()
    )
    assert not read.satisfied([HOSPITAL, NOTIFIED])
    assert not read.satisfied([VENDOR])
    assert read.satisfied([VENDOR, NOTIFIED])


def test_a_long_chain_of_groups_is_counted_without_recursion() -> None:
    chain = "".join(f"group g{n + 1} all g{n}\n" for n in range(400))
    read = Policy.parse(f"witness a {H}\ngroup g0 all a\n{chain}quorum g400\n".encode())
    assert read.satisfied([HOSPITAL])
    assert not read.satisfied([VENDOR])


def test_a_log_is_known_by_its_origin_under_each_of_its_keys() -> None:
    new = VerifierKey.of(private_key("log 2"), name=ORIGIN)
    read = Policy.parse((f"log {new.text()}\n" + policy_text()).encode())
    assert read.log_keys(ORIGIN) == (new, SampleLog().key)
    assert read.log_keys("example.org/other") == ()
