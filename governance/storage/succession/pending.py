"""The mark of a successor whose predecessor is not closed yet: two logs would go on otherwise."""

from __future__ import annotations

from typing import Final

from governance.errors import Conflict
from governance.home import Home, flush

PENDING: Final = "succession.pending"


class SuccessionPending(Conflict):
    """The home waits until the log before it is closed."""

    code = "home.succession_pending"


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
    """Raise SuccessionPending where the home still waits."""
    if is_pending(home):
        raise SuccessionPending(
            "this home succeeds a log that is not closed yet",
            next_step="Run `vigil ledger close` of the old home again, with the same new home.",
        )
