"""The published run of the PostgreSQL benchmark: the page shows it, and it met its goals."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks.ledger_postgresql import KINDS, PAGE, PUBLISHED, rendered, run

BATCHES_MIN = 20


def test_the_page_shows_the_published_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert rendered(page, json.loads(PUBLISHED.read_text())) == page


def test_the_published_run_met_its_goals() -> None:
    rows = {row["kind"]: row for row in json.loads(PUBLISHED.read_text())["summary"]}
    assert set(rows) == set(KINDS)
    assert rows["batches"]["ratio"] >= BATCHES_MIN
    # All that a range can refuse: a loss in every round. The page says how wide the range is.
    assert rows["three processes, batches"]["ratio_high"] >= 1


@pytest.mark.campaign
@pytest.mark.postgres
def test_the_short_form_counts_every_entry_that_it_wrote() -> None:
    result = run(rounds=1, seconds=0.3)
    assert result["entries_verified"] > sum(row["per_second"] * 0.3 for row in result["rounds"][0])
