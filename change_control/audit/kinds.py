"""The kinds of audit of rows, and the one place that knows which room of `audits` does each.

The rooms are imported when a kind is asked for, so that naming the kinds costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

from audits.criteria import Criterion
from audits.estimate import Json
from audits.report import AuditReport, Progress
from audits.sources.sample import Sample

if TYPE_CHECKING:
    import numpy as np


class AuditKind(StrEnum):
    """What an audit of rows asks about."""

    TEMPORAL = "temporal"
    DISCRIMINATION = "discrimination"
    CALIBRATION = "calibration"
    FAIRNESS = "fairness"
    DRIFT = "drift"


class Method(Protocol):
    """What a room's `audit` module offers for its kind."""

    def parse(self, record: Mapping[str, Json], /) -> object:
        """Return the method's protocol; raise ProtocolMalformed naming the member at fault."""
        ...

    def run(
        self,
        samples: Mapping[str, Sample],
        /,
        *,
        protocol: object,
        criteria: Sequence[Criterion],
        rng: np.random.Generator,
        progress: Progress,
    ) -> AuditReport:
        """Return the report."""
        ...


_ROOMS: Final[Mapping[AuditKind, str]] = {
    AuditKind.TEMPORAL: "audits.temporal.audit",
    AuditKind.DISCRIMINATION: "audits.performance.discrimination",
    AuditKind.CALIBRATION: "audits.performance.calibration",
    AuditKind.FAIRNESS: "audits.fairness.audit",
    AuditKind.DRIFT: "audits.drift.audit",
}


def method_of(kind: AuditKind) -> Method:
    """Return the method of a kind."""
    method: Method = import_module(_ROOMS[kind])
    return method


def check_method(kind: AuditKind, record: Mapping[str, Json]) -> None:
    """Raise ProtocolMalformed where the method cannot be run as the record says."""
    method_of(kind).parse(record)
