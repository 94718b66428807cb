"""The root of every error that the shell raises, and what each door makes of it.

An error says three things: a stable `code` that programs match on, a sentence for the person who
reads it, and the next step. The pure packages raise their own roots (`audits.errors.AuditError`,
`models.errors.ModelError`, `change_control.errors.ChangeControlError`), which carry the same three;
`Problem.of` is the one place where any of them becomes an HTTP status and an exit code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from change_control.errors import TransitionRefused

EXIT_REFUSED: Final = 1
EXIT_USAGE: Final = 2
EXIT_TAMPERED: Final = 3
EXIT_FAIL: Final = 10
EXIT_INSUFFICIENT: Final = 11


class GovernanceError(Exception):
    """An operating error: something outside the program was not as it must be."""

    code: ClassVar[str] = "governance.error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = EXIT_REFUSED

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step

    def __reduce__(self) -> tuple[Any, ...]:
        """Come back whole from a worker process: `next_step` is no positional argument."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class NotFound(GovernanceError):
    """The record that was named does not exist."""

    code = "record.not_found"
    http_status = 404


class Conflict(GovernanceError):
    """The record is not in the state that the act needs."""

    code = "record.conflict"
    http_status = 409


class InvalidInput(GovernanceError):
    """What was sent does not have the shape that the operation takes."""

    code = "input.invalid"
    http_status = 422
    exit_code = EXIT_USAGE


class Unauthenticated(GovernanceError):
    """Nobody is signed in, or the credential is not valid (any more)."""

    code = "identity.unauthenticated"
    http_status = 401


class Forbidden(GovernanceError):
    """The person or service is known but may not do this."""

    code = "identity.forbidden"
    http_status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as a reader meets it: RFC 9457 members plus code, next step and exit code."""

    code: str
    status: int
    detail: str
    next_step: str
    exit_code: int

    @classmethod
    def of(cls, error: Exception) -> Problem | None:
        """Return the problem that `error` stands for, or None when it is a programmer's error.

        The pure packages know nothing of HTTP, so their codes are mapped here: a step that a
        transition table refuses is 409, everything else they raise is bad input, 422.
        """
        if isinstance(error, GovernanceError):
            return cls(
                code=error.code,
                status=error.http_status,
                detail=str(error),
                next_step=error.next_step,
                exit_code=error.exit_code,
            )
        code = getattr(error, "code", None)
        next_step = getattr(error, "next_step", None)
        if not isinstance(code, str) or not isinstance(next_step, str):
            return None
        refused = isinstance(error, TransitionRefused)
        return cls(
            code=code,
            status=409 if refused else 422,
            detail=str(error),
            next_step=next_step,
            exit_code=EXIT_REFUSED if refused else EXIT_USAGE,
        )
