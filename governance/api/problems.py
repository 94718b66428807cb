"""Problem details (RFC 9457) of the ordinary routes: one shape whatever raised the error."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from audits.errors import AuditError
from change_control.errors import ChangeControlError
from governance.api.context import RequestRefused, context_of
from governance.api.guard import INTERNAL
from governance.codecs import json_v1
from governance.errors import GovernanceError, Problem
from models.errors import ModelError

SCHEMA: Final[dict[str, object]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "next_step"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence; names fields, never values."},
        "code": {"type": "string", "description": "Stable; programs match on it."},
        "next_step": {"type": "string", "description": "What the reader can do."},
        "reasons": {"type": "array", "items": {"type": "string"}},
        "fallback": {"type": "string", "description": "What a user does without an answer."},
        "event_id": {"type": "string", "format": "uuid"},
        "receipt": {"type": "object"},
    },
}

_NEXT: Final = {
    404: "GET /openapi.json lists every address.",
    405: "Use a method that the header Allow names.",
}


def respond_problem(
    *,
    code: str,
    status: int,
    detail: str,
    next_step: str,
    headers: dict[str, str] | None = None,
    **members: object,
) -> Response:
    """Return a response of problem details."""
    return Response(
        json_v1.problem(code=code, status=status, detail=detail, next_step=next_step, **members),
        status_code=status,
        headers=headers,
        media_type=json_v1.PROBLEM_TYPE,
    )


def install(app: FastAPI) -> None:
    """Make every error of the ordinary routes a problem; Allow and WWW-Authenticate stay."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(RequestRefused, _refused)
    for root in (GovernanceError, ChangeControlError, ModelError, AuditError):
        app.add_exception_handler(root, _raised)
    # What is left is a fault of the program: answered here, then raised on to the guard's log.
    app.add_exception_handler(Exception, _raised)


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = json_v1.TITLES.get(error.status_code, "Error")
    return respond_problem(
        code=f"http.{title.lower().replace(' ', '_')}",
        status=error.status_code,
        detail=f"{title}.",
        next_step=_NEXT.get(error.status_code, "Read docs/reference/http.md."),
        headers=dict(error.headers or {}),
    )


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefused)
    context_of(request).metrics.refusal(error.refusal.code)
    return Response(
        json_v1.encode_refusal((error.refusal,)),
        status_code=error.refusal.status,
        headers={name.decode(): value.decode() for name, value in error.headers},
        media_type=json_v1.PROBLEM_TYPE,
    )


async def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [_fault(fault["loc"], fault["type"]) for fault in error.errors()]
    return respond_problem(
        code="input.invalid",
        status=422,
        detail="; ".join(faults),
        next_step="Correct the named fields and send the request again.",
    )


def _fault(place: tuple[str | int, ...], kind: str) -> str:
    """Say which field is wrong and how; the name of an undeclared one is the caller's (P15)."""
    known = place[:-1] if kind == "extra_forbidden" else place
    return f"{'.'.join(str(part) for part in known)}: {kind.replace('_', ' ')}"


async def _raised(_request: Request, error: Exception) -> Response:
    problem = Problem.of(error) or INTERNAL
    return respond_problem(
        code=problem.code,
        status=problem.status,
        detail=problem.detail,
        next_step=problem.next_step,
    )
