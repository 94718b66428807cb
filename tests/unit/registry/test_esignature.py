"""A signature belongs to one record, one version of its bytes and one meaning (P7)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audits.estimate import Json
from governance.registry.esignature import (
    SignatureRejected,
    Statement,
    pre_authentication_encoding,
    sign,
    verify,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STATEMENT = Statement(
    record_type="document",
    record="plan:forecasting:1",
    record_sha256="ab" * 32,
    meaning="approved",
    signer="rea",
    printed_name="Rea Lindqvist",
    auth_methods=("session", "password"),
    t_us=1_800_000_000_000_000,
)


def _expected(statement: Statement = STATEMENT) -> dict[str, Json]:
    return {name: value for name, value in statement.as_json().items() if name != "auth_methods"}


def test_a_signature_verifies_for_its_own_record() -> None:
    verify(sign(STATEMENT, key=KEY), key=KEY.public_key(), expected=_expected())


def test_the_pre_authentication_encoding_is_that_of_dsse() -> None:
    # DSSE v1 protocol: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body; length in decimal.
    kind = b"application/vnd.oncovigil.esig.v1+json"
    assert pre_authentication_encoding(b"hello") == b"DSSEv1 38 " + kind + b" 5 hello"


@pytest.mark.parametrize(
    "moved",
    [
        {"record": "plan:forecasting:2"},
        {"record_type": "release"},
        {"record_sha256": "cd" * 32},
        {"meaning": "rejected"},
        {"signer": "mo"},
        {"printed_name": "Rea Married-Name"},
        {"t_us": STATEMENT.t_us + 1},
    ],
)
def test_a_signature_moved_to_anything_else_fails(moved: dict[str, object]) -> None:
    envelope = sign(STATEMENT, key=KEY)
    other = replace(STATEMENT, **moved)  # type: ignore[arg-type]
    with pytest.raises(SignatureRejected):
        verify(envelope, key=KEY.public_key(), expected=_expected(other))


def test_every_changed_character_of_the_envelope_fails() -> None:
    envelope = sign(STATEMENT, key=KEY)
    for place, character in enumerate(envelope):
        changed = envelope[:place] + chr(ord(character) ^ 1) + envelope[place + 1 :]
        with pytest.raises(SignatureRejected):
            verify(changed, key=KEY.public_key(), expected=_expected())


def test_another_key_fails() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(SignatureRejected):
        verify(sign(STATEMENT, key=other), key=KEY.public_key(), expected=_expected())


@pytest.mark.parametrize(
    "envelope",
    ["", "null", "[]", "{}", '{"payload":"","payloadType":"x","signatures":[]}', "\x00", "{"],
)
def test_what_is_no_envelope_is_rejected_with_our_error(envelope: str) -> None:
    with pytest.raises(SignatureRejected):
        verify(envelope, key=KEY.public_key(), expected={})


def test_a_second_signature_in_the_envelope_is_rejected() -> None:
    outer = json.loads(sign(STATEMENT, key=KEY))
    outer["signatures"] *= 2
    text = json.dumps(outer, sort_keys=True, separators=(",", ":"))
    with pytest.raises(SignatureRejected):
        verify(text, key=KEY.public_key(), expected=_expected())
