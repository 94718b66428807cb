"""The machinery under every table: what it refuses, in which order, and which tables it rejects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from change_control.errors import Blocked, ServiceMayNotSign, TransitionRefused, WrongRole
from change_control.lifecycle import (
    Actor,
    Lifecycle,
    Refusal,
    Rule,
    SignatureMeaning,
    advance,
    allowed_commands,
)
from change_control.roles import Role


class Lamp(StrEnum):
    OFF = "off"
    ON = "on"


class Press(StrEnum):
    MOUNT = "mount"
    SWITCH = "switch"
    BREAK = "break"


@dataclass(frozen=True)
class Facts:
    power: bool = True


def has_power(_actor: Actor, facts: Facts) -> Refusal | None:
    if facts.power:
        return None
    return Refusal(kind=Blocked, reason="there is no power", next_step="Pay the bill.")


OWNER = frozenset({Role.MODEL_OWNER})
MOUNT: dict[Any, Rule[Lamp, Facts]] = {(None, Press.MOUNT): Rule(to=Lamp.OFF, roles=OWNER)}


def lamp(**changes: Any) -> Lifecycle[Lamp, Press, Facts]:
    values: dict[str, Any] = {
        "name": "lamp",
        "states": Lamp,
        "commands": Press,
        "initial": Lamp.OFF,
        "rules": {
            **MOUNT,
            (Lamp.OFF, Press.SWITCH): Rule(
                to=Lamp.ON,
                roles=OWNER,
                guards=(has_power,),
                needs_signature=SignatureMeaning.AUTHORED,
            ),
        },
    }
    return Lifecycle(**{**values, **changes})


def owner(*, is_service: bool = False) -> Actor:
    return Actor(person="ada", roles=OWNER, is_service=is_service)


NOBODY = Actor(person="bo", roles=frozenset())


def test_step_carries_the_next_state_and_the_meaning_of_the_signature() -> None:
    step = advance(lamp(), Lamp.OFF, Press.SWITCH, actor=owner(), facts=Facts())
    assert (step.state, step.signature_meaning) == (Lamp.ON, SignatureMeaning.AUTHORED)


@pytest.mark.parametrize(
    ("state", "command"),
    [
        (None, Press.SWITCH),
        (Lamp.OFF, Press.MOUNT),
        (Lamp.OFF, Press.BREAK),
        (Lamp.ON, Press.SWITCH),
    ],
)
def test_a_pair_that_is_missing_is_refused(state: Lamp | None, command: Press) -> None:
    with pytest.raises(TransitionRefused, match="no such step") as caught:
        advance(lamp(), state, command, actor=owner(), facts=Facts())
    assert caught.value.code == "change.transition_refused"
    assert (caught.value.current, caught.value.command) == (state or "", command)


def test_refusal_of_a_missing_pair_says_what_is_possible() -> None:
    with pytest.raises(TransitionRefused) as caught:
        advance(lamp(), Lamp.OFF, Press.BREAK, actor=owner(), facts=Facts())
    assert caught.value.next_step == "Possible here: switch."


def test_refusal_in_a_final_state_says_to_open_another() -> None:
    with pytest.raises(TransitionRefused) as caught:
        advance(lamp(), Lamp.ON, Press.SWITCH, actor=owner(), facts=Facts())
    assert caught.value.next_step == "Nothing leaves 'on'; open a new lamp."


def test_role_is_asked_before_the_guards() -> None:
    with pytest.raises(WrongRole):
        advance(lamp(), Lamp.OFF, Press.SWITCH, actor=NOBODY, facts=Facts(power=False))


def test_a_service_is_told_so_before_the_guards() -> None:
    with pytest.raises(ServiceMayNotSign):
        advance(
            lamp(), Lamp.OFF, Press.SWITCH, actor=owner(is_service=True), facts=Facts(power=False)
        )


def test_guard_refuses_with_its_own_kind_and_sentence() -> None:
    with pytest.raises(Blocked, match="'switch' refused in state 'off': there is no power"):
        advance(lamp(), Lamp.OFF, Press.SWITCH, actor=owner(), facts=Facts(power=False))


def test_allowed_commands_are_those_that_advance_accepts() -> None:
    assert allowed_commands(lamp(), Lamp.OFF, owner(), Facts()) == (Press.SWITCH,)
    assert allowed_commands(lamp(), Lamp.OFF, owner(), Facts(power=False)) == ()
    assert allowed_commands(lamp(), Lamp.OFF, NOBODY, Facts()) == ()
    assert allowed_commands(lamp(), Lamp.ON, owner(), Facts()) == ()


def test_final_states_are_those_that_nothing_leaves() -> None:
    assert lamp().final_states == (Lamp.ON,)


def test_a_table_cannot_be_changed_after_import() -> None:
    rules: Any = lamp().rules
    with pytest.raises(TypeError):
        rules[Lamp.ON, Press.BREAK] = Rule(to=Lamp.OFF, roles=OWNER)


def test_a_table_does_not_follow_the_mapping_it_was_made_from() -> None:
    rules = dict(lamp().rules)
    table = lamp(rules=rules)
    rules.clear()
    assert table.rules


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"rules": MOUNT}, "on cannot be reached", id="a state that cannot be reached"),
        pytest.param({"initial": Lamp.ON}, "openings lead to", id="another opening"),
        pytest.param(
            {"rules": {(Lamp.OFF, Press.SWITCH): Rule(to=Lamp.ON, roles=OWNER)}},
            "openings lead to",
            id="no opening",
        ),
        pytest.param(
            {"unused": frozenset({Lamp.ON})}, "is used", id="a used state declared as unused"
        ),
        pytest.param(
            {
                "rules": {
                    **MOUNT,
                    (Lamp.OFF, Press.SWITCH): Rule(
                        to=Lamp.ON,
                        roles=OWNER,
                        needs_signature=SignatureMeaning.APPROVED,
                        by_machine=True,
                    ),
                }
            },
            "no machine can take it",
            id="a machine that would sign",
        ),
    ],
)
def test_a_table_that_cannot_be_right_fails_when_it_is_made(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(RuntimeError, match=message):
        lamp(**changes)
