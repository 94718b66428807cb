"""Signed checkpoints: the list, one with its signers, and the proof that the log only grew."""

from __future__ import annotations

from starlette.responses import Response

from governance.console.views.checkpoints import PAGE, checkpoints_page
from governance.console.visit import Visit
from governance.errors import Problem
from governance.operations.inspect.explore_ledger import Continuation


def checkpoints(visit: Visit) -> Response:
    """List the stored checkpoints, the largest first."""
    before = _number(visit.request.query_params.get("before", ""))
    found = visit.desk.checkpoints(before=before, limit=PAGE)
    return visit.show(
        "checkpoints.html", view=checkpoints_page(found), head=visit.desk.ledger_head()
    )


def checkpoint(visit: Visit) -> Response:
    """Show one checkpoint, and the proof from the smaller size that was asked for."""
    seen = visit.desk.checkpoint(int(visit.path("size")))
    asked = visit.request.query_params.get("from", "").strip()
    proof: Continuation | None = None
    problem: Problem | None = None
    if asked:
        try:
            proof = visit.desk.continuation(old=_number(asked) or 0, new=seen.size)
        except Exception as error:
            problem = Problem.of(error)
            if problem is None:
                raise
    return visit.show(
        "checkpoint.html",
        status=problem.status if problem else 200,
        seen=seen,
        asked=asked[:20],
        proof=proof,
        problem=problem,
    )


def note(visit: Visit) -> Response:
    """Give the checkpoint as a file: exactly the bytes that were signed, and all signatures."""
    seen = visit.desk.checkpoint(int(visit.path("size")))
    response = Response(seen.note.encode(), media_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="checkpoint-{seen.size}.txt"'
    return response


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
