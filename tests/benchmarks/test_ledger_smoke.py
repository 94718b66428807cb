"""The short forms of the ledger benchmarks: that they run and report, never how fast."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from governance.home import Home
from governance.storage.open import inspect_storage
from tests.benchmarks import ledger, ledger_verify
from tests.benchmarks.ledger_log import BODY_EVERY, COMMIT, fill
from tests.benchmarks.published import PAGE, RESULTS, Result, rendered


def test_the_short_append_benchmark_reports_every_goal() -> None:
    result = ledger.measure(True)
    assert [goal["rate"] for goal in result["goals"]] == ["serial", "waiting", "batch"]
    for goal in result["goals"]:
        assert 0 < goal["reached"]["low"] <= goal["reached"]["median"] <= goal["reached"]["high"]
        assert goal["what"] in ledger.table(result)
    assert all(rate > 0 for found in result["rounds"] for rate in found.values())


def test_the_short_verification_benchmark_reports_every_phase() -> None:
    result = ledger_verify.measure(True)
    assert set(result["phases"]) == set(ledger_verify.PHASES)
    table = ledger_verify.table(result)
    for phase, found in result["phases"].items():
        assert found["rate"]["low"] > 0
        assert f"| {phase} |" in table
    for looked in result["rounds"][0].values():
        assert looked["anchored"] == looked["entries"]
    assert result["receipts"]["3"]["rate"]["low"] > 0


def test_the_long_log_is_one_that_a_home_opens_and_every_body_is_in_it(tmp_path: Path) -> None:
    size = BODY_EVERY + COMMIT + 3
    fill(tmp_path / "home", size)
    with inspect_storage(Home.open(tmp_path / "home")) as inspected:
        verified = inspected.ledger.verify()
        assert (verified.size, verified.anchored_size, verified.bodies_checked) == (size, size, 1)
        assert inspected.rebuild().entries == size


@pytest.mark.parametrize(
    ("name", "table"), [(ledger.NAME, ledger.table), (ledger_verify.NAME, ledger_verify.table)]
)
def test_the_page_shows_the_published_run(name: str, table: Callable[[Result], str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert rendered(page, name, table(result), result["machine"]) == page
