"""The door for people's programs: every operation of the catalogue, under a person's session.

POST /session opens a session (the command `vigil login`), POST /operations/{name} performs an
operation as that person. The session's token travels in the Authorization header and never in a
cookie, so no other site's page can use it. It is the same on the home's Unix socket and on the
network: reaching the socket is no identity.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from governance.api.asgi import App, Receive, Scope, Send
from governance.api.guard import INTERNAL
from governance.api.limits import read_body
from governance.codecs import json_v1
from governance.deployment import Deployment
from governance.errors import InvalidInput, Problem, Unauthenticated
from governance.gate.reasons import Refusal
from governance.operations import catalogue
from governance.operations.admin.sign_in import actor_of_session, sign_in, sign_out

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
"""A registered table travels as text; nothing that a person registers is larger."""

_SCHEME: Final = "Bearer "


def is_operation(path: str) -> bool:
    """Whether the path is one of this door's."""
    return path == "/session" or path.startswith("/operations/")


def operations_door(deployment: Deployment) -> App:
    """Return the ASGI application over an open deployment."""

    async def performed(request: Request) -> Response:
        params = await _params(request)
        return await run_in_threadpool(_perform, deployment, request, params)

    async def session(request: Request) -> Response:
        if request.method == "DELETE":
            return await run_in_threadpool(_close, deployment, request)
        params = await _params(request)
        return await run_in_threadpool(_open, deployment, params)

    app = Starlette(
        routes=[
            Route("/session", _safely(session), methods=["POST", "DELETE"]),
            Route("/operations/{name}", _safely(performed), methods=["POST"]),
        ]
    )

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return door


def _safely(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
    async def safe(request: Request) -> Response:
        try:
            response: Response = await endpoint(request)
        except Exception as error:
            problem = Problem.of(error)
            if problem is None:
                _tell(INTERNAL)
                raise
            return _tell(problem)
        return response

    return safe


def _tell(problem: Problem) -> Response:
    return Response(
        json_v1.problem(
            code=problem.code,
            status=problem.status,
            detail=problem.detail,
            next_step=problem.next_step,
            exit_code=problem.exit_code,
        ),
        status_code=problem.status,
        media_type=json_v1.PROBLEM_TYPE,
    )


async def _params(request: Request) -> dict[str, Any]:
    body = await read_body(request.scope, request.receive, bytes_max=BODY_BYTES_MAX)
    if isinstance(body, Refusal):
        raise InvalidInput(
            f"the request is larger than {BODY_BYTES_MAX} bytes or did not arrive",
            next_step="send less at once",
        )
    try:
        params = json.loads(body)
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise InvalidInput(
            "the request is not a JSON object",
            next_step="use the command line, or send the operation's parameters as an object",
        )
    return params


def _perform(deployment: Deployment, request: Request, params: dict[str, Any]) -> Response:
    actor, _csrf = actor_of_session(deployment, token=_token(request))
    result = catalogue.perform(deployment, actor, request.path_params["name"], params)
    return JSONResponse(result.model_dump(mode="json"))


def _open(deployment: Deployment, params: dict[str, Any]) -> Response:
    person, password = params.get("person"), params.get("password")
    if not isinstance(person, str) or not isinstance(password, str):
        raise InvalidInput(
            "a session needs person and password", next_step="use `vigil login PERSON`"
        )
    opened = sign_in(deployment, person=person, password=password)
    return JSONResponse(
        {
            "token": opened.token,
            "person": opened.actor.person,
            "printed_name": opened.actor.printed_name,
            "expires_us": opened.expires_us,
        }
    )


def _close(deployment: Deployment, request: Request) -> Response:
    sign_out(deployment, token=_token(request))
    return JSONResponse({})


def _token(request: Request) -> str:
    header = request.headers.get("authorization", "")
    if not header.startswith(_SCHEME):
        raise Unauthenticated(
            "the request carries no session", next_step="sign in first: `vigil login PERSON`"
        )
    return header[len(_SCHEME) :]
