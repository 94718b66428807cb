"""Sign in, choose one's own password, sign out."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from governance.console import security
from governance.console.visit import Visit
from governance.errors import GovernanceError, InvalidInput, Problem


def sign_in_form(visit: Visit) -> Response:
    """Show the form."""
    return visit.show("sign_in.html", problem=None, person="")


def sign_in(visit: Visit) -> Response:
    """Open a session, or show the form again with what went wrong; the password is not repeated."""
    person = visit.form.get("person", "").strip()
    try:
        session = visit.desk.sign_in(
            person=person, password=visit.form.get("password", ""), peer=visit.peer
        )
    except GovernanceError as error:
        problem = Problem.of(error)
        return visit.show("sign_in.html", status=error.http_status, problem=problem, person=person)
    response = RedirectResponse("/", status_code=303)
    security.set_session(response, session.token, https=visit.https)
    return response


def password_form(visit: Visit) -> Response:
    """Show the form for one's own password."""
    return visit.show("password.html", problem=None, changed=False)


def change_password(visit: Visit) -> Response:
    """Change the password, or show the form again with what went wrong; no password is repeated."""
    try:
        if visit.form.get("new", "") != visit.form.get("again", ""):
            raise InvalidInput(
                "the new password was not typed twice alike, so nothing was changed",
                next_step="type it again, twice",
            )
        visit.desk.perform(
            visit.actor,
            "person.change_password",
            {"old": visit.form.get("old", ""), "new": visit.form.get("new", "")},
        )
    except GovernanceError as error:
        # A wrong password does not end the session by itself: it is told beside the form.
        status = 403 if error.http_status == 401 else error.http_status
        return visit.show("password.html", status=status, problem=Problem.of(error), changed=False)
    if visit.actor.must_change:
        return RedirectResponse("/", status_code=303)
    return visit.show("password.html", problem=None, changed=True)


def sign_out(visit: Visit) -> Response:
    """End the session on the server, and take the cookie back."""
    visit.desk.sign_out(visit.request.cookies[security.COOKIE])
    response = RedirectResponse("/sign-in", status_code=303)
    security.clear_session(response, https=visit.https)
    return response
