"""How a browser is held: headers of every response, the session cookie, and whose form it is.

A POST counts only if it comes from one of our own pages: the browser says so (`Sec-Fetch-Site`,
`Origin`), and the form carries the token of the session (compared in constant time). The sign-in
form has no session yet and rests on the first. The cookie is SameSite=Strict besides.
"""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from governance.errors import Forbidden

COOKIE: Final = "vigil_session"
FORM_TOKEN: Final = "csrf"  # noqa: S105 - the name of a field

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": browsers would then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class ForeignForm(Forbidden):
    """A form was posted that none of our pages gave to this session."""

    code = "console.foreign_form"


def secure(response: Response) -> Response:
    """Set the headers of every response; one that is set already is left."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def set_session(response: Response, token: str, *, https: bool) -> None:
    """Give the browser the session's token: for this site only, out of reach of scripts."""
    response.set_cookie(COOKIE, token, path="/", httponly=True, secure=https, samesite="strict")


def clear_session(response: Response, *, https: bool) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, secure=https, samesite="strict")


def require_same_origin(request: Request) -> None:
    """Raise ForeignForm where the browser says that another site sent the form."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        raise _foreign()
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise _foreign()


def require_form_token(given: str, expected: str) -> None:
    """Raise ForeignForm unless the form carries the session's token."""
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise _foreign()


def _foreign() -> ForeignForm:
    return ForeignForm(
        "this form did not come from a page of this session, so nothing was done",
        next_step="open the page again and repeat the act there",
    )
