"""The instant of a batch: never before the last entry's, and honest where the wall clock jumped."""

from __future__ import annotations

from typing import Final

from governance.clock import Clock
from governance.ledger.core.canonical import Json
from governance.storage.chain import Draft
from governance.storage.sealing import Sealer

SKEW_US: Final = 1_000_000


class Instants:
    """The clock as a log may use it."""

    def __init__(self, clock: Clock, sealer: Sealer) -> None:
        self._clock = clock
        self._sealer = sealer
        self._wall_us: int | None = None

    def of(self, draft: Draft) -> int:
        """Return the batch's instant; a wall clock that jumped backwards is itself an entry."""
        wall_us, last_us = self._clock.now_us(), draft.last_t_us
        before_us = last_us if self._wall_us is None else self._wall_us
        now_us = max(wall_us, last_us)
        if wall_us < before_us - SKEW_US and not draft.closed:
            facts: dict[str, Json] = {
                "actor": "system",
                "before_us": before_us,
                "changes": [],
                "wall_us": wall_us,
            }
            skew = self._sealer.prepare(kind="clock.skew", facts=facts, body=None, now_us=now_us)
            draft.append(skew, t_us=now_us)
        return now_us

    def committed(self) -> None:
        """Remember the wall clock as it is now that a batch is durable."""
        self._wall_us = self._clock.now_us()
