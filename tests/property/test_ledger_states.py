"""Any story of a log: acts, answers, crashes, backups, races, erasures, rotations (P2, P3).

A real small home with people, a witness with a memory of its own, and a model of what was
acknowledged. After every step the whole ledger verifies, the rows are what the facts say, every
acknowledged entry is there with its bytes, receipts verify, and the witness has never gone back.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
from contextlib import ExitStack, closing
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from governance.errors import GovernanceError
from governance.home import Home
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.witness import encode_add_checkpoint
from governance.storage.open import open_storage
from tests.integration.witness.outside import Outside
from tests.support import about_people
from tests.support.about_people import RETENTION_DAYS, People
from tests.support.killed_writer import FileWitness, acknowledged_until_killed
from tests.support.small_deployment import DAY_US, START_US, TickingClock, opened_small

SUBJECTS = ("MRN-1", "MRN-2")
WITNESS = "witness-hospital"


@cache
def template() -> Path:
    """Return a folder with a home about people, a witness in force, and the witness's folder."""
    folder = tempfile.TemporaryDirectory(prefix="vigil-states-")
    _KEPT.append(folder)
    root = Path(folder.name) / "all"
    with about_people.people(root):
        pass
    Outside.of(Home.open(root / "home"), TickingClock(now_us=START_US + 2 * DAY_US), "hospital")
    return root


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


