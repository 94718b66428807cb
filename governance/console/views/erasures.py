"""Erasures and legal holds: what waits, what stands in the way, and what this person may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from change_control.erase.erasure import Basis, ErasureCommand, ErasureState
from change_control.erase.legal_hold import LegalHoldState
from change_control.roles import Role
from change_control.scope import Scope
from governance.operations.actor import Actor
from governance.operations.erase.erasures import ErasureLine
from governance.operations.erase.legal_holds import LegalHoldLine

BASES: Final = {
    Basis.CONSENT_WITHDRAWN: "Consent was withdrawn",
    Basis.OBJECTION: "The person objected",
    Basis.NO_LONGER_NEEDED: "No longer needed for its purpose",
    Basis.UNLAWFUL_PROCESSING: "It was processed unlawfully",
    Basis.LEGAL_OBLIGATION: "A law demands it",
    Basis.RETENTION_EXPIRED: "Its retention has ended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasuresView:
    """What waits first, then what was decided; `may_request` opens the form."""

    waiting: tuple[ErasureLine, ...]
    decided: tuple[ErasureLine, ...]
    legal_holds: tuple[LegalHoldLine, ...]
    may_request: bool
    bases: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureView:
    """One erasure. `refusals` are the sentences for the steps that this person may not take."""

    erasure: ErasureLine
    reason: str | None
    basis: str
    waits: bool
    may_confirm: bool
    may_refuse: bool
    refusals: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHoldView:
    """One legal hold, and which of the two signatures is next."""

    hold: LegalHoldLine
    on: str
    lifted: bool
    second: bool


def erasures_view(
    erasures: Sequence[ErasureLine],
    legal_holds: Sequence[LegalHoldLine],
    *,
    actor: Actor,
    organisation: str,
) -> ErasuresView:
    """Return the page of all erasures."""
    waits = ErasureState.REQUESTED.value
    return ErasuresView(
        waiting=tuple(one for one in erasures if one.state == waits),
        decided=tuple(one for one in reversed(erasures) if one.state != waits),
        legal_holds=tuple(legal_holds),
        may_request=Role.CUSTODIAN in actor.roles(Scope(organisation=organisation)),
        bases=tuple((basis.value, words) for basis, words in BASES.items()),
    )


def erasure_view(erasure: ErasureLine, *, reason: str | None) -> ErasureView:
    """Return the page of one erasure."""
    words = {ErasureCommand.CONFIRM.value: "Erase", ErasureCommand.REFUSE.value: "Refuse"}
    return ErasureView(
        erasure=erasure,
        reason=reason,
        basis=BASES[Basis(erasure.basis)],
        waits=erasure.state == ErasureState.REQUESTED.value,
        may_confirm=ErasureCommand.CONFIRM.value in erasure.may,
        may_refuse=ErasureCommand.REFUSE.value in erasure.may,
        refusals=tuple((words[name], why) for name, why in sorted(erasure.refusals.items())),
    )


def legal_hold_view(hold: LegalHoldLine) -> LegalHoldView:
    """Return the page of one legal hold."""
    return LegalHoldView(
        hold=hold,
        on=held(hold),
        lifted=hold.state == LegalHoldState.LIFTED.value,
        second=hold.state == LegalHoldState.LIFT_SIGNED.value,
    )


def held(hold: LegalHoldLine) -> str:
    """Return in words what the hold keeps."""
    if hold.key_id is not None:
        return f"one person, key {hold.key_id[:8]}…"
    return f"everything that {hold.model} answered" if hold.model else "everything"
