"""The console as an ASGI application that the server mounts at "/"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from governance.console import security
from governance.console.desk import Desk
from governance.console.pages import (
    audits,
    erasures,
    ledger,
    ledger_checkpoints,
    ledger_entry,
    ledger_keys,
    records,
    reviews,
    session,
    trail,
)
from governance.console.rendering import Templates
from governance.console.visit import PASSWORD_PAGE, Console, Needs, Page, endpoint, nobody
from governance.errors import Problem
from governance.reports.chart import Gallery

STATIC: Final = Path(__file__).parent / "static"
STATIC_FILES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
}

# Path, method, page. Everything here needs a session, a password of one's own and a role.
PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("/", "GET", records.home),
    ("/models", "GET", records.models),
    ("/models/{model}", "GET", records.model),
    ("/documents/{document}", "GET", records.document),
    ("/evidence/{evidence}", "GET", audits.report),
    ("/evidence/{evidence}/report.pdf", "GET", audits.report_pdf),
    ("/evidence/{evidence}/record.json", "GET", audits.record),
    ("/evidence/{evidence}/signature", "POST", audits.sign),
    ("/evidence/{evidence}/sealed/{report}.pdf", "GET", audits.sealed_pdf),
    ("/reviews/{review}", "GET", reviews.review),
    ("/reviews/{review}/decision", "POST", reviews.decide),
    ("/monitors/{run}", "GET", records.run),
    ("/findings/{finding}", "GET", records.finding),
    ("/ledger", "GET", ledger.ledger),
    ("/ledger/verify", "POST", ledger.verify),
    ("/ledger/verification.json", "GET", ledger.verification),
    ("/ledger/find", "GET", ledger.find),
    ("/ledger/entries/{seq:int}", "GET", ledger_entry.entry),
    ("/ledger/entries/{seq:int}/receipt", "GET", ledger_entry.receipt),
    ("/ledger/checkpoints", "GET", ledger_checkpoints.checkpoints),
    ("/ledger/keys", "GET", ledger_keys.keys),
    ("/ledger/checkpoints/{size:int}", "GET", ledger_checkpoints.checkpoint),
    ("/ledger/checkpoints/{size:int}/note", "GET", ledger_checkpoints.note),
    ("/trail", "GET", trail.search),
    ("/trail/export", "POST", trail.export),
    ("/trail/reviews", "GET", trail.reviews),
    ("/trail/reviews", "POST", trail.open_review),
    ("/trail/reviews/{review}", "GET", trail.review),
    ("/trail/reviews/{review}/signature", "POST", trail.sign_review),
    ("/trail/reviews/{review}/withdrawal", "POST", trail.withdraw_review),
    ("/people", "GET", records.people),
    ("/erasures", "GET", erasures.erasures),
    ("/erasures", "POST", erasures.request),
    ("/erasures/{erasure}", "GET", erasures.erasure),
    ("/erasures/{erasure}/decision", "POST", erasures.decide),
    ("/legal-holds/{hold}", "GET", erasures.legal_hold),
    ("/legal-holds/{hold}/lift", "POST", erasures.lift),
    ("/legal-holds/{hold}/withdraw", "POST", erasures.withdraw),
    ("/console/charts/{digest}/{name}.svg", "GET", audits.chart),
)
# What a session alone may do, also that of somebody whose password is another's choice.
OWN_PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    (PASSWORD_PAGE, "GET", session.password_form),
    (PASSWORD_PAGE, "POST", session.change_password),
    ("/sign-out", "POST", session.sign_out),
)
PUBLIC_PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("/sign-in", "GET", session.sign_in_form),
    ("/sign-in", "POST", session.sign_in),
)


def console_of(desk: Desk) -> ASGIApp:
    """Return the console over a desk."""
    console = Console(desk=desk, templates=Templates(), gallery=Gallery())
    routes = [
        *(
            Route(path, endpoint(console, page, needs=needs), methods=[method])
            for needs, pages in (
                (Needs.NOBODY, PUBLIC_PAGES),
                (Needs.SESSION, OWN_PAGES),
                (Needs.ROLE, PAGES),
            )
            for path, method, page in pages
        ),
        *(_static_route(name, media_type) for name, media_type in STATIC_FILES.items()),
    ]
    return Starlette(routes=routes, exception_handlers=_refusals(console))


def _static_route(name: str, media_type: str) -> Route:
    content = (STATIC / name).read_bytes()

    async def give(_request: Request) -> Response:
        response = Response(content, media_type=media_type)
        response.headers["Cache-Control"] = "no-cache"
        return security.secure(response)

    return Route(f"/console/static/{name}", give, methods=["GET"])


def _refusals(
    console: Console,
) -> dict[Any, Callable[[Request, Exception], Awaitable[Response]]]:
    """Return the pages for what no page of ours answers, and for defects."""

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return show(request, _WRONG_METHOD if status == 405 else _NO_PAGE)

    async def broken(request: Request, _error: Exception) -> Response:
        # The server logs the error itself; a reader learns what it means for the record.
        return show(request, _DEFECT)

    def show(request: Request, problem: Problem) -> Response:
        visit = nobody(console, request)
        page = visit.show("problem.html", status=problem.status, problem=problem)
        return security.secure(page)

    return {HTTPException: refused, Exception: broken}


def _problem(code: str, status: int, detail: str, next_step: str) -> Problem:
    return Problem(code=code, status=status, detail=detail, next_step=next_step, exit_code=1)


_NO_PAGE: Final = _problem(
    "console.no_page", 404, "there is no page at this address", "go back to the first page"
)
_WRONG_METHOD: Final = _problem(
    "console.wrong_method",
    405,
    "this address does not take what was sent",
    "use the form on the page that it belongs to",
)
_DEFECT: Final = _problem(
    "console.defect",
    500,
    "the page failed by a defect of the program; an act stands whole or not at all",
    "look in the ledger whether the act stands, and tell your administrator the time",
)
