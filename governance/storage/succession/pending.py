"""Marks in a home, so that no two logs go on where one succeeds the other.

succession.pending   a successor whose predecessor is not closed yet
succeeded.by         a log that was recovered from elsewhere: nothing may be written into it, so
                     no last entry says that it ended; JSON of who succeeds it, and since when
"""

from __future__ import annotations

import contextlib
import json
from typing import Final

from governance.errors import Conflict
from governance.home import Home, flush

PENDING: Final = "succession.pending"
SUCCEEDED: Final = "succeeded.by"


class SuccessionPending(Conflict):
    """The home waits until the log before it is closed."""

    code = "home.succession_pending"


class HomeSucceeded(Conflict):
    """The home's log is succeeded by another, so it may not go on."""

    code = "home.succeeded"


def mark(home: Home) -> None:
    """Let the home wait."""
    (home.root / PENDING).touch()


def settle(home: Home) -> None:
    """Take the mark away: the predecessor is closed, and the home may be used."""
    (home.root / PENDING).unlink(missing_ok=True)
    flush(home.root)


def is_pending(home: Home) -> bool:
    """Return whether the home still waits."""
    return (home.root / PENDING).exists()


def require_begun(home: Home) -> None:
    """Raise SuccessionPending where the home still waits, HomeSucceeded where it is over."""
    require_not_succeeded(home, begun_too=True)
    if is_pending(home):
        raise SuccessionPending(
            "this home succeeds a log that is not closed yet",
            next_step="Run `vigil ledger close` of the old home again, with the same new home.",
        )


def mark_succeeded(home: Home, *, now_us: int, origin: str | None, leaf: str | None) -> None:
    """Let nothing start in the home any more. `origin` None: its recovery has only begun.

    Raises OSError where the home is on a medium that cannot be written.
    """
    told = {"at_us": now_us, "leaf": leaf, "origin": origin}
    fresh = home.root / f".{SUCCEEDED}"
    fresh.write_text(json.dumps(told, sort_keys=True) + "\n", encoding="utf-8")
    flush(fresh)
    fresh.replace(home.root / SUCCEEDED)
    flush(home.root)


def unmark_succeeded(home: Home) -> None:
    """Take the mark of a recovery away that came to nothing."""
    (home.root / SUCCEEDED).unlink(missing_ok=True)
    flush(home.root)


def require_not_succeeded(home: Home, *, begun_too: bool) -> None:
    """Raise HomeSucceeded where another log succeeds, or its recovery has begun (`begun_too`)."""
    path = home.root / SUCCEEDED
    if not path.exists():
        return
    told: object = None
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(path.read_text(encoding="utf-8"))
    origin = told.get("origin") if isinstance(told, dict) else None
    if origin is not None:
        raise HomeSucceeded(
            f"the log of this home is succeeded by {origin}",
            next_step="Use the successor's home. This one can be read and verified, and is kept as "
            f"evidence; where the successor was never used and is gone, remove {SUCCEEDED}.",
        )
    if begun_too:
        raise HomeSucceeded(
            "a recovery of this home's log was begun and not finished",
            next_step="Run `vigil ledger recover` again; where it is given up and no new home was "
            f"made, remove {SUCCEEDED}.",
        )
