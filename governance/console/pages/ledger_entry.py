"""One entry of the ledger: what it says, its place in the chain, its proof, its receipt."""

from __future__ import annotations

from starlette.responses import Response

from governance.console.views.ledger import entry_view
from governance.console.views.ledger_proof import proof_view
from governance.console.visit import Visit

WITHOUT_BODY = "without-body"


def entry(visit: Visit) -> Response:
    """Show one entry with the proof of it, computed now."""
    found = visit.desk.ledger_entry(int(visit.path("seq")))
    head = visit.desk.ledger_head()
    return visit.show(
        "entry.html",
        view=entry_view(found),
        proof=proof_view(found, visit.desk.entry_proof(found.seq), head=head),
        may_read_body=found.body == "held" and visit.desk.may_read_body(found, actor=visit.actor),
        size=head.size,
        origin=head.origin,
    )


def receipt(visit: Visit) -> Response:
    """Give the receipt of an entry, which `vigil receipt verify` checks without us.

    With the body it holds the question and the answer, so that is for those who may read bodies;
    without it everybody who may read the entry gets it (P15).
    """
    found = visit.desk.ledger_entry(int(visit.path("seq")))
    with_body = WITHOUT_BODY not in visit.request.query_params
    content = visit.desk.receipt(found, actor=visit.actor, with_body=with_body)
    response = Response(content, media_type="application/json")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="receipt-{found.event_id}.json"'
    )
    return response
