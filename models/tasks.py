"""Tasks of a model and the performance floors that must hold, before and after release.

A floor states its reading, because a point estimate above a line proves nothing by itself (P8).
"""

from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from audits.criteria import Criterion
from models.values import Count, DocumentPart, Identifier, Name, Number, Slug, Text, unique


class Direction(StrEnum):
    """Which side of the floor is good."""

    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    WITHIN = "within"


class Reading(StrEnum):
    """How an estimate is read against a floor."""

    POINT = "point"
    """The point estimate meets the floor."""
    EXCLUDES_BASELINE = "excludes_baseline"
    """The point meets the floor and the interval excludes the named baseline."""
    MARGIN = "margin"
    """The point meets the floor and the interval stays within the margin of it."""


class PerformanceFloor(DocumentPart):
    """A bound on one metric in one population, with the reading that decides it."""

    id: Slug
    metric: Identifier
    population: Name = "all"
    direction: Direction
    floor: Number | None = None
    """The bound of `at_most` and `at_least`."""
    low: Number | None = None
    high: Number | None = None
    reading: Reading
    baseline: Number | None = None
    """The value that no skill would give, which the interval must exclude."""
    margin: Number | None = None
    """How far beyond the floor the interval may reach, fixed beforehand; never negative."""
    minimum_n: Count
    """Fewer independent units than this are the verdict insufficient."""
    why: Text

    @model_validator(mode="after")
    def _bounds_fit_the_direction(self) -> Self:
        within = self.direction is Direction.WITHIN
        if within and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError("`within` needs `low` below `high`")
        if within and self.floor is not None:
            raise ValueError("`within` has `low` and `high`, not `floor`")
        if not within and (self.floor is None or self.low is not None or self.high is not None):
            raise ValueError("`at_most` and `at_least` need `floor` and nothing else")
        return self

    @model_validator(mode="after")
    def _reading_has_its_number(self) -> Self:
        against_baseline = self.reading is Reading.EXCLUDES_BASELINE
        if against_baseline != (self.baseline is not None):
            raise ValueError("`baseline` belongs to the reading `excludes_baseline` only")
        if against_baseline and self.direction is Direction.WITHIN:
            raise ValueError("`within` has no better side, so no baseline to exclude")
        if (self.reading is Reading.MARGIN) != (self.margin is not None):
            raise ValueError("`margin` belongs to the reading `margin` only")
        if self.margin is not None and self.margin < 0:
            raise ValueError("a margin is never negative")
        return self

    def as_criterion(self) -> Criterion:
        """Return the floor as the criterion that an audit judges an estimate by."""
        return Criterion(
            id=self.id,
            metric=self.metric,
            population=self.population,
            direction=self.direction.value,
            floor=_float(self.floor),
            low=_float(self.low),
            high=_float(self.high),
            reading=self.reading.value,
            baseline=_float(self.baseline),
            margin=_float(self.margin),
            minimum_n=self.minimum_n,
        )


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)


class Metric(DocumentPart):
    """A metric that is computed and shown for a task, with or without a floor."""

    name: Identifier
    unit: Name
    definition: Text


class Baseline(DocumentPart):
    """A simple baseline that is always shown beside the model, also where it wins."""

    name: Slug
    description: Text


class Task(DocumentPart):
    """One question that the model answers, how it is scored and the floors it must keep."""

    name: Slug
    description: Text
    output: Text
    output_type: Text
    """Prediction, classification, recommendation, evaluation, analysis (HTI-1 attribute 4)."""
    unit: Name
    reference_standard: Text
    """How the truth is set, and when it is mature enough to score against (P9)."""
    data: tuple[Slug, ...] = Field(min_length=1)
    """Names of the data sources that the task's numbers are measured on."""
    metrics: tuple[Metric, ...] = Field(min_length=1)
    baselines: tuple[Baseline, ...] = Field(min_length=1)
    floors: tuple[PerformanceFloor, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _floors_name_metrics(self) -> Self:
        unique([metric.name for metric in self.metrics], what="metric")
        unique([floor.id for floor in self.floors], what="floor")
        unknown = {floor.metric for floor in self.floors} - {m.name for m in self.metrics}
        if unknown:
            raise ValueError(f"floors on metrics that are not shown: {', '.join(sorted(unknown))}")
        return self
