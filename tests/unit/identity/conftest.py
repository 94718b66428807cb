"""A small real home in this process: two administrators' worth of people, cheap hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from governance.adapters import passwords
from governance.clock import MICROSECONDS, SystemClock
from governance.deployment import Deployment, open_deployment
from governance.operations import catalogue
from governance.operations.actor import Actor
from governance.operations.admin.create_home import create_home
from governance.operations.admin.sign_in import OpenSession, sign_in

ORGANISATION = "st-olav"
EVERYWHERE = f"{ORGANISATION}/*"


class ShiftedClock(SystemClock):
    """The machine's clock, moved by hand."""

    shift_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.shift_us

    def pass_minutes(self, minutes: int) -> None:
        self.shift_us += minutes * 60 * MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An open deployment with the administrator ada."""

    deployment: Deployment
    clock: ShiftedClock
    root: Path

    @staticmethod
    def first_password(person: str) -> str:
        return f"given-to-{person}-first"

    @staticmethod
    def own_password(person: str) -> str:
        return f"known-to-{person}-alone"

    def sign_in(self, person: str, password: str | None = None, **more: str) -> OpenSession:
        given = self.own_password(person) if password is None else password
        return sign_in(self.deployment, person=person, password=given, **more)

    def actor(self, person: str) -> Actor:
        return self.sign_in(person).actor

    def do(self, actor: Actor | str, name: str, /, **params: Any) -> dict[str, Any]:
        who = self.actor(actor) if isinstance(actor, str) else actor
        return catalogue.perform(self.deployment, who, name, params).model_dump(mode="json")

    def add(self, person: str, *roles: str, scope: str = EVERYWHERE) -> None:
        """Add a person who has not chosen a password yet."""
        ada = self.actor("ada")
        self.do(
            ada,
            "person.add",
            person=person,
            printed_name=f"{person.title()} Test",
            password=self.first_password(person),
        )
        for role in roles:
            self.do(ada, "role.grant", person=person, role=role, scope=scope)

    def settle(self, person: str) -> None:
        """Let the person choose a password."""
        first, own = self.first_password(person), self.own_password(person)
        self.do(self.sign_in(person, first).actor, "person.change_password", old=first, new=own)

    def kinds(self) -> list[str]:
        """Return the kinds of all entries in order."""
        return [entry.kind for entry in self.deployment.ledger.entries(0, 1000)]

    def facts(self, kind: str) -> dict[str, Any]:
        """Return the facts of the last entry of the kind."""
        found = [one for one in self.deployment.ledger.entries(0, 1000) if one.kind == kind]
        facts = found[-1].facts
        assert isinstance(facts, dict)
        return facts


@contextmanager
def cheap_hashes() -> Iterator[Callable[[str], str]]:
    """Make and check hashes in no time, for the length of the block; give what makes one."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", hasher)
        patch.setattr(passwords, "_NOBODY", hasher.hash("there is no such person"))
        yield hasher.hash


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Open a new home; hashes are cheap, and everything else is as in operation."""
    with cheap_hashes():
        yield from _open_house(tmp_path / "home")


def _open_house(root: Path) -> Iterator[House]:
    clock = ShiftedClock()
    create_home(
        root,
        organisation=ORGANISATION,
        deployment="test",
        database="sqlite",
        administrator="ada",
        printed_name="Ada Berg",
        password=House.own_password("ada"),
        clock=clock,
    )
    with open_deployment(root, clock=clock) as deployment:
        yield House(deployment=deployment, clock=clock, root=root)
