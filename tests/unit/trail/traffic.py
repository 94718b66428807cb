"""Answers and refusals as the gate records them, without a gate."""

from __future__ import annotations

from governance.storage.ports import PendingAnswer
from tests.support.small_deployment import CLIENT, MODEL, SITE, VERSION, Small


def pending(home: Small, *, refused: str | None = None) -> PendingAnswer:
    """Return an answer under REL-1, or a refusal with this code."""
    return PendingAnswer(
        kind="inference.refused" if refused else "inference.answered",
        facts={
            "caller": CLIENT,
            "scope": SITE,
            "model": MODEL,
            "version": None if refused else VERSION,
            "release": None if refused else "REL-1",
            "dispositions": {"answered": 0 if refused else 1, "abstained": 0},
            "reasons": [refused] if refused else [],
            "body_key": None,
        },
        body=None,
        reply=b"{}",
        status=409 if refused else 200,
        epoch=home.deployment.pen.standing_epoch,
        until_us=None,
    )


def answer(home: Small, *, refused: str | None = None) -> int:
    """Record one and return its entry's number."""
    return home.deployment.pen.answer(pending(home, refused=refused)).result().recorded.seq


def answers(home: Small, count: int) -> None:
    """Record many."""
    for waiting in [home.deployment.pen.answer(pending(home)) for _ in range(count)]:
        waiting.result()
