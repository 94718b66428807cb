"""Every error this package raises, with its stable code.

Two families: a step that may not be taken (`TransitionRefused` and its kinds, raised by
`lifecycle.advance`), and a text that is not the document it claims to be (`DocumentInvalid`).
A mistake of the programmer (a table with an unknown state) is a `RuntimeError` and is not caught.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class ChangeControlError(Exception):
    """The root: a code for programs, a sentence for people, and the next step."""

    code: ClassVar[str] = "change.error"

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


# --- values --------------------------------------------------------------------------------------


class ScopeInvalid(ChangeControlError):
    """The text is not a scope, or a scope was asked to become wider."""

    code = "change.scope_invalid"


class ReleasePeriodInvalid(ChangeControlError):
    """A release names an impossible period."""

    code = "change.release_period"


class FindingUnknown(ChangeControlError):
    """A finding names a monitor that the plan does not have."""

    code = "change.finding_unknown"


# --- steps ---------------------------------------------------------------------------------------


class TransitionRefused(ChangeControlError):
    """The step is not in the table, or a guard refused it.

    `current` and `command` are empty only where an error is built outside of a lifecycle.
    """

    code = "change.transition_refused"

    def __init__(
        self, reason: str, *, next_step: str, current: str = "", command: str = ""
    ) -> None:
        where = f"'{command}' refused in state '{current or '-'}': " if command else ""
        super().__init__(where + reason, next_step=next_step)
        self.current = current
        self.command = command
        self.reason = reason


class WrongRole(TransitionRefused):
    """The actor holds none of the roles that may take this step in this scope."""

    code = "change.wrong_role"


class ServiceMayNotSign(TransitionRefused):
    """The step needs a signature, and services cannot sign (P6)."""

    code = "change.service_may_not_sign"


class FourEyes(TransitionRefused):
    """The step needs somebody else: not the author, not the opener, not the first signer (P6)."""

    code = "change.four_eyes"


class PlanNotInForce(TransitionRefused):
    """The plan is not in force, or was not so before the request it is to judge (P4)."""

    code = "change.plan_not_in_force"


class EvidenceRefused(TransitionRefused):
    """The verdict on the evidence does not carry this step (P8)."""

    code = "change.evidence_refused"


class OutsidePlan(TransitionRefused):
    """The computed difference leaves the plan, and nobody has assessed what that means (P5)."""

    code = "change.outside_plan"


class AutomationNotPlanned(TransitionRefused):
    """A service tried what the plan leaves to people."""

    code = "change.automation_not_planned"


class ApprovalMissing(TransitionRefused):
    """A signature or approval that the step rests on is not there."""

    code = "change.approval_missing"


class Blocked(TransitionRefused):
    """Something open blocks the step: a finding's review, an overdue item, a hold (P10, P12)."""

    code = "change.blocked"


class ReasonMissing(TransitionRefused):
    """The decision needs a written reason."""

    code = "change.reason_missing"


class LegalHoldOpen(TransitionRefused):
    """A legal hold keeps what would be erased."""

    code = "erasure.legal_hold"


class RetentionRuns(TransitionRefused):
    """A retention that is stated in the model's entry still runs."""

    code = "erasure.retention"


# --- documents -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentProblem:
    """One thing wrong with a document: dotted field path, line (from 1) where known, sentence."""

    path: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.path or "document"
        where = f" (line {self.line})" if self.line else ""
        return f"{place}{where}: {self.message}"


class DocumentInvalid(ChangeControlError):
    """A document is not valid; `problems` lists every problem found, not only the first."""

    code = "change.document_invalid"

    def __init__(
        self, message: str, *, next_step: str, problems: tuple[DocumentProblem, ...] = ()
    ) -> None:
        listed = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(message + listed, next_step=next_step)
        self.problems = problems


class PlanInvalid(DocumentInvalid):
    """A change plan is not valid."""

    code = "change.plan_invalid"


class MonitoringPlanInvalid(DocumentInvalid):
    """A monitoring plan is not valid."""

    code = "change.monitoring_plan_invalid"


class AuditProtocolInvalid(DocumentInvalid):
    """An audit protocol is not valid."""

    code = "change.audit_protocol_invalid"
