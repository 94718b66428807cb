"""The trail review: a signed reading of a range of the ledger (Annex 11, audit-trail review).

A review is of one range of entries and of some families of kinds, the first words of what entries
are called: `release`, `person`, `inference`. It is opened by whoever will see that it is done, or
by the clock when it is late, and signed by somebody who did not act in it. Ranges of a family
follow each other without a gap and without an overlap. What was signed stays as it is; a review
that was opened by mistake can only be withdrawn, unsigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from change_control.errors import FourEyes, ReasonMissing
from change_control.guards import reason_given
from change_control.lifecycle import Actor, Lifecycle, Refusal, Rule, SignatureMeaning
from change_control.roles import Role

EVERY: Final = "*"
"""The families of a review of everything, those that come later included."""


class TrailReviewState(StrEnum):
    """How far a trail review has come. `exceptions`: signed, with something to be followed up."""

    OPEN = "open"
    ACCEPTED = "accepted"
    EXCEPTIONS = "exceptions"
    WITHDRAWN = "withdrawn"


class TrailReviewCommand(StrEnum):
    """What can be asked of a trail review."""

    OPEN = "open"
    ACCEPT = "accept"
    NOTE_EXCEPTIONS = "note_exceptions"
    WITHDRAW = "withdraw"


SIGNED: Final = (TrailReviewState.ACCEPTED, TrailReviewState.EXCEPTIONS)
"""The states in which a range counts as reviewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailReviewFacts:
    """What the table reads.

    `acted` are the entries of the range in which this person acted on what is reviewed, and
    `exceptions` how many entries need a word.
    """

    acted: tuple[int, ...] = ()
    exceptions: int = 0
    reason_given: bool = False


def did_not_act_in_the_range(actor: Actor, facts: TrailReviewFacts) -> Refusal | None:
    """The actor did nothing of what is reviewed (P6)."""
    if not facts.acted:
        return None
    named = ", ".join(map(str, facts.acted[:5]))
    more = f" and {len(facts.acted) - 5} more" if len(facts.acted) > 5 else ""
    return Refusal(
        kind=FourEyes,
        reason=f"{actor.person} acted in the range, in entries {named}{more}",
        next_step="Ask a reviewer who did not, or review families of kinds in which you did not.",
    )


def exceptions_are_explained(_actor: Actor, facts: TrailReviewFacts) -> Refusal | None:
    """A reason is written down where the range has exceptions."""
    if facts.reason_given or not facts.exceptions:
        return None
    return Refusal(
        kind=ReasonMissing,
        reason=f"the range has {facts.exceptions} exceptions, and accepting them needs a reason",
        next_step="Write what you found in them and send the decision again.",
    )


# An auditor reads and signs nothing here (contract: read only), so outsiders never decide.
SIGNERS: Final = frozenset({Role.REVIEWER, Role.REGULATORY})

TrailReviewLifecycle = Lifecycle[TrailReviewState, TrailReviewCommand, TrailReviewFacts]

TRAIL_REVIEW: Final[TrailReviewLifecycle] = Lifecycle(
    name="trail review",
    states=TrailReviewState,
    commands=TrailReviewCommand,
    initial=TrailReviewState.OPEN,
    rules={
        (None, TrailReviewCommand.OPEN): Rule(
            to=TrailReviewState.OPEN, roles=SIGNERS, by_machine=True
        ),
        (TrailReviewState.OPEN, TrailReviewCommand.ACCEPT): Rule(
            to=TrailReviewState.ACCEPTED,
            roles=SIGNERS,
            guards=(did_not_act_in_the_range, exceptions_are_explained),
            needs_signature=SignatureMeaning.REVIEWED,
        ),
        (TrailReviewState.OPEN, TrailReviewCommand.NOTE_EXCEPTIONS): Rule(
            to=TrailReviewState.EXCEPTIONS,
            roles=SIGNERS,
            guards=(did_not_act_in_the_range, reason_given),
            needs_signature=SignatureMeaning.REVIEWED,
        ),
        (TrailReviewState.OPEN, TrailReviewCommand.WITHDRAW): Rule(
            to=TrailReviewState.WITHDRAWN, roles=SIGNERS, guards=(reason_given,)
        ),
    },
)


# --- families and ranges -------------------------------------------------------------------------


def family_of(kind: str) -> str:
    """Return the family of a kind, its first word."""
    return kind.partition(".")[0]


def covers(families: str, family: str) -> bool:
    """Whether a review of these families, separated by spaces, is of this one too."""
    return families == EVERY or family in families.split(" ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A range that was signed: its families, and the entry after its last one."""

    families: str
    end: int


def reviewed_until(signed: Iterable[Signed], families: Iterable[str]) -> Mapping[str, int]:
    """Return for each family the first entry that no signed review has read."""
    ranges = list(signed)
    return {
        family: max((one.end for one in ranges if covers(one.families, family)), default=0)
        for family in families
    }
