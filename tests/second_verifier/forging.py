"""Receipts and policies with one part that no honest writer makes, and signatures that are true.

Nothing here goes through the project's encoders: they refuse what these tests must show. Every
hash, proof and signature is recomputed over the odd part, so that the part itself is all that a
verifier can object to.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "example.org/forged/audit/018f5d2c-0000-7000-8000-000000000002"
WITNESSES = ("a", "b", "c")
NO_SALT = bytes(32)
EVENT_ID = "019b76da-a800-7837-89e8-691f4e31a4fd"
TIME_S = 1_767_225_600


def digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def compact(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def private_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(digest(b"forged ", name.encode()))


def public_key(name: str) -> bytes:
    return private_key(name).public_key().public_bytes_raw()


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return digest(name.encode(), b"\n", bytes([kind]), public)[:4]


def vkey_of(name: str, kind: int, public: bytes) -> str:
    return f"{name}+{key_id(name, kind, public).hex()}+{b64(bytes([kind]) + public)}"


def vkey(name: str, key: str, kind: int) -> str:
    return vkey_of(name, kind, public_key(key))


LOG_LINE = f"log {vkey(ORIGIN, 'log', 1)}\n"
WITNESS_LINES = {w: f"witness {w} {vkey('w.example/' + w, w, 4)}\n" for w in WITNESSES}
POLICY = (LOG_LINE + "".join(WITNESS_LINES.values()) + "group g 2 a b c\nquorum g\n").encode()


def line(name: str, key: str, kind: int, signature: bytes) -> str:
    return f"— {name} {b64(key_id(name, kind, public_key(key)) + signature)}\n"


def log_line(text: str) -> str:
    return line(ORIGIN, "log", 1, private_key("log").sign(text.encode()))


def cosigned(witness: str, text: str, *, time_s: int = TIME_S, name: str = "") -> str:
    said = f"cosignature/v1\ntime {time_s}\n{text}".encode()
    signature = time_s.to_bytes(8, "big") + private_key(witness).sign(said)
    return line(name or f"w.example/{witness}", witness, 4, signature)


def note(text: str, *, witnesses: Sequence[str] = ("a", "b"), more: str = "") -> str:
    cosignatures = "".join(cosigned(witness, text) for witness in witnesses)
    return f"{text}\n{log_line(text)}{cosignatures}{more}"


def receipt(
    *,
    facts: bytes = b"{}",
    facts_salt: bytes = NO_SALT,
    body: bytes | None = None,
    salt: bytes | None = None,
    entry: Mapping[str, object] | None = None,
    spell_entry: Callable[[dict[str, Any]], bytes] = compact,
    text: Callable[[str], str] = lambda root: f"{ORIGIN}\n1\n{root}\n",
    noted: Callable[[str], str] = note,
    proof: Callable[[str], str] = lambda signed: f"c2sp.org/tlog-proof@v1\nindex 0\n\n{signed}",
    document: Mapping[str, object] | None = None,
) -> bytes:
    """Return the receipt of the only entry of a log; each argument replaces one part of it."""
    body_c = None if body is None else digest(b"oncovigil/body/v1\n", salt or b"", body).hex()
    fields: dict[str, Any] = {
        "body_c": body_c,
        "event_id": EVENT_ID,
        "facts_c": digest(b"oncovigil/facts/v1\n", facts_salt, facts).hex(),
        "kind": "test.done",
        "prev": digest(b"oncovigil/genesis/v1\n", ORIGIN.encode()).hex(),
        "seq": 0,
        "t_us": 5,
        "v": 1,
    }
    raw = spell_entry(fields | dict(entry or {}))
    checkpoint = text(b64(digest(b"\x00", raw)))
    parts: dict[str, object] = {
        "body": None if body is None else b64(body),
        "entry": b64(raw),
        "facts": b64(facts),
        "facts_salt": b64(facts_salt),
        "proof": proof(noted(checkpoint)),
        "salt": None if salt is None else b64(salt),
        "v": 1,
    }
    return compact(parts | dict(document or {}))
