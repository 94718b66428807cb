"""Erasing a person: requests, the second person's decision, and legal holds."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from audits.estimate import Json
from governance.console.views.erasures import (
    erasure_view,
    erasures_view,
    held,
    legal_hold_view,
)
from governance.console.visit import Visit
from governance.errors import NotFound, Problem


def erasures(visit: Visit, problem: Problem | None = None) -> Response:
    """Show what waits, what was decided and what keeps."""
    view = erasures_view(
        visit.desk.erasures(actor=visit.actor),
        visit.desk.legal_holds(actor=visit.actor),
        actor=visit.actor,
        organisation=visit.desk.organisation,
    )
    return visit.show(
        "erasures.html", status=_status(problem), view=view, problem=problem, held=held
    )


def request(visit: Visit) -> Response:
    """Record a request; the identifier is in the form alone, never in an address."""
    sent = {name: visit.form.get(name, "") for name in ("subject", "basis", "reason")}
    problem = _refused(visit, "erasure.request", sent)
    return erasures(visit, problem) if problem else RedirectResponse("/erasures", status_code=303)


def erasure(visit: Visit, problem: Problem | None = None) -> Response:
    """Show one request, what it would destroy, and the forms of the decision."""
    shown = visit.desk.erasure(visit.path("erasure"), actor=visit.actor)
    view = erasure_view(shown, reason=shown.reason)
    return visit.show("erasure.html", status=_status(problem), view=view, problem=problem)


def decide(visit: Visit) -> Response:
    """Confirm with a signature, or refuse with a reason."""
    name = visit.path("erasure")
    sent: dict[str, Json] = {"erasure": name}
    if visit.form.get("decision") == "confirm":
        operation, sent["password"] = "erasure.confirm", visit.form.get("password", "")
    else:
        operation, sent["reason"] = "erasure.refuse", visit.form.get("reason", "")
    problem = _refused(visit, operation, sent)
    if problem:
        return erasure(visit, problem)
    return RedirectResponse(f"/erasures/{name}", status_code=303)


def legal_hold(visit: Visit, problem: Problem | None = None) -> Response:
    """Show one legal hold with the form that signs for lifting it."""
    name = visit.path("hold")
    found = [one for one in visit.desk.legal_holds(actor=visit.actor) if one.legal_hold == name]
    if not found:
        raise NotFound("there is no legal hold of this name", next_step="see the list of them")
    view = legal_hold_view(found[0])
    return visit.show("legal_hold.html", status=_status(problem), view=view, problem=problem)


def lift(visit: Visit) -> Response:
    """Sign for lifting a legal hold."""
    name = visit.path("hold")
    sent = {
        "legal_hold": name,
        "reason": visit.form.get("reason", ""),
        "password": visit.form.get("password", ""),
    }
    problem = _refused(visit, "legal_hold.lift", sent)
    if problem:
        return legal_hold(visit, problem)
    return RedirectResponse(f"/legal-holds/{name}", status_code=303)


def withdraw(visit: Visit) -> Response:
    """Take the first signature for lifting a legal hold back."""
    name = visit.path("hold")
    problem = _refused(visit, "legal_hold.withdraw", {"legal_hold": name})
    if problem:
        return legal_hold(visit, problem)
    return RedirectResponse(f"/legal-holds/{name}", status_code=303)


def _refused(
    visit: Visit, operation: str, sent: dict[str, Json] | dict[str, str]
) -> Problem | None:
    """Perform it; return why it was refused, for the form to say."""
    try:
        visit.desk.perform(visit.actor, operation, dict(sent))
    except Exception as error:
        problem = Problem.of(error)
        if problem is None:
            raise
        return problem
    return None


def _status(problem: Problem | None) -> int:
    """Return the page's status; a wrong password at signing does not end the session."""
    if problem is None:
        return 200
    return 403 if problem.status == 401 else problem.status
