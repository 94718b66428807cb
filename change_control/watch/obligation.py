"""What a finding obliges to, so that it can never be stored alone (P10).

The shell writes the finding, the review and the hold that this function names in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from change_control.errors import FindingUnknown
from change_control.roles import Role
from change_control.scope import Scope
from change_control.watch.monitoring import HoldReach, MonitoringPlan, ObligationRule

DAY_US: Final = 24 * 60 * 60 * 1_000_000


class FindingKind(StrEnum):
    """What raised it: a trigger that fired, or a run that did not come (P12)."""

    TRIGGERED = "triggered"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule raised: which monitor, how, and over which scope."""

    monitor: str
    kind: FindingKind
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """The review that a finding opens, whether it blocks release, and the hold that it places."""

    owner_role: Role
    due_us: int
    blocks_release: bool
    hold: Scope | None


def obligation_of(plan: MonitoringPlan, finding: Finding, *, now_us: int) -> Obligation:
    """Return what the plan asks for after `finding`, counted from `now_us`.

    Raises:
        FindingUnknown: where the plan has no such monitor.
    """
    monitor = plan.monitor(finding.monitor)
    if monitor is None:
        raise FindingUnknown(
            f"the monitoring plan of {plan.model} has no monitor {finding.monitor!r}",
            next_step="Run the monitors of the plan in force.",
        )
    overdue = finding.kind is FindingKind.OVERDUE
    rule = plan.cadence.on_overdue if overdue else monitor.on_trigger
    return Obligation(
        owner_role=rule.owner_role,
        due_us=now_us + rule.due_days * DAY_US,
        blocks_release=rule.blocks_release,
        hold=_hold_scope(rule, finding.scope),
    )


def _hold_scope(rule: ObligationRule, scope: Scope) -> Scope | None:
    if rule.hold is HoldReach.NONE:
        return None
    return scope if rule.hold is HoldReach.FINDING else Scope(organisation=scope.organisation)
