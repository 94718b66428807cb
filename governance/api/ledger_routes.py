"""GET /checkpoint and /v1/receipts/{event_id}: what the ledger shows to the outside."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import PlainTextResponse, Response

from governance.api.context import READ, AnyCaller, context_of
from governance.errors import NotFound
from governance.gate.ask import Caller
from governance.ledger.store.view import LedgerEntry
from governance.operations.inspect.bodies import scope_of_facts

router = APIRouter(tags=["ledger"])

RECEIPTS_OF = ("inference.", "outcome.")

EventId = Annotated[
    str, Path(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
]


@router.get("/checkpoint", summary="The last signed checkpoint", response_class=PlainTextResponse)
def checkpoint(request: Request) -> PlainTextResponse:
    """Return the C2SP note over size and root of the ledger; it is public and holds no data."""
    return PlainTextResponse(context_of(request).deployment.ledger.checkpoint())


@router.get("/v1/receipts/{event_id}", summary="The receipt of an event")
def receipt(request: Request, event_id: EventId, caller: AnyCaller) -> Response:
    """Return the receipt, as it proves under the last checkpoint.

    A receipt holds the question and the answer, so only answers and outcomes have one here. A
    client gets the receipts of its own events, and with the scope `read` those of others within
    its own organisation and site. Any other event looks as if there were none.
    """
    ledger = context_of(request).deployment.ledger
    try:
        seen = _may_see(caller, ledger.find(event_id))
    except NotFound:
        seen = False
    if not seen:
        raise NotFound("the ledger has no such event here", next_step="Check the identifier.")
    return Response(ledger.receipt(event_id), media_type="application/json")


def _may_see(caller: Caller, entry: LedgerEntry) -> bool:
    facts = entry.facts
    if not isinstance(facts, dict) or not entry.kind.startswith(RECEIPTS_OF):
        return False
    if facts.get("caller") == caller.client:
        return True
    scope = scope_of_facts(facts)
    return caller.may(READ) and scope is not None and caller.scope.covers(scope)
