"""The trail: search it, take it along, review it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from governance.console.views.trail import FIELDS, ends_of, families_words, trail_view
from governance.console.visit import Visit
from governance.errors import Problem

PAGE: Final = 25
MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "pdf": "application/pdf",
}


def search(visit: Visit) -> Response:
    """Show the form and what it finds; what cannot be understood is told beside it."""
    query = visit.request.query_params
    asked = {name: query.get(name, "").strip() for name in FIELDS}
    return _searched(visit, asked, answers=query.get("answers") == "yes", problem=None)


def export(visit: Visit) -> Response:
    """Give what the form finds as a file; the entry that says so is committed before."""
    asked = {name: visit.form.get(name, "").strip() for name in FIELDS}
    answers = visit.form.get("answers") == "yes"
    params = {**_given(asked), "answers": answers, "form": visit.form.get("form", "")}
    made, problem = _asked(visit, "trail.export", params)
    if made is None:
        return _searched(visit, asked, answers=answers, problem=problem)
    response = Response(
        base64.b64decode(made["content"]), media_type=MEDIA_TYPES[str(made["form"])]
    )
    name = f"trail-{made['size']}-{made['sha256'][:12]}.{made['form']}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def reviews(visit: Visit) -> Response:
    """Show what waits for a review, and every review."""
    return _reviews(visit, problem=None)


def open_review(visit: Visit) -> Response:
    """Open the next review, or show why not."""
    through = visit.form.get("through", "").strip()
    kinds = [kind.strip() for kind in visit.form.get("kinds", "").split(",") if kind.strip()]
    params: dict[str, Any] = {
        "through": through or None,  # what is no number is refused, and never taken for "all"
        "kinds": kinds or None,
    }
    opened, problem = _asked(visit, "trail_review.open", params)
    if opened is None:
        return _reviews(visit, problem=problem)
    return RedirectResponse(f"/trail/reviews/{opened['review']}", status_code=303)


def review(visit: Visit) -> Response:
    """Show a range, the counts, the exceptions, and the form to sign."""
    return _review(visit, problem=None)


def sign_review(visit: Visit) -> Response:
    """Sign, or show the page again with why it was refused."""
    form = visit.form
    return _moved(
        visit,
        "trail_review.sign",
        {
            "decision": form.get("decision", ""),
            "reason": form.get("reason", ""),
            "password": form.get("password", ""),
            "record_digest": form.get("record_digest", ""),
        },
    )


def withdraw_review(visit: Visit) -> Response:
    """Withdraw, or show the page again with why it was refused."""
    return _moved(visit, "trail_review.withdraw", {"reason": visit.form.get("reason", "")})


def trail_state(visit: Visit) -> Mapping[str, Any] | Problem:
    """Return what waits for a review of the trail, or why that cannot be said."""
    listed, problem = _asked(visit, "trail_review.list", {})
    return problem or listed or {}


def _moved(visit: Visit, operation: str, params: Mapping[str, Any]) -> Response:
    name = visit.path("review")
    _, problem = _asked(visit, operation, {"review": name, **params})
    if problem is not None:
        return _review(visit, problem=problem)
    return RedirectResponse(f"/trail/reviews/{name}", status_code=303)


def _searched(
    visit: Visit, asked: Mapping[str, str], *, answers: bool, problem: Problem | None
) -> Response:
    query = visit.request.query_params
    after = query.get("after", "")
    newest_first = query.get("order") != "oldest"
    params = {
        **_given(asked),
        "answers": answers,
        "newest_first": newest_first,
        "limit": PAGE,
        "after": _entry(after),
    }
    found, fault = _asked(visit, "trail.search", params)
    problem = problem or fault
    view = trail_view(asked, answers=answers, newest_first=newest_first, found=found)
    return visit.show("trail.html", status=_status(problem), view=view, problem=problem)


def _reviews(visit: Visit, *, problem: Problem | None) -> Response:
    listed = visit.desk.perform(visit.actor, "trail_review.list", {})
    return visit.show(
        "trail_reviews.html",
        status=_status(problem),
        listed=listed,
        ends=ends_of(listed["reviewed_until"]),
        problem=problem,
        families_words=families_words,
    )


def _review(visit: Visit, *, problem: Problem | None) -> Response:
    name = visit.path("review")
    after = visit.request.query_params.get("after", "")
    shown = visit.desk.perform(
        visit.actor, "trail_review.show", {"review": name, "after": _entry(after)}
    )
    return visit.show(
        "trail_review.html",
        status=_status(problem),
        shown=shown,
        problem=problem,
        reason=visit.form.get("reason", ""),
        families_words=families_words,
    )


def _entry(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _given(asked: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value}


def _asked(
    visit: Visit, operation: str, params: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, Problem | None]:
    """Perform the operation; return its result, or the problem that a person has to be told."""
    try:
        return visit.desk.perform(visit.actor, operation, params), None
    except Exception as error:
        problem = Problem.of(error)
        if problem is None:
            raise
        return None, problem


def _status(problem: Problem | None) -> int:
    """A wrong password at signing does not end the session: it is told beside the form."""
    if problem is None:
        return 200
    return 403 if problem.status == 401 else problem.status
