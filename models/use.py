"""Intended use (devices) and context of use (everything else), with limits a machine can check.

The words differ because the law differs: a device has an intended use; a model whose output
supports a decision on a drug has a context of use, which starts from the question of interest
(FDA draft guidance on AI credibility, January 2025). The limits are the same typed object, so
the gate checks both alike (P1) and a change of either is found by comparison (P5).
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from models.values import (
    DocumentPart,
    Flag,
    Identifier,
    Name,
    Number,
    Slug,
    Text,
    is_finite,
    unique,
)


class DecisionRole(StrEnum):
    """What the output does to the decision (HTI-1 source attribute 8)."""

    INFORM = "inform"
    AUGMENT = "augment"
    REPLACE = "replace"


class Purpose(DocumentPart):
    """One purpose a caller may name in `context.purpose`."""

    name: Slug
    description: Text


class UseLimit(DocumentPart):
    """A limit of use on one input field: inside it the model may speak, outside it abstains."""

    field: Identifier
    allowed: tuple[Name, ...] | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    why: Text

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        ranged = self.minimum is not None or self.maximum is not None
        if (self.allowed is not None) == ranged:
            raise ValueError("give either `allowed` or a `minimum`/`maximum`")
        if self.allowed is not None and not self.allowed:
            raise ValueError("`allowed` lists at least one value")
        return self


class UseStatement(DocumentPart):
    """What both statements share."""

    statement: Text
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    population: Text
    """Patients, products or records the model speaks about."""
    setting: Text
    users: tuple[Text, ...] = Field(min_length=1)
    decision_role: DecisionRole
    excluded_uses: tuple[Text, ...] = Field(min_length=1)
    rows_are_about_people: Flag
    """True = every call names a subject, and answers are erasable with that subject (P13)."""
    limits: tuple[UseLimit, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        unique([purpose.name for purpose in self.purposes], what="purpose")
        unique([limit.field for limit in self.limits], what="limit on a field")
        return self

    def permits_purpose(self, purpose: str) -> bool:
        """Return whether a caller's stated purpose is one of the registered purposes."""
        return any(purpose == known.name for known in self.purposes)

    def fields_outside(self, row: Mapping[str, object]) -> tuple[str, ...]:
        """Return the limited fields of a contract-keeping row that lie outside the use.

        A limited field that the row leaves out is outside: what is not known to be inside the
        intended use is not inside it.
        """
        return tuple(limit.field for limit in self.limits if not _inside(limit, row))


class IntendedUse(UseStatement):
    """Intended use of a device: what, on whom, by whom, where, with which role."""

    indications: Text
    """Condition and population (US: indications for use)."""


class ContextOfUse(UseStatement):
    """Context of use of a model that is no device: role and scope for a question of interest."""

    question_of_interest: Text


def _inside(limit: UseLimit, row: Mapping[str, object]) -> bool:
    value = row.get(limit.field)
    if limit.allowed is not None:
        return isinstance(value, str) and value in limit.allowed
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    if not is_finite(value):
        return False
    above = limit.minimum is None or value >= limit.minimum
    return above and (limit.maximum is None or value <= limit.maximum)
