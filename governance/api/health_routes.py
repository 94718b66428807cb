"""GET /healthz, /readyz, /metrics: for whoever keeps the server running. No credential, no data."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from governance.api.context import Context, context_of
from governance.errors import GovernanceError
from governance.operations.trail.coverage import trail_gauges

router = APIRouter(tags=["health"])

_log = logging.getLogger(__name__)


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Answer; nothing is looked at."""
    return {"status": "alive"}


@router.get("/readyz", summary="May it be asked?")
def readyz(request: Request) -> Response:
    """Say whether the ledger can be written and verifies, and every artifact is the registered one.

    With witnesses, also how far each of them and their quorum have come.

    The schema's revision was checked when the home was opened: a wrong one never serves.
    """
    context = context_of(request)
    checks = {
        "ledger": _ledger(context),
        "artifacts": _artifacts(context),
        "verification": context.deployment.verifier.code or "ok",
    }
    told: dict[str, object] = {}
    anchor = context.deployment.cosigner.report()
    if anchor.witnesses:
        # Silent witnesses are told and not refused; only what refuses answers makes us not ready.
        checks["witnesses"] = "gate.audit_unavailable" if anchor.stopped else "ok"
        told["witnesses"] = {
            "size": anchor.size,
            "anchored_size": anchor.anchored_size,
            "lag": {one.name: one.lag for one in anchor.witnesses},
            "silent": [one.name for one in anchor.witnesses if one.fault is not None],
        }
    ready = all(found == "ok" for found in checks.values())
    return JSONResponse(
        {"status": "ready" if ready else "not ready", "checks": checks, **told},
        status_code=200 if ready else 503,
    )


@router.get("/metrics", summary="Counters for Prometheus", response_class=PlainTextResponse)
def metrics(request: Request) -> PlainTextResponse:
    """Return this process's counters; no label holds anything that a caller sent (P15)."""
    context = context_of(request)
    anchor = context.deployment.cosigner.report()
    text = context.metrics.text(
        {
            "vigil_ledger_size": anchor.size,
            "vigil_ledger_anchored_size": anchor.anchored_size,
            "vigil_answers_stopped": int(anchor.stopped),
            **_trail(context),
        },
        lags={one.name: one.lag for one in anchor.witnesses},
    )
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


def _trail(context: Context) -> dict[str, int]:
    """Return the gauges of the trail; what cannot be read must not cost the other numbers."""
    try:
        return trail_gauges(context.deployment)
    except Exception:  # noqa: BLE001 - it is in the log
        _log.exception("the trail cannot be read")
        return {"vigil_trail_readable": 0}


def _ledger(context: Context) -> str:
    """Take the pen once, writing nothing: the lock, the head and the disk answer, or do not."""
    try:
        context.deployment.pen.commit(lambda _unit: None)
    except GovernanceError as error:
        return error.code
    return "ok"


def _artifacts(context: Context) -> str:
    try:
        faults = context.state.artifact_faults(now_us=context.deployment.clock.now_us())
    except GovernanceError as error:
        return error.code
    return "gate.digest_mismatch" if faults else "ok"
