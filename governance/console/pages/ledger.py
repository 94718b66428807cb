"""The ledger: its three answers, how far the outside has seen it, and its entries."""

from __future__ import annotations

from starlette.responses import JSONResponse, RedirectResponse, Response

from governance.console.views.anchored_range import anchored_range
from governance.console.views.ledger import PAGE, ledger_page
from governance.console.views.verification import progress, verification_view
from governance.console.visit import Visit


def ledger(visit: Visit) -> Response:
    """Show the head, what the last verification found, and a page of entries."""
    head = visit.desk.ledger_head()
    asked = visit.request.query_params.get("before", "")
    before = min(int(asked), head.size) if asked.isdecimal() and len(asked) < 16 else head.size
    return visit.show(
        "ledger.html",
        view=ledger_page(head, visit.desk.ledger_entries(before=before, limit=PAGE)),
        verification=verification_view(visit.desk.verification(), head=head),
        range=anchored_range(head),
        first_page=before == head.size,
    )


def verify(visit: Visit) -> Response:
    """Start verifying everything, or join who has; the page of the ledger tells how it goes."""
    visit.desk.start_verification(visit.actor)
    return RedirectResponse("/ledger#integrity", status_code=303)


def verification(visit: Visit) -> Response:
    """Tell a script how far the verification is."""
    return JSONResponse(progress(visit.desk.verification()))


def find(visit: Visit) -> Response:
    """Go to the entry that somebody names by number, event or instant."""
    seq = visit.desk.find_entry(visit.request.query_params.get("entry", "")[:64])
    return RedirectResponse(f"/ledger/entries/{seq}", status_code=303)
