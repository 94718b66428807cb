"""The short forms of the ledger benchmarks: that they run and report, never how fast."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from governance.home import Home
from governance.storage.open import inspect_storage
from tests.benchmarks import ledger, ledger_verify, trail
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
    assert [line for line in table.splitlines() if line.endswith("|  |")], "goals of another length"
    for looked in result["rounds"][0].values():
        assert looked["anchored"] == looked["entries"]
    assert result["receipts"]["3"]["rate"]["low"] > 0


def test_a_goal_stands_only_beside_a_log_of_its_length() -> None:
    result = json.loads((RESULTS / f"{ledger_verify.NAME}.json").read_text(encoding="utf-8"))
    goals = ("≤ 10 s, ≤ 100 bytes |", "≥ 100000/s, flat |", "| flat |")
    result["shape"]["entries"] = ledger_verify.LONG.entries
    assert [goal for goal in goals if goal not in ledger_verify.table(result)] == []
    result["shape"]["entries"] //= 10
    result["phases"]["derive"]["wall_seconds"]["median"] = 2.4
    short = ledger_verify.table(result)
    assert [goal for goal in goals if goal in short] == []
    assert "`derive` would take 24 s" in short


def test_the_targets_that_the_goals_replaced_are_judged_too() -> None:
    result = json.loads((RESULTS / f"{ledger_verify.NAME}.json").read_text(encoding="utf-8"))
    for reached, said in ((0.19, "0.19, missed"), (0.2, "0.20, met")):
        result["phases"]["verify"]["against_bare_hash"]["median"] = reached
        assert f"≥ 0.2 × bare SHA-256 (verify: {said})" in ledger_verify.table(result)


def test_making_room_for_more_rows_is_not_on_the_clock_of_bare_inserts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count()
    made = []

    def slowly(path: Path) -> object:
        made.append(path)
        next(itertools.islice(ticks, 1000, None))
        return empty(path)

    empty = ledger._empty
    monkeypatch.setattr(ledger, "_empty", slowly)
    rows = [(n, f"e{n}", b"env", b"leaf", b"facts", b"salt") for n in range(10)]
    rate = ledger.bare(tmp_path, rows, batch=4, seconds=5, now=lambda: float(next(ticks)))
    assert rate == 4.0  # one tick a commit, whatever a new file takes
    assert len(made) == 3


def test_the_short_search_benchmark_reports_every_search() -> None:
    result = trail.measure(True)
    assert {row["what"] for row in result["summary"]} > set(trail.SEARCHES)
    for row in result["summary"]:
        assert 0 < row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
        assert f"| {row['what']} |" in trail.table(result)


def test_the_long_log_is_one_that_a_home_opens_and_every_body_is_in_it(tmp_path: Path) -> None:
    size = BODY_EVERY + COMMIT + 3
    fill(tmp_path / "home", size)
    with inspect_storage(Home.open(tmp_path / "home")) as inspected:
        verified = inspected.ledger.verify()
        assert (verified.size, verified.anchored_size, verified.bodies_checked) == (size, size, 1)
        assert inspected.rebuild().entries == size


@pytest.mark.parametrize(
    ("name", "table"),
    [
        (ledger.NAME, ledger.table),
        (ledger_verify.NAME, ledger_verify.table),
        (trail.NAME, trail.table),
    ],
)
def test_the_page_shows_the_published_run(name: str, table: Callable[[Result], str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert rendered(page, name, table(result), result["machine"]) == page
