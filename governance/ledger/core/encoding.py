"""Strict readers of the small alphabets: decimal and base64.

Lenient readers are an attack (one value, several spellings, so bytes that are not what was
signed): Python's `int` takes "-5", "1_000" and U+0665, its `b64decode` takes spare bits. Each
function returns None for everything but the one spelling; the caller names the error.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

_DECIMAL: Final = re.compile(r"(?:0|[1-9][0-9]{0,18})", re.ASCII)

HASH_BYTES: Final = 32
MAX_UINT63: Final = 2**63 - 1  # the largest size that the tlog formats allow


def decimal(text: str) -> int | None:
    """Return the integer 0..2**63-1 written without sign, leading zero or separator."""
    if _DECIMAL.fullmatch(text) is None:
        return None
    value = int(text)
    return value if value <= MAX_UINT63 else None


def base64_text(raw: bytes) -> str:
    """Return RFC 4648 section 4 base64 with padding."""
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def base64_bytes(text: str) -> bytes | None:
    """Return the bytes of RFC 4648 section 4 base64, padded, without spare bits."""
    try:
        raw = binascii.a2b_base64(text)  # lenient; writing it again is what refuses
    except ValueError:  # binascii.Error, or text that is not ASCII
        return None
    return raw if base64_text(raw) == text else None


def hash_base64(text: str) -> bytes | None:
    """Return the 32 bytes of a base64 hash."""
    raw = base64_bytes(text)
    return raw if raw is not None and len(raw) == HASH_BYTES else None
