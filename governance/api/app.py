"""The server's ASGI application: one router in front of a hot path and an ordinary FastAPI app.

request -> guard (headers, counting, last resort)
             |- POST /v1/models/{name}/predict -> PredictRoute
             |- /session, /operations/{name} -> the operations' door, with limits of its own
             `- everything else -> bounded body -> FastAPI
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol, cast

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from governance import __version__
from governance.adapters.tokens import TokenAuthority
from governance.api import (
    health_routes,
    ledger_routes,
    openapi,
    outcome_routes,
    problems,
    registry_routes,
    tile_routes,
)
from governance.api.asgi import App, Message, Receive, Scope, Send, respond_refusal
from governance.api.authentication import Authentication
from governance.api.context import Context
from governance.api.guard import guarded
from governance.api.hot_path import PredictRoute, is_predict
from governance.api.limits import RateLimit, read_body
from governance.api.metrics import Metrics
from governance.api.operations_door import is_operation
from governance.api.token_route import token_router
from governance.deployment import Deployment
from governance.errors import GovernanceError
from governance.gate.reasons import Refusal
from governance.operations.trail.check_trail_overdue import raise_trail_overdue
from governance.operations.watch.check_overdue import raise_overdue
from governance.registry.records import ServiceClient
from governance.serving.answer import Answers
from governance.serving.artifacts import Artifacts
from governance.serving.state import ServingState

ARTIFACT_SECONDS: Final = 60
SILENCE_SECONDS: Final = 3600
"""Between two full checks of the artifacts in service; see `governance.serving.artifacts`."""

_log = logging.getLogger(__name__)


class _StandingPen(Protocol):
    """What serving needs of the pen beside `ports.Pen`."""

    @property
    def standing_epoch(self) -> int: ...


def create_app(
    deployment: Deployment,
    *,
    mount: Mapping[str, ASGIApp] | None = None,
    door: App | None = None,
) -> App:
    """Return the application over an open deployment.

    `mount` adds applications by path prefix, tried after our own routes (the console at "/");
    `door` is the operations' door.
    """
    clock, limits = deployment.clock, deployment.home.config.limits
    authority = TokenAuthority(key=deployment.home.token_key(), issuer=deployment.home.origin)
    authentication = Authentication(
        authority=authority, client=lambda name: _client(deployment, name)
    )
    state = ServingState(
        read=deployment.reader,
        epoch_of=lambda: cast("_StandingPen", deployment.pen).standing_epoch,
        artifacts=Artifacts(root=deployment.home.artifacts_dir),
    )
    metrics = Metrics()
    rate = RateLimit(per_minute=limits.requests_per_minute)
    predict = PredictRoute(
        answers=Answers(state=state, pen=deployment.pen, keys=deployment.keys),
        authentication=authentication,
        clock=clock,
        limits=limits,
        rate=rate,
        metrics=metrics,
    )
    context = Context(
        deployment=deployment,
        authentication=authentication,
        authority=authority,
        state=state,
        metrics=metrics,
        rate=rate,
    )
    ordinary = _ordinary(context, mount or {})
    bounded = _bounded(ordinary, bytes_max=limits.max_body_bytes)
    return guarded(_routed(predict, bounded, door or bounded, lifespan=ordinary), metrics=metrics)


def _routed(predict: App, bounded: App, door: App, *, lifespan: App) -> App:
    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await lifespan(scope, receive, send)
        elif is_predict(scope["path"]):
            await predict(scope, receive, send)
        elif is_operation(scope["path"]):
            await door(scope, receive, send)
        else:
            await bounded(scope, receive, send)

    return route


def _bounded(app: App, *, bytes_max: int) -> App:
    """Read the body under the same limits as the hot path, then hand it on whole."""

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(scope, receive, bytes_max=bytes_max)
        if isinstance(body, Refusal):
            await respond_refusal(send, body)
            return
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_whole() -> Message:
            return waiting.pop() if waiting else await receive()

        await app(scope, receive_whole, send)

    return bounded


def _ordinary(context: Context, mount: Mapping[str, ASGIApp]) -> App:
    app = FastAPI(
        title="OncoVigil",
        version=__version__,
        summary="The gate and registry of governed AI models.",
        # Their pages load scripts from a third party (P15); the document itself stays.
        docs_url=None,
        redoc_url=None,
        lifespan=lambda _app: _running(context),
    )
    app.state.context = context
    for router in (
        token_router(),
        registry_routes.router,
        outcome_routes.router,
        ledger_routes.router,
        tile_routes.router,
        health_routes.router,
    ):
        app.include_router(router)
    problems.install(app)
    openapi.install(app)
    for path, part in mount.items():
        app.mount(path, part)
    return cast("App", app)


@asynccontextmanager
async def _running(context: Context) -> AsyncIterator[None]:
    """Load what is in service before the first question, and keep checking it while we run."""
    now_us = context.deployment.clock.now_us()
    await run_in_threadpool(context.state.artifact_faults, now_us=now_us)
    tasks = [
        asyncio.create_task(_check_artifacts(context.state.artifacts)),
        asyncio.create_task(_check_silence(context.deployment)),
    ]
    # What a start builds lives as long as the server. Otherwise the collector walks all of it
    # whenever answers in flight have filled its younger generations.
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _check_silence(deployment: Deployment) -> None:
    """Raise monitors whose run did not come and a trail that nobody reviewed (P12)."""
    while True:
        await asyncio.sleep(SILENCE_SECONDS)
        try:
            raised = await run_in_threadpool(raise_overdue, deployment)
            late = await run_in_threadpool(raise_trail_overdue, deployment)
        except GovernanceError as error:  # the next hour tries again
            _log.error("monitors and the trail could not be checked for silence: %s", error)
            continue
        except Exception:  # noqa: BLE001
            # Whatever it is, a watch that ended would be missed by nobody (P12).
            _log.exception("monitors and the trail could not be checked for silence")
            continue
        for one in raised:
            _log.warning("%s of %s is overdue: %s", one.monitor, one.version, one.review)
        for late_one in late.raised:
            _log.warning("the review of the trail is overdue: %s", late_one.review)


async def _check_artifacts(artifacts: Artifacts) -> None:
    while True:
        await asyncio.sleep(ARTIFACT_SECONDS)
        try:
            changed = await run_in_threadpool(artifacts.verify_all)
        except Exception:  # noqa: BLE001 - as above
            _log.exception("the artifacts in service could not be checked")
            continue
        for version in changed:
            _log.error("the artifact of %s is not what was registered", version)


def _client(deployment: Deployment, name: str) -> ServiceClient | None:
    with deployment.reader() as reader:
        return reader.get(ServiceClient, name)
