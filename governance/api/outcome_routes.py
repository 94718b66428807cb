"""POST /v1/outcomes: what later happened, delivered by a calling system."""

from __future__ import annotations

from fastapi import APIRouter, Request

from governance.api.context import OutcomeCaller, context_of
from governance.operations.watch.import_outcomes import (
    ImportOutcomes,
    OutcomesImported,
    narrowed,
    record_outcomes,
)

router = APIRouter(prefix="/v1", tags=["outcomes"])


@router.post("/outcomes", status_code=201, summary="Deliver outcomes")
def deliver(request: Request, delivery: ImportOutcomes, caller: OutcomeCaller) -> OutcomesImported:
    """Record a delivery for the caller's scope, all rows or none.

    A late or corrected result is a new row. `scope` may narrow the caller's own scope.
    """
    return record_outcomes(
        context_of(request).deployment,
        received_by=caller.client,
        scope=narrowed(caller.scope, delivery.scope),
        request=delivery,
    )
