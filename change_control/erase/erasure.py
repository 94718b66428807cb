"""An erasure destroys everything that was recorded of one person, so two people answer for it.

A custodian records the request; it is a fact with a date whatever stands in the way. Another person
confirms it with a signature, and only where no legal hold and no running retention keeps what would
be destroyed; or refuses it with a reason. Nothing leads back: what is erased stays erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from change_control.errors import LegalHoldOpen, RetentionRuns
from change_control.guards import not_the_author, reason_given
from change_control.lifecycle import Actor, Lifecycle, Refusal, Rule, SignatureMeaning
from change_control.roles import Role


class Basis(StrEnum):
    """Why somebody is erased. A code, because facts hold no free text about a person."""

    CONSENT_WITHDRAWN = "consent_withdrawn"
    OBJECTION = "objection"
    NO_LONGER_NEEDED = "no_longer_needed"
    UNLAWFUL_PROCESSING = "unlawful_processing"
    LEGAL_OBLIGATION = "legal_obligation"
    RETENTION_EXPIRED = "retention_expired"


class ErasureState(StrEnum):
    """Where a request is."""

    REQUESTED = "requested"
    REFUSED = "refused"
    ERASED = "erased"


class ErasureCommand(StrEnum):
    """What can be asked."""

    REQUEST = "request"
    CONFIRM = "confirm"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureFacts:
    """What the table reads: who asked, and what keeps the bodies.

    `kept_until` is the end of the longest retention that still runs, as a date, None where none
    does.
    """

    authors: frozenset[str] = frozenset()
    legal_holds: tuple[str, ...] = ()
    kept_until: str | None = None
    reason_given: bool = False


def no_legal_hold(_actor: Actor, facts: ErasureFacts) -> Refusal | None:
    """No open legal hold covers the person."""
    if not facts.legal_holds:
        return None
    return Refusal(
        kind=LegalHoldOpen,
        reason=f"a legal hold keeps what would be erased: {', '.join(facts.legal_holds)}",
        next_step="Wait until it is lifted, which takes two people: `vigil legal-hold list`.",
    )


def retention_is_over(_actor: Actor, facts: ErasureFacts) -> Refusal | None:
    """No retention runs for the person's answers."""
    if facts.kept_until is None:
        return None
    return Refusal(
        kind=RetentionRuns,
        reason=f"a retention that the model's entry states runs until {facts.kept_until}",
        next_step=f"Confirm it after {facts.kept_until}, or refuse the request with the reason.",
    )


_CONFIRMERS: Final = frozenset({Role.CUSTODIAN, Role.REGULATORY})

ERASURE: Final[Lifecycle[ErasureState, ErasureCommand, ErasureFacts]] = Lifecycle(
    name="erasure",
    states=ErasureState,
    commands=ErasureCommand,
    initial=ErasureState.REQUESTED,
    rules={
        (None, ErasureCommand.REQUEST): Rule(
            to=ErasureState.REQUESTED, roles=frozenset({Role.CUSTODIAN}), guards=(reason_given,)
        ),
        (ErasureState.REQUESTED, ErasureCommand.CONFIRM): Rule(
            to=ErasureState.ERASED,
            roles=_CONFIRMERS,
            guards=(not_the_author, no_legal_hold, retention_is_over),
            needs_signature=SignatureMeaning.APPROVED,
        ),
        (ErasureState.REQUESTED, ErasureCommand.REFUSE): Rule(
            to=ErasureState.REFUSED, roles=_CONFIRMERS, guards=(not_the_author, reason_given)
        ),
    },
)
