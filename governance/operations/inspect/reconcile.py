"""Reconciliation: what the ledger counts, against what else counted.

Verification shows that nothing was changed or taken away; it cannot show that nothing was left out.
What can be held against the entries is compared here, and each comparison says how far it goes:
rows that one transaction writes with their entry show a row that came or went later, and nothing
about an act that left neither. Only a count that somebody else kept does: the answers that a server
says it gave, and above all the receipts that callers hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from governance.errors import EXIT_TAMPERED, GovernanceError, InvalidInput
from governance.home import Home
from governance.operations.operation import Result
from governance.storage.counts import RecordCounts, Window
from governance.storage.open import inspect_storage

# One entry of the kind adds one row of the table, and nothing else does, but for the rows that a
# successor carried over from the log before it.
ONE_TO_ONE: Final = {
    "person.added": "person",
    "client.added": "service_client",
    "document.registered": "document",
    "dataset.registered": "dataset",
    "version.registered": "version",
    "change.opened": "change_request",
    "release.opened": "release",
    "outcome.recorded": "outcome_batch",
    "monitor.ran": "monitor_run",
}

CANNOT_SHOW: Final = [
    "an act or answer that left neither entry nor row: only its caller can tell, without a receipt",
    "rows and entries that were left out, or made to agree, together",
    "whether what was recorded is true",
]

_METRICS_BYTES: Final = 8 * 1024 * 1024
_METRIC: Final = re.compile(
    r"^vigil_recorded_(total|first_seq|last_seq) ([0-9]{1,18})$", re.MULTILINE
)


class CountsDiffer(GovernanceError):
    """Something that counted beside the ledger does not agree with it."""

    code: ClassVar[str] = "ledger.counts_differ"
    exit_code: ClassVar[int] = EXIT_TAMPERED


class Check(Result):
    """One comparison. `shows` says what a difference would mean."""

    name: str
    ledger: int
    beside: int
    agrees: bool
    shows: str


class Reconciliation(Result):
    """Every comparison, the entries by kind, and what none of it can show."""

    agrees: bool
    entries: int
    kinds: dict[str, int]
    checks: list[Check]
    cannot_show: list[str]


class Counted(Result):
    """A reconciliation in short, as it stands beside a verification."""

    agrees: bool
    compared: int
    differs: list[str]
    cannot_show: list[str]


def reconcile_home(home: Path, *, metrics: Sequence[Path] = ()) -> Reconciliation:
    """Compare the home's entries with its rows, and with saved pages of its servers' metrics."""
    told = [_metrics(page) for page in metrics]
    window = _window(told)
    with inspect_storage(Home.open(home)) as inspected:
        return reconciled(inspected.count(window), served=_served(told))


def reconciled(counts: RecordCounts, *, served: int | None = None) -> Reconciliation:
    """Compare the counts; `served` is how many entries servers say that they wrote and sent."""
    checks = [*_governed(counts), *_beside(counts)]
    if served is not None:
        checks.append(_sent(counts.inferences_in_window, served))
    return Reconciliation(
        agrees=all(check.agrees for check in checks),
        entries=counts.entries,
        kinds=dict(counts.kinds),
        checks=checks,
        cannot_show=CANNOT_SHOW,
    )


def in_short(found: Reconciliation) -> Counted:
    """Return the verdict, and what differs as one sentence each."""
    return Counted(
        agrees=found.agrees,
        compared=len(found.checks),
        differs=[_sentence(check) for check in found.checks if not check.agrees],
        cannot_show=found.cannot_show,
    )


def difference(counted: Counted) -> CountsDiffer | None:
    """Return the error that stands for the first comparison that does not agree."""
    if not counted.differs:
        return None
    return CountsDiffer(
        counted.differs[0],
        next_step="Look at `vigil ledger reconcile`: each comparison says what it would mean.",
    )


def _sentence(check: Check) -> str:
    return f"{check.name}: the ledger has {check.ledger}, beside it are {check.beside}"


def _governed(counts: RecordCounts) -> list[Check]:
    checks = []
    for kind, table in ONE_TO_ONE.items():
        entries = counts.kinds.get(kind, 0) + counts.carried.get(table, 0)
        rows = counts.rows[table]
        checks.append(
            Check(
                name=f"{kind} and rows of {table}",
                ledger=entries,
                beside=rows,
                agrees=entries == rows,
                shows="a record was added or removed without its act, or recorded as another act",
            )
        )
    return checks


def _beside(counts: RecordCounts) -> list[Check]:
    return [
        _named(
            "answers that idempotency keys stand for",
            counts.remembered,
            counts.remembered_unanswered,
            "a caller would be given an answer that was never recorded as one",
        ),
        _named(
            "answers that observations were made of",
            counts.observed,
            counts.observed_unanswered,
            "monitors count rows of answers that were never recorded",
        ),
        _named(
            "people whose passwords are stored",
            counts.credentials,
            counts.credentials_unknown,
            "somebody can sign in whom no act has added",
        ),
        _named(
            "clients whose secrets are stored",
            counts.secrets,
            counts.secrets_moved,
            "a secret was given or replaced without its act",
        ),
    ]


def _named(name: str, rows: int, strays: int, shows: str) -> Check:
    return Check(name=name, ledger=rows - strays, beside=rows, agrees=not strays, shows=shows)


def _sent(entries: int, served: int) -> Check:
    """Compare one way only: a reply that could not be sent left an entry and no count."""
    return Check(
        name="answers and refusals, and what the servers say that they recorded and sent",
        ledger=entries,
        beside=served,
        agrees=served <= entries,
        shows="answers left the servers and their entries are not in the ledger",
    )


def _metrics(page: Path) -> dict[str, int]:
    try:
        with page.open("rb") as file:
            raw = file.read(_METRICS_BYTES)
    except OSError as error:
        raise InvalidInput(
            f"{page} cannot be read: {error.strerror}", next_step="Save GET /metrics to a file."
        ) from error
    told = {name: int(value) for name, value in _METRIC.findall(raw.decode("utf-8", "replace"))}
    if "total" not in told or (told["total"] and len(told) != 3):
        raise InvalidInput(
            f"{page} is no page of a server's metrics",
            next_step="Save GET /metrics of this release to a file and name that.",
        )
    return told


def _window(told: Sequence[dict[str, int]]) -> Window | None:
    counted = [page for page in told if page["total"]]
    if not counted:
        return None
    return Window(
        first=min(page["first_seq"] for page in counted),
        last=max(page["last_seq"] for page in counted),
    )


def _served(told: Sequence[dict[str, int]]) -> int | None:
    return sum(page["total"] for page in told) if told else None
