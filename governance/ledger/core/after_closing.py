"""What a closed log still takes: the duties to persons, and the review of what it holds (P13).

Closing ends governance in a log, and the bodies of its answers stay in it. Whoever is in them must
be able to be erased from them, evidence must be able to be kept, keys be wrapped again, and the
last range of the trail be reviewed. Nothing else is written behind `log.closed`, and whoever
verifies refuses an entry of any other kind there.
"""

from __future__ import annotations

from typing import Final

AFTER_CLOSING: Final = frozenset(
    {
        "key.epoch_rotated",
        "legal_hold.lift_signed",
        "legal_hold.lift_withdrawn",
        "legal_hold.lifted",
        "legal_hold.placed",
        "session.ended",
        "session.opened",
        "subject.erased",
        "subject.erasure_refused",
        "subject.erasure_requested",
        "trail.exported",
        "trail.overdue",
        "trail.review_opened",
        "trail.review_withdrawn",
        "trail.reviewed",
    }
)
