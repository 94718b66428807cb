"""The review: a human decision that is waited for, with an owner and a due time.

A decision is a command, and the kind of the review says which table it is looked up in: a document
or release approval ends in approve, reject or return; a finding in reinstate, keep suspended,
restrict, retire or close. What keeps callers safe takes one person and bars nobody. What lets a
model go on never comes from its author or from the one who opened the review, and a reinstatement
takes two people (P6).

A first signature of two moves the review to `first_signature` and changes nothing else; the second,
by somebody else, decides it. Until then the first may be withdrawn, and a safer decision by one
person still overtakes it. Approvals begin with `endorse` where the assurance tier asks for two;
a reinstatement is `reinstate` twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from change_control.errors import ApprovalMissing, Blocked, FourEyes
from change_control.guards import different_second_person, not_the_author, reason_given
from change_control.lifecycle import Actor, Guard, Lifecycle, Refusal, Rule, SignatureMeaning
from change_control.roles import Role


class ReviewKind(StrEnum):
    """What is decided upon."""

    DOCUMENT_APPROVAL = "document_approval"
    RELEASE_APPROVAL = "release_approval"
    FINDING = "finding"


class ReviewState(StrEnum):
    """How far a review has come. `lapsed`: what it was about no longer needs a decision."""

    OPEN = "open"
    FIRST_SIGNATURE = "first_signature"
    DECIDED = "decided"
    LAPSED = "lapsed"


class ReviewCommand(StrEnum):
    """What can be asked of a review; the ones of `DECISIONS` decide."""

    OPEN = "open"
    ENDORSE = "endorse"
    APPROVE = "approve"
    REJECT = "reject"
    RETURN = "return"
    REINSTATE = "reinstate"
    KEEP_SUSPENDED = "keep_suspended"
    RESTRICT = "restrict"
    RETIRE = "retire"
    CLOSE = "close"
    WITHDRAW_SIGNATURE = "withdraw_signature"
    LAPSE = "lapse"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFacts:
    """What the tables read.

    `authors` made what is decided upon, `opened_by` opened the review (a person or a monitor).
    `approvers_needed` is the assurance tier's number (see `tier.controls_of`). `hold_open` says
    whether a hold that this review's finding placed still stands. `subject_settled` says that what
    awaited approval was withdrawn or superseded.
    """

    authors: frozenset[str] = frozenset()
    opened_by: str = ""
    approvers_needed: int = 1
    hold_open: bool = False
    reason_given: bool = False
    first_signer: str | None = None
    subject_settled: bool = False


def not_the_opener(actor: Actor, facts: ReviewFacts) -> Refusal | None:
    """The actor did not open the review (P6)."""
    if actor.person != facts.opened_by:
        return None
    return Refusal(
        kind=FourEyes,
        reason=f"{actor.person} opened the review, and does not decide it too",
        next_step="Ask a second authorised person.",
    )


def one_person_suffices(_actor: Actor, facts: ReviewFacts) -> Refusal | None:
    """The assurance tier asks for one approver."""
    if facts.approvers_needed <= 1:
        return None
    return Refusal(
        kind=ApprovalMissing,
        reason=f"{facts.approvers_needed} different people approve this",
        next_step="Have another approver give the second signature.",
    )


def two_persons_needed(_actor: Actor, facts: ReviewFacts) -> Refusal | None:
    """The assurance tier asks for two approvers."""
    if facts.approvers_needed > 1:
        return None
    return Refusal(
        kind=ApprovalMissing,
        reason="one person approves this",
        next_step="Approve it in one step.",
    )


def hold_is_open(_actor: Actor, facts: ReviewFacts) -> Refusal | None:
    """A hold of this finding still stands."""
    if facts.hold_open:
        return None
    return Refusal(
        kind=Blocked,
        reason="nothing is suspended by this finding",
        next_step="Close, restrict or retire instead.",
    )


def no_hold_is_open(_actor: Actor, facts: ReviewFacts) -> Refusal | None:
    """No hold of this finding stands: closing is no way round a reinstatement (P6)."""
    if not facts.hold_open:
        return None
    return Refusal(
        kind=Blocked,
        reason="a finding is not closed over its open hold",
        next_step="Reinstate with two signatures, or keep suspended.",
    )


def its_subject_is_settled(_actor: Actor, facts: ReviewFacts) -> Refusal | None:
    """What awaited approval was withdrawn or superseded."""
    if facts.subject_settled:
        return None
    return Refusal(
        kind=Blocked,
        reason="there is still something to decide",
        next_step="Decide it.",
    )


ReviewLifecycle: TypeAlias = Lifecycle[ReviewState, ReviewCommand, ReviewFacts]
_ReviewRule: TypeAlias = Rule[ReviewState, ReviewFacts]

_DECIDERS: Final = frozenset({Role.REVIEWER, Role.REGULATORY})
_SAFETY: Final = _DECIDERS | {Role.SAFETY_OFFICER}
_ANYBODY_IN_CHARGE: Final = _SAFETY | {Role.MODEL_OWNER}
_UNDECIDED: Final = (ReviewState.OPEN, ReviewState.FIRST_SIGNATURE)
_OTHERS: Final = (not_the_author, not_the_opener)

_OPENING: Final[_ReviewRule] = Rule(to=ReviewState.OPEN, roles=_ANYBODY_IN_CHARGE, by_machine=True)
_WITHDRAWING: Final[_ReviewRule] = Rule(to=ReviewState.OPEN, roles=_SAFETY)


def _decided(
    meaning: SignatureMeaning,
    *guards: Guard[ReviewFacts],
    roles: frozenset[Role],
    to: ReviewState = ReviewState.DECIDED,
) -> _ReviewRule:
    return Rule(to=to, roles=roles, guards=guards, needs_signature=meaning)


def _from_undecided(
    command: ReviewCommand, rule: _ReviewRule
) -> dict[tuple[ReviewState | None, ReviewCommand], _ReviewRule]:
    return {(state, command): rule for state in _UNDECIDED}


APPROVAL_REVIEW: Final[ReviewLifecycle] = Lifecycle(
    name="approval review",
    states=ReviewState,
    commands=ReviewCommand,
    initial=ReviewState.OPEN,
    rules={
        (None, ReviewCommand.OPEN): _OPENING,
        (ReviewState.OPEN, ReviewCommand.ENDORSE): _decided(
            SignatureMeaning.REVIEWED,
            *_OTHERS,
            two_persons_needed,
            roles=_DECIDERS,
            to=ReviewState.FIRST_SIGNATURE,
        ),
        (ReviewState.OPEN, ReviewCommand.APPROVE): _decided(
            SignatureMeaning.APPROVED, *_OTHERS, one_person_suffices, roles=_DECIDERS
        ),
        (ReviewState.FIRST_SIGNATURE, ReviewCommand.APPROVE): _decided(
            SignatureMeaning.APPROVED, *_OTHERS, different_second_person, roles=_DECIDERS
        ),
        **_from_undecided(
            ReviewCommand.REJECT,
            _decided(SignatureMeaning.REJECTED, *_OTHERS, reason_given, roles=_DECIDERS),
        ),
        **_from_undecided(
            ReviewCommand.RETURN,
            _decided(SignatureMeaning.REVIEWED, *_OTHERS, reason_given, roles=_DECIDERS),
        ),
        (ReviewState.FIRST_SIGNATURE, ReviewCommand.WITHDRAW_SIGNATURE): _WITHDRAWING,
        **_from_undecided(
            ReviewCommand.LAPSE,
            Rule(
                to=ReviewState.LAPSED,
                roles=_ANYBODY_IN_CHARGE,
                guards=(its_subject_is_settled,),
                by_machine=True,
            ),
        ),
    },
)

# A finding never lapses: somebody decides it (P10). Therefore its table has no such state.
FINDING_REVIEW: Final[ReviewLifecycle] = Lifecycle(
    name="finding review",
    states=ReviewState,
    commands=ReviewCommand,
    initial=ReviewState.OPEN,
    unused=frozenset({ReviewState.LAPSED}),
    rules={
        (None, ReviewCommand.OPEN): _OPENING,
        (ReviewState.OPEN, ReviewCommand.REINSTATE): _decided(
            SignatureMeaning.APPROVED,
            *_OTHERS,
            hold_is_open,
            reason_given,
            roles=_SAFETY,
            to=ReviewState.FIRST_SIGNATURE,
        ),
        (ReviewState.FIRST_SIGNATURE, ReviewCommand.REINSTATE): _decided(
            SignatureMeaning.APPROVED,
            *_OTHERS,
            hold_is_open,
            different_second_person,
            roles=_SAFETY,
        ),
        (ReviewState.FIRST_SIGNATURE, ReviewCommand.WITHDRAW_SIGNATURE): _WITHDRAWING,
        **_from_undecided(
            ReviewCommand.KEEP_SUSPENDED,
            _decided(SignatureMeaning.REVIEWED, hold_is_open, reason_given, roles=_SAFETY),
        ),
        **_from_undecided(
            ReviewCommand.RESTRICT,
            _decided(SignatureMeaning.RESPONSIBLE, reason_given, roles=_SAFETY),
        ),
        **_from_undecided(
            ReviewCommand.RETIRE,
            _decided(SignatureMeaning.RESPONSIBLE, reason_given, roles=_SAFETY),
        ),
        (ReviewState.OPEN, ReviewCommand.CLOSE): _decided(
            SignatureMeaning.REVIEWED, *_OTHERS, no_hold_is_open, reason_given, roles=_SAFETY
        ),
    },
)

REVIEWS: Final[Mapping[ReviewKind, ReviewLifecycle]] = MappingProxyType(
    {
        ReviewKind.DOCUMENT_APPROVAL: APPROVAL_REVIEW,
        ReviewKind.RELEASE_APPROVAL: APPROVAL_REVIEW,
        ReviewKind.FINDING: FINDING_REVIEW,
    }
)

DECISIONS: Final[Mapping[ReviewKind, tuple[ReviewCommand, ...]]] = MappingProxyType(
    {
        kind: tuple(
            command
            for command in ReviewCommand
            if any(
                known is command and rule.to is ReviewState.DECIDED
                for (_, known), rule in table.rules.items()
            )
        )
        for kind, table in REVIEWS.items()
    }
)
"""The commands that decide a review of each kind, read off its table."""


def overdue(due_us: int, now_us: int) -> bool:
    """Whether the due instant has passed (P12); at that very instant it has not."""
    return now_us > due_us
