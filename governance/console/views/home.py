"""The first page: what waits for me, what is overdue, what is suspended, how the ledger stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from governance.console.desk import LedgerHead
from governance.operations.inspect.worklist import WorkItem
from governance.registry.records import Hold, MonitorRun, Review
from governance.storage.ports import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class LateMonitor:
    """A monitor whose next run is due and has not come: silence is a finding (P12)."""

    model: str
    monitor: str
    last: MonitorRun


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeView:
    """`others` are undecided reviews that this person cannot decide, shown with the reason."""

    mine: tuple[WorkItem, ...]
    others: tuple[WorkItem, ...]
    overdue: tuple[WorkItem, ...]
    late_monitors: tuple[LateMonitor, ...]
    holds: tuple[Hold, ...]
    decided: tuple[Review, ...]
    head: LedgerHead


def home_view(
    reader: Reader, *, waiting: Sequence[WorkItem], head: LedgerHead, now_us: int
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
    )


def late_monitors(reader: Reader, *, now_us: int) -> tuple[LateMonitor, ...]:
    """Return the monitors whose last run promised a next one before now."""
    last = {(run.model, run.monitor): run for run in reader.find(MonitorRun)}
    return tuple(
        LateMonitor(model=model, monitor=monitor, last=run)
        for (model, monitor), run in sorted(last.items())
        if run.next_due_us < now_us
    )
