"""The wrapper of every request: headers, and an answer to whatever is raised."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from governance.api.guard import HEADERS, guarded
from governance.api.limits import ClientGone
from governance.api.metrics import Metrics
from governance.errors import Conflict
from models.errors import PredictorInvalid


def call(app: Any, metrics: Metrics | None = None) -> list[dict[str, Any]]:
    """Send one request through the guard and return what it sent."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    guard = guarded(app, metrics=metrics or Metrics())
    asyncio.run(guard({"type": "http", "path": "/Kari", "headers": []}, receive, send))
    return sent


def raising(error: Exception, *, after_start: bool = False) -> Any:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        if after_start:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    return app


def test_headers_are_added_and_one_that_is_there_stays() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        own = [(b"content-security-policy", b"default-src 'self'")]
        await send({"type": "http.response.start", "status": 200, "headers": own})
        await send({"type": "http.response.body", "body": b""})

    headers = call(app)[0]["headers"]
    assert len(headers) == len(HEADERS)
    assert dict(headers)[b"content-security-policy"] == b"default-src 'self'"
    assert dict(headers)[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Conflict("It moved.", next_step="Read it."), 409, "record.conflict"),
        (PredictorInvalid("Bad.", next_step="Fix."), 422, "model.predictor_invalid"),
        (KeyError("Kari"), 500, "internal.fault"),
    ],
)
def test_what_is_raised_becomes_a_problem(error: Exception, status: int, code: str) -> None:
    start, body = call(raising(error))
    assert start["status"] == status
    assert orjson.loads(body["body"])["code"] == code
    assert b"Kari" not in body["body"]


@pytest.mark.requirement("P15")
@pytest.mark.parametrize("after_start", [False, True])
def test_a_fault_is_logged_by_type_and_place_only(
    caplog: pytest.LogCaptureFixture, *, after_start: bool
) -> None:
    call(raising(ValueError("Kari Nordmann"), after_start=after_start))
    assert "ValueError" in caplog.text
    assert "test_guard.py" in caplog.text
    assert "Kari" not in caplog.text


def test_nothing_is_sent_to_a_client_that_went_away() -> None:
    assert call(raising(ClientGone())) == []


@pytest.mark.requirement("P15")
def test_a_path_is_never_a_label() -> None:
    metrics = Metrics()
    call(raising(Conflict("It moved.", next_step="Read it.")), metrics)
    text = metrics.text({})
    assert 'vigil_requests_total{route="other",status="409"} 1' in text
    assert "Kari" not in text


def test_the_histogram_is_cumulative_and_ends_with_all() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.003, 9.0):
        metrics.predicted(seconds)
    lines = metrics.text({"vigil_ledger_size": 7}).splitlines()
    buckets = [line.rsplit(" ", 1)[1] for line in lines if "_bucket{" in line]
    assert buckets[0] == "2"
    assert buckets[2] == "3"
    assert buckets[-1] == "4"
    assert buckets == sorted(buckets, key=int)
    assert "vigil_predict_seconds_count 4" in lines
    assert "vigil_ledger_size 7" in lines
