"""The guards that several lifecycles share. Each asks one question of actor and facts.

A guard names, by protocol, only the facts it reads, so a table can use it with its own facts. The
first line of a guard's docstring is printed in the reference page.
"""

from __future__ import annotations

from typing import Protocol

from change_control.errors import FourEyes, ReasonMissing
from change_control.lifecycle import Actor, Refusal


class HasAuthors(Protocol):
    """Facts that name everybody who made the thing decided upon (empty where nobody did)."""

    @property
    def authors(self) -> frozenset[str]: ...  # noqa: D102


class HasFirstSigner(Protocol):
    """Facts that name who gave the first of two signatures."""

    @property
    def first_signer(self) -> str | None: ...  # noqa: D102


class HasReason(Protocol):
    """Facts that say whether a reason was written down (its text stays out of the rules)."""

    @property
    def reason_given(self) -> bool: ...  # noqa: D102


def not_the_author(actor: Actor, facts: HasAuthors) -> Refusal | None:
    """The actor is none of the authors (P6)."""
    if actor.person not in facts.authors:
        return None
    return Refusal(
        kind=FourEyes,
        reason=f"{actor.person} is an author, and nobody decides on their own work",
        next_step="Ask a second authorised person.",
    )


def different_second_person(actor: Actor, facts: HasFirstSigner) -> Refusal | None:
    """The first signature exists and is somebody else's (P6)."""
    if facts.first_signer is not None and actor.person != facts.first_signer:
        return None
    return Refusal(
        kind=FourEyes,
        reason="the second signature must be another person's than the first",
        next_step="Ask a second authorised person.",
    )


def reason_given(_actor: Actor, facts: HasReason) -> Refusal | None:
    """A reason is written down."""
    if facts.reason_given:
        return None
    return Refusal(
        kind=ReasonMissing,
        reason="this decision needs a reason",
        next_step="Write the reason and send the decision again.",
    )
