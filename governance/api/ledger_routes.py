"""GET /checkpoint and /v1/receipts/{event_id}: what the ledger shows to the outside."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import PlainTextResponse, Response

from governance.api.context import READ, AnyCaller, context_of
from governance.errors import NotFound

router = APIRouter(tags=["ledger"])

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

    A receipt holds the question and the answer: a client gets the receipts of its own events, and
    those of others only with the scope `read`. Another's event looks as if there were none.
    """
    ledger = context_of(request).deployment.ledger
    facts = ledger.find(event_id).facts
    own = isinstance(facts, dict) and facts.get("caller") == caller.client
    if not own and not caller.may(READ):
        raise NotFound(
            "the ledger has no such event of this client", next_step="Check the identifier."
        )
    return Response(ledger.receipt(event_id), media_type="application/json")
