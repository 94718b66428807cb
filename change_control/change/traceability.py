"""The traceability matrix: every planned modification against every part that must speak of it.

Rows are modifications; columns are the four parts of the protocol and the hazards. A cell holds the
identifiers that apply or the reason why none does. A cell that holds neither is empty, and an empty
cell is an error of the plan (PCCP-VII-TR-01, PCCP-VIII-01).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from change_control.change.plan import ChangePlan
    from change_control.change.plan_parts import PlannedModification
    from change_control.change.plan_protocol import ModificationProtocol


class Part(StrEnum):
    """The columns of the matrix."""

    DATA_MANAGEMENT = "data_management"
    RETRAINING = "retraining"
    PERFORMANCE_EVALUATION = "performance_evaluation"
    UPDATE_PROCEDURES = "update_procedures"
    HAZARDS = "hazards"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: the items that apply, or why none does."""

    modification: str
    part: Part
    items: tuple[str, ...]
    not_applicable: str | None

    @property
    def is_empty(self) -> bool:
        """Whether the plan says nothing here."""
        return not self.items and self.not_applicable is None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceabilityMatrix:
    """All cells, by modification and then by part, in the plan's order."""

    cells: tuple[Cell, ...]

    @property
    def empty_cells(self) -> tuple[Cell, ...]:
        """The cells in which the plan says nothing."""
        return tuple(cell for cell in self.cells if cell.is_empty)

    def as_markdown(self) -> str:
        """Return the matrix as a table, one row a modification; an empty cell says EMPTY."""
        rows: dict[str, list[str]] = {}
        for cell in self.cells:
            rows.setdefault(cell.modification, []).append(_shown(cell))
        head = ["modification", *(part.value.replace("_", " ") for part in Part)]
        lines = [head, ["---"] * len(head), *([name, *cells] for name, cells in rows.items())]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def trace(plan: ChangePlan) -> TraceabilityMatrix:
    """Return the traceability matrix of a plan, computed from its identifiers."""
    return TraceabilityMatrix(
        cells=tuple(
            _cell(plan, modification, part)
            for modification in plan.planned_modifications
            for part in Part
        )
    )


def items_of(protocol: ModificationProtocol, part: Part) -> tuple[str, ...]:
    """Return the identifiers that a modification can be traced to in a part of the protocol."""
    if part is Part.DATA_MANAGEMENT:
        data = protocol.data_management
        return (*(source.id for source in data.sources), data.test_data.id)
    if part is Part.RETRAINING:
        return tuple(trigger.id for trigger in protocol.retraining.triggers)
    if part is Part.PERFORMANCE_EVALUATION:
        return tuple(criterion.id for criterion in protocol.performance_evaluation.criteria)
    if part is Part.UPDATE_PROCEDURES:
        updates = protocol.update_procedures
        checks = tuple(check.id for check in updates.post_release_checks)
        return (*checks, *(criterion.id for criterion in updates.rollback))
    return ()


def _cell(plan: ChangePlan, modification: PlannedModification, part: Part) -> Cell:
    if part is Part.HAZARDS:
        hazards = plan.impact_assessment.hazards
        found = tuple(item.id for item in hazards if modification.id in item.modifications)
        return Cell(modification=modification.id, part=part, items=found, not_applicable=None)
    link = getattr(modification.protocol, part.value)
    return Cell(
        modification=modification.id,
        part=part,
        items=link.items,
        not_applicable=link.not_applicable,
    )


def _shown(cell: Cell) -> str:
    if cell.is_empty:
        return "EMPTY"
    return ", ".join(cell.items) or f"not applicable: {cell.not_applicable}"
