"""Every lifecycle as a table and a diagram, drawn from the tables that are executed.

`docs/reference/lifecycles.md` is this module's output; a test regenerates and compares it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from change_control.change.documents import DOCUMENT
from change_control.change.request import CHANGE_REQUEST
from change_control.erase.erasure import ERASURE
from change_control.erase.legal_hold import LEGAL_HOLD
from change_control.lifecycle import Lifecycle, Rule
from change_control.release.hold import HOLD
from change_control.release.release import RELEASE
from change_control.release.standing import StandingReason
from change_control.release.version import VERSION
from change_control.roles import INCOMPATIBLE
from change_control.watch.review import APPROVAL_REVIEW, FINDING_REVIEW
from change_control.watch.trail_review import TRAIL_REVIEW

# The tables have their own states, commands and facts; a description needs only their shape.
AnyLifecycle: TypeAlias = Lifecycle[Any, Any, Any]
AnyRule: TypeAlias = Rule[Any, Any]

LIFECYCLES: Final[tuple[AnyLifecycle, ...]] = (
    DOCUMENT,
    CHANGE_REQUEST,
    VERSION,
    RELEASE,
    HOLD,
    APPROVAL_REVIEW,
    FINDING_REVIEW,
    TRAIL_REVIEW,
    ERASURE,
    LEGAL_HOLD,
)

_HEAD: Final = """# Lifecycles

What may happen to what, by whom. A pair of state and command that is not listed is refused; so is
a listed one whose role, signature or condition is not met. The state `-` is "nothing yet". Who is
`machine` is the product's own evaluator, monitors and clock; no service can take a signed step.

Written by `python -m tests.unit.change_control.reference_pages --write` from the tables that the
program executes; a test compares the two.
"""


def markdown_page() -> str:
    """Return the whole reference page."""
    return "\n".join(
        [_HEAD, *(_section(lifecycle) for lifecycle in LIFECYCLES), _standing(), _roles()]
    )


def markdown_table(lifecycle: AnyLifecycle) -> str:
    """Return one row per rule: state, command, next state, who, signature, conditions."""
    head = ("state", "command", "to", "who", "signed as", "conditions")
    rows = [
        (
            state or "-",
            command,
            rule.to,
            ", ".join([*sorted(rule.roles), *(["machine"] if rule.by_machine else [])]),
            rule.needs_signature or "-",
            ", ".join(guard.__name__ for guard in rule.guards) or "-",
        )
        for state, command, rule in rules_of(lifecycle)
    ]
    return _table(head, rows)


def mermaid(lifecycle: AnyLifecycle) -> str:
    """Return the lifecycle as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    for state, command, rule in rules_of(lifecycle):
        lines.append(f"    {state or '[*]'} --> {rule.to}: {command}")
    lines += [f"    {state} --> [*]" for state in lifecycle.final_states]
    return "\n".join(lines) + "\n"


def rules_of(lifecycle: AnyLifecycle) -> Iterator[tuple[Any, Any, AnyRule]]:
    """Yield (state, command, rule) in the order of the enumerations, openings first."""
    for state in (None, *lifecycle.states.__members__.values()):
        for command in lifecycle.commands:
            rule = lifecycle.rules.get((state, command))
            if rule is not None:
                yield state, command, rule


def _section(lifecycle: AnyLifecycle) -> str:
    guards = {
        guard.__name__: (guard.__doc__ or "").partition("\n")[0]
        for _, _, rule in rules_of(lifecycle)
        for guard in rule.guards
    }
    parts = [
        f"## {lifecycle.name.capitalize()}\n",
        f"```mermaid\n{mermaid(lifecycle)}```\n",
        markdown_table(lifecycle),
    ]
    if guards:
        parts.append(_table(("condition", "meaning"), sorted(guards.items())))
    return "\n".join(parts)


def _standing() -> str:
    rows = [(str(place), f"`{reason}`") for place, reason in enumerate(StandingReason, start=1)]
    return "\n".join(
        [
            "## Reasons of a standing\n",
            "All reasons that hold are given, the first of this order first.\n",
            _table(("place", "code"), rows),
        ]
    )


def _roles() -> str:
    pairs = sorted(", ".join(sorted(pair)) for pair in INCOMPATIBLE)
    return "\n".join(
        [
            "## Roles that one person never holds over one place\n",
            _table(("roles",), [(pair,) for pair in pairs]),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
