"""The short form of the drift benchmark: that it runs and reports, never how fast."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks import drift
from tests.benchmarks.published import PAGE, RESULTS, rendered


@pytest.mark.slow
def test_the_short_drift_benchmark_reports_time_error_and_memory() -> None:
    result = drift.measure(True)
    assert 0 < result["ratio"]["low"] <= result["ratio"]["median"] <= result["ratio"]["high"]
    for one in result["ks"]:
        assert one["error"] <= one["bound"] + 1e-12
        assert one["bound"] <= drift.KS_GOAL
        assert f"| {one['column']} |" in drift.table(result)
    assert result["memory"]["tenth_mb"] > 0
    assert "goal ≤" not in drift.table(result), "a goal stands beside a run of its length"


def test_the_page_shows_the_published_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    result = json.loads((RESULTS / f"{drift.NAME}.json").read_text(encoding="utf-8"))
    assert rendered(page, drift.NAME, drift.table(result), result["machine"]) == page
