"""What the product itself is called in the trail, where it acts and no person does.

The rules that want several people leave these out by their names. So nobody else may ever have
one: a person of this name would be counted as nobody, and a calling system would be shown as one.
"""

from __future__ import annotations

from typing import Final

from governance.errors import InvalidInput

MONITOR: Final = "monitor"
EVALUATOR: Final = "evaluator"
CARRIER: Final = "system"
"""Who records, in a successor, what the log before it had recorded."""

RESERVED: Final = frozenset({MONITOR, EVALUATOR, CARRIER})


def refuse_reserved(name: str) -> None:
    """Raise InvalidInput where the name of a new person or client is the product's own (P6)."""
    if name in RESERVED:
        raise InvalidInput(
            f"{name} is what the product itself is called in the trail",
            next_step="choose another id",
        )
