"""The watch for silence outlives whatever it meets, and says what it met (P12)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast
from unittest.mock import patch

import pytest
from sqlalchemy.exc import OperationalError

from governance.api import app, health_routes
from governance.api.context import Context
from governance.errors import NotFound
from tests.support.small_deployment import Small


@pytest.mark.requirement("P12")
@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT", {}, Exception("server closed the connection")),
        TypeError("a fault of ours"),
        NotFound("the version is gone", next_step="Look."),
    ],
)
def test_the_watch_for_silence_goes_on_after_whatever_it_meets(
    home: Small, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    async def watch() -> bool:
        again = asyncio.Event()
        loop = asyncio.get_running_loop()

        def fail(_: object) -> None:
            calls.append(None)
            if len(calls) == 3:
                loop.call_soon_threadsafe(again.set)
            raise error

        with patch.object(app, "raise_trail_overdue", fail):
            task = asyncio.create_task(app._check_silence(home.deployment))
            await asyncio.wait_for(again.wait(), 10)
            ended = task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return ended

    with patch.object(app, "SILENCE_SECONDS", 0.001):
        assert asyncio.run(watch()) is False
    assert len(calls) >= 3
    assert next(one.levelno for one in caplog.records if "silence" in one.message) == logging.ERROR


def test_numbers_of_the_trail_that_cannot_be_read_cost_no_other_number(
    home: Small, caplog: pytest.LogCaptureFixture
) -> None:
    class Asked:
        deployment = home.deployment

    def fail(_: object) -> Callable[[], object]:
        raise TypeError("a fault of ours")

    with patch.object(health_routes, "trail_gauges", fail):
        assert health_routes._trail(cast("Context", Asked)) == {"vigil_trail_readable": 0}
    assert "the trail cannot be read" in caplog.text
    assert health_routes._trail(cast("Context", Asked))["vigil_trail_readable"] == 1
