"""Outcomes: what later happened, with the time it became known. Late and corrected ones are new.

The rows go into the entry's erasable body and, beside it, into the table that monitors read; facts
hold counts only. A correction is a later row for the same series and month and never a change.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from pydantic import Field

from audits.series import Month
from change_control.change.documents import DocumentKind
from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.errors import InvalidInput
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import require_in_force
from governance.registry.records import OutcomeBatch
from governance.storage.ports import Body, OutcomeRow, Unit
from governance.storage.unit import outcomes_body

_IMPORTERS = frozenset({Role.MODEL_OWNER, Role.REVIEWER, Role.SAFETY_OFFICER})


class Outcome(Request):
    """One outcome: a series of the model, a month, and the value as decimal text."""

    series: str = Field(min_length=1, max_length=100)
    month: str = Field(pattern="[0-9]{4}-[0-9]{2}")
    value: str = Field(min_length=1, max_length=40)


class ImportOutcomes(Request):
    """A delivery of outcomes. `planted` marks rows that a demonstration made up."""

    model: str
    source: str = Field(min_length=3, max_length=200)
    planted: bool = False
    rows: list[Outcome] = Field(min_length=1, max_length=100_000)


class OutcomesImported(Result):
    """The delivery as recorded."""

    batch: str
    rows: int
    first_month: str
    last_month: str


def import_outcomes(
    deployment: Deployment, actor: Actor, request: ImportOutcomes
) -> OutcomesImported:
    """Record a delivery that a person brings."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_IMPORTERS, scope, act="import outcomes")
    return record_outcomes(deployment, received_by=actor.person, request=request)


def record_outcomes(
    deployment: Deployment, *, received_by: str, request: ImportOutcomes
) -> OutcomesImported:
    """Record a delivery from a person or a calling system; all rows or none."""
    months = [_checked(row, place) for place, row in enumerate(request.rows, start=1)]

    def write(unit: Unit) -> OutcomesImported:
        require_in_force(unit, kind=DocumentKind.ENTRY, model=request.model)
        batch = OutcomeBatch(
            id=unit.next_id(OutcomeBatch, prefix="O"),
            model=request.model,
            source=request.source,
            rows=len(request.rows),
            first_month=str(min(months)),
            last_month=str(max(months)),
            planted=request.planted,
            known_us=unit.now_us,
            received_by=received_by,
        )
        rows = [
            OutcomeRow(
                batch=batch.id,
                model=request.model,
                series=row.series,
                month=row.month,
                value=row.value,
                known_us=unit.now_us,
            )
            for row in request.rows
        ]
        unit.put_outcomes(rows)
        unit.record(
            kind="outcome.recorded",
            actor=received_by,
            add=[batch],
            body=Body(content=outcomes_body(rows), key_id=unit.new_key()),
        )
        return OutcomesImported(
            batch=batch.id,
            rows=batch.rows,
            first_month=batch.first_month,
            last_month=batch.last_month,
        )

    return deployment.pen.commit(write)


def _checked(row: Outcome, place: int) -> Month:
    try:
        value = Decimal(row.value)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise InvalidInput(
            f"rows.{place}.value is not a finite number of at least zero",
            next_step="correct the row and send the whole delivery again; nothing was recorded",
        )
    return Month.parse(row.month)


IMPORT_OUTCOMES = Operation(
    name="outcome.import",
    request=ImportOutcomes,
    kinds=("outcome.recorded",),
    run=import_outcomes,
    repeated="records another delivery; the latest row for a series and month counts",
)
