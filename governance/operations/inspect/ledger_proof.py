"""Proofs out of a home's files: the receipt of an event, or that one tree extends another."""

from __future__ import annotations

from pathlib import Path

from governance.home import Home
from governance.ledger.core import canonical
from governance.ledger.core.encoding import base64_text
from governance.operations.operation import Result
from governance.storage.open import inspect_storage


class ConsistencyProof(Result):
    """RFC 9162 section 2.1.4: `proof` leads from the old root to the new one. Roots in base64."""

    origin: str
    old_size: int
    old_root: str
    new_size: int
    new_root: str
    proof: list[str]


def receipt_of(home: Path, event_id: str, *, with_body: bool = True) -> bytes:
    """Return the event's receipt; raise NotFound or NoSuchProof.

    Without the body it proves the same entry, to somebody who may not read question and answer.
    """
    with inspect_storage(Home.open(home)) as inspected:
        receipt = inspected.ledger.receipt(event_id)
    return receipt if with_body else without_body(receipt)


def consistency_of(home: Path, *, old: int, new: int) -> ConsistencyProof:
    """Prove that the log of `new` entries begins with that of `old`; raise NoSuchProof."""
    with inspect_storage(Home.open(home)) as inspected:
        log = inspected.ledger.tiles
        return ConsistencyProof(
            origin=inspected.ledger.origin,
            old_size=old,
            old_root=base64_text(log.root(old)),
            new_size=new,
            new_root=base64_text(log.root(new)),
            proof=[base64_text(hashed) for hashed in log.consistency_proof(old, new)],
        )


def without_body(receipt: bytes) -> bytes:
    """Return the receipt for somebody who may not read question and answer."""
    document = canonical.loads(receipt)
    assert isinstance(document, dict), "a receipt is an object"
    return canonical.dumps({**document, "body": None, "salt": None})
