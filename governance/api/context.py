"""What the ordinary routes share: the deployment, and who is calling with which permission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Request, Security
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import OAuth2, SecurityScopes

from governance.adapters.tokens import TokenAuthority
from governance.api.asgi import CHALLENGE, Headers, headers_of
from governance.api.authentication import Authentication
from governance.api.limits import RateLimit, too_many
from governance.api.metrics import Metrics
from governance.deployment import Deployment
from governance.errors import Forbidden
from governance.gate.ask import Caller
from governance.gate.reasons import Refusal
from governance.serving.state import ServingState

READ: Final = "read"
OUTCOMES: Final = "outcomes:write"

SCOPES: Final = {
    "infer:{model}": "Ask the model.",
    OUTCOMES: "Deliver what later happened.",
    READ: "Read the registry, reviews and receipts.",
}


class RequestRefused(Exception):
    """A refusal out of the gate's catalogue, met by an ordinary route; it is only counted."""

    def __init__(self, refusal: Refusal, headers: Headers) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The parts of one running server."""

    deployment: Deployment
    authentication: Authentication
    authority: TokenAuthority
    state: ServingState
    metrics: Metrics
    rate: RateLimit


# Shown in OpenAPI; the check itself is ours, below.
_OAUTH2: Final = OAuth2(
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(tokenUrl="/oauth/token", scopes=SCOPES)
    ),
    auto_error=False,
)


def context_of(request: Request) -> Context:
    """Return the server's parts."""
    context: Context = request.app.state.context
    return context


async def calling(
    request: Request,
    scopes: SecurityScopes,
    _shown: Annotated[str | None, Security(_OAUTH2)],
) -> Caller:
    """Return the caller; raise where it is unknown, too fast, or lacks one of the scopes.

    On the event loop, not in a thread: the kept tokens and budgets are shared with the hot path.
    """
    context = context_of(request)
    now_us = context.deployment.clock.now_us()
    credential = headers_of(request.scope).get(b"authorization")
    found = context.authentication.caller(credential, now_us=now_us)
    if isinstance(found, Refusal):
        raise RequestRefused(found, [CHALLENGE])
    wait_us = context.rate.wait_us(found.client, now_us=now_us)
    if wait_us:
        raise RequestRefused(*too_many(wait_us))
    for scope in scopes.scopes:
        if not found.may(scope):
            raise Forbidden(
                f"the client does not hold the permission {scope}, or its token leaves it out",
                next_step="ask an administrator for it, then get a token with that scope",
            )
    return found


AnyCaller = Annotated[Caller, Security(calling)]
ReadingCaller = Annotated[Caller, Security(calling, scopes=[READ])]
OutcomeCaller = Annotated[Caller, Security(calling, scopes=[OUTCOMES])]
