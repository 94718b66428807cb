"""What storage refuses, and what the reader should do then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from governance.errors import Conflict, GovernanceError, InvalidInput


class AuditUnavailable(GovernanceError):
    """The act or answer could not be made durable, so nothing may leave (P2)."""

    code = "gate.audit_unavailable"
    http_status = 503


class LogClosed(AuditUnavailable):
    """The log was closed for ever, and its successor goes on; duties to persons remain."""

    code = "ledger.closed"


class IdempotencyMismatch(InvalidInput):
    """An idempotency key came again with another request."""

    code = "gate.idempotency_mismatch"


class RepeatSuperseded(Conflict):
    """An idempotency key came again, and its answer rests on what governs no longer."""

    code = "gate.repeat_superseded"


class SubjectErased(Conflict):
    """The subject was erased while an answer about it waited for its entry (P13)."""

    code = "gate.subject_erased"


class AnswerErased(GovernanceError):
    """An idempotency key came again, and its answer was erased with its subject (P13)."""

    code = "gate.answer_erased"
    http_status = 410


class SettingRefused(GovernanceError):
    """A connection does not have a setting that durability or secrecy needs."""

    code = "storage.pragma"
    http_status = 503


class WrongRevision(GovernanceError):
    """The database's schema is not the one that this program was built for."""

    code = "db.wrong_revision"
    http_status = 503


class Fenced(GovernanceError):
    """The epoch moved: what this process knows of keys, policy and schema is out of date."""

    code = "ledger.fenced"
    http_status = 503


class StoredOtherwise(GovernanceError):
    """What was written does not come back as it was: a fault of memory, disk or driver."""

    code = "storage.stored_otherwise"
    http_status = 503


class StorageUnavailable(GovernanceError):
    """The home's storage cannot be opened now: the disk, a permission, or the database."""

    code = "storage.unavailable"
    http_status = 503


@contextmanager
def storage_faults_told() -> Iterator[None]:
    """Raise StorageUnavailable in the place of what a database or a disk says."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise StorageUnavailable(
            f"the storage cannot be opened: {cause}",
            next_step=(
                "Check the disk, its free space and the home's permissions, or the database's "
                "address, and start again: what was acknowledged is kept, and nothing needs repair."
            ),
        ) from error


def log_closed() -> LogClosed:
    """Return the refusal of everything that would be written behind the last entry of a log."""
    return LogClosed(
        "this log was closed: entry `log.closed` names the log that succeeds it",
        next_step="Use the successor's home. Here people can be erased, legal holds be kept, the "
        "trail be reviewed, and everything be read and verified.",
    )


def audit_unavailable(why: str) -> AuditUnavailable:
    """Return the refusal that a caller gets when the record cannot be kept."""
    return AuditUnavailable(
        f"the audit entry could not be made durable: {why}",
        next_step=(
            "Nothing was answered. Check the disk and the database, then send it again with the "
            "same idempotency key; the server recovers by itself."
        ),
    )
