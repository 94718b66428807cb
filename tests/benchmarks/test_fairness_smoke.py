"""The short form of the fairness benchmark: that it runs and reports, never how fast."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.benchmarks import fairness
from tests.benchmarks.published import PAGE, RESULTS, rendered


def test_the_short_benchmark_reports_every_part() -> None:
    result = fairness.measure(True)
    table = fairness.table(result)
    assert [row["what"] for row in result["summary"]][:2] == [fairness.COUNTED, fairness.WHOLE]
    for row in result["summary"]:
        assert 0 < row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
        assert f"| {row['what']} |" in table
    assert result["fairlearn"]["extrapolated_seconds"] > result["fairlearn"]["point_seconds"]
    assert "extrapolated from 2" in table


@pytest.mark.parametrize(("ratio", "said"), [(2.0, "met"), (2.1, "missed")])
def test_the_goal_stands_beside_a_run_of_its_length_only(ratio: float, said: str) -> None:
    result = json.loads((RESULTS / "fairness.json").read_text(encoding="utf-8"))
    (row,) = [row for row in result["summary"] if row["what"] == fairness.WHOLE]
    row["ratio"] = ratio
    assert f"≤ 2, {said}" in fairness.table(result)
    result["shape"]["rows"] //= 10
    assert f"≤ 2, {said}" not in fairness.table(result)


def test_every_pair_of_the_benchmark_has_limits() -> None:
    found = fairness.audited(fairness.sample_of(40_000), replicates=200)
    assert [len(one.pairs) for one in found] == [276] * 6
    assert all((one.low < one.value).all() and (one.value < one.high).all() for one in found)


def test_memory_does_not_grow_with_the_rows() -> None:
    """The pass is in blocks: five times the rows may not need a tenth more."""
    few, many = (fairness.sample_of(rows) for rows in (200_000, 1_000_000))
    peaks = [fairness._peak(partial(fairness.counted, sample)) for sample in (few, many)]
    assert peaks[1] < 1.1 * peaks[0]


def test_the_page_shows_the_published_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    result = json.loads((RESULTS / "fairness.json").read_text(encoding="utf-8"))
    assert rendered(page, "fairness", fairness.table(result), result["machine"]) == page
