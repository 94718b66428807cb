"""What the ledger refuses, and what the reader should do then.

Two families. Evidence does not hold, exit code 3: `LedgerTampered`, `ReceiptRejected`,
`NoteRejected`, `ProofRejected`, `BodyUnreadable`. The request cannot be served, exit code 1 or 2:
`NotCanonical`, `TooLarge`, `PolicyRejected`, `NoSuchProof`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from governance.errors import EXIT_TAMPERED, EXIT_USAGE, GovernanceError

_STOP: Final = (
    "Stop writing, keep the storage as it is, and compare it with the checkpoints that the "
    "witnesses and the receipts in the field hold. Never repair by signing again."
)

_RECOVER: Final = (
    "Stop writing and keep the storage as it is. Look for the newer storage that the witness saw; "
    "where it is lost, two people begin a successor that names this log and what is lost: "
    "`vigil ledger recover NEW_HOME`. Never sign again here."
)


class LedgerTampered(GovernanceError):
    """The stored log is not the log that was written.

    `sequence` is the first entry that is certainly or possibly wrong, None when the fault is not
    in an entry; `what` says what differs, without any content of the entry (P15).
    """

    code: ClassVar[str] = "ledger.tampered"
    exit_code: ClassVar[int] = EXIT_TAMPERED

    def __init__(self, what: str, *, sequence: int | None = None, next_step: str = _STOP) -> None:
        where = "the log" if sequence is None else f"entry {sequence}"
        super().__init__(f"{where}: {what}", next_step=next_step)
        self.sequence = sequence
        self.what = what


class LedgerBehind(LedgerTampered):
    """A witness holds a checkpoint of this log that the stored entries do not lead to.

    The storage was restored from a backup, lost its newest part, or was rewritten (P3).
    """

    code: ClassVar[str] = "ledger.behind_witness"

    def __init__(self, what: str, *, sequence: int | None = None) -> None:
        super().__init__(what, sequence=sequence, next_step=_RECOVER)


class ReceiptRejected(GovernanceError):
    """A receipt does not prove what it claims; `step` names the check that failed."""

    code: ClassVar[str] = "receipt.rejected"
    http_status: ClassVar[int] = 422
    exit_code: ClassVar[int] = EXIT_TAMPERED

    def __init__(self, message: str, *, step: str, next_step: str) -> None:
        super().__init__(f"{step}: {message}", next_step=next_step)
        self.step = step


class NotCanonical(GovernanceError):
    """A value or its bytes are outside the canonical form that the ledger hashes."""

    code: ClassVar[str] = "ledger.not_canonical"
    http_status: ClassVar[int] = 422
    exit_code: ClassVar[int] = EXIT_USAGE


class TooLarge(NotCanonical):
    """A document is larger than the format allows."""

    code: ClassVar[str] = "ledger.too_large"
    http_status: ClassVar[int] = 413


class NoteRejected(GovernanceError):
    """A signed note, checkpoint or key is malformed, or a known key's signature is wrong."""

    code: ClassVar[str] = "ledger.note_rejected"
    http_status: ClassVar[int] = 422
    exit_code: ClassVar[int] = EXIT_TAMPERED


class ProofRejected(GovernanceError):
    """A Merkle proof does not lead to the root that it is checked against."""

    code: ClassVar[str] = "ledger.proof_rejected"
    http_status: ClassVar[int] = 422
    exit_code: ClassVar[int] = EXIT_TAMPERED


class NoSuchProof(GovernanceError):
    """A proof was asked for an entry or a size that the tree does not have."""

    code: ClassVar[str] = "ledger.no_such_proof"
    http_status: ClassVar[int] = 404


class PolicyRejected(GovernanceError):
    """A trust policy is malformed, or could count one key twice."""

    code: ClassVar[str] = "ledger.policy_rejected"
    http_status: ClassVar[int] = 422
    exit_code: ClassVar[int] = EXIT_USAGE


class WitnessMessageRejected(GovernanceError):
    """A message between log and witness does not have the form of the protocol."""

    code: ClassVar[str] = "ledger.witness_message"
    http_status: ClassVar[int] = 400


class BodyUnreadable(GovernanceError):
    """A sealed body does not open: wrong key, other entry, or changed bytes."""

    code: ClassVar[str] = "ledger.body_unreadable"
    exit_code: ClassVar[int] = EXIT_TAMPERED
