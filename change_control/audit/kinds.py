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
from audits.temporal.protocol import TemporalRowsProtocol
from models.learners import learner_of

if TYPE_CHECKING:
    import numpy as np

    from audits.temporal.learning import Learner


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
        **learner: Learner,
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
    """Raise ProtocolMalformed or a ModelError where the method cannot be run as the record says."""
    _learner(method_of(kind).parse(record))


def run_method(
    kind: AuditKind,
    samples: Mapping[str, Sample],
    *,
    record: Mapping[str, Json],
    criteria: Sequence[Criterion],
    rng: np.random.Generator,
    progress: Progress,
) -> AuditReport:
    """Run the method as the record says; a kind that fits anew gets the learner that it names."""
    method = method_of(kind)
    protocol = method.parse(record)
    return method.run(
        samples,
        protocol=protocol,
        criteria=criteria,
        rng=rng,
        progress=progress,
        **_learner(protocol),
    )


def _learner(protocol: object) -> dict[str, Learner]:
    if not isinstance(protocol, TemporalRowsProtocol):
        return {}
    return {"learner": learner_of(protocol.learner, dict(protocol.parameters))}
