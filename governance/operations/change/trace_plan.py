"""The traceability matrix of a change plan, as a command prints it."""

from __future__ import annotations

from typing import Any

from change_control.change.plan import parse_plan
from change_control.change.traceability import trace


def trace_text(text: str) -> dict[str, Any]:
    """Return the matrix of the plan in `text`; raises PlanInvalid with every fault."""
    return {"matrix": trace(parse_plan(text)).as_markdown()}
