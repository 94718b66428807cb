"""Outcomes: what later happened, with the time it became known. Late and corrected ones are new.

The rows and the words about their source go into the entry's erasable body and, the rows alone,
into the table that monitors read; facts hold counts and the scope that they speak for. A correction
is a later row for the same series and month and never a change. What a delivery may say is bounded,
because monitors read it: known series, months that have begun, finite values (P10, P13).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from pydantic import Field

from audits.sources.series import Month
from change_control.change.documents import DocumentKind
from change_control.errors import ScopeInvalid
from change_control.roles import Role
from change_control.scope import Scope
from governance.clock import MICROSECONDS
from governance.deployment import Deployment
from governance.errors import Forbidden, InvalidInput
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import require_in_force
from governance.operations.watch.known_outcomes import require_known_series
from governance.registry.records import OutcomeBatch
from governance.storage.ports import Body, OutcomeRow, Unit
from governance.storage.unit import outcomes_body

_IMPORTERS = frozenset({Role.MODEL_OWNER, Role.REVIEWER, Role.SAFETY_OFFICER})
LARGEST: Final = Decimal(10) ** 15


class Outcome(Request):
    """One outcome: a series of the model, a month, and the value as decimal text up to 1e15."""

    series: str = Field(min_length=1, max_length=100)
    month: str = Field(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")
    value: str = Field(pattern=r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,17})?$")


class ImportOutcomes(Request):
    """A delivery of outcomes. `planted` marks rows that a demonstration made up.

    `scope` is the place that they speak for: without it the whole organisation where a person
    brings them, and the credential's own scope where a calling system does.
    """

    model: str = Field(pattern="^[a-z][a-z0-9_-]{0,63}$")
    scope: str | None = Field(default=None, max_length=130)
    source: str = Field(min_length=3, max_length=200)
    planted: bool = False
    rows: list[Outcome] = Field(min_length=1, max_length=100_000)


class OutcomesImported(Result):
    """The delivery as recorded."""

    batch: str
    scope: str
    rows: int
    first_month: str
    last_month: str


def import_outcomes(
    deployment: Deployment, actor: Actor, request: ImportOutcomes
) -> OutcomesImported:
    """Record a delivery that a person brings, for a scope in which they may."""
    scope = narrowed(Scope(organisation=deployment.home.config.organisation), request.scope)
    actor.require(_IMPORTERS, scope, act="import outcomes")
    return record_outcomes(deployment, received_by=actor.person, scope=scope, request=request)


def narrowed(own: Scope, asked: str | None) -> Scope:
    """Return the scope that is asked for within one's own; raise Forbidden where it reaches out."""
    if asked is None:
        return own
    try:
        return own.narrow(Scope.parse(asked))
    except ScopeInvalid as error:
        raise Forbidden(
            "the scope of the delivery is not within your own",
            next_step="leave scope out, or name a site that you may speak for",
        ) from error


def record_outcomes(
    deployment: Deployment, *, received_by: str, scope: Scope, request: ImportOutcomes
) -> OutcomesImported:
    """Record a delivery from a person or a calling system for `scope`; all rows or none."""
    now_us = deployment.clock.now_us()
    months = [_checked(row, place, now_us) for place, row in enumerate(request.rows)]
    with deployment.reader() as reader:
        require_in_force(reader, kind=DocumentKind.ENTRY, model=request.model)
        require_known_series(
            deployment, reader, model=request.model, series=(row.series for row in request.rows)
        )

    def write(unit: Unit) -> OutcomesImported:
        batch = OutcomeBatch(
            id=unit.next_id(OutcomeBatch, prefix="O"),
            model=request.model,
            scope=str(scope),
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
        unit.put_outcomes(rows, source=request.source)
        unit.record(
            kind="outcome.recorded",
            actor=received_by,
            add=[batch],
            body=Body(content=outcomes_body(rows, source=request.source), key_id=unit.new_key()),
        )
        return OutcomesImported(
            batch=batch.id,
            scope=batch.scope,
            rows=batch.rows,
            first_month=batch.first_month,
            last_month=batch.last_month,
        )

    return deployment.pen.commit(write)


def _checked(row: Outcome, place: int, now_us: int) -> Month:
    month = Month.parse(row.month)
    now = datetime.fromtimestamp(now_us / MICROSECONDS, UTC)
    if month > Month(now.year, now.month):
        raise _wrong(place, "month", "has not begun")
    if Decimal(row.value) > LARGEST:
        raise _wrong(place, "value", "is larger than 1e15")
    return month


def _wrong(place: int, member: str, what: str) -> InvalidInput:
    return InvalidInput(
        f"rows.{place}.{member} {what}",
        next_step="correct the row and send the whole delivery again; nothing was recorded",
    )


IMPORT_OUTCOMES = Operation(
    name="outcome.import",
    request=ImportOutcomes,
    kinds=("outcome.recorded",),
    run=import_outcomes,
    repeated="records another delivery; the latest row for a series and month counts",
)
