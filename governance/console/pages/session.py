"""Sign in and sign out."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from governance.console import security
from governance.console.visit import Visit
from governance.errors import GovernanceError, Problem


def sign_in_form(visit: Visit) -> Response:
    """Show the form."""
    return visit.show("sign_in.html", problem=None, person="")


def sign_in(visit: Visit) -> Response:
    """Open a session, or show the form again with what went wrong; the password is not repeated."""
    person = visit.form.get("person", "").strip()
    try:
        session = visit.desk.sign_in(person=person, password=visit.form.get("password", ""))
    except GovernanceError as error:
        problem = Problem.of(error)
        return visit.show("sign_in.html", status=error.http_status, problem=problem, person=person)
    response = RedirectResponse("/", status_code=303)
    security.set_session(response, session.token, https=visit.https)
    return response


def sign_out(visit: Visit) -> Response:
    """End the session on the server, and take the cookie back."""
    visit.desk.sign_out(visit.request.cookies[security.COOKIE])
    response = RedirectResponse("/sign-in", status_code=303)
    security.clear_session(response, https=visit.https)
    return response
