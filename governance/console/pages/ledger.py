"""The ledger: its head, its entries, its verification, and receipts of answers."""

from __future__ import annotations

from starlette.responses import Response

from governance.console.desk import Verified
from governance.console.views.ledger import PAGE, entry_view, ledger_page
from governance.console.visit import Visit
from governance.errors import Problem


def ledger(visit: Visit) -> Response:
    """Show the head and a page of entries."""
    return _page(visit, verified=None, problem=None)


def verify(visit: Visit) -> Response:
    """Verify everything and show the result; what does not verify is shown, not hidden."""
    try:
        verified = visit.desk.verify_ledger()
    except Exception as error:
        problem = Problem.of(error)
        if problem is None:
            raise
        return _page(visit, verified=None, problem=problem)
    return _page(visit, verified=verified, problem=None)


def entry(visit: Visit) -> Response:
    """Show one entry."""
    view = entry_view(visit.desk.ledger_entry(int(visit.path("seq"))))
    return visit.show("entry.html", view=view, size=visit.desk.ledger_head().size)


def receipt(visit: Visit) -> Response:
    """Give the receipt of an answer, which `vigil receipt verify` checks without us.

    It holds the question and the answer, so it is for those who may read bodies (P15).
    """
    found = visit.desk.ledger_entry(int(visit.path("seq")))
    content = visit.desk.receipt(found, actor=visit.actor)
    response = Response(content, media_type="application/json")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="receipt-{found.event_id}.json"'
    )
    return response


def _page(visit: Visit, *, verified: Verified | None, problem: Problem | None) -> Response:
    head = visit.desk.ledger_head()
    asked = visit.request.query_params.get("before", "")
    before = min(int(asked), head.size) if asked.isdecimal() and len(asked) < 16 else head.size
    view = ledger_page(head, visit.desk.ledger_entries(before=before, limit=PAGE))
    return visit.show(
        "ledger.html",
        status=problem.status if problem else 200,
        view=view,
        verified=verified,
        problem=problem,
    )
