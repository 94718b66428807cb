"""The decision on one question: answer under this release, or refuse for these reasons (P1).

The checks run in this order, and the first that fails decides, so that a caller corrects one thing
at a time and nobody learns about a model what the checks before would have kept from them:

  (1) The named model is registered.
  (2) The caller holds the permission to ask it.
  (3) The body was a question in the form of its codec.
  (4) Its purpose is one of the registered purposes of the model's entry.
  (5) Its market is named, or only one can be meant (`governance.gate.market`).
  (6) A subject is named where rows are about people, and only there.
  (7) The model has standing where the caller is: a live release, no hold, no recall, not expired.
      Every reason is given; the most dangerous one comes first and makes the status.
  (8) The bytes of the released version's artifact are the registered bytes.

What remains is judged row by row (`governance.gate.rows`): a row outside the contract or the use
abstains inside the answer. The checks before these (credential, rate, size, time) are made by the
door, which must not read a body before them; that the decision still stands when the answer is
written is checked by the committer under the head lock (P2, P11).
"""

from __future__ import annotations

from dataclasses import dataclass

from change_control.release.release import Release
from change_control.release.standing import Standing
from governance.gate.ask import Ask, Question
from governance.gate.reasons import Refusal
from models.use import UseStatement


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """What is on record about the asked model, for the caller's scope, asked market and purpose.

    `standing` is None where no market is named and several could be meant. `intact` says that the
    artifact bytes of the governing version were read and are the registered ones; it is False where
    no release governs.
    """

    use: UseStatement
    standing: Standing | None
    intact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A release under which to answer, or at least one refusal; never both."""

    release: Release | None = None
    refusals: tuple[Refusal, ...] = ()

    def __post_init__(self) -> None:
        if (self.release is None) != bool(self.refusals):
            raise RuntimeError("a decision is either a release or refusals")


def permission_to_ask(model: str) -> str:
    """Return the permission that a client needs to ask the model."""
    return f"infer:{model}"


def decide(ask: Ask, dossier: Dossier | None) -> Decision:
    """Take the checks in order; `dossier` None means that no such model is registered."""
    # (1) registered
    if dossier is None:
        return _refuse("gate.unknown_model")
    # (2) permitted
    if not ask.caller.may(permission_to_ask(ask.model)):
        return _refuse("identity.forbidden")
    # (3) a question
    question = ask.question
    if isinstance(question, Refusal):
        return Decision(refusals=(question,))
    # (4) to (6) for a registered purpose, in one market, about a subject where there is one
    fault = _question_fault(question, dossier)
    if fault is not None:
        return _refuse(fault)
    standing = dossier.standing
    assert standing is not None
    # (7) with standing
    if standing.release is None:
        return Decision(refusals=tuple(Refusal(code=str(code)) for code in standing.reasons))
    # (8) with verified bytes
    if not dossier.intact:
        return _refuse("gate.digest_mismatch")
    return Decision(release=standing.release)


def _question_fault(question: Question, dossier: Dossier) -> str | None:
    """Return the code of what is wrong about the question of a permitted caller."""
    if not dossier.use.permits_purpose(question.purpose):
        return "gate.purpose"
    if dossier.standing is None:
        return "gate.market"
    return _subject_fault(dossier.use, question.subject)


def _subject_fault(use: UseStatement, subject: str | None) -> str | None:
    """Return the code of what is wrong about the subject.

    An answer about a person is encrypted under that person's key, so that erasing the person
    erases it (P13). One that names nobody could never be erased, and one that names somebody
    without need would put a person where none belongs.
    """
    if use.rows_are_about_people:
        return "gate.subject_required" if subject is None else None
    return None if subject is None else "gate.subject_unexpected"


def _refuse(code: str) -> Decision:
    return Decision(refusals=(Refusal(code=code),))
