"""Whether a plan fits the registry entry that it is for: what neither document can see alone.

The shell asks this when a plan is registered, and again when it is approved: an entry may have
changed in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from change_control.change.plan import ChangePlan
from change_control.errors import DocumentProblem, MonitoringPlanInvalid, PlanInvalid
from change_control.tier import controls_of, tier_of
from change_control.watch.monitoring import MonitoringPlan
from models.entry import Entry


def require_plan_fits(plan: ChangePlan, entry: Entry) -> None:
    """Hold a change plan against its entry.

    Raises:
        PlanInvalid: where model or regime differ, or the entry's tier asks for more.
    """
    problems = tuple(_plan_problems(plan, entry))
    if problems:
        raise PlanInvalid(
            f"the plan does not fit the entry {entry.name}",
            next_step="Correct the plan, or register the entry that it was written for.",
            problems=problems,
        )


def require_monitoring_fits(plan: MonitoringPlan, entry: Entry) -> None:
    """Hold a monitoring plan against its entry.

    Raises:
        MonitoringPlanInvalid: where the model differs or a monitor watches an unknown task.
    """
    problems = tuple(_monitoring_problems(plan, entry))
    if problems:
        raise MonitoringPlanInvalid(
            f"the monitoring plan does not fit the entry {entry.name}",
            next_step="Correct the plan, or register the entry that it was written for.",
            problems=problems,
        )


def _plan_problems(plan: ChangePlan, entry: Entry) -> Iterator[DocumentProblem]:
    if plan.model != entry.name:
        yield _problem("model", f"the plan is for {plan.model}, the entry is {entry.name}")
    if plan.regime is not entry.regime:
        yield _problem("regime", f"the plan says {plan.regime}, the entry {entry.regime}")
    tier = tier_of(entry)
    data = plan.modification_protocol.data_management
    if controls_of(tier).sequestered_test_data and not data.test_data.sequestered:
        yield _problem(
            "modification_protocol.data_management.test_data.sequestered",
            f"the {tier} tier asks for sequestered test data",
        )


def _monitoring_problems(plan: MonitoringPlan, entry: Entry) -> Iterator[DocumentProblem]:
    if plan.model != entry.name:
        yield _problem("model", f"the plan is for {plan.model}, the entry is {entry.name}")
    tasks = {task.name for task in entry.tasks}
    for index, monitor in enumerate(plan.monitors):
        if monitor.task not in tasks:
            yield _problem(f"monitors.{index}.task", f"the entry has no task {monitor.task}")


def _problem(path: str, message: str) -> DocumentProblem:
    return DocumentProblem(path=path, line=None, message=message)
