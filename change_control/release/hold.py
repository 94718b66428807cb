"""A hold suspends: an open hold with its cause and scope stands between a model and its answers.

Placing one needs one authorised person, or the monitor itself. Lifting one needs two different
people, neither of them an author of what was suspended: the first signature changes nothing for
the callers, the second lifts it, and either may still be withdrawn in between. Lifting one hold
leaves every other one standing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from change_control.guards import different_second_person, not_the_author, reason_given
from change_control.lifecycle import Lifecycle, Rule, SignatureMeaning
from change_control.roles import Role
from change_control.scope import Scope


class HoldState(StrEnum):
    """Both `open` and `lift_signed` suspend."""

    OPEN = "open"
    LIFT_SIGNED = "lift_signed"
    LIFTED = "lifted"


class HoldCommand(StrEnum):
    """What can be asked of a hold."""

    PLACE = "place"
    SIGN_LIFT = "sign_lift"
    WITHDRAW_LIFT = "withdraw_lift"
    LIFT = "lift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold on a model. `version` None holds every version."""

    id: str
    scope: Scope
    cause: str
    state: HoldState
    version: str | None = None

    @property
    def suspends(self) -> bool:
        """Whether it still stands; one signature of two does not lift it."""
        return self.state is not HoldState.LIFTED


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldFacts:
    """What the table reads: who made what is suspended or placed it, and who signed first."""

    authors: frozenset[str] = frozenset()
    first_signer: str | None = None
    reason_given: bool = False


_PLACERS: Final = frozenset({Role.MODEL_OWNER, Role.REVIEWER, Role.REGULATORY, Role.SAFETY_OFFICER})
_LIFTERS: Final = frozenset({Role.REVIEWER, Role.REGULATORY, Role.SAFETY_OFFICER})

HOLD: Final[Lifecycle[HoldState, HoldCommand, HoldFacts]] = Lifecycle(
    name="hold",
    states=HoldState,
    commands=HoldCommand,
    initial=HoldState.OPEN,
    rules={
        (None, HoldCommand.PLACE): Rule(to=HoldState.OPEN, roles=_PLACERS, by_machine=True),
        (HoldState.OPEN, HoldCommand.SIGN_LIFT): Rule(
            to=HoldState.LIFT_SIGNED,
            roles=_LIFTERS,
            guards=(not_the_author, reason_given),
            needs_signature=SignatureMeaning.APPROVED,
        ),
        (HoldState.LIFT_SIGNED, HoldCommand.WITHDRAW_LIFT): Rule(to=HoldState.OPEN, roles=_PLACERS),
        (HoldState.LIFT_SIGNED, HoldCommand.LIFT): Rule(
            to=HoldState.LIFTED,
            roles=_LIFTERS,
            guards=(not_the_author, different_second_person),
            needs_signature=SignatureMeaning.APPROVED,
        ),
    },
)
