"""Open a review: what waits for whom, until when. Always part of the act that makes it needed."""

from __future__ import annotations

from dataclasses import dataclass

from change_control.watch.review import ReviewKind, ReviewState
from governance.clock import DAY_US
from governance.registry.records import Review
from governance.storage.ports import Unit

APPROVAL_DUE_DAYS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a review is about: the record, and the digest of the bytes that get signed."""

    record_type: str
    record: str
    digest: str


def approval_review(
    unit: Unit, *, kind: ReviewKind, model: str, subject: Subject, author: str
) -> Review:
    """Return a review that waits for a reviewer who is not the author (P6)."""
    return Review(
        id=unit.next_id(Review, prefix="R"),
        kind=kind.value,
        model=model,
        subject_type=subject.record_type,
        subject=subject.record,
        subject_digest=subject.digest,
        state=ReviewState.OPEN.value,
        owner_role="reviewer",
        opened_by=author,
        opened_us=unit.now_us,
        due_us=unit.now_us + APPROVAL_DUE_DAYS * DAY_US,
        blocks_release=False,
        reason_code="approval.wanted",
        decision=None,
        first_signer=None,
        decided_us=None,
    )
