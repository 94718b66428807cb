"""One request to the console: who asks, what was sent, and how a page answers.

A page is a plain function from a visit to a response. It runs in a worker thread, because it reads
the database; the form is read before, with a limit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from governance.console import security
from governance.console.desk import Desk
from governance.console.rendering import Templates
from governance.errors import InvalidInput, Problem, Unauthenticated
from governance.operations.actor import Actor, PasswordMustChange
from governance.operations.admin.sign_in import LOCAL_PEER
from governance.operations.inspect.log_before import LogBefore
from governance.reports.chart import Chart, Gallery

MOST_FORM_BYTES: Final = 64 * 1024
MOST_FIELDS: Final = 20
PASSWORD_PAGE: Final = "/password"  # noqa: S105 - an address
_FORM_TYPE: Final = "application/x-www-form-urlencoded"


class FormRefused(InvalidInput):
    """What was posted is not a form of the console."""

    code = "console.form_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The parts that every page shares."""

    desk: Desk
    templates: Templates
    gallery: Gallery


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request. `who` is None only on the pages that need nobody."""

    console: Console
    request: Request
    form: Mapping[str, str]
    who: Actor | None
    csrf: str
    now_us: int

    @property
    def desk(self) -> Desk:
        """The deployment."""
        return self.console.desk

    @property
    def actor(self) -> Actor:
        """The signed-in person, or raise Unauthenticated."""
        if self.who is None:
            raise Unauthenticated(
                "nobody is signed in", next_step="sign in, then open the page again"
            )
        return self.who

    @property
    def log_before(self) -> LogBefore:
        """The logs before this one, whose numbers of entries are not opened here."""
        first = self.desk.ledger_entry(0)
        return LogBefore.of(first.facts, first.t_us)

    @property
    def peer(self) -> str:
        """Where the request comes from."""
        return self.request.client.host if self.request.client else LOCAL_PEER

    @property
    def https(self) -> bool:
        """Whether the browser speaks to us over TLS."""
        return self.request.url.scheme == "https"

    def path(self, name: str) -> str:
        """Return a part of the address."""
        return str(self.request.path_params[name])

    def show(self, template: str, *, status: int = 200, **values: object) -> Response:
        """Return a page."""
        return self.console.templates.page(
            template,
            status=status,
            actor=self.who,
            csrf=self.csrf,
            now_us=self.now_us,
            organisation=self.desk.organisation,
            deployment=self.desk.deployment,
            path=self.request.url.path,
            **values,
        )

    def picture(self, chart: Chart) -> str:
        """Draw a chart unless it is drawn already, and return its address."""
        return f"/console/charts/{self.console.gallery.hang(chart)}/{chart.name}.svg"


Page = Callable[[Visit], Response]


class Needs(Enum):
    """What a page needs of whoever opens it."""

    NOBODY = "nobody"
    SESSION = "a session"
    ROLE = "a session, a password of one's own, and a role"


def endpoint(
    console: Console, page: Page, *, needs: Needs = Needs.ROLE
) -> Callable[[Request], Awaitable[Response]]:
    """Return the ASGI endpoint of a page, shown to those who have what it needs."""

    async def answer(request: Request) -> Response:
        try:
            form = await _form(request)
        except FormRefused as error:
            return security.secure(_problem(nobody(console, request), Problem.of(error)))
        return security.secure(
            await run_in_threadpool(_answer, console, page, request, form, needs)
        )

    return answer


def _answer(
    console: Console, page: Page, request: Request, form: Mapping[str, str], needs: Needs
) -> Response:
    visit = nobody(console, request)
    try:
        if request.method == "POST":
            security.require_same_origin(request)
        if needs is Needs.NOBODY:
            return page(_with_form(visit, form))
        visit = _somebody(console, request, form)
        if request.method == "POST":
            security.require_form_token(form.get(security.FORM_TOKEN, ""), visit.csrf)
        if needs is Needs.ROLE:
            visit.actor.require_some_role()
        return page(visit)
    except PasswordMustChange:
        return RedirectResponse(PASSWORD_PAGE, status_code=303)
    except Unauthenticated as error:
        return _to_sign_in(visit, request, error)
    except Exception as error:
        problem = Problem.of(error)
        if problem is None:
            raise
        return _problem(visit, problem)


def nobody(console: Console, request: Request) -> Visit:
    """Return the visit of somebody who is not known."""
    return Visit(
        console=console, request=request, form={}, who=None, csrf="", now_us=console.desk.now_us()
    )


def _with_form(visit: Visit, form: Mapping[str, str]) -> Visit:
    return Visit(
        console=visit.console,
        request=visit.request,
        form=form,
        who=None,
        csrf="",
        now_us=visit.now_us,
    )


def _somebody(console: Console, request: Request, form: Mapping[str, str]) -> Visit:
    actor, csrf = console.desk.actor_of_session(request.cookies.get(security.COOKIE, ""))
    return Visit(
        console=console,
        request=request,
        form=form,
        who=actor,
        csrf=csrf,
        now_us=console.desk.now_us(),
    )


def _to_sign_in(visit: Visit, request: Request, error: Unauthenticated) -> Response:
    """Send a reader to the sign-in page; a wrong password is told on the page that asked for it."""
    if visit.who is not None:
        problem = Problem.of(error)
        return _problem(visit, problem)
    response = RedirectResponse("/sign-in", status_code=303)
    if security.COOKIE in request.cookies:
        security.clear_session(response, https=visit.https)
    return response


def _problem(visit: Visit, problem: Problem | None) -> Response:
    if problem is None:  # pragma: no cover - only errors with a problem come here
        raise RuntimeError("an error without a problem")
    return visit.show("problem.html", status=problem.status, problem=problem)


async def _form(request: Request) -> dict[str, str]:
    """Read a form within its limits. Of a repeated field the last value counts."""
    if request.method != "POST":
        return {}
    if request.headers.get("content-type", "").split(";")[0].strip() != _FORM_TYPE:
        raise FormRefused(
            "the console takes only forms", next_step="use the page, or the API for programs"
        )
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM_BYTES:
            raise FormRefused(
                f"the form is larger than {MOST_FORM_BYTES // 1024} KiB",
                next_step="shorten the text and send it again",
            )
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise FormRefused(
            "the form cannot be read", next_step="open the page again and repeat the act"
        ) from error
    return dict(fields)
