"""The scalar types that governed documents are built from.

Each type is strict about what it is (a number is never text, `true` is never 1) and lax about
nothing. `Number` is a decimal: YAML gives `Decimal`, a stored record gives its decimal string.
"""

import math
import re
from decimal import Decimal
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)

from models.documents import MAX_DIGITS

_DECIMAL_TEXT = re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$")


class DocumentPart(BaseModel):
    """Base of every part of a governed document: frozen, and an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and len(value) <= MAX_DIGITS and _DECIMAL_TEXT.fullmatch(value):
        return Decimal(value)
    raise ValueError("a decimal number is needed, written like 0.8")


Number = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": _DECIMAL_TEXT.pattern}]}
    ),
]
Count = Annotated[StrictInt, Field(ge=1, lt=2**53)]
Whole = Annotated[StrictInt, Field(gt=-(2**53), lt=2**53)]
Flag = StrictBool
Text = Annotated[
    str, StringConstraints(strict=True, strip_whitespace=True, min_length=3, max_length=4000)
]
Name = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9 .,:%+/()_-]{0,99}$")
]
Slug = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$", max_length=64)
]
Identifier = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
]
RowCode = Annotated[str, StringConstraints(strict=True, pattern=r"^row\.[a-z_]{1,40}$")]
Month = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{4}-(?:0[1-9]|1[0-2])$")]


def is_finite(value: float | Decimal) -> bool:
    """Return whether a number can be compared; total, unlike `math.isfinite`.

    That raises on a signalling NaN and on an integer beyond the range of floats.
    """
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, int) or math.isfinite(value)


def unique(names: list[str], *, what: str) -> None:
    """Raise ValueError when a name appears twice (inside a validator only)."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} named twice: {', '.join(twice)}")
