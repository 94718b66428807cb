"""The roots that a stored log must lead to: signed checkpoints, each compared at its size."""

from __future__ import annotations

from collections.abc import Sequence

from governance.ledger.core.checkpoint import VerifiedCheckpoint
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.merkle import Frontier


class ExpectedRoots:
    """The checkpoints, smallest first. `matched` is the size of the largest that was compared."""

    def __init__(self, checkpoints: Sequence[VerifiedCheckpoint], origin: str) -> None:
        if any(checkpoint.origin != origin for checkpoint in checkpoints):
            raise LedgerTampered("a checkpoint is of another log")
        self._waiting = sorted(checkpoints, key=lambda checkpoint: -checkpoint.size)
        self.matched = 0
        self.next_size: int | None = None
        self.check(Frontier())

    def check(self, frontier: Frontier) -> None:
        """Compare the root where a checkpoint is of this size; raise LedgerTampered."""
        while self._waiting and self._waiting[-1].size == frontier.size:
            if self._waiting.pop().root != frontier.root():
                raise LedgerTampered(
                    f"an entry from here up to {frontier.size - 1} was rewritten: "
                    f"the root at size {frontier.size} is not the one that was signed",
                    sequence=self.matched,
                )
            self.matched = frontier.size
        self.next_size = self._waiting[-1].size if self._waiting else None

    def rows_ahead(self, size: int, most: int) -> int:
        """Return how many rows may be looked at together: no checkpoint is stepped over."""
        return most if self.next_size is None else min(most, self.next_size - size)

    def finish(self, frontier: Frontier) -> None:
        """Raise LedgerTampered where the log ends before a checkpoint that covers more."""
        if self._waiting:
            raise LedgerTampered(
                f"the tail is cut: the log has {frontier.size} entries, "
                f"a signed checkpoint covers {self._waiting[0].size}",
                sequence=frontier.size,
            )
