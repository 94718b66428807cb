"""The short form of the serving benchmark: that it runs and reports, never how fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.servers import KINDS
from tests.benchmarks.serving import BASELINE, CLIENTS, PAGE, PUBLISHED, rendered


@pytest.mark.slow
def test_the_short_benchmark_reports_every_server_at_every_load(tmp_path: Path) -> None:
    out = tmp_path / "serving.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.serving", "--short", "--out", str(out)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    rows = {(row["server"], row["clients"]): row for row in result["summary"]}
    assert set(rows) == {(kind, clients) for kind in KINDS for clients in CLIENTS}
    for (kind, _clients), row in rows.items():
        assert row["per_second"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
        assert (row["ratio"] == 1) == (kind == BASELINE)
        assert f"| {kind} |" in done.stdout
    for found in result["rounds"]:
        for runs in found.values():
            assert all(set(run["statuses"]) == {"200"} for run in runs.values())


def test_the_page_shows_the_published_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert rendered(page, json.loads(PUBLISHED.read_text())) == page