class LedgerStory(RuleBasedStateMachine):
    """The home, opened, and what was acknowledged: number -> (event id, envelope)."""

    backups = Bundle("backups")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="vigil-story-")
        self.root = Path(self._folder.name) / "all"
        shutil.copytree(template(), self.root)
        self.home = self.root / "home"
        self.clock = TickingClock(now_us=START_US + 3 * DAY_US)
        self.acknowledged: dict[int, tuple[str, bytes]] = {}
        self.witnessed = 0
        self.number = 0
        self.rotating = False
        self._stack = ExitStack()
        self._open()

    def teardown(self) -> None:
        self._stack.close()
        self._folder.cleanup()

    # --- the process ------------------------------------------------------------------------

    def _door(self, _where: str = "") -> FileWitness:
        """Return the witness; it knows the keys that are in force, as its owner configured it."""
        policy = self.home / "log.policy"
        return FileWitness(self.root / WITNESS, policy=policy, now_us=self.clock.now_us())

    def _open(self) -> None:
        with ExitStack() as stack:
            through = partial(open_storage, reach=self._door)
            with patch("governance.deployment.open_storage", through):
                small = stack.enter_context(opened_small(self.home, self.clock, ""))
            self._stack = stack.pop_all()
        self.people = People(small=small)
        self.ledger = small.deployment.ledger

    def _told(self, seq: int, event_id: str) -> None:
        entry = self.ledger.entry(seq)
        assert entry.event_id == event_id
        self.acknowledged[seq] = event_id, entry.stored.env

    # --- what happens -----------------------------------------------------------------------

    @rule()
    def act(self) -> None:
        done = self.people.small.deployment.pen.commit(
            lambda unit: unit.record(kind="test.added", actor="ada", notes={"n": self.number})
        )
        self._told(done.seq, done.event_id)

    @rule(subject=st.sampled_from(SUBJECTS))
    def answer_and_repeat(self, subject: str) -> None:
        """The same question under the same key is recorded once."""
        self.number += 1
        first, again = (self.people.ask(subject, key=f"k-{self.number}") for _ in range(2))
        assert again.recorded == first.recorded
        self._told(first.recorded.seq, first.recorded.event_id)

    @rule()
    def hold_and_lift(self) -> None:
        """A standing that moves: what is asked meanwhile is refused, and that is recorded too."""
        small = self.people.small
        placed = small.perform(
            "sam", "hold.place", model=about_people.MODEL, scope="st-olav/*", cause="drift",
            reason="a story",
        )  # fmt: skip
        refused = self.people.ask()
        assert refused.answer.kind != "inference.answered"
        self._told(refused.recorded.seq, refused.recorded.event_id)
        for person in ("reg", "rea"):
            small.signed(person, "hold.lift", hold=placed["hold"], reason="a story")

    @rule()
    def cosign(self) -> None:
        self.people.small.deployment.cosigner.round()

    @rule()
    def reopen(self) -> None:
        self._stack.close()
        self._open()

    @rule(acts=st.integers(1, 12))
    def killed(self, acts: int) -> None:
        """A real process is killed after so many acknowledgements, and others were on their way."""
        self._stack.close()
        said = acknowledged_until_killed(
            self.home, self.root / WITNESS, now_us=self.clock.now_us(), kill_after=acts
        )
        self.clock.advance(seconds=60)
        self._open()
        for seq, event_id in said:
            self._told(seq, event_id)

    @rule(target=backups)
    def back_up(self) -> Path:
        self._stack.close()
        self.number += 1
        copy = Path(shutil.copytree(self.home, self.root / f"backup-{self.number}"))
        self._open()
        return copy

    @rule(copy=backups)
    def restore_what_a_witness_saw_more_of(self, copy: Path) -> None:
        """An old backup is refused and nothing is written; the home itself opens again."""
        self.act()
        self.cosign()
        self._stack.close()
        aside = self.root / "aside"
        self.home.rename(aside)
        shutil.copytree(copy, self.home)
        before = (self.home / "vigil.sqlite").read_bytes()
        try:
            with pytest.raises((LedgerTampered, GovernanceError)) as refused:
                self._open()
            assert refused.value.code in {"ledger.behind_witness", "witness.saw_other_key"}
            assert (self.home / "vigil.sqlite").read_bytes() == before
        finally:
            shutil.rmtree(self.home)
            aside.rename(self.home)
        self._open()

    @rule(data=st.data())
    def witness_race(self, data: st.DataObject) -> None:
        """Two checkpoints reach the witness at once: it keeps the larger one, in any order."""
        self.act()
        self.act()
        last = self._door().store.seen(self.ledger.origin)
        old = 0 if last is None else last.size
        with closing(sqlite3.connect(self.home / "vigil.sqlite")) as database:
            query = "SELECT size, note FROM checkpoint WHERE size > ? ORDER BY size"
            notes = database.execute(query, (old,)).fetchall()
        chosen = data.draw(
            st.lists(st.sampled_from(notes), min_size=2, max_size=2), label="checkpoints"
        ) if notes else []  # fmt: skip
        door, start = self._door(), threading.Barrier(max(1, len(chosen)))
        cosigned: list[int] = []

        def send(size: int, note: str) -> None:
            proof = self.ledger.tree.consistency_proof(old, size)
            body = encode_add_checkpoint(old_size=old, proof=proof, checkpoint=note.encode())
            start.wait()
            if door.add_checkpoint(body).status == 200:
                cosigned.append(size)

        threads = [threading.Thread(target=send, args=pair) for pair in chosen]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = door.store.seen(self.ledger.origin)
        assert (0 if seen is None else seen.size) == max([old, *cosigned])

    @rule(subject=st.sampled_from(SUBJECTS))
    def erase(self, subject: str) -> None:
        """Bodies and key go, the entries and their proofs stay."""
        asked = self.people.ask(subject)
        self._told(asked.recorded.seq, asked.recorded.event_id)
        waiting = self.people.request(subject)
        self.people.pass_days(RETENTION_DAYS + 1)
        self.people.confirm(waiting["erasure"])
        assert self.ledger.body(asked.recorded.seq) is None
        assert self.people.key_of(subject) is None

    @rule()
    def new_key_epoch(self) -> None:
        before = len(list((self.home / "keys").glob("kek-*.bin")))
        self.people.small.perform("ada", "keys.rotate_epoch")
        assert len(list((self.home / "keys").glob("kek-*.bin"))) == before

    @precondition(lambda self: not self.rotating)
    @rule()
    def begin_rotation(self) -> None:
        for person in ("ada", "rea"):
            self.people.small.signed(person, "ledger.rotate_key")
        self.rotating = True
        assert len(self.ledger.log_keys.in_force) == 2

    @precondition(lambda self: self.rotating)
    @rule()
    def end_rotation(self) -> None:
        self.people.small.signed("ada", "ledger.retire_key", although_unknown=True)
        self.rotating = False
        assert len(self.ledger.log_keys.in_force) == 1

    # --- what always holds ------------------------------------------------------------------

    @invariant()
    def everything_verifies(self) -> None:
        self.people.verify()

    @invariant()
    def what_was_acknowledged_is_there(self) -> None:
        policy = Policy.parse(self.ledger.policy_text.encode()).without_quorum()
        stored = {entry.seq: entry for entry in self.ledger.entries(0, 100_000)}
        for seq, (event_id, env) in self.acknowledged.items():
            entry: Any = stored[seq]
            assert (entry.event_id, entry.stored.env) == (event_id, env)
        for seq in [*self.acknowledged][:2] + [*self.acknowledged][-3:]:
            event_id, env = self.acknowledged[seq]
            proven = verify_receipt(self.ledger.receipt(event_id), policy)
            assert (proven.seq, proven.entry.event_id) == (seq, event_id)

    @invariant()
    def the_witness_never_goes_back(self) -> None:
        seen = self._door().store.seen(self.ledger.origin)
        if seen is not None:
            assert seen.size >= self.witnessed
            assert seen.root == self.ledger.tree.root(seen.size)
            self.witnessed = seen.size


@pytest.mark.slow
@pytest.mark.requirement("P3")
def test_no_story_breaks_the_ledger() -> None:
    run_state_machine_as_test(
        LedgerStory,
        # Without shrinking: the same stories are told everywhere, and a step costs a tenth of a
        # second.
        settings=settings(
            max_examples=5,
            stateful_step_count=12,
            phases=(Phase.explicit, Phase.generate),
        ),
    )


@pytest.mark.campaign
@pytest.mark.requirement("P3")
def test_no_long_story_breaks_the_ledger() -> None:
    run_state_machine_as_test(
        LedgerStory, settings=settings(max_examples=20, stateful_step_count=30)
    )
