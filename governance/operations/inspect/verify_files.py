"""Verify a home's files, beside a server or without one: who can read them may check them."""

from __future__ import annotations

from pathlib import Path

from governance.adapters.witness_client import HttpWitness
from governance.errors import InvalidInput
from governance.home import Home
from governance.ledger.store.view import LedgerView
from governance.ledger.store.witnesses import compare
from governance.operations.inspect.reconcile import in_short, reconciled
from governance.operations.inspect.verify_ledger import (
    ComparedWitness,
    VerifyReport,
    report_on,
)
from governance.operations.operation import Result
from governance.storage.open import inspect_storage, stored_log_keys
from governance.storage.witnessing import Asked, Silent, ask_all, configured_witnesses


class RebuildResult(Result):
    """How much was folded again and compared."""

    entries: int
    rows_compared: int
    identical: bool


def verify_files(root: Path, *, against_witness: bool = False) -> VerifyReport:
    """Verify everything in the home; raise LedgerTampered naming the first bad entry.

    `against_witness` asks the configured witnesses now. That is what finds a home that was signed
    anew, or whose end was taken away with every checkpoint of it: LedgerBehind. Raises
    WitnessUnreachable where none answers.
    """
    home = Home.open(root)
    # Before the files are read, so that a server beside us can only have made them longer.
    asked = _ask(home) if against_witness else None
    with inspect_storage(home) as inspected:
        compared = _compared(inspected.ledger, *asked) if asked else []
        report = report_on(inspected.ledger, inspected.rebuild)
        counts = in_short(reconciled(inspected.count(None)))
    return report.model_copy(update={"compared": compared, "counts": counts})


def _ask(home: Home) -> tuple[list[Asked], list[Silent]]:
    witnesses = configured_witnesses(home, HttpWitness)
    if not witnesses:
        raise InvalidInput(
            "no witness is configured, so there is nobody to ask",
            next_step="Name witnesses in vigil.toml: docs/guides/run-a-witness.md.",
        )
    seen, silent = ask_all(witnesses, keys=stored_log_keys(home))
    if not seen:
        raise silent[0][1]
    return seen, silent


def _compared(ledger: LedgerView, seen: list[Asked], silent: list[Silent]) -> list[ComparedWitness]:
    for witness, last in seen:
        compare(witness, last, ledger.tree)
    return [
        ComparedWitness(
            name=witness.name,
            size=0 if last is None else last.size,
            time_s=None if last is None else last.time_s,
            fault=None,
        )
        for witness, last in seen
    ] + [
        ComparedWitness(name=witness.name, size=0, time_s=None, fault=str(error))
        for witness, error in silent
    ]


def rebuild_files(root: Path) -> RebuildResult:
    """Fold the facts again and compare; raise LedgerTampered naming the first row that differs."""
    with inspect_storage(Home.open(root)) as inspected:
        report = inspected.rebuild()
    return RebuildResult(entries=report.entries, rows_compared=report.rows_compared, identical=True)


def last_checkpoint(root: Path) -> str:
    """Return the last signed checkpoint, a C2SP note."""
    with inspect_storage(Home.open(root)) as inspected:
        return inspected.ledger.checkpoint()
