"""Decimals and base64 have one spelling each."""

from __future__ import annotations

import pytest

from governance.ledger.core.encoding import base64_bytes, base64_text, decimal, hash_base64


@pytest.mark.parametrize("value", [0, 1, 9, 10, 2**53, 2**63 - 1])
def test_a_decimal_comes_back(value: int) -> None:
    assert decimal(str(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        *["", "00", "01", "-0", "-5", "+5", " 5", "5 ", "5\n", "1_000", "1.0", "1e3", "0x5"],
        *["\u0665", "\uff15", "\u00b2", str(2**63), "9" * 19, "9" * 5000],
    ],
)
def test_another_spelling_or_a_number_beyond_63_bits_is_no_decimal(text: str) -> None:
    assert decimal(text) is None


@pytest.mark.parametrize("raw", [b"", b"a", b"ab", b"abc", bytes(32), b"\xff" * 33])
def test_base64_comes_back(raw: bytes) -> None:
    assert base64_bytes(base64_text(raw)) == raw


@pytest.mark.parametrize(
    "text", ["YQ", "YQ=", "YR==", "YQ==\n", " YQ==", "Y Q==", "YQ==YQ==", "-_-_", "=", "\u0410QID"]
)
def test_another_spelling_is_no_base64(text: str) -> None:
    assert base64_bytes(text) is None


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_hash_has_32_bytes(size: int) -> None:
    assert hash_base64(base64_text(bytes(size))) is None
    assert hash_base64(base64_text(bytes(32))) == bytes(32)
