"""A legal hold keeps what would otherwise be erased: evidence is not destroyed by a request.

Placing one needs one authorised person. Lifting one needs two different people, like the hold that
suspends a model: the first signature changes nothing, and may be withdrawn. Whoever asked for an
erasure that the hold stops signs neither, also not before they asked. A hold is on one person's
bodies, on everything that one model answered, or on all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from change_control.errors import FourEyes
from change_control.guards import different_second_person, not_the_author, reason_given
from change_control.lifecycle import Actor, Lifecycle, Refusal, Rule, SignatureMeaning
from change_control.roles import Role


class LegalHoldState(StrEnum):
    """Both `open` and `lift_signed` keep."""

    OPEN = "open"
    LIFT_SIGNED = "lift_signed"
    LIFTED = "lifted"


class LegalHoldCommand(StrEnum):
    """What can be asked of a legal hold."""

    PLACE = "place"
    SIGN_LIFT = "sign_lift"
    WITHDRAW_LIFT = "withdraw_lift"
    LIFT = "lift"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHoldFacts:
    """What the table reads; `authors` asked for erasures that the hold stops."""

    authors: frozenset[str] = frozenset()
    first_signer: str | None = None
    reason_given: bool = False


def first_signer_asked_for_nothing(_actor: Actor, facts: LegalHoldFacts) -> Refusal | None:
    """Whoever signed first asked for no erasure that the hold stops (P6)."""
    if facts.first_signer not in facts.authors:
        return None
    return Refusal(
        kind=FourEyes,
        reason=f"{facts.first_signer}, who signed first, has asked for an erasure that it stops",
        next_step="Withdraw the first signature, `vigil legal-hold withdraw`, and let two others "
        "sign.",
    )


_PLACERS: Final = frozenset({Role.CUSTODIAN, Role.REGULATORY, Role.REVIEWER, Role.SAFETY_OFFICER})
_LIFTERS: Final = frozenset({Role.CUSTODIAN, Role.REGULATORY, Role.REVIEWER})

LEGAL_HOLD: Final[Lifecycle[LegalHoldState, LegalHoldCommand, LegalHoldFacts]] = Lifecycle(
    name="legal hold",
    states=LegalHoldState,
    commands=LegalHoldCommand,
    initial=LegalHoldState.OPEN,
    rules={
        (None, LegalHoldCommand.PLACE): Rule(
            to=LegalHoldState.OPEN, roles=_PLACERS, guards=(reason_given,)
        ),
        (LegalHoldState.OPEN, LegalHoldCommand.SIGN_LIFT): Rule(
            to=LegalHoldState.LIFT_SIGNED,
            roles=_LIFTERS,
            guards=(not_the_author, reason_given),
            needs_signature=SignatureMeaning.APPROVED,
        ),
        (LegalHoldState.LIFT_SIGNED, LegalHoldCommand.WITHDRAW_LIFT): Rule(
            to=LegalHoldState.OPEN, roles=_PLACERS
        ),
        (LegalHoldState.LIFT_SIGNED, LegalHoldCommand.LIFT): Rule(
            to=LegalHoldState.LIFTED,
            roles=_LIFTERS,
            guards=(not_the_author, first_signer_asked_for_nothing, different_second_person),
            needs_signature=SignatureMeaning.APPROVED,
        ),
    },
)
