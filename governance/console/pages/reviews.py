"""A review, and the decision on it."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from governance.console.views.review import ReviewView, review_view
from governance.console.visit import Visit
from governance.errors import Problem
from governance.registry.records import Review


def review(visit: Visit) -> Response:
    """Show what is asked, of whom, about which bytes."""
    return visit.show("review.html", view=_view(visit), problem=None, reason="")


def decide(visit: Visit) -> Response:
    """Perform the decision, or show the page again with why it was refused."""
    name = visit.path("review")
    reason = visit.form.get("reason", "")
    try:
        visit.desk.perform(
            visit.actor,
            "review.decide",
            {
                "review": name,
                "decision": visit.form.get("decision", ""),
                "reason": reason,
                "password": visit.form.get("password", ""),
                "record_digest": visit.form.get("record_digest", ""),
            },
        )
    except Exception as error:
        problem = Problem.of(error)
        if problem is None or problem.status == 404:
            raise
        # A wrong password at signing does not end the session: it is told beside the form.
        status = 403 if problem.status == 401 else problem.status
        return visit.show(
            "review.html", status=status, view=_view(visit), problem=problem, reason=reason
        )
    return RedirectResponse(f"/reviews/{name}", status_code=303)


def _view(visit: Visit) -> ReviewView:
    with visit.desk.reader() as reader:
        shown = reader.require(Review, visit.path("review"))
        choices = visit.desk.choices(reader, review=shown, actor=visit.actor)
        return review_view(reader, shown, choices=choices, now_us=visit.now_us)
