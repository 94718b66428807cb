"""What the invented deployment answers when it is asked for its trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from console_samples import records
from governance.operations.trail.hits import FieldChange, TrailHit
from governance.operations.trail.list_trail_reviews import (
    TrailReviewLine,
    TrailReviews,
    TrailReviewShown,
)
from governance.operations.trail.ranges import ExceptionalLine, TrailException
from governance.operations.trail.search_trail import AnswerLine, TrailPage

DAY_US: Final = 86_400_000_000
DIGEST: Final = "ab" * 32

ANSWERS: Final = [
    AnswerLine(
        kind="inference.answered", model="forecasting", release="REL-1", reasons=[], count=812
    ),
    AnswerLine(
        kind="inference.refused", model="forecasting", release="", reasons=["gate.suspended"],
        count=3,
    ),
]  # fmt: skip


def _hit(seq: int, kind: str, *, changes: list[FieldChange], records_: list[str]) -> TrailHit:
    return TrailHit(
        seq=seq, t_us=records.NOW_US - DAY_US, event_id=f"event-{seq}", kind=kind,
        actor="ingrid.dahl", actor_name="Ingrid Dahl", model="forecasting", records=records_,
        changes=changes, notes={"decision": "approve"}, body="held",
    )  # fmt: skip


PAGE: Final = TrailPage(
    origin="oncovigil.st-olav/pharmacy-demand", size=33, first=0, end=33, matched=3,
    kinds={"release.ended": 1, "review.decided": 1}, answers=ANSWERS, next_after=5,
    hits=[
        _hit(
            30, "release.ended", records_=["release:REL-1", "version:forecasting/1"],
            changes=[
                FieldChange(
                    record="release:REL-1", field="state", old="active", new="rolled_back"
                )
            ],
        ),
        _hit(
            5, "review.decided", records_=["signature:S-2", "review:R-1"],
            changes=[
                FieldChange(record="signature:S-2", field="meaning", old=None, new="<b>approved"),
                FieldChange(record="review:R-1", field="state", old="open", new="decided"),
            ],
        ),
    ],
)  # fmt: skip

LINE: Final = {
    "review": "T-1", "first_seq": 0, "last_seq": 30, "families": "*", "state": "open",
    "opened_by": "monitor", "opened_us": records.NOW_US - DAY_US,
    "due_us": records.NOW_US - 2 * DAY_US, "decided_us": None, "overdue": True,
}  # fmt: skip

LISTED: Final = TrailReviews(
    size=33, waiting=33, due_us=records.NOW_US - 2 * DAY_US, overdue=True, findings=["F-9"],
    reviewed_until={"release": 0, "inference": 0}, reviews=[TrailReviewLine(exceptions=2, **LINE)],
)  # fmt: skip

SHOWN: Final = TrailReviewShown(
    **LINE, digest=DIGEST, first_leaf=DIGEST, root=DIGEST, finding="F-9", entries=31,
    kinds={"inference.answered": 812, "release.ended": 1}, answers=ANSWERS, exceptions_counted=813,
    exceptional=[
        ExceptionalLine(
            why="a release was ended early", count=1, first_seq=30, last_seq=30, listed=True
        ),
        ExceptionalLine(
            why="an answer was refused: gate.suspended",
            count=812, first_seq=2, last_seq=29, listed=False,
        ),
    ],
    exceptions=[
        TrailException(
            seq=30, t_us=records.NOW_US, kind="release.ended", actor="ingrid.dahl",
            why="a release was ended early",
        )
    ],
    next_after=None, may_decide=["accepted", "exceptions"], refusals={}, signatures=[],
)  # fmt: skip

RESULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "trail.search": PAGE.model_dump(mode="json"),
    "trail_review.list": LISTED.model_dump(mode="json"),
    "trail_review.show": SHOWN.model_dump(mode="json"),
    "trail_review.open": {"review": "T-1"},
    "trail_review.sign": {"review": "T-1"},
    "trail_review.withdraw": {"review": "T-1"},
    "trail.export": {"form": "csv", "size": 33, "sha256": DIGEST, "content": "c2VxDQo="},
}
