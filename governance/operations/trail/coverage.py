"""How far the trail has been reviewed, and what is due: silence is a finding (P12).

There is one rule of lateness: no entry waits for its review for longer than the configured days.
The first to wait is entry 0, so the first period is counted from the beginning of the log.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from change_control.watch.trail_review import (
    EVERY,
    SIGNED,
    Signed,
    TrailReviewState,
    covers,
    family_of,
    reviewed_until,
)
from governance.clock import DAY_US, MICROSECONDS
from governance.deployment import Deployment
from governance.errors import Conflict, GovernanceError, InvalidInput
from governance.registry.records import TrailReview
from governance.storage.ports import Reader
from governance.storage.trail.facets import Wanted
from governance.storage.trail.index import TrailIndex
from governance.storage.trail.reading import read_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What was reviewed. `until` is the first entry of each family that no signed review has read.

    `waits` is the first entry of each family that waits, for the families of which one does, and
    `due_us` when the oldest of them has to be reviewed; None where nothing waits.
    """

    size: int
    until: dict[str, int]
    waits: dict[str, int]
    waiting: int
    due_us: int | None

    def overdue(self, now_us: int) -> bool:
        """Whether an entry has waited for longer than it may."""
        return self.due_us is not None and now_us > self.due_us


def coverage(deployment: Deployment, reader: Reader) -> Coverage:
    """Return how far the trail has been reviewed, by the signed reviews that `reader` sees."""
    size = deployment.trail.catch_up()
    families = sorted({family_of(kind) for kind in deployment.trail.kinds()})
    until = dict(reviewed_until(signed_ranges(reader), families))
    waits, waiting = waiting_after(deployment.trail, until, size)
    return Coverage(
        size=size,
        until=until,
        waits=waits,
        waiting=waiting,
        due_us=due_of(deployment, min(waits.values())) if waits else None,
    )


def waiting_after(
    trail: TrailIndex, until: Mapping[str, int], size: int
) -> tuple[dict[str, int], int]:
    """Return the first entry of each family from `until` on, where there is one, and how many."""
    waits: dict[str, int] = {}
    waiting = 0
    for family, end in until.items():
        for found in trail.find(Wanted(kind=f"{family}.*")):
            if count := found.count(end, size):
                waiting += count
                seq = found.seqs[bisect_left(found.seqs, end)]
                waits[family] = min(waits.get(family, seq), seq)
    return waits, waiting


def due_of(deployment: Deployment, seq: int) -> int:
    """Return when the entry has to be reviewed."""
    every_us = deployment.home.config.trail_review.every_days * DAY_US
    return read_entry(deployment.ledger, seq).t_us + every_us


def trail_gauges(deployment: Deployment) -> dict[str, int]:
    """Return what a monitoring system reads: how much waits for its review, and how late it is.

    Where the trail cannot be read there is no such number, and the first gauge says so.
    """
    now_us = deployment.clock.now_us()
    try:
        with deployment.reader() as reader:
            covered = coverage(deployment, reader)
    except GovernanceError:
        return {"vigil_trail_readable": 0}
    due_us = now_us if covered.due_us is None else covered.due_us
    return {
        "vigil_trail_readable": 1,
        "vigil_trail_unreviewed_entries": covered.waiting,
        "vigil_trail_review_due_in_seconds": (due_us - now_us) // MICROSECONDS,
        "vigil_trail_review_overdue": int(covered.overdue(now_us)),
    }


def signed_ranges(reader: Reader) -> list[Signed]:
    """Return the ranges that were signed."""
    return [
        Signed(families=review.families, end=review.last_seq + 1)
        for state in SIGNED
        for review in reader.find(TrailReview, state=state.value)
    ]


def open_review_of(reader: Reader, families: str, known: list[str]) -> TrailReview | None:
    """Return an open review that reads one of the families too, if there is one."""
    for review in reader.find(TrailReview, state=TrailReviewState.OPEN.value):
        if EVERY in {families, review.families}:
            return review
        if any(covers(families, one) and covers(review.families, one) for one in known):
            return review
    return None


def families_of(asked: list[str] | None, known: list[str]) -> str:
    """Return the asked families as a record keeps them; raise InvalidInput for an unknown one."""
    if not asked:
        return EVERY
    named = sorted({family_of(one) for one in asked})
    unknown = [one for one in named if one not in known]
    if unknown:
        raise InvalidInput(
            "one of the kinds does not occur in the ledger",
            next_step=f"name families of kinds, the first words of: {', '.join(known)}",
        )
    return EVERY if named == known else " ".join(named)


def first_unreviewed(families: str, until: Mapping[str, int], waits: Mapping[str, int]) -> int:
    """Return where the next range of the families begins; raise Conflict where they differ.

    A family that has no entry before the others' end has nothing there to be read, so it begins
    with them.
    """
    ends = {family: end for family, end in until.items() if covers(families, family)}
    first = max(ends.values(), default=0)
    if any(waits.get(family, first) < first for family in ends):
        told = ", ".join(f"{family} up to {end}" for family, end in sorted(ends.items()))
        raise Conflict(
            f"these kinds were not reviewed up to one entry: {told}",
            next_step="review those that are behind first, with --kinds and --through, so that "
            "no entry is left out and none is read twice",
        )
    return first


def groups_of(families: Iterable[str], covered: Coverage) -> list[list[str]]:
    """Return the families in groups of which each can be opened as one range, the longest first."""
    left = sorted(families)
    groups: list[list[str]] = []
    while left:
        first = max(covered.until[family] for family in left)
        behind = [family for family in left if covered.waits.get(family, first) < first]
        groups.append([family for family in left if family not in behind])
        left = behind
    return groups[::-1]
