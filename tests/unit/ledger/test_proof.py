"""The text of an offline proof has one spelling; its checkpoint is kept byte for byte."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from governance.ledger.core.errors import ProofRejected
from governance.ledger.core.proof import MAX_EXTRA_BYTES, MAX_PROOF_BYTES, TlogProof
from tests.unit.ledger.sample import SampleLog

PROOF = SampleLog.of(7).proof(4)
RAW = PROOF.encode()
HASH = base64.b64encode(PROOF.hashes[0]) + b"\n"

MALFORMED = {
    "nothing": b"",
    "another version": RAW.replace(b"@v1", b"@v2"),
    "no header": RAW.partition(b"\n")[2],
    "no index": RAW.replace(b"index 4\n", b""),
    "an index with a leading zero": RAW.replace(b"index 4", b"index 04"),
    "an index with a sign": RAW.replace(b"index 4", b"index +4"),
    "an index with an underscore": RAW.replace(b"index 4", b"index 4_0"),
    "an index in another script": RAW.replace(b"index 4", "index \u0664".encode()),
    "an index with two spaces": RAW.replace(b"index 4", b"index  4"),
    "a tab for the space": RAW.replace(b"index 4", b"index\t4"),
    "an index in capitals": RAW.replace(b"index", b"INDEX"),
    "two indexes": RAW.replace(b"index 4\n", b"index 4\nindex 4\n"),
    "an extra line behind the index": RAW.replace(b"index 4\n", b"index 4\nextra YQ==\n"),
    "two extra lines": RAW.replace(b"index", b"extra YQ==\nextra YQ==\nindex"),
    "an empty extra line": RAW.replace(b"index", b"extra \nindex"),
    "an extra line with spare bits": RAW.replace(b"index", b"extra YR==\nindex"),
    "an extra line of 5 kB": RAW.replace(
        b"index", b"extra " + base64.b64encode(bytes(MAX_EXTRA_BYTES + 1)) + b"\nindex"
    ),
    "a hash of 31 bytes": RAW.replace(HASH, base64.b64encode(bytes(31)) + b"\n"),
    "a hash without padding": RAW.replace(HASH, HASH.replace(b"=", b"")),
    "a hash with a space": RAW.replace(HASH, b" " + HASH),
    "64 hashes": RAW.replace(HASH, HASH * 62),
    "carriage returns": RAW.replace(b"\n", b"\r\n"),
    "no checkpoint": RAW.partition(b"\n\n")[0],
    "an empty line too early": RAW.replace(b"index", b"\nindex"),
    "not ASCII": RAW.replace(b"index", "\u0456ndex".encode()),
    "too large": RAW + b"x" * MAX_PROOF_BYTES,
}


@pytest.mark.parametrize(
    "proof",
    [
        PROOF,
        replace(PROOF, extra=b"for the archive"),
        replace(PROOF, hashes=()),
        replace(PROOF, hashes=PROOF.hashes * 21),
        replace(PROOF, index=2**63 - 1),
    ],
)
def test_a_proof_comes_back_from_its_text(proof: TlogProof) -> None:
    assert TlogProof.parse(proof.encode()) == proof


def test_the_text_is_the_published_form() -> None:
    proof = replace(PROOF, extra=b"x")
    lines = proof.encode().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra eA==", "index 4"]
    assert [base64.b64decode(line) for line in lines[3:6]] == list(PROOF.hashes)
    assert lines[6] == ""
    assert "\n".join(lines[7:]).encode() == PROOF.checkpoint


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_another_text_is_refused(raw: bytes) -> None:
    with pytest.raises(ProofRejected):
        TlogProof.parse(raw)
