"""Verify the ledger and the governed tables: integrity here, completeness and anchoring apart.

Integrity: every entry, body and checkpoint is what was signed, and every governed row is what the
facts fold to. What the log cannot show by itself is said beside it: entries beyond the anchored
size rest on this deployment alone, so a rewrite of them with the log's key is not excluded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from pydantic import Field

from governance.deployment import Deployment
from governance.ledger.core.progress import UNWATCHED, Watch
from governance.ledger.store.view import LedgerView
from governance.operations.actor import Actor
from governance.operations.inspect.reconcile import Counted
from governance.operations.operation import Operation, Request, Result
from governance.storage.rebuild import RebuildReport
from governance.storage.succession.statement import PREDECESSOR, SIGNED


class VerifyLedger(Request):
    """The whole ledger."""


class ComparedWitness(Result):
    """What one witness said when it was asked now. `fault` says why it could not be compared.

    `time_s` is the witness's own time of its last cosignature, None where it has seen nothing yet.
    """

    name: str
    size: int
    time_s: int | None
    fault: str | None


class Succeeds(Result):
    """The log before this one: which entries of it were kept, and what is lost.

    `mode` is closed, behind (a witness saw more), compromised (its key was stolen) or key_lost.
    `erased` are runs of entries whose bodies were erased by one that is lost.
    """

    origin: str
    mode: str
    reason: str
    kept: int
    lost: list[int] | None
    erased: list[list[int]]
    signed_by: list[str]


class VerifyReport(Result):
    """What was checked. `anchored_size` counts entries under a checkpoint that a quorum cosigned.

    `witnesses` are those of the policy in force. `counts` is the reconciliation, where the files
    were read.
    """

    origin: str
    size: int
    root: str
    bodies_checked: int
    bodies_erased: int
    rows_compared: int
    witnesses: int
    anchored_size: int
    duration_ms: int
    succeeds: Succeeds | None = None
    compared: list[ComparedWitness] = Field(default_factory=list)
    counts: Counted | None = None


def verify_ledger(deployment: Deployment, actor: Actor, _request: VerifyLedger) -> VerifyReport:
    """Verify everything; raise LedgerTampered naming the first entry that is not as signed."""
    del actor
    return verify_everything(deployment)


def verify_everything(deployment: Deployment, *, watch: Watch = UNWATCHED) -> VerifyReport:
    """Verify entries, bodies, checkpoints and the fold of the facts."""
    rebuild = partial(deployment.rebuild, watch=watch)
    return report_on(deployment.ledger, rebuild, watch=watch)


def report_on(
    ledger: LedgerView, rebuild: Callable[[], RebuildReport], *, watch: Watch = UNWATCHED
) -> VerifyReport:
    """Verify a stored log and its governed rows, and report what was checked."""
    started = time.perf_counter()
    verified = ledger.verify(watch=watch)
    rebuilt = rebuild()
    return VerifyReport(
        origin=ledger.origin,
        size=verified.size,
        root=verified.root.hex(),
        bodies_checked=verified.bodies_checked,
        bodies_erased=verified.bodies_erased,
        rows_compared=rebuilt.rows_compared,
        witnesses=len(ledger.policy.witnesses),
        anchored_size=ledger.anchored_size(),
        succeeds=_succeeds(ledger),
        duration_ms=round((time.perf_counter() - started) * 1000),
    )


def _succeeds(ledger: LedgerView) -> Succeeds | None:
    """Return what the first entry says of a log before it; the fold has just verified that."""
    facts = ledger.entry(0).facts
    match facts.get(PREDECESSOR) if isinstance(facts, dict) else None:
        case {
            "origin": str(origin), "mode": str(mode), "reason": str(reason), "kept": int(kept),
            "lost": lost, "erased": list(erased),
        }:  # fmt: skip
            signed = facts.get(SIGNED) if isinstance(facts, dict) else None
            return Succeeds(
                origin=origin,
                mode=mode,
                reason=reason,
                kept=kept,
                lost=[n for n in lost if isinstance(n, int)] if isinstance(lost, list) else None,
                erased=[
                    [n for n in run if isinstance(n, int)]
                    for run in erased
                    if isinstance(run, list)
                ],
                signed_by=[
                    str(one["person"])
                    for one in (signed if isinstance(signed, list) else [])
                    if isinstance(one, dict)
                ],
            )
    return None


VERIFY_LEDGER = Operation(
    name="ledger.verify",
    request=VerifyLedger,
    kinds=(),
    run=verify_ledger,
    repeated="reads only",
)
