"""The machinery of every lifecycle: a frozen transition table and one pure function.

Rules:
  1. A table maps (state, command) to a `Rule`. A pair that is missing is refused: there is no else.
  2. The state None is "nothing yet"; its rules say who may create the thing.
  3. A step is checked in a fixed order: the pair, the role, whether a service may, the guards as
     listed. The first refusal is the answer.
  4. A guard is a named pure function of actor and facts; it returns a `Refusal` or None.
  5. A rule that needs a signature is closed to services (P6): they cannot sign.

Not handled here: loading the facts, writing the step, checking the signature's secret. The shell
does these, in one transaction, under a condition on the state it read.

Example: a console draws one button per element of `allowed_commands(CHANGE_REQUEST, state, actor,
facts)`, and the operation behind the button calls `advance` with the same arguments; the two
cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

from change_control.errors import ServiceMayNotSign, TransitionRefused, WrongRole
from change_control.roles import Role

S = TypeVar("S", bound=StrEnum)
C = TypeVar("C", bound=StrEnum)
F = TypeVar("F")


class SignatureMeaning(StrEnum):
    """Why somebody signs (21 CFR 11.50(a)(3)); bound into the signature with the record (P7)."""

    AUTHORED = "authored"
    REVIEWED = "reviewed"
    APPROVED = "approved"
    REJECTED = "rejected"
    RESPONSIBLE = "responsible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: a person, or a service, with the roles held over the scope of the act.

    The product's own evaluator, monitors and clock are services without a role. The shell builds
    no actor for a calling system that only asks for answers.
    """

    person: str
    roles: frozenset[Role]
    is_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a step may not be taken: the kind of error, the sentence and the next step."""

    kind: type[TransitionRefused]
    reason: str
    next_step: str


Guard = Callable[[Actor, F], Refusal | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[S, F]):
    """One permitted step. `by_machine` opens it to the product's own services, without a role."""

    to: S
    roles: frozenset[Role]
    guards: tuple[Guard[F], ...] = ()
    needs_signature: SignatureMeaning | None = None
    by_machine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[S]):
    """A step that may be taken: the next state, and what the actor signs it as."""

    state: S
    signature_meaning: SignatureMeaning | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option(Generic[S, C]):
    """A command that the table knows in a state, and why this actor may not give it, if so."""

    command: C
    to: S
    signature_meaning: SignatureMeaning | None
    refusal: Refusal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle(Generic[S, C, F]):
    """A frozen transition table. Its checks fail when the module is imported, not in service.

    `unused` are states of a shared enumeration that this table leaves out.
    """

    name: str
    states: type[S]
    commands: type[C]
    initial: S
    rules: Mapping[tuple[S | None, C], Rule[S, F]]
    unused: frozenset[S] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", MappingProxyType(dict(self.rules)))
        problems = [*_wrong_openings(self), *_unreachable(self), *_signing_machines(self)]
        if problems:
            raise RuntimeError(f"lifecycle {self.name}: " + "; ".join(problems))

    @property
    def final_states(self) -> tuple[S, ...]:
        """The states that no command leaves, in the order of the enumeration."""
        left = {state for state, _ in self.rules}
        return tuple(state for state in self.states if state not in left | self.unused)


def advance(
    lifecycle: Lifecycle[S, C, F], state: S | None, command: C, *, actor: Actor, facts: F
) -> Step[S]:
    """Return the step that `command` makes from `state`, or raise why it may not be made.

    Raises:
        TransitionRefused: or one of its kinds; `code` says which.
    """
    rule = lifecycle.rules.get((state, command))
    if rule is None:
        raise TransitionRefused(
            f"a {lifecycle.name} has no such step there",
            next_step=_possible(lifecycle, state),
            current=state or "",
            command=command,
        )
    refusal = _refusal(rule, actor, facts)
    if refusal is not None:
        raise refusal.kind(
            refusal.reason, next_step=refusal.next_step, current=state or "", command=command
        )
    return Step(state=rule.to, signature_meaning=rule.needs_signature)


def options(
    lifecycle: Lifecycle[S, C, F], state: S | None, actor: Actor, facts: F
) -> tuple[Option[S, C], ...]:
    """Return every command known in `state`, with the refusal that this actor would meet."""
    known = ((command, lifecycle.rules.get((state, command))) for command in lifecycle.commands)
    return tuple(
        Option(
            command=command,
            to=rule.to,
            signature_meaning=rule.needs_signature,
            refusal=_refusal(rule, actor, facts),
        )
        for command, rule in known
        if rule is not None
    )


def allowed_commands(
    lifecycle: Lifecycle[S, C, F], state: S | None, actor: Actor, facts: F
) -> tuple[C, ...]:
    """Return exactly the commands that `advance` would accept, in the enumeration's order."""
    return tuple(
        option.command
        for option in options(lifecycle, state, actor, facts)
        if option.refusal is None
    )


def _refusal(rule: Rule[S, F], actor: Actor, facts: F) -> Refusal | None:
    machine = actor.is_service and rule.by_machine
    if not machine and not actor.roles & rule.roles:
        wanted = ", ".join(sorted(rule.roles)) or "the product's own services"
        return Refusal(
            kind=WrongRole,
            reason=f"{actor.person} holds none of the roles that may ({wanted})",
            next_step=f"Ask somebody who acts as {wanted} in this scope.",
        )
    if actor.is_service and rule.needs_signature is not None:
        return Refusal(
            kind=ServiceMayNotSign,
            reason=f"it is signed as '{rule.needs_signature}', and services cannot sign",
            next_step="Have a person sign in and take this step.",
        )
    return next(
        (refusal for guard in rule.guards if (refusal := guard(actor, facts)) is not None), None
    )


def _possible(lifecycle: Lifecycle[S, C, F], state: S | None) -> str:
    commands = [
        command.value for command in lifecycle.commands if (state, command) in lifecycle.rules
    ]
    if not commands:
        return f"Nothing leaves '{state}'; open a new {lifecycle.name}."
    return f"Possible here: {', '.join(commands)}."


def _wrong_openings(lifecycle: Lifecycle[S, C, F]) -> list[str]:
    openings = {rule.to for (state, _), rule in lifecycle.rules.items() if state is None}
    if openings == {lifecycle.initial}:
        return []
    return [
        f"openings lead to {', '.join(sorted(openings)) or 'nothing'}, not to {lifecycle.initial}"
    ]


def _unreachable(lifecycle: Lifecycle[S, C, F]) -> list[str]:
    reached: set[S | None] = {None}
    while (
        grown := {rule.to for (state, _), rule in lifecycle.rules.items() if state in reached}
        - reached
    ):
        reached |= grown
    return [
        f"{state} {'is used' if state in reached else 'cannot be reached'}"
        for state in lifecycle.states
        if (state in reached) is (state in lifecycle.unused)
    ]


def _signing_machines(lifecycle: Lifecycle[S, C, F]) -> list[str]:
    return [
        f"{command} from {state} is signed, so no machine can take it"
        for (state, command), rule in lifecycle.rules.items()
        if rule.by_machine and rule.needs_signature is not None
    ]
