"""The first page: what waits for me, what is overdue, what is suspended, how the ledger stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.console.desk import LedgerHead
from governance.errors import Problem
from governance.operations.inspect.worklist import WorkItem
from governance.operations.watch.monitor_status import MonitorState, states
from governance.registry.records import Hold, Review
from governance.storage.ports import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeView:
    """`others` are undecided reviews that this person cannot decide, shown with the reason."""

    mine: tuple[WorkItem, ...]
    others: tuple[WorkItem, ...]
    overdue: tuple[WorkItem, ...]
    late_monitors: tuple[MonitorState, ...]
    holds: tuple[Hold, ...]
    decided: tuple[Review, ...]
    head: LedgerHead
    trail: Mapping[str, Any] | Problem
    may_review_trail: bool

    @property
    def trail_reviews(self) -> list[Mapping[str, Any]]:
        """Return the open reviews of the trail, where this person's roles let them sign one."""
        if isinstance(self.trail, Problem) or not self.may_review_trail:
            return []
        return [one for one in self.trail["reviews"] if one["state"] == "open"]

    @property
    def late_trail(self) -> bool:
        """Whether entries of the trail wait for their review for too long."""
        return not isinstance(self.trail, Problem) and bool(self.trail["overdue"])


def home_view(
    reader: Reader,
    *,
    waiting: Sequence[WorkItem],
    head: LedgerHead,
    trail: Mapping[str, Any] | Problem,
    may_review_trail: bool,
    now_us: int,
) -> HomeView:
    """Return what the first page shows."""
    return HomeView(
        mine=tuple(item for item in waiting if item.mine),
        others=tuple(item for item in waiting if not item.mine),
        overdue=tuple(item for item in waiting if item.overdue),
        late_monitors=late_monitors(reader, now_us=now_us),
        holds=tuple(hold for hold in reader.find(Hold) if hold.state != "lifted"),
        decided=tuple(reversed(reader.find(Review, state="decided")[-5:])),
        head=head,
        trail=trail,
        may_review_trail=may_review_trail,
    )


def late_monitors(reader: Reader, *, now_us: int) -> tuple[MonitorState, ...]:
    """Return the monitors that owe a run: silence is a finding (P12)."""
    return tuple(state for state in states(reader, now_us=now_us) if state.overdue)
