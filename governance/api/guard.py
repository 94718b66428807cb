"""What wraps every request alike, hot path and ordinary route: headers, counting, last resort.

An error that a route lets through becomes problem details here, in one place. A fault of the
program is logged by type and place, without its message: the message may quote data (P15).
"""

from __future__ import annotations

import logging
from typing import Final

from governance.api.asgi import PROBLEM, App, Headers, Message, Receive, Scope, Send, respond
from governance.api.limits import ClientGone
from governance.api.metrics import Metrics
from governance.codecs import json_v1
from governance.errors import Problem

# Answers are for machines: no page may frame, sniff, keep or run any of them. The console sets its
# own, so a header that is there already stays.
HEADERS: Final[Headers] = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]

_log = logging.getLogger(__name__)


def guarded(app: App, *, metrics: Metrics) -> App:
    """Return `app` with security headers, counting, and an answer to whatever it raises."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        started = False

        async def send_secured(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _secure(message["headers"])
                metrics.request(_route(scope), message["status"])
            await send(message)

        try:
            await app(scope, receive, send_secured)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the last resort of every request
            if started:
                log_fault(error)
            else:
                await _respond_error(error, send_secured, metrics)

    return guard


def _secure(headers: Headers) -> None:
    present = {name for name, _ in headers}
    headers.extend(item for item in HEADERS if item[0] not in present)


def _route(scope: Scope) -> str:
    """Return the route's own name, never the path: a path is the caller's text (P15)."""
    route = scope.get("route")
    return str(getattr(route, "path", "other"))


async def _respond_error(error: Exception, send: Send, metrics: Metrics) -> None:
    problem = Problem.of(error)
    if problem is None:
        log_fault(error)
        problem = INTERNAL
    metrics.refusal(problem.code)
    body = json_v1.problem(
        code=problem.code,
        status=problem.status,
        detail=problem.detail,
        next_step=problem.next_step,
    )
    await respond(send, problem.status, [PROBLEM], body)


INTERNAL: Final = Problem(
    code="internal.fault",
    status=500,
    detail="The program made a mistake; nothing was answered.",
    next_step="Use the model's fallback; tell the operator the time of the request.",
    exit_code=1,
)


def log_fault(error: Exception) -> None:
    """Log a fault of the program by its type and place, never by its message."""
    trace, place = error.__traceback__, "unknown"
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    _log.error("unhandled %s at %s", type(error).__name__, place)
