"""Every refusal of the ledger has a stable code, an exit code, and a next step."""

from __future__ import annotations

import pytest

from governance.errors import EXIT_REFUSED, EXIT_TAMPERED, EXIT_USAGE, GovernanceError, Problem
from governance.ledger.core import errors

CODES = {
    "LedgerTampered": ("ledger.tampered", EXIT_TAMPERED),
    "LedgerBehind": ("ledger.behind_witness", EXIT_TAMPERED),
    "ReceiptRejected": ("receipt.rejected", EXIT_TAMPERED),
    "NotCanonical": ("ledger.not_canonical", EXIT_USAGE),
    "TooLarge": ("ledger.too_large", EXIT_USAGE),
    "NoteRejected": ("ledger.note_rejected", EXIT_TAMPERED),
    "ProofRejected": ("ledger.proof_rejected", EXIT_TAMPERED),
    "NoSuchProof": ("ledger.no_such_proof", EXIT_REFUSED),
    "PolicyRejected": ("ledger.policy_rejected", EXIT_USAGE),
    "WitnessMessageRejected": ("ledger.witness_message", EXIT_REFUSED),
    "BodyUnreadable": ("ledger.body_unreadable", EXIT_TAMPERED),
}


def test_the_table_of_codes_is_complete_and_stable() -> None:
    found = {
        name: (kind.code, kind.exit_code)
        for name, kind in vars(errors).items()
        if isinstance(kind, type)
        and issubclass(kind, GovernanceError)
        and kind.__module__ == errors.__name__
    }
    assert found == CODES


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (errors.LedgerTampered("its leaf differs", sequence=777), "entry 777: its leaf differs"),
        (errors.LedgerTampered("the frontier differs"), "the log: the frontier differs"),
        (errors.ReceiptRejected("too few", step="quorum", next_step="wait"), "quorum: too few"),
    ],
)
def test_the_sentence_says_where(error: GovernanceError, where: str) -> None:
    problem = Problem.of(error)
    assert problem is not None
    assert problem.detail == where
    assert problem.next_step
    assert problem.exit_code == EXIT_TAMPERED
