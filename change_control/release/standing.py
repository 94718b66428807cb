"""May a model answer for this scope at this instant, and until when does that hold.

The facts are those of one model, one market and one purpose. The questions, in order:

  1. Which release governs? Of the full releases that cover the scope and have begun, those that
     were replaced or rolled back are out of it. Of the others the narrowest scope wins, then the
     latest beginning, then the greater identifier, so the order is total.
  2. Ended releases give way. An expired one gives way to any live one, also if its version was
     recalled later. A recalled one gives way only to a live one that began after the recall: a
     recall at one site is not papered over by a wider release that was there before (P11). A
     release whose version is not qualified does not give way: where it governs, it refuses.
  3. Does a hold stand? A hold of a wider scope suspends every narrower one. An ask that does not
     name its site is suspended by a hold at any site, because it cannot be shown to lie outside
     (P1). A hold of one version suspends where that version governs.

Several reasons may hold at once. All are given, ordered recalled, suspended, expired, not_released:
what is most dangerous to get wrong comes first.

Shadow and share releases never make a model answer; they are `companions` of a full release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from change_control.change.documents import DocumentState
from change_control.release.hold import Hold
from change_control.release.release import Release, ReleaseMode, ReleaseState
from change_control.release.version import VersionState
from change_control.scope import Scope


class StandingReason(StrEnum):
    """Why a model refuses; the order of the members is their precedence."""

    RECALLED = "gate.recalled"
    SUSPENDED = "gate.suspended"
    EXPIRED = "gate.expired"
    NOT_RELEASED = "gate.not_released"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingFacts:
    """What is on record about one model for one market and purpose, in any order.

    `versions` maps a version's identifier to its state; a version that is missing runs nowhere.
    """

    entry: DocumentState | None
    releases: tuple[Release, ...] = ()
    holds: tuple[Hold, ...] = ()
    versions: Mapping[str, VersionState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether a model may answer, why not, under which release, and until which instant.

    `release` is None unless it may answer. Nothing here changes before `until_us` by the passing
    of time; None means never.
    """

    verdict: Literal["may_answer", "refuse"]
    reasons: tuple[StandingReason, ...]
    release: Release | None
    companions: tuple[Release, ...] = ()
    until_us: int | None

    @property
    def may_answer(self) -> bool:
        """Whether the verdict permits an answer."""
        return self.verdict == "may_answer"


_COUNTED: Final = frozenset({ReleaseState.ACTIVE, ReleaseState.EXPIRED, ReleaseState.RECALLED})


def standing(facts: StandingFacts, *, scope: Scope, now_us: int) -> Standing:
    """Return the standing for `scope` at `now_us`. Total: every combination of facts has one."""
    here = [release for release in facts.releases if release.scope.covers(scope)]
    begun = [release for release in here if _has_begun(release, now_us)]
    governing = _governing(begun, facts.versions, now_us)
    reasons = _reasons(facts, governing, scope, now_us)
    return Standing(
        verdict="refuse" if reasons else "may_answer",
        reasons=reasons,
        release=None if reasons else governing,
        companions=() if reasons else _companions(facts, begun, scope, now_us),
        until_us=_next_instant(here, now_us),
    )


def _has_begun(release: Release, now_us: int) -> bool:
    """Whether its period has begun; one that ended before its beginning never does."""
    never = release.until_us is not None and release.until_us <= release.from_us
    return release.from_us <= now_us and not never


def _fault(
    release: Release, versions: Mapping[str, VersionState], now_us: int
) -> StandingReason | None:
    """Why this release cannot carry an answer now, or None where it is live."""
    version = versions.get(release.version)
    if VersionState.RECALLED is version or release.state is ReleaseState.RECALLED:
        return StandingReason.RECALLED
    over = release.until_us is not None and release.until_us <= now_us
    if over or release.state is ReleaseState.EXPIRED:
        return StandingReason.EXPIRED
    permitted = {VersionState.QUALIFIED}
    if release.mode is ReleaseMode.SHADOW:
        permitted = {VersionState.QUALIFIED, VersionState.CANDIDATE}
    live = release.state is ReleaseState.ACTIVE and version in permitted
    return None if live else StandingReason.NOT_RELEASED


def _governing(
    begun: Iterable[Release], versions: Mapping[str, VersionState], now_us: int
) -> Release | None:
    counted = [release for release in begun if release.answers and release.state in _COUNTED]
    live = [release for release in counted if _fault(release, versions, now_us) is None]

    def stands(release: Release) -> bool:
        fault = _fault(release, versions, now_us)
        if fault is StandingReason.EXPIRED or release.state is ReleaseState.EXPIRED:
            return not live
        if fault is StandingReason.RECALLED and release.until_us is not None:
            ended_us = release.until_us
            return not any(later.from_us >= ended_us for later in live)
        return True

    return max((release for release in counted if stands(release)), key=_rank, default=None)


def _rank(release: Release) -> tuple[bool, int, str]:
    return (not release.scope.is_every_site, release.from_us, release.id)


def _reasons(
    facts: StandingFacts, governing: Release | None, scope: Scope, now_us: int
) -> tuple[StandingReason, ...]:
    fault = _fault(governing, facts.versions, now_us) if governing else StandingReason.NOT_RELEASED
    found = {fault}
    if facts.entry is not DocumentState.IN_FORCE:
        found.add(StandingReason.NOT_RELEASED)
    if any(_suspends(hold, governing, scope) for hold in facts.holds):
        found.add(StandingReason.SUSPENDED)
    return tuple(reason for reason in StandingReason if reason in found)


def _suspends(hold: Hold, release: Release | None, scope: Scope) -> bool:
    if not hold.suspends or not hold.scope.overlaps(scope):
        return False
    return hold.version is None or (release is not None and hold.version == release.version)


def _companions(
    facts: StandingFacts, begun: Iterable[Release], scope: Scope, now_us: int
) -> tuple[Release, ...]:
    """The live shadow and share releases beside the governing one, in order of identifier."""
    return tuple(
        sorted(
            (
                release
                for release in begun
                if not release.answers
                and _fault(release, facts.versions, now_us) is None
                and not any(_suspends(hold, release, scope) for hold in facts.holds)
            ),
            key=lambda release: release.id,
        )
    )


def _next_instant(here: Iterable[Release], now_us: int) -> int | None:
    """The next beginning or end; an end that has been put on record moves with no clock."""
    beginnings = [release.from_us for release in here if release.state in _COUNTED]
    ends = [release.until_us for release in here if release.state is ReleaseState.ACTIVE]
    return min(
        (instant for instant in (*beginnings, *ends) if instant is not None and instant > now_us),
        default=None,
    )
