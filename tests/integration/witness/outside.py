"""Other parties for a home: witnesses in this process, reached through doors that the test opens.

A door is the real witness (its rules and its database) without the network; its knobs are those of
an attacker or of a bad day.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from governance.clock import Clock
from governance.home import Home
from governance.ledger.core.note import VerifierKey
from governance.ledger.core.policy import Policy
from governance.ledger.store.witnesses import WitnessAnswer, WitnessUnreachable
from governance.storage.open import Storage, open_storage
from governance.storage.trust import CHANGED_FROM, CHANGED_TO, POLICY_CHANGED
from governance.witness.home import WitnessHome, create_witness
from governance.witness.store import SeenStore
from governance.witness.witness import Reply, Witness


@dataclass
class Door:
    """The way to one witness. `answer` replaces what it says; `down` lets nobody through."""

    witness: Witness
    down: bool = False
    answer: Callable[[bytes], Reply] | None = None
    show: Callable[[], Reply] | None = None
    asked: int = 0

    def add_checkpoint(self, body: bytes) -> WitnessAnswer:
        self._count()
        return _answered(self.answer(body) if self.answer else self.witness.add_checkpoint(body))

    def seen(self, origin: str) -> WitnessAnswer:
        from governance.ledger.core.witness import seen_path

        self._count()
        digest = seen_path(origin).split("/")[1]
        return _answered(self.show() if self.show else self.witness.seen(digest))

    def _count(self) -> None:
        self.asked += 1
        if self.down:
            raise WitnessUnreachable("it is down", next_step="wait")


def _answered(reply: Reply) -> WitnessAnswer:
    return WitnessAnswer(status=reply.status, content_type=reply.content_type, body=reply.body)


@dataclass
class Outside:
    """A home with its witnesses, one of an organisation each."""

    home: Home
    clock: Clock
    homes: dict[str, WitnessHome] = field(default_factory=dict)
    doors: dict[str, Door] = field(default_factory=dict)
    contacted: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        home: Home,
        clock: Clock,
        *names: str,
        settings: str = "",
        apply: bool = True,
        their_clock: Clock | None = None,
    ) -> Outside:
        """Return the home with these witnesses named in vigil.toml, and put in force.

        Witnesses go by `their_clock`, or by the home's.
        """
        outside = cls(home=home, clock=clock)
        policy = Policy.parse(home.policy_path.read_bytes())
        config = home.root / "vigil.toml"
        text = config.read_text()
        for line in settings.splitlines():
            name = line.partition(" = ")[0]
            kept = [one for one in text.splitlines() if not one.startswith(f"{name} = ")]
            text = "\n".join(kept).replace("[witnessing]", f"[witnessing]\n{line}") + "\n"
        for name in names:
            made = create_witness(home.root.parent / f"witness-{name}", name=f"{name}.example")
            outside.homes[name] = made
            outside.doors[address(name)] = Door(
                Witness(
                    home=made,
                    store=SeenStore(made.database_path),
                    policy=policy,
                    clock=their_clock or clock,
                )
            )
            text += (
                f'\n[[witness]]\nname = "{name}"\naddress = "{address(name)}"\n'
                f'vkey = "{made.vkey.text()}"\norganisation = "{name}"\n'
            )
        config.write_text(text)
        outside.home = Home.open(home.root)
        if apply:
            outside.put_in_force()
        return outside

    def put_in_force(self) -> None:
        """Record the configured policy, as the operation does."""
        new, old = self.home.configured_policy(), self.home.policy_path.read_text()
        with open_storage(self.home, clock=self.clock, reach=self.reach) as storage:
            notes = {CHANGED_FROM: old, CHANGED_TO: new}
            storage.pen.commit(
                lambda unit: unit.record(kind=POLICY_CHANGED, actor="ada", notes=notes)
            )
            self.home.write_policy(new)

    def reach(self, where: str) -> Door:
        self.contacted.append(where)
        return self.doors[where]

    def door(self, name: str) -> Door:
        return self.doors[address(name)]

    def key(self, name: str) -> VerifierKey:
        return self.homes[name].vkey

    def every(self, *, down: bool) -> None:
        for door in self.doors.values():
            door.down = down

    @contextmanager
    def opened(self) -> Iterator[Storage]:
        """Open the home with its witnesses."""
        with open_storage(self.home, clock=self.clock, reach=self.reach) as storage:
            yield storage

    def backup(self, folder: Path) -> Path:
        """Return a copy of the home as it is now."""
        return Path(shutil.copytree(self.home.root, folder))

    def restore(self, copy: Path) -> None:
        """Put the copy in the home's place."""
        shutil.rmtree(self.home.root)
        shutil.copytree(copy, self.home.root)


def address(name: str) -> str:
    return f"https://{name}.example/witness"


def act(storage: Storage, *, count: int = 1) -> str:
    """Commit acts, one entry each; return the event id of the last."""
    event_id = ""
    for _ in range(count):
        event_id = storage.pen.commit(
            lambda unit: unit.record(kind="test.added", actor="ada").event_id
        )
    return event_id
