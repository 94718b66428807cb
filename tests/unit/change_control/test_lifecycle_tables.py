"""Every state, command and role of every lifecycle against the committed reference page."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import pytest

from change_control import errors
from change_control.lifecycle import advance, allowed_commands, options
from change_control.roles import Role
from tests.unit.change_control.cases import (
    AUTHOR,
    BY_NAME,
    SPOILERS,
    good_facts,
    person,
    service,
)
from tests.unit.change_control.reference_pages import LIFECYCLES_PAGE, pages


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the committed page."""

    to: str
    who: frozenset[str]
    signed_as: str | None
    conditions: tuple[str, ...]


def read_page(page: str) -> dict[tuple[str, str | None, str], Row]:
    """Return the rows of all transition tables, by (lifecycle, state, command)."""
    rows: dict[tuple[str, str | None, str], Row] = {}
    name = ""
    for line in page.splitlines():
        if line.startswith("## "):
            name = line.removeprefix("## ").lower()
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if name not in BY_NAME or len(cells) != 6 or cells[0] in {"state", "---"}:
            continue
        state, command, to, who, signed_as, conditions = cells
        rows[name, None if state == "-" else state, command] = Row(
            to=to,
            who=frozenset(who.split(", ")),
            signed_as=None if signed_as == "-" else signed_as,
            conditions=() if conditions == "-" else tuple(conditions.split(", ")),
        )
    return rows


PAGE: Final = read_page(LIFECYCLES_PAGE.read_text(encoding="utf-8"))
PAIRS: Final = [
    (name, state, command)
    for name, table in BY_NAME.items()
    for state in chain([None], table.states)
    for command in table.commands
]
CONDITIONS: Final = [
    (pair, condition) for pair, row in PAGE.items() for condition in row.conditions
]


def is_allowed(pair: tuple[str, Any, Any], actor: Any, facts: Any) -> bool:
    """Whether the code lets the step through; the two ways to ask must agree."""
    name, state, command = pair
    try:
        advance(BY_NAME[name], state, command, actor=actor, facts=facts)
        allowed = True
    except errors.TransitionRefused:
        allowed = False
    assert (command in allowed_commands(BY_NAME[name], state, actor, facts)) is allowed
    return allowed


def test_committed_pages_are_what_the_code_generates() -> None:
    stale = [
        path.name
        for path, content in pages().items()
        if path.read_text(encoding="utf-8") != content
    ]
    assert stale == [], "run: python -m tests.unit.change_control.reference_pages --write"


def test_the_page_has_a_table_for_every_lifecycle() -> None:
    assert {name for name, _, _ in PAGE} == set(BY_NAME)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(str(part) for part in pair))
@pytest.mark.requirement("P6")
def test_exactly_the_listed_roles_may_take_a_step(pair: tuple[str, Any, Any]) -> None:
    name, state, command = pair
    row = PAGE.get(pair)
    facts = good_facts(name, state, command)
    for role in Role:
        assert is_allowed(pair, person(role), facts) is (row is not None and role in row.who), role


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(str(part) for part in pair))
@pytest.mark.requirement("P6")
def test_a_service_takes_no_signed_step_and_no_role_gives_it_one(
    pair: tuple[str, Any, Any],
) -> None:
    name, state, command = pair
    row = PAGE.get(pair)
    facts = good_facts(name, state, command)
    machine = row is not None and "machine" in row.who
    assert is_allowed(pair, service(), facts) is machine
    for role in Role:
        may = row is not None and row.signed_as is None and (machine or role in row.who)
        planned = row is None or "automation_is_planned" not in row.conditions
        assert is_allowed(pair, service(role), facts) is (may and planned), role


@pytest.mark.parametrize("pair", PAGE, ids=lambda pair: "-".join(str(part) for part in pair))
def test_a_step_leads_where_the_page_says_and_is_signed_as_it_says(
    pair: tuple[str, Any, Any],
) -> None:
    name, state, command = pair
    row = PAGE[pair]
    actor = person(*Role) if row.who != {"machine"} else service()
    step = advance(
        BY_NAME[name], state, command, actor=actor, facts=good_facts(name, state, command)
    )
    assert (step.state, step.signature_meaning) == (row.to, row.signed_as)


@pytest.mark.parametrize(
    ("pair", "condition"),
    CONDITIONS,
    ids=lambda part: part if isinstance(part, str) else "-".join(str(one) for one in part),
)
def test_each_listed_condition_refuses_by_itself(
    pair: tuple[str, Any, Any], condition: str
) -> None:
    name, state, command = pair
    spoiler = SPOILERS[condition]
    facts = spoiler.spoilt(good_facts(name, state, command))
    roles = list(Role)
    actor = person(*roles, name=spoiler.actor_is) if spoiler.actor_is else person(*roles)
    if spoiler.by_service or PAGE[pair].who == {"machine"}:
        actor = service(*roles)
    with pytest.raises(spoiler.error) as caught:
        advance(BY_NAME[name], state, command, actor=actor, facts=facts)
    assert type(caught.value) is spoiler.error
    assert caught.value.current == (state or "")
    assert caught.value.command == command
    assert caught.value.reason
    assert caught.value.next_step


def test_every_condition_of_the_page_has_been_spoilt() -> None:
    assert {condition for _, condition in CONDITIONS} == set(SPOILERS)


@pytest.mark.requirement("P6")
def test_no_signed_step_but_a_stop_is_open_to_the_author() -> None:
    """What the author may sign only stops something, or keeps it stopped."""
    open_to_author = {
        pair
        for pair, row in PAGE.items()
        if row.signed_as is not None
        and not {"not_the_author", "did_not_act_in_the_range"} & set(row.conditions)
    }
    assert open_to_author == {
        ("document", "in_force", "withdraw"),
        ("version", "candidate", "recall"),
        ("version", "qualified", "recall"),
        ("version", "retired", "recall"),
        ("release", "active", "recall"),
        *(
            ("finding review", state, command)
            for state in ("open", "first_signature")
            for command in ("keep_suspended", "restrict", "retire")
        ),
    }


def test_options_tell_a_reader_why_a_button_is_not_there() -> None:
    facts = good_facts("change request", "under_review", "approve")
    found = {
        option.command.value: option.refusal
        for option in options(
            BY_NAME["change request"], "under_review", person(Role.REVIEWER, name=AUTHOR), facts
        )
    }
    assert set(found) == {"endorse", "return", "approve", "reject", "abandon", "supersede"}
    assert found["approve"] is not None
    assert found["approve"].kind is errors.FourEyes
    assert found["supersede"] is None
