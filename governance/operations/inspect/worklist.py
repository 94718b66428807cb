"""What waits for a decision: for me, for others, and what is overdue (P12)."""

from __future__ import annotations

from dataclasses import dataclass

from change_control.watch.review import ReviewState, overdue
from governance.operations.actor import Actor
from governance.operations.review.facts import Choice, choices
from governance.registry.records import Review
from governance.storage.ports import Reader

WAITING = (ReviewState.OPEN, ReviewState.FIRST_SIGNATURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """A review that waits, with what this person may decide and what keeps them from the rest."""

    review: Review
    choices: tuple[Choice, ...]
    overdue: bool

    @property
    def mine(self) -> bool:
        """Whether this person may decide it in at least one way."""
        return any(choice.refusal is None for choice in self.choices)


def worklist(
    reader: Reader, *, actor: Actor, organisation: str, now_us: int
) -> tuple[WorkItem, ...]:
    """Return every waiting review, the one that is due first in front."""
    waiting = [review for state in WAITING for review in reader.find(Review, state=state.value)]
    return tuple(
        WorkItem(
            review=review,
            choices=tuple(choices(reader, review, actor=actor, organisation=organisation)),
            overdue=overdue(review.due_us, now_us),
        )
        for review in sorted(waiting, key=lambda review: (review.due_us, review.id))
    )
