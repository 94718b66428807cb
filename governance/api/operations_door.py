"""The door for people's programs: every operation of the catalogue, under a person's session.

POST /session opens a session (the command `vigil login`), POST /operations/{name} performs an
operation as that person. The session's token travels in the Authorization header and never in a
cookie, so no other site's page can use it. It is the same on the home's Unix socket and on the
network: reaching the socket is no identity.

Who calls is known before the body is read, and somebody unknown can send no more than a name and a
password. Bodies are parsed away from the event loop, and no error repeats what was sent (P15).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from governance.api.asgi import App, Receive, Scope, Send
from governance.api.guard import INTERNAL, log_fault
from governance.api.limits import ClientGone, read_body
from governance.codecs import json_v1
from governance.deployment import Deployment
from governance.errors import InvalidInput, Problem, Unauthenticated
from governance.gate.reasons import Refusal
from governance.operations import catalogue
from governance.operations.actor import Actor
from governance.operations.admin.sign_in import (
    LOCAL_PEER,
    actor_of_session,
    sign_in,
    sign_out,
)

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
"""A registered table travels as text; nothing that a person registers is larger."""

SMALL_BYTES_MAX: Final = 4 * 1024
"""What somebody may send who has no role here, or no password of their own: names, passwords."""

SIGN_INS_AT_ONCE: Final = 4
"""Further ones wait without holding a thread; passwords are checked two at once in any case."""

_SCHEME: Final = "Bearer "


def is_operation(path: str) -> bool:
    """Whether the path is one of this door's."""
    return path == "/session" or path.startswith("/operations/")


def operations_door(deployment: Deployment) -> App:
    """Return the ASGI application over an open deployment."""
    checking = anyio.CapacityLimiter(SIGN_INS_AT_ONCE)

    async def performed(request: Request) -> Response:
        actor = await run_in_threadpool(_actor, deployment, request)
        trusted = bool(actor.grants) and not actor.must_change
        body = await _body(request, bytes_max=BODY_BYTES_MAX if trusted else SMALL_BYTES_MAX)
        name = request.path_params["name"]
        return await run_in_threadpool(_perform, deployment, actor, name, body)

    async def session(request: Request) -> Response:
        if request.method == "DELETE":
            return await run_in_threadpool(_close, deployment, request)
        body = await _body(request, bytes_max=SMALL_BYTES_MAX)
        peer = request.client.host if request.client else LOCAL_PEER
        return await anyio.to_thread.run_sync(_open, deployment, body, peer, limiter=checking)

    app = Starlette(
        routes=[
            Route("/session", _safely(session), methods=["POST", "DELETE"]),
            Route("/operations/{name}", _safely(performed), methods=["POST"]),
        ]
    )

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return door


def _safely(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Answer whatever is raised; a fault is logged by its place and goes no further (P15)."""

    async def safe(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - nothing behind this may quote the request
            problem = Problem.of(error)
            if problem is None:
                log_fault(error)
                problem = INTERNAL
        return _tell(problem)

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


async def _body(request: Request, *, bytes_max: int) -> bytes:
    body = await read_body(request.scope, request.receive, bytes_max=bytes_max)
    if isinstance(body, Refusal):
        raise InvalidInput(
            f"the request is larger than {bytes_max} bytes or did not arrive",
            next_step="send less at once",
        )
    return body


def _params(body: bytes) -> dict[str, Any]:
    """Return the object in the body. A text with half a character is none: nothing stores it."""
    try:
        text = body.decode("utf-8")
        params = json.loads(text)
        if "\\u" in text:
            json.dumps(params, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        params = None
    if not isinstance(params, dict):
        raise InvalidInput(
            "the request is not a JSON object",
            next_step="use the command line, or send the operation's parameters as an object",
        )
    return params


def _actor(deployment: Deployment, request: Request) -> Actor:
    return actor_of_session(deployment, token=_token(request))[0]


def _perform(deployment: Deployment, actor: Actor, name: str, body: bytes) -> Response:
    result = catalogue.perform(deployment, actor, name, _params(body))
    return JSONResponse(result.model_dump(mode="json"))


def _open(deployment: Deployment, body: bytes, peer: str) -> Response:
    params = _params(body)
    person, password = params.get("person"), params.get("password")
    if not isinstance(person, str) or not isinstance(password, str):
        raise InvalidInput(
            "a session needs person and password", next_step="use `vigil login PERSON`"
        )
    opened = sign_in(deployment, person=person, password=password, peer=peer)
    return JSONResponse(
        {
            "token": opened.token,
            "person": opened.actor.person,
            "printed_name": opened.actor.printed_name,
            "expires_us": opened.expires_us,
            "must_change_password": opened.actor.must_change,
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
