"""A verification as people watch it: how far it is, what it found, and what that means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from governance.console.desk import LedgerHead
from governance.operations.inspect.verification import PHASES, Verification

PHASE_WORDS: Final = {
    "entries": "Entries: chain, facts and bodies",
    "checkpoints": "Signed checkpoints",
    "witnesses": "Cosignatures of witnesses",
    "rows": "Governed rows against the facts",
    "counts": "Counts",
}
# These read the whole log, so that the share that is done can be told.
_WHOLE: Final = frozenset({"entries", "rows", "counts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseShown:
    """One phase: `state` is "done", "now", "waits" or "stopped"."""

    words: str
    state: str
    count: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationView:
    """What is known. `state` is "never", "running", "verified", "tampered" or "broken".

    `since` entries were written after the verification read the ledger.
    """

    state: str
    run: Verification | None
    phases: tuple[PhaseShown, ...]
    percent: int
    since: int


def verification_view(run: Verification | None, *, head: LedgerHead) -> VerificationView:
    """Return the last verification as the page shows it."""
    return VerificationView(
        state=_state(run),
        run=run,
        phases=() if run is None else _phases(run),
        percent=0 if run is None else _percent(run),
        since=head.size - run.report.size if run is not None and run.report is not None else 0,
    )


def progress(run: Verification | None) -> dict[str, Any]:
    """Return what the page's script draws while it waits; nothing of what was found."""
    if run is None:
        return {"state": "never"}
    return {
        "state": _state(run),
        "percent": _percent(run),
        "phases": [
            {"words": one.words, "state": one.state, "count": one.count} for one in _phases(run)
        ],
    }


def _state(run: Verification | None) -> str:
    if run is None:
        return "never"
    if run.running:
        return "running"
    if run.tampered:
        return "tampered"
    return "verified" if run.report is not None else "broken"


def _phases(run: Verification) -> tuple[PhaseShown, ...]:
    at = PHASES.index(run.phase)
    here = "now" if run.running else "done" if run.report is not None else "stopped"
    return tuple(
        PhaseShown(
            words=PHASE_WORDS[phase],
            state="done" if number < at else here if number == at else "waits",
            count=_count(run, phase) if number == at and here != "done" else "",
        )
        for number, phase in enumerate(PHASES)
    )


def _count(run: Verification, phase: str) -> str:
    return f"{run.done} of {run.size}" if phase in _WHOLE else str(run.done)


def _percent(run: Verification) -> int:
    """Return the share of the three readings of the whole log that is behind us, 100 at the end."""
    if not run.running:
        return 100
    before = sum(phase in _WHOLE for phase in PHASES[: PHASES.index(run.phase)])
    here = min(run.done / run.size, 1.0) if run.phase in _WHOLE and run.size else 0.0
    return min(int((before + here) * 100 / len(_WHOLE)), 99)
