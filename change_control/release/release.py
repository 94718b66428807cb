"""A release: one version in service for a scope, market, purpose and mode, from-until.

A release ends once, and how it ended stays: replaced by a later one, rolled back, expired, or
recalled. Opening one is gated by everything that must be true first; ending one is gated by
nothing but the role, because stopping must never wait (P10: open items block release only).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from change_control.errors import ApprovalMissing, Blocked, ReleasePeriodInvalid
from change_control.lifecycle import Actor, Lifecycle, Refusal, Rule, SignatureMeaning
from change_control.release.version import VersionState
from change_control.roles import Role
from change_control.scope import Scope


class ReleaseMode(StrEnum):
    """How far a release goes: silently beside, on a share of the asks, or on all of them."""

    SHADOW = "shadow"
    SHARE = "share"
    FULL = "full"


class ReleaseState(StrEnum):
    """Whether a release runs, or how it ended."""

    ACTIVE = "active"
    REPLACED = "replaced"
    ROLLED_BACK = "rolled_back"
    EXPIRED = "expired"
    RECALLED = "recalled"


class ReleaseCommand(StrEnum):
    """What can be asked of a release."""

    RELEASE = "release"
    REPLACE = "replace"
    ROLL_BACK = "roll_back"
    EXPIRE = "expire"
    RECALL = "recall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release. `from_us` is inside the period, `until_us` is not; None is open-ended.

    When a release ends early, `until_us` becomes the instant at which it ended.

    Raises:
        ReleasePeriodInvalid: where an active release would end before it begins.
    """

    id: str
    version: str
    scope: Scope
    market: str
    purpose: str
    mode: ReleaseMode
    from_us: int
    until_us: int | None
    state: ReleaseState

    def __post_init__(self) -> None:
        active = self.state is ReleaseState.ACTIVE
        if active and self.until_us is not None and self.until_us <= self.from_us:
            raise ReleasePeriodInvalid(
                f"release {self.id} would end before it begins",
                next_step="Choose an end after the beginning, or none.",
            )

    @property
    def answers(self) -> bool:
        """Whether it may by itself be the authority for an answer: neither shadow nor share."""
        return self.mode is ReleaseMode.FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """What the table reads.

    `approvals_missing` counts the people who must still approve (see `tier.controls_of`);
    `blocking` names every open item that blocks release: a finding's review (P10), an overdue
    monitor, review or witness (P12).
    """

    version_state: VersionState | None = None
    mode: ReleaseMode = ReleaseMode.FULL
    documents_in_force: bool = False
    approvals_missing: int = 1
    blocking: tuple[str, ...] = ()
    now_us: int = 0
    until_us: int | None = None


def version_may_run(_actor: Actor, facts: ReleaseFacts) -> Refusal | None:
    """The version is qualified; for a shadow release it may still be a candidate (P1)."""
    if facts.version_state is VersionState.QUALIFIED:
        return None
    if facts.mode is ReleaseMode.SHADOW and facts.version_state is VersionState.CANDIDATE:
        return None
    return Refusal(
        kind=ApprovalMissing,
        reason=f"the version is {facts.version_state or 'not registered'}, not qualified",
        next_step="Have its change request approved, or run it in shadow mode as a candidate.",
    )


def documents_are_in_force(_actor: Actor, facts: ReleaseFacts) -> Refusal | None:
    """The entry, the change plan and the monitoring plan are in force (P4)."""
    if facts.documents_in_force:
        return None
    return Refusal(
        kind=ApprovalMissing,
        reason="the entry, the change plan and the monitoring plan are not all in force",
        next_step="Have the missing documents approved.",
    )


def approvals_are_complete(_actor: Actor, facts: ReleaseFacts) -> Refusal | None:
    """Everybody whom the assurance tier asks for has approved (P6); shadow mode needs nobody."""
    if facts.approvals_missing <= 0 or facts.mode is ReleaseMode.SHADOW:
        return None
    return Refusal(
        kind=ApprovalMissing,
        reason=f"{facts.approvals_missing} approval(s) are missing",
        next_step="Ask for the release approval.",
    )


def nothing_blocks(_actor: Actor, facts: ReleaseFacts) -> Refusal | None:
    """No open item blocks release (P10, P12)."""
    if not facts.blocking:
        return None
    return Refusal(
        kind=Blocked,
        reason="release is blocked by " + ", ".join(facts.blocking),
        next_step="Decide the blocking items first.",
    )


def its_time_is_over(_actor: Actor, facts: ReleaseFacts) -> Refusal | None:
    """The end of the release has come."""
    if facts.until_us is not None and facts.until_us <= facts.now_us:
        return None
    return Refusal(
        kind=Blocked,
        reason="the release has not reached its end",
        next_step="Roll it back, or wait for its end.",
    )


_RELEASERS: Final = frozenset({Role.MODEL_OWNER, Role.REVIEWER, Role.REGULATORY})
_STOPPERS: Final = _RELEASERS | {Role.SAFETY_OFFICER}

RELEASE: Final[Lifecycle[ReleaseState, ReleaseCommand, ReleaseFacts]] = Lifecycle(
    name="release",
    states=ReleaseState,
    commands=ReleaseCommand,
    initial=ReleaseState.ACTIVE,
    rules={
        (None, ReleaseCommand.RELEASE): Rule(
            to=ReleaseState.ACTIVE,
            roles=_RELEASERS,
            guards=(
                version_may_run,
                documents_are_in_force,
                approvals_are_complete,
                nothing_blocks,
            ),
        ),
        (ReleaseState.ACTIVE, ReleaseCommand.REPLACE): Rule(
            to=ReleaseState.REPLACED, roles=_RELEASERS
        ),
        (ReleaseState.ACTIVE, ReleaseCommand.ROLL_BACK): Rule(
            to=ReleaseState.ROLLED_BACK, roles=_STOPPERS
        ),
        (ReleaseState.ACTIVE, ReleaseCommand.EXPIRE): Rule(
            to=ReleaseState.EXPIRED,
            roles=frozenset(),
            guards=(its_time_is_over,),
            by_machine=True,
        ),
        (ReleaseState.ACTIVE, ReleaseCommand.RECALL): Rule(
            to=ReleaseState.RECALLED,
            roles=frozenset({Role.SAFETY_OFFICER, Role.REGULATORY}),
            needs_signature=SignatureMeaning.RESPONSIBLE,
        ),
    },
)
