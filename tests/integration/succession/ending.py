"""Homes whose log ends: one that is whole, with something of everything that governs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from governance.clock import FixedClock
from governance.deployment import open_deployment
from governance.operations.admin.succession import EndOfLog, Signing
from tests.support.small_deployment import (
    DAY_US,
    MODEL,
    SITE,
    START_US,
    PreparedCompute,
    Small,
    TickingClock,
    cheap_passwords,
    password_of,
    small,
)

LATER_US = START_US + 2 * DAY_US
ROWS = [
    {"series": "A10/total", "month": f"2004-{month:02}", "value": str(100 + month)}
    for month in (7, 8, 9)
]


def signing(person: str, password: str | None = None) -> Signing:
    return Signing(person=person, password=SecretStr(password or password_of(person)))


def request(first: str = "ada", second: str = "rea", **more: Any) -> EndOfLog:
    reason = more.pop("reason", "planned")
    return EndOfLog(administrator=signing(first), second=signing(second), reason=reason)


def lived_in(tmp_path: Path, then: Callable[[Small], None] | None = None) -> Path:
    """Return a closed home in which things have happened."""
    with small(tmp_path) as home:
        home.perform("sam", "outcome.import", model=MODEL, source="Register", rows=ROWS)
        home.perform(
            "sam", "hold.place", model=MODEL, scope=SITE, cause="safety.signal", reason="A report"
        )
        home.perform("ada", "person.disable", person="cas")
        if then is not None:
            then(home)
        return home.deployment.home.root


def clock() -> TickingClock:
    return TickingClock(now_us=LATER_US)


@contextmanager
def reopened(root: Path) -> Iterator[Small]:
    when = clock()
    compute = PreparedCompute()
    with (
        cheap_passwords(),
        open_deployment(root, clock=when, compute=compute) as deployment,
    ):
        yield Small(deployment=deployment, compute=compute, clock=when, secret="")


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of a home but those that SQLite makes while somebody reads."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


__all__ = ["FixedClock", "clock", "contents", "lived_in", "reopened", "request", "signing"]
