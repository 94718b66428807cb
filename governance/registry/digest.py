"""The bytes of a governed record, and their digest: what people sign and what facts commit to."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

from audits.estimate import Json
from governance.ledger.core import canonical
from governance.registry.records import Record


def sha256_hex(content: bytes) -> str:
    """Return the SHA-256 of `content`, 64 lower-case hex characters."""
    return hashlib.sha256(content).hexdigest()


def json_digest(value: Json) -> str:
    """Return the digest of the value's canonical bytes."""
    return sha256_hex(canonical.dumps(value))


def record_digest(record: Record) -> str:
    """Return the digest of the record with every field."""
    return json_digest({"table": record.TABLE, **asdict(record)})
