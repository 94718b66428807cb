"""What a caller may send: typed input fields, and the check of one row against them (P1).

The check is plain Python, a few microseconds a row: it stands in the request path. It never
raises on a row, whatever the row holds, and it finds every fault, not only the first. Reasons are
stable codes; the fields at fault are named only where the entry declares them, because the name
or value of an undeclared field is caller data (P15).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from models.values import (
    DocumentPart,
    Flag,
    Identifier,
    Name,
    Number,
    RowCode,
    Text,
    is_finite,
    unique,
)


class FieldType(StrEnum):
    """The type of an input field as it arrives in JSON."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"


class InputField(DocumentPart):
    """One field of the input contract."""

    name: Identifier
    type: FieldType
    required: Flag
    description: Text
    unit: Name | None = None
    """Unit of a number; None where it has none."""
    allowed: tuple[Name, ...] | None = None
    """The only values of a text field."""
    minimum: Number | None = None
    maximum: Number | None = None
    not_allowed_code: RowCode = "row.not_allowed"
    """Reason code when a text is not one of `allowed`."""
    out_of_range_code: RowCode = "row.out_of_range"
    """Reason code when a number is outside `minimum` to `maximum`."""

    @model_validator(mode="after")
    def _limits_fit_the_type(self) -> Self:
        numeric = self.type in (FieldType.INTEGER, FieldType.NUMBER)
        if self.allowed is not None and (self.type is not FieldType.TEXT or not self.allowed):
            raise ValueError("`allowed` lists the values of a text field, at least one")
        if (self.minimum is not None or self.maximum is not None) and not numeric:
            raise ValueError("`minimum` and `maximum` belong to an integer or a number")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("`minimum` is above `maximum`")
        return self


class InputContract(DocumentPart):
    """The typed fields of one row; anything else in a row is a fault."""

    fields: tuple[InputField, ...]

    @model_validator(mode="after")
    def _fields_are_named_once(self) -> Self:
        if not self.fields:
            raise ValueError("an input contract has at least one field")
        unique([field.name for field in self.fields], what="input field")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFaults:
    """All that is wrong with one row: reason codes in a fixed order, and declared fields by code.

    `fields` maps the name of a declared field to its code; an undeclared field is only counted in
    `undeclared`. Empty `reasons` = the row keeps the contract.
    """

    reasons: tuple[str, ...]
    fields: dict[str, str]
    undeclared: int


_NO_FAULTS = RowFaults(reasons=(), fields={}, undeclared=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    type: FieldType
    required: bool
    allowed: frozenset[str] | None
    minimum: Decimal | None
    maximum: Decimal | None
    not_allowed_code: str
    out_of_range_code: str


class RowChecker:
    """An input contract made ready for the request path: build once, check many rows."""

    __slots__ = ("_rules",)

    def __init__(self, contract: InputContract) -> None:
        """Compile the contract."""
        self._rules = {field.name: _compiled(field) for field in contract.fields}

    def faults(self, row: Mapping[str, object]) -> RowFaults:
        """Return every fault of the row; never raises for any JSON value."""
        fields: dict[str, str] = {}
        for name, rule in self._rules.items():
            if name not in row:
                if rule.required:
                    fields[name] = "row.missing_field"
                continue
            code = _fault(rule, row[name])
            if code is not None:
                fields[name] = code
        undeclared = sum(1 for name in row if name not in self._rules)
        if not fields and not undeclared:
            return _NO_FAULTS
        codes = dict.fromkeys(fields.values())
        if undeclared:
            codes["row.extra_field"] = None
        return RowFaults(reasons=tuple(codes), fields=fields, undeclared=undeclared)


def _compiled(field: InputField) -> _Rule:
    return _Rule(
        type=field.type,
        required=field.required,
        allowed=None if field.allowed is None else frozenset(field.allowed),
        minimum=field.minimum,
        maximum=field.maximum,
        not_allowed_code=field.not_allowed_code,
        out_of_range_code=field.out_of_range_code,
    )


def _fault(rule: _Rule, value: object) -> str | None:
    if rule.type is FieldType.TEXT:
        return _text_fault(rule, value)
    if rule.type is FieldType.FLAG:
        return None if isinstance(value, bool) else "row.mistyped"
    return _number_fault(rule, value)


def _text_fault(rule: _Rule, value: object) -> str | None:
    if not isinstance(value, str):
        return "row.mistyped"
    if rule.allowed is not None and value not in rule.allowed:
        return rule.not_allowed_code
    return None


def _number_fault(rule: _Rule, value: object) -> str | None:
    # bool is an int in Python; a caller who sends `true` for a number has made a mistake.
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return "row.mistyped"
    if not is_finite(value):
        return "row.not_a_number"
    # 12.0 is not 12: a caller who computes a horizon in floats may just as well send 11.999.
    if rule.type is FieldType.INTEGER and not isinstance(value, int):
        return "row.mistyped"
    below = rule.minimum is not None and value < rule.minimum
    above = rule.maximum is not None and value > rule.maximum
    return rule.out_of_range_code if below or above else None
