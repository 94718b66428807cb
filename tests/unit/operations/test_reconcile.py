"""Counts that do not agree are named, and what a metrics page says is read strictly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from governance.errors import EXIT_TAMPERED, InvalidInput
from governance.operations.inspect.reconcile import (
    ONE_TO_ONE,
    difference,
    in_short,
    reconcile_home,
    reconciled,
)
from governance.storage.counts import RecordCounts

COUNTS = RecordCounts(
    entries=12,
    kinds={"inference.answered": 5, "inference.refused": 2, "release.opened": 1},
    inferences_in_window=7,
    rows={**dict.fromkeys(ONE_TO_ONE.values(), 0), "release": 1},
    remembered=3,
    remembered_unanswered=0,
    observed=4,
    observed_unanswered=0,
    credentials=2,
    credentials_unknown=0,
    secrets=1,
    secrets_moved=0,
)


def differing(counts: RecordCounts, **options: int) -> list[str]:
    found = reconciled(counts, **options)
    assert found.agrees == (not in_short(found).differs)
    return [check.name for check in found.checks if not check.agrees]


def test_counts_that_agree_say_so_and_what_they_cannot_show() -> None:
    found = reconciled(COUNTS, served=7)
    assert found.agrees
    assert found.cannot_show
    assert difference(in_short(found)) is None


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"rows": {**COUNTS.rows, "release": 2}}, "release"),
        ({"kinds": {}}, "release.opened"),
        ({"remembered_unanswered": 1}, "idempotency"),
        ({"observed_unanswered": 1}, "observations"),
        ({"credentials_unknown": 1}, "passwords"),
        ({"secrets_moved": 1}, "secrets"),
    ],
)
def test_each_count_that_differs_is_named(changed: dict[str, object], word: str) -> None:
    counts = replace(COUNTS, **changed)  # type: ignore[arg-type]
    named = differing(counts)
    assert len(named) == 1
    assert word in named[0]
    error = difference(in_short(reconciled(counts)))
    assert error is not None
    assert (error.exit_code, word in str(error)) == (EXIT_TAMPERED, True)


def test_more_answers_sent_than_recorded_is_a_loss_and_fewer_is_not() -> None:
    assert differing(COUNTS, served=7) == []
    assert differing(COUNTS, served=6) == []
    assert len(differing(COUNTS, served=8)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vigil_recorded_total\n",
        "vigil_recorded_total -1\n",
        "vigil_recorded_total 1e3\n",
        "vigil_recorded_total 5\n",
        "vigil_recorded_total 5\nvigil_recorded_first_seq 2\n",
        "# vigil_recorded_total 0\n",
    ],
)
def test_a_page_that_does_not_say_what_was_recorded_is_refused(tmp_path: Path, text: str) -> None:
    page = tmp_path / "metrics.txt"
    page.write_text(text)
    with pytest.raises(InvalidInput):
        reconcile_home(tmp_path / "home", metrics=[page])
    with pytest.raises(InvalidInput):
        reconcile_home(tmp_path / "home", metrics=[tmp_path / "absent"])
