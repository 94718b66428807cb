"""The OpenAPI document: FastAPI's own, and the hot path, which FastAPI does not know."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from governance.api.problems import SCHEMA
from governance.gate.reasons import REASONS

_TEXT: Final = {"type": "string"}
_REFERENCE: Final = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"}
_NULLABLE_OBJECT: Final = {"type": ["object", "null"]}

_QUESTION: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["rows", "context"],
    "properties": {
        "subject": _REFERENCE,
        "rows": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "context": {
            "type": "object",
            "additionalProperties": False,
            "required": ["purpose"],
            "properties": {
                "purpose": _REFERENCE,
                "market": _REFERENCE,
                "encounter": _REFERENCE,
                "order": _REFERENCE,
                "requester": _REFERENCE,
            },
        },
    },
}

_ROW: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["disposition", "prediction", "uncertainty", "explanation", "reasons"],
    "properties": {
        "disposition": {"enum": ["answered", "abstained"]},
        "prediction": _NULLABLE_OBJECT,
        "uncertainty": _NULLABLE_OBJECT,
        "explanation": _NULLABLE_OBJECT,
        "reasons": {"type": "array", "items": _TEXT},
    },
}

_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["model", "rows", "event_id", "receipt"],
    "properties": {
        "model": {
            "type": "object",
            "required": ["name", "version", "digest"],
            "properties": {"name": _TEXT, "version": _TEXT, "digest": _TEXT},
        },
        "rows": {"type": "array", "items": {"$ref": "#/components/schemas/AnsweredRow"}},
        "fallback": _TEXT,
        "event_id": {"type": "string", "format": "uuid"},
        "receipt": {"type": "object"},
    },
}


def install(app: FastAPI) -> None:
    """Make `app.openapi` return the whole document."""
    known: list[dict[str, Any]] = []
    generate = app.openapi

    def document() -> dict[str, Any]:
        if not known:
            known.append(_completed(generate()))
        return known[0]

    app.openapi = document  # type: ignore[method-assign]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {
        "Problem": SCHEMA,
        "Question": _QUESTION,
        "Answer": _ANSWER,
        "AnsweredRow": _ROW,
    }
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path, item in document["paths"].items():
        for operation in item.values():
            _document_problems(path, operation)
    document["paths"]["/v1/models/{name}/predict"] = {"post": _predict()}
    return document


def _document_problems(path: str, operation: dict[str, Any]) -> None:
    """Name every status that the wrappers and error handlers can give a route."""
    responses = operation["responses"]
    statuses = {400, 408, 413, 500, 503}
    if "security" in operation:
        statuses |= {401, 403, 429}
    if "{" in path:
        statuses.add(404)
    if "parameters" in operation or "requestBody" in operation:
        statuses.add(422)
    if path == "/oauth/token":
        statuses |= {401, 429}
        operation["requestBody"] = _token_form()
        responses["200"] = {"description": "A token", "content": _json(_TOKEN)}
    if path == "/v1/outcomes":
        statuses |= {404, 409}
    for status in sorted(statuses):
        if status == 503 and path == "/readyz":
            responses["503"] = {"description": "Not ready", "content": _json({"type": "object"})}
            continue
        responses[str(status)] = _problem("The reason is in `code`.")


def _predict() -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for reason in REASONS.values():
        codes.setdefault(reason.status, []).append(reason.code)
    codes[500] = ["internal.fault"]
    return {
        "tags": ["answers"],
        "summary": "Ask a model",
        "description": "One disposition a row. Every answer, and every refusal but 401, 429 and "
        "503, is an entry of the ledger and carries its receipt.",
        "operationId": "predict",
        "security": [{"OAuth2": ["infer:{model}"]}],
        "parameters": [
            {"name": "name", "in": "path", "required": True, "schema": _TEXT},
            {
                "name": "Idempotency-Key",
                "in": "header",
                "schema": {"type": "string", "maxLength": 128, "pattern": "^[!-~]+$"},
            },
        ],
        "requestBody": {
            "required": True,
            "content": _json({"$ref": "#/components/schemas/Question"}),
        },
        "responses": {
            "200": {
                "description": "Answered or abstained, row by row",
                "content": _json({"$ref": "#/components/schemas/Answer"}),
            },
            **{
                str(status): _problem("Codes: " + ", ".join(found))
                for status, found in sorted(codes.items())
            },
        },
    }


_TOKEN: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["access_token", "token_type", "expires_in", "scope"],
    "properties": {
        "access_token": _TEXT,
        "token_type": {"const": "Bearer"},
        "expires_in": {"type": "integer"},
        "scope": _TEXT,
    },
}


def _token_form() -> dict[str, Any]:
    fields = ("client_id", "client_secret", "scope")
    schema = {
        "type": "object",
        "required": ["grant_type"],
        "properties": {
            "grant_type": {"const": "client_credentials"},
            **dict.fromkeys(fields, _TEXT),
        },
    }
    return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _problem(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
