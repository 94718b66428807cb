"""The monitoring plan: what is watched after release, how, and what a finding obliges to.

Everything that decides whether a monitor fires is a named method with its numbers, fixed here
before the first month is seen (P4). Every monitor carries its obligation: who reviews, by when,
what is blocked and what is suspended, so that a finding cannot be stored without one (P10). The
cadence says when a run is overdue, because silence is a finding too (P12).
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from audits.estimate import Json
from audits.forecasting.trigger import MINIMUM_REPLICATES, MINIMUM_STABLE_MONTHS
from audits.sources import series
from change_control.change.plan_protocol import NotNegative, Proportion, Seed
from change_control.errors import MonitoringPlanInvalid
from change_control.reading import Fault, Method, read_record, read_text
from change_control.roles import Role
from models.documents import part_record
from models.values import (
    Count,
    DocumentPart,
    Flag,
    Identifier,
    Month,
    Name,
    Number,
    Slug,
    Text,
    unique,
)

MINIMUM_TAIL: Final = 10
"""Replicates that a calibration expects beyond the limit, as `audits.forecasting.trigger` asks."""


class HoldReach(StrEnum):
    """What a finding suspends: nothing, the scope it was found in, or the whole organisation."""

    NONE = "none"
    FINDING = "finding"
    ORGANISATION = "organisation"


class ObligationRule(DocumentPart):
    """What a finding obliges to (P10). A day is 24 hours from the instant of the finding."""

    owner_role: Role
    due_days: Count
    blocks_release: Flag
    hold: HoldReach
    why: Text


class StablePeriod(DocumentPart):
    """The consecutive months that count as stable; the trigger is calibrated on them."""

    first_month: Month
    months: int = Field(strict=True, ge=MINIMUM_STABLE_MONTHS)


class TriggerParameters(DocumentPart):
    """The numbers of a trigger (`audits.forecasting.trigger`) of a declared false-alarm rate."""

    false_alarm_rate: Proportion
    """Probability that a stable process fires within `months`."""
    months: Count
    """Months of a released path that the rate speaks for; the stable paths are as long."""
    minimum_months: Count
    """Matured months needed before the monitor says anything but insufficient (P8)."""
    interval_coverage: Proportion
    """Coverage of the predicted interval that errors are scaled by."""
    reference: NotNegative
    """Allowance k of the CUSUM, in standard deviations."""
    expected_block_months: Count
    replicates: int = Field(strict=True, ge=MINIMUM_REPLICATES)
    seed: Seed
    stable: StablePeriod

    @model_validator(mode="after")
    def _can_be_calibrated(self) -> Self:
        if self.minimum_months > self.months:
            raise ValueError("`minimum_months` is above `months`")
        if self.stable.months % self.months:
            raise ValueError("the stable period is not a whole number of paths of `months` months")
        if self.replicates * self.false_alarm_rate < MINIMUM_TAIL:
            raise ValueError("these replicates are too few to fix the tail of this rate")
        if self.expected_block_months > self.stable.months // 2:
            raise ValueError("the stable period holds fewer than two expected blocks")
        return self


class Recovery(DocumentPart):
    """What reviewers look for before they reinstate. No program applies it: two people decide."""

    quiet_months: Count
    rule: Text


class Monitor(DocumentPart):
    """One monitor: a pinned method, its trigger, and its obligation."""

    id: Slug
    kind: Literal["forecast_error"]
    task: Identifier
    population: Name
    method: Method
    trigger: TriggerParameters
    on_trigger: ObligationRule
    recovery: Recovery


class Cadence(DocumentPart):
    """How often the monitors run, and what a run that does not come obliges to (P12)."""

    every: Literal["month"]
    grace_days: Count
    on_overdue: ObligationRule


class Labels(DocumentPart):
    """After how many days outcomes are mature; younger ones are not yet verifiable (P9)."""

    maturity_days: Count
    late_outcomes: Text


class Bins(DocumentPart):
    """How one field is coded into an observation, so that no monitor reads an answer (P13)."""

    field: Identifier
    source: Literal["input", "prediction"]
    categories: tuple[Name, ...] | None = None
    edges: tuple[Number, ...] | None = None
    """Ascending; the first bin is below the first edge, each other one begins at its edge."""

    @model_validator(mode="after")
    def _categories_or_ascending_edges(self) -> Self:
        if (self.categories is None) is (self.edges is None):
            raise ValueError("give either `categories` or `edges`")
        if not (self.categories or self.edges):
            raise ValueError("at least one category or edge is needed")
        unique(list(self.categories or ()), what="category")
        if any(left >= right for left, right in pairwise(self.edges or ())):
            raise ValueError("`edges` ascend strictly")
        return self


class MonitoringPlan(DocumentPart):
    """A monitoring plan. Read it with `parse_monitoring_plan`."""

    format: Literal["monitoring/1"]
    model: Slug
    """Name of the registry entry that the plan is for."""
    title: Text
    monitors: tuple[Monitor, ...] = Field(min_length=1)
    cadence: Cadence
    labels: Labels
    observations: tuple[Bins, ...]

    def monitor(self, id_: str) -> Monitor | None:
        """Return the monitor of this identifier, if the plan has it."""
        return next((monitor for monitor in self.monitors if monitor.id == id_), None)

    def as_record(self) -> dict[str, Json]:
        """Return the hashable form: every field, decimals as strings in one spelling."""
        return part_record(self)


def parse_monitoring_plan(text: str) -> MonitoringPlan:
    """Read a `monitoring.yaml`.

    Raises:
        MonitoringPlanInvalid: with every problem, its field and its line.
    """
    return read_text(
        text,
        MonitoringPlan,
        rules=_faults_of,
        invalid=MonitoringPlanInvalid,
        what="the monitoring plan",
    )


def monitoring_plan_from_record(record: object) -> MonitoringPlan:
    """Validate the record of a stored monitoring plan.

    Raises:
        MonitoringPlanInvalid: with every problem and its field.
    """
    return read_record(
        record,
        MonitoringPlan,
        rules=_faults_of,
        invalid=MonitoringPlanInvalid,
        what="the monitoring plan",
    )


def mature_us(plan: MonitoringPlan, month: series.Month) -> int:
    """Return the instant (UTC microseconds) from which the outcomes of `month` are mature (P9)."""
    return _after_month(month, days=plan.labels.maturity_days)


def run_due_us(plan: MonitoringPlan, month: series.Month) -> int:
    """Return the instant (UTC microseconds) after which the run over `month` is overdue (P12)."""
    return _after_month(month, days=plan.labels.maturity_days + plan.cadence.grace_days)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of `monitoring.yaml`, as committed in `docs/reference/`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "monitoring.schema.json",
        **MonitoringPlan.model_json_schema(),
    }


def _after_month(month: series.Month, *, days: int) -> int:
    following = month.plus(1)
    instant = datetime(following.year, following.month, 1, tzinfo=UTC) + timedelta(days=days)
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _faults_of(plan: MonitoringPlan) -> list[Fault]:
    faults: list[Fault] = []
    for what, names in (
        ("monitors", [monitor.id for monitor in plan.monitors]),
        ("observations", [bins.field for bins in plan.observations]),
    ):
        faults += [
            (what, f"{name} is listed twice")
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
    return faults
