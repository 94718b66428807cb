"""Bearer tokens: what verifies, and everything that must not."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.adapters.tokens import LIFETIME_S, TokenAuthority, TokenExpired, TokenInvalid
from tests.unit.serving.fakes import NOW_US

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ISSUER = "st-olav/pharmacy/audit/x"
AUTHORITY = TokenAuthority(key=KEY, issuer=ISSUER)
NOW_S = NOW_US // 1_000_000
SCOPES = frozenset({"read", "infer:forecasting"})


def issue(**fields: Any) -> str:
    known = {"client": "planner", "scopes": SCOPES, "secret_epoch": 3, "now_us": NOW_US}
    return AUTHORITY.issue(**{**known, **fields})[0]


def b64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def sign(claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    """Sign without the code under test, so that odd but well-signed tokens can be made."""
    head = {"alg": "Ed25519"} if header is None else header
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
    return text + "." + b64(KEY.sign(text.encode()))


CLAIMS = {
    "iss": ISSUER, "aud": ISSUER, "sub": "planner", "scope": "read", "epoch": 1,
    "exp": NOW_S + 60,
}  # fmt: skip


def test_a_token_says_who_may_what_and_until_when() -> None:
    token = AUTHORITY.verify(issue(), now_us=NOW_US)
    assert (token.client, token.scopes, token.secret_epoch) == ("planner", SCOPES, 3)
    assert token.expires_us == (NOW_S + LIFETIME_S) * 1_000_000


def test_a_token_made_by_a_second_implementation_verifies() -> None:
    assert AUTHORITY.verify(sign(CLAIMS), now_us=NOW_US).client == "planner"


def test_a_token_ends_at_its_instant() -> None:
    text = issue()
    end = (NOW_S + LIFETIME_S) * 1_000_000
    AUTHORITY.verify(text, now_us=end - 1)
    with pytest.raises(TokenExpired):
        AUTHORITY.verify(text, now_us=end)


@pytest.mark.parametrize(
    "claims",
    [
        {**CLAIMS, "iss": "another"},
        {**CLAIMS, "aud": "another"},
        {**CLAIMS, "aud": [ISSUER]},
        {**CLAIMS, "sub": None},
        {**CLAIMS, "sub": 7},
        {**CLAIMS, "scope": ["read"]},
        {**CLAIMS, "epoch": True},
        {**CLAIMS, "epoch": "1"},
        {**CLAIMS, "exp": NOW_S + 60.5},
        {**CLAIMS, "exp": str(NOW_S + 60)},
        {key: value for key, value in CLAIMS.items() if key != "exp"},
        {key: value for key, value in CLAIMS.items() if key != "epoch"},
        {},
    ],
)
def test_a_signed_token_with_odd_claims_is_no_credential(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        AUTHORITY.verify(sign(claims), now_us=NOW_US)


def test_no_other_algorithm_is_accepted() -> None:
    claims = b64(json.dumps(CLAIMS).encode())
    public = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    hs256 = b64(b'{"alg":"HS256"}') + "." + claims
    mac = hmac.digest(public, hs256.encode(), "sha256")
    for text in (
        b64(b'{"alg":"none"}') + "." + claims + ".",
        hs256 + "." + b64(mac),
        sign(CLAIMS, {"alg": "EdDSA"}),
        sign(CLAIMS, {}),
        sign(CLAIMS, {"alg": "Ed25519", "crit": ["b64"], "b64": False}),
    ):
        with pytest.raises(TokenInvalid):
            AUTHORITY.verify(text, now_us=NOW_US)


def test_a_key_named_in_the_token_is_not_used() -> None:
    other = Ed25519PrivateKey.generate()
    public = other.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    head = {"alg": "Ed25519", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(public)}}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(CLAIMS).encode())
    with pytest.raises(TokenInvalid):
        AUTHORITY.verify(text + "." + b64(other.sign(text.encode())), now_us=NOW_US)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "é", "a" * 5000, "Bearer", "null", "....", "e30.e30.e30"]
)
def test_text_that_is_no_token_is_refused_without_a_foreign_error(text: str) -> None:
    with pytest.raises(TokenInvalid):
        AUTHORITY.verify(text, now_us=NOW_US)


def test_every_changed_character_of_a_token_is_refused() -> None:
    text = issue()
    for place, character in enumerate(text):
        changed = text[:place] + ("A" if character != "A" else "B") + text[place + 1 :]
        # The last character of a segment holds unused bits: it may decode to the same bytes.
        last = place + 1 == len(text) or text[place + 1] == "."
        if not last and character != ".":
            with pytest.raises(TokenInvalid):
                AUTHORITY.verify(changed, now_us=NOW_US)


def test_a_token_of_another_deployment_is_refused() -> None:
    other = TokenAuthority(key=Ed25519PrivateKey.generate(), issuer=ISSUER)
    text, _seconds = other.issue(client="planner", scopes=SCOPES, secret_epoch=1, now_us=NOW_US)
    with pytest.raises(TokenInvalid):
        AUTHORITY.verify(text, now_us=NOW_US)
