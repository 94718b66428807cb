"""Checkpoints as people list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from governance.operations.inspect.explore_ledger import CheckpointSeen

PAGE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointLine:
    """One checkpoint: who cosigned it and when, by each witness's own clock."""

    size: int
    root: str
    cosigned: tuple[tuple[str, int], ...]
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointsPage:
    """A page of checkpoints; `older` is where the next one begins."""

    lines: tuple[CheckpointLine, ...]
    older: int | None


def checkpoints_page(found: Sequence[CheckpointSeen]) -> CheckpointsPage:
    """Return one page."""
    lines = tuple(
        CheckpointLine(
            size=one.size,
            root=one.root,
            cosigned=tuple(
                (line.name, line.time_s * 1_000_000)
                for line in one.lines
                if line.who == "witness" and line.valid and line.time_s is not None
            ),
            state=state_of(one),
        )
        for one in found
    )
    older = lines[-1].size if lines and lines[-1].size > 1 else None
    return CheckpointsPage(lines=lines, older=older if len(lines) == PAGE else None)


def state_of(seen: CheckpointSeen) -> str:
    """Return "wrong" where it is not of this log as stored, else how far it is vouched for."""
    if not (seen.recomputed and seen.signed) or any(line.valid is False for line in seen.lines):
        return "wrong"
    return "anchored" if seen.quorum else "signed"
