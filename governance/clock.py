"""The only reader of the wall clock. Everything else takes the time as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

MICROSECONDS = 1_000_000
DAY_US = 86_400 * MICROSECONDS


class Clock(Protocol):
    """A source of the present instant."""

    def now_us(self) -> int:
        """Return microseconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now_us(self) -> int:
        """Return microseconds since the epoch, UTC."""
        return time.time_ns() // 1000


class FixedClock:
    """A clock that a test or a simulation moves by hand."""

    def __init__(self, *, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        """Return the instant that was set last."""
        return self._now_us

    def advance(self, *, seconds: float) -> None:
        """Move forward by `seconds`."""
        self._now_us += int(seconds * MICROSECONDS)


def utc_text(instant_us: int) -> str:
    """Return the instant as people read it, "2026-11-24 08:15:02 UTC"."""
    return datetime.fromtimestamp(instant_us / MICROSECONDS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso_text(instant_us: int) -> str:
    """Return the instant as programs read it, RFC 3339 with microseconds and a Z."""
    instant = datetime.fromtimestamp(instant_us // MICROSECONDS, UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant_us % MICROSECONDS:06d}Z"
