"""Verify a home's files, beside a server or without one: who can read them may check them."""

from __future__ import annotations

from pathlib import Path

from governance.home import Home
from governance.operations.inspect.verify_ledger import VerifyReport, report_on
from governance.operations.operation import Result
from governance.storage.open import inspect_storage


class RebuildResult(Result):
    """How much was folded again and compared."""

    entries: int
    rows_compared: int
    identical: bool


def verify_files(root: Path) -> VerifyReport:
    """Verify everything in the home; raise LedgerTampered naming the first bad entry."""
    with inspect_storage(Home.open(root)) as inspected:
        return report_on(inspected.ledger, inspected.rebuild)


def rebuild_files(root: Path) -> RebuildResult:
    """Fold the facts again and compare; raise LedgerTampered naming the first row that differs."""
    with inspect_storage(Home.open(root)) as inspected:
        report = inspected.rebuild()
    return RebuildResult(entries=report.entries, rows_compared=report.rows_compared, identical=True)


def last_checkpoint(root: Path) -> str:
    """Return the last signed checkpoint, a C2SP note."""
    with inspect_storage(Home.open(root)) as inspected:
        return inspected.ledger.checkpoint()
