"""The trail on both databases: the same index over the same entries, and reviews that are rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from governance.operations.trail.search_trail import SearchTrail, search
from governance.registry.records import TrailReview
from governance.storage.open import open_storage
from governance.storage.trail.index import INDEX_NAME, TrailIndex
from governance.storage.trail.segments import sealing_key

if TYPE_CHECKING:
    from governance.clock import FixedClock
    from governance.home import Home

REVIEW = TrailReview(
    id="T-1", first_seq=0, last_seq=0, families="*", first_leaf="a" * 64, root="b" * 64,
    digest="c" * 64, exceptions=0, state="open", opened_by="ana", opened_us=1, due_us=2,
    decided_us=None,
)  # fmt: skip


def test_a_review_is_found_by_who_what_and_which_record_with_old_and_new(
    home: Home, clock: FixedClock
) -> None:
    with open_storage(home, clock=clock) as storage:

        def opened(unit: Any) -> None:
            unit.record(kind="trail.review_opened", actor="ana", add=[REVIEW])

        def signed(unit: Any) -> None:
            after = replace(REVIEW, state="accepted", decided_us=unit.now_us)
            unit.record(kind="trail.reviewed", actor="bea", replace=[(REVIEW, after)])

        storage.pen.commit(opened)
        storage.pen.commit(signed)
        storage.rebuild()
        index = TrailIndex(
            ledger=storage.ledger, path=home.root / INDEX_NAME, key=sealing_key(home)
        )
        page = search(storage.ledger, index, SearchTrail(record="trail_review:T-1"))
        assert [(hit.kind, hit.actor) for hit in page.hits] == [
            ("trail.review_opened", "ana"),
            ("trail.reviewed", "bea"),
        ]
        (state,) = [change for change in page.hits[1].changes if change.field == "state"]
        assert (state.old, state.new) == ("open", "accepted")
        assert search(storage.ledger, index, SearchTrail(actor="cora")).matched == 0
