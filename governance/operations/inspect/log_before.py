"""Whether a record was taken over from a log before this one: numbers of entries in it are of that.

Records keep the numbers that they were signed with, and a successor does not open its own entries
under them. What was recorded before the log's first entry was recorded elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from governance.storage.succession.statement import PREDECESSOR


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBefore:
    """The end of the logs before this one; a first log has none before it."""

    until_us: int

    @classmethod
    def of(cls, facts: object, t_us: int) -> LogBefore:
        """Return what entry 0, recorded at `t_us`, says of a log before it."""
        succeeds = isinstance(facts, Mapping) and PREDECESSOR in facts
        return cls(until_us=t_us if succeeds else 0)

    def holds(self, recorded_us: int) -> bool:
        """Return whether a record of that instant, and each number in it, is of a log before."""
        return recorded_us < self.until_us
