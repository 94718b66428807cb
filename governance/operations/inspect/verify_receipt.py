"""Verify a receipt offline: a file, a pinned policy, nothing else (P14)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from governance.clock import iso_text
from governance.errors import InvalidInput
from governance.ledger.core import canonical
from governance.ledger.core.errors import NotCanonical
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.operations.operation import Result

SIZE_LIMIT = 8 * 1024 * 1024


class ReceiptReport(Result):
    """What the receipt proves. Stage S0: signed by the log; S1: seen by the policy's witnesses."""

    stage: str
    origin: str
    seq: int
    event_id: str
    kind: str
    time: str
    size: int
    cosigned_by: list[str]
    body: str | None


def verify_receipt_file(file: Path, policy: Path) -> ReceiptReport:
    """Verify the receipt in `file` under the policy in `policy`; raise ReceiptRejected."""
    if file.stat().st_size > SIZE_LIMIT:
        raise InvalidInput(
            "the file is larger than any receipt",
            next_step="give the receipt alone, as the server sent it",
        )
    verified = verify_receipt(receipt_in(file.read_bytes()), Policy.parse(policy.read_bytes()))
    entry = verified.entry
    return ReceiptReport(
        stage=verified.stage,
        origin=verified.origin,
        seq=verified.seq,
        event_id=entry.event_id,
        kind=entry.kind,
        time=iso_text(entry.t_us),
        size=verified.size,
        cosigned_by=[witness.name for witness in verified.cosigned_by],
        body=None if verified.body is None else verified.body.decode("utf-8", "replace"),
    )


def receipt_in(raw: bytes) -> bytes:
    """Return the receipt's canonical bytes, alone or inside an answer that a program has saved.

    White space between the members is the container's and proves nothing; everything else has to
    be exactly as it was sent, so a text with a member given twice is left to be rejected.
    """
    try:
        found = json.loads(raw, object_pairs_hook=_members_once)
        inner = found.get("receipt", found) if isinstance(found, dict) else found
        return canonical.dumps(inner)
    except (ValueError, NotCanonical, RecursionError):
        return raw


def _members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members
