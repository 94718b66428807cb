"""A server's own counters against its ledger: what was sent must be recorded (P2)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from governance.operations.inspect.reconcile import reconcile_home
from tests.functional.api.support import Api, running


def _work(api: Api) -> str:
    """Answer three questions, one of them twice, and refuse two; return the metrics page."""
    api.ask()
    for _ in range(2):
        api.ask(headers={"Idempotency-Key": "k-1"})
    api.ask(headers={"Idempotency-Key": "k-2"})
    api.ask(content=b"not json")
    api.ask(path="/v1/models/unknown/predict")
    api.http.get("/tile/0/000")
    return str(api.http.get("/metrics").text)


@pytest.fixture
def worked(home: Path, tmp_path: Path) -> tuple[Path, Path]:
    with running(home) as api:
        first = _work(api)
    assert "vigil_recorded_total 5" in first
    with running(home) as api:
        second = _work(api)  # k-1 and k-2 are repeated: three new entries
    assert "vigil_recorded_total 3" in second
    page = tmp_path / "metrics.txt"
    page.write_text(first)
    (tmp_path / "second.txt").write_text(second)
    return home, page


@pytest.mark.requirement("P2")
def test_every_reply_that_was_sent_is_an_entry(worked: tuple[Path, Path]) -> None:
    home, page = worked
    found = reconcile_home(home, metrics=[page, page.with_name("second.txt")])
    sent = next(check for check in found.checks if check.name.startswith("answers and refusals"))
    assert (sent.ledger, sent.beside, sent.agrees) == (8, 8, True)
    keys = next(check for check in found.checks if "idempotency" in check.name)
    assert (keys.ledger, keys.beside) == (2, 2)


@pytest.mark.requirement("P2")
def test_a_server_that_sent_more_than_it_recorded_is_found(worked: tuple[Path, Path]) -> None:
    home, page = worked
    page.write_text(page.read_text().replace("vigil_recorded_total 5", "vigil_recorded_total 6"))
    found = reconcile_home(home, metrics=[page])
    sent = next(check for check in found.checks if check.name.startswith("answers and refusals"))
    assert (sent.ledger, sent.beside, sent.agrees) == (5, 6, False)


def test_a_secret_given_behind_the_ledgers_back_is_found(worked: tuple[Path, Path]) -> None:
    home, _page = worked
    with sqlite3.connect(home / "vigil.sqlite") as database:
        database.execute("UPDATE client_secret SET epoch = 2 WHERE client = 'planner'")
    database.close()
    found = reconcile_home(home)
    assert [check.name for check in found.checks if not check.agrees and "secrets" in check.name]
