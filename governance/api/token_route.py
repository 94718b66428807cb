"""POST /oauth/token: client credentials for a token of a few minutes (RFC 6749 section 4.4).

An unknown client costs the same password check as a known one, so the answer's time does not tell
which clients exist. Each check takes a third of a second on purpose and `adapters.passwords` bounds
how many run at once; each peer and each client may try a few times a minute.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from governance.adapters.passwords import password_matches
from governance.api.context import Context, context_of
from governance.api.limits import RateLimit
from governance.api.problems import respond_problem
from governance.clock import MICROSECONDS
from governance.registry.records import ServiceClient
from governance.storage import private

TRIES_PER_MINUTE: Final = 20
_FIELD_MAX: Final = 1024


def token_router() -> APIRouter:
    """Return the route with its own limits."""
    router = APIRouter()
    tries = RateLimit(per_minute=TRIES_PER_MINUTE)

    @router.post("/oauth/token", tags=["identity"], summary="Get a token")
    async def token(request: Request) -> Response:
        """Exchange a client's id and secret for a bearer token; `scope` may narrow it."""
        context = context_of(request)
        form = _form(await request.body(), request.headers.get("content-type", ""))
        if form is None or form.get("grant_type") != "client_credentials":
            return _oauth_problem("unsupported_grant_type", 400, "The grant type is another.")
        client, secret = _credentials(request.headers.get("authorization"), form)
        now_us = context.deployment.clock.now_us()
        peer = request.client.host if request.client else "unknown"
        wait_us = max(
            tries.wait_us(f"peer {peer}", now_us=now_us),
            tries.wait_us(f"client {client[:64]}", now_us=now_us),
        )
        if wait_us:
            return _too_many(wait_us)
        return await run_in_threadpool(_grant, context, client, secret, form.get("scope"))

    return router


def _grant(context: Context, client_id: str, secret: str, wanted: str | None) -> Response:
    with context.deployment.reader() as reader:
        client = reader.get(ServiceClient, client_id)
        stored = private.client_secret(reader, client_id)
    matches = password_matches(None if stored is None else stored[0], secret)
    if not matches or client is None or client.disabled:
        return _oauth_problem("invalid_client", 401, "The client or its secret is not right.")
    permitted = frozenset(client.permissions.split())
    scopes = permitted if wanted is None else frozenset(wanted.split())
    if not scopes or not scopes <= permitted:
        return _oauth_problem("invalid_scope", 400, "A scope is not one of the client's.")
    text, seconds = context.authority.issue(
        client=client.id,
        scopes=scopes,
        secret_epoch=client.secret_epoch,
        now_us=context.deployment.clock.now_us(),
    )
    return _Granted(text, seconds, scopes)


class _Granted(Response):
    media_type = "application/json"

    def __init__(self, text: str, seconds: int, scopes: frozenset[str]) -> None:
        body = (
            f'{{"access_token":"{text}","token_type":"Bearer","expires_in":{seconds},'
            f'"scope":"{" ".join(sorted(scopes))}"}}'
        )
        super().__init__(body)


def _form(body: bytes, media_type: str) -> dict[str, str] | None:
    """Read the form; a field that comes twice is nobody's (RFC 6749 section 3.2)."""
    if media_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return None
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10, strict_parsing=bool(body))
    except ValueError:
        return None
    if any(len(values) > 1 or len(values[0]) > _FIELD_MAX for values in fields.values()):
        return None
    return {name: values[0] for name, values in fields.items()}


def _credentials(authorization: str | None, form: dict[str, str]) -> tuple[str, str]:
    """Return id and secret from HTTP Basic, or from the form where there is no header."""
    if authorization is None:
        return form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, rest = authorization.partition(" ")
    try:
        pair = base64.b64decode(rest.strip(), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        pair = ""
    client, colon, secret = pair.partition(":")
    if scheme.lower() != "basic" or not colon:
        return "", ""
    return unquote_plus(client), unquote_plus(secret)


def _too_many(wait_us: int) -> Response:
    return respond_problem(
        code="identity.rate_limited",
        status=429,
        detail="Too many tries for a token.",
        next_step="Keep a token until it expires; wait before trying again.",
        headers={"Retry-After": str(-(-wait_us // MICROSECONDS))},
    )


def _oauth_problem(error: str, status: int, detail: str) -> Response:
    """Return problem details that also hold RFC 6749's own member `error`."""
    headers = {"WWW-Authenticate": 'Basic realm="oncovigil"'} if status == 401 else None
    return respond_problem(
        code=f"identity.{error}",
        status=status,
        detail=detail,
        next_step="Send grant_type=client_credentials as a form, with the client's id and secret "
        "and scopes that it holds.",
        headers=headers,
        error=error,
    )
