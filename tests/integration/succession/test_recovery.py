"""A log that was lost or whose key was stolen is succeeded by what its witnesses saw (P3, P6)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from governance.errors import Conflict, Forbidden, GovernanceError
from governance.home import Home, OwnerLock
from governance.ledger.core.errors import LedgerBehind, LedgerTampered
from governance.operations.admin.log_end import KeyNotLost, NothingLost, NothingWitnessed
from governance.operations.admin.succession import recover_log
from governance.operations.inspect.verify_files import verify_files
from governance.operations.signing import SignatureRefused
from governance.storage.log_signer import LogKeyMissing
from governance.storage.open import open_storage
from governance.storage.succession.pending import SUCCEEDED, HomeSucceeded, mark_succeeded
from governance.storage.succession.statement import (
    PREDECESSOR,
    SIGNED,
    Signatory,
    signed_facts,
    succession_of,
)
from tests.integration.succession.ending import (
    clock,
    contents,
    lived_in,
    reopened,
    request,
    signing,
)
from tests.integration.witness.outside import Outside, act
from tests.support.about_people import People, people
from tests.support.small_deployment import (
    DAY_US,
    MODEL,
    START_US,
    TickingClock,
    cheap_passwords,
    opened_small,
)

pytestmark = pytest.mark.requirement("P3")
NAMES = ("hospital", "vendor", "notified")


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with cheap_passwords():
        yield


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    """Return a lived-in home that three witnesses have seen, of which two must agree."""
    made = Outside.of(Home.open(lived_in(tmp_path)), clock(), *NAMES)
    with made.opened() as storage:
        storage.cosigner.round()
    return made


def later(outside: Outside, *, count: int = 3, rounds: bool = True) -> int:
    """Let things happen, seen by the witnesses or not; return the size."""
    with outside.opened() as storage:
        act(storage, count=count)
        if rounds:
            storage.cosigner.round()
        return storage.ledger.head()[0]


def recover(outside: Outside, new: Path, asked: Any = None, **more: Any) -> Any:
    return recover_log(
        outside.home.root, new, asked or request(reason="storage_lost"), clock=clock(),
        reach=outside.reach, **more,
    )  # fmt: skip


def restored(outside: Outside, tmp_path: Path) -> tuple[int, int]:
    """Restore an old backup; return its size, and that which the witnesses saw."""
    with outside.opened() as storage:
        kept = storage.ledger.head()[0]
    copy = outside.backup(tmp_path / "copy")
    seen = later(outside)
    outside.restore(copy)
    return kept, seen


def test_a_restored_backup_goes_on_in_a_successor_that_says_what_is_lost(
    outside: Outside, tmp_path: Path
) -> None:
    kept, seen = restored(outside, tmp_path)
    with pytest.raises(LedgerBehind, match="has seen") as refused, outside.opened():
        pytest.fail("it opened")
    assert "vigil ledger recover" in refused.value.next_step
    before = contents(outside.home.root)
    begun = recover(outside, tmp_path / "next")
    assert (begun.mode, begun.kept, begun.lost) == ("behind", kept, [kept, seen])
    after = contents(outside.home.root)
    told = json.loads(after.pop(SUCCEEDED))
    assert after == before, "nothing but the mark was written into the old home"
    assert (told["origin"], len(told["leaf"])) == (begun.origin, 64)
    report = verify_files(tmp_path / "next")
    assert report.succeeds is not None
    assert (report.succeeds.lost, report.succeeds.reason) == ([kept, seen], "storage_lost")
    assert report.counts is not None
    assert report.counts.agrees
    outside.every(down=True)
    with open_storage(Home.open(tmp_path / "next"), clock=clock(), reach=outside.reach) as storage:
        storage.rebuild()


def test_a_stolen_key_leaves_what_a_quorum_cosigned(outside: Outside, tmp_path: Path) -> None:
    witnessed = later(outside)
    end = later(outside, rounds=False)
    begun = recover(outside, tmp_path / "next", request(reason="key_compromised"), compromised=True)
    assert (begun.mode, begun.kept, begun.lost) == ("compromised", witnessed, [witnessed, end])
    assert verify_files(tmp_path / "next").succeeds is not None


def test_what_happened_after_the_last_witnessed_size_is_not_carried(
    outside: Outside, tmp_path: Path
) -> None:
    outside.every(down=True)
    with reopened_with(outside) as home:
        home.perform(
            "ada", "person.add", person="thief", printed_name="Thief", password="long enough!"
        )
        home.perform("ada", "role.grant", person="thief", role="administrator", scope="st-olav/*")
    outside.every(down=False)
    with pytest.raises(SignatureRefused):
        recover(outside, tmp_path / "next", request("thief"), compromised=True)
    recover(outside, tmp_path / "next", compromised=True)
    outside.every(down=True)
    config = tmp_path / "next" / "vigil.toml"
    config.write_text(config.read_text().split("\n[[witness]]")[0] + "\n")
    with reopened(tmp_path / "next") as home:
        people = [one["person"] for one in home.perform("ada", "person.list")["people"]]
        assert "thief" not in people
        assert "rea" in people
        assert home.perform("mo", "model.show", model=MODEL)


def with_policy(outside: Outside, *names: str) -> Outside:
    """Put other witnesses in force, as whoever holds the key and the database can."""
    config = outside.home.root / "vigil.toml"
    config.write_text(config.read_text().split("\n[[witness]]")[0] + "\n")
    return Outside.of(Home.open(outside.home.root), outside.clock, *names)


@pytest.mark.parametrize("rounds", [0, 2])
def test_a_thiefs_own_witnesses_vouch_for_nothing(
    outside: Outside, tmp_path: Path, rounds: int
) -> None:
    witnessed = later(outside)
    outside.every(down=True)
    thief = with_policy(outside, "mine")
    for _ in range(rounds):
        later(thief)
    with thief.opened() as storage:
        end = storage.ledger.head()[0]
    begun = recover(thief, tmp_path / "next", request(reason="key_compromised"), compromised=True)
    assert (begun.kept, begun.lost) == (witnessed, [witnessed, end])
    assert verify_files(tmp_path / "next").succeeds is not None


def test_a_change_of_witnesses_that_the_witnesses_before_cosigned_counts(
    outside: Outside, tmp_path: Path
) -> None:
    later(outside)
    policy, old = outside.home.policy_path.read_text(), outside.reach
    config = outside.home.root / "vigil.toml"
    config.write_text(config.read_text().split("\n[[witness]]")[0] + "\n")
    with open_storage(outside.home, clock=outside.clock, reach=old) as storage:
        changed = Outside.of(
            Home.open(outside.home.root), outside.clock, "another", "third", apply=False
        )
        notes: dict[str, Any] = {"old": policy, "new": changed.home.configured_policy()}
        storage.pen.commit(
            lambda unit: unit.record(kind="ledger.policy_changed", actor="ada", notes=notes)
        )
        storage.cosigner.round()
        covered = storage.ledger.head()[0]
        changed.home.write_policy(str(notes["new"]))
    seen_by_nobody = recover(changed, tmp_path / "first", compromised=True)
    assert seen_by_nobody.kept == covered, "under the quorum before, up to the change"
    (outside.home.root / SUCCEEDED).unlink()
    kept = later(changed)
    later(changed, rounds=False)
    assert recover(changed, tmp_path / "next", compromised=True).kept == kept


def test_a_home_that_was_recovered_from_starts_no_more(outside: Outside, tmp_path: Path) -> None:
    restored(outside, tmp_path)
    begun = recover(outside, tmp_path / "next")
    for again in (outside.opened, lambda: reopened(outside.home.root)):
        with pytest.raises(HomeSucceeded, match=begun.origin) as refused, again():
            pytest.fail("it opened")
    assert refused.value.code == "home.succeeded"
    with pytest.raises(HomeSucceeded):
        recover(outside, tmp_path / "another")
    assert not (tmp_path / "another").exists()
    verify_files(outside.home.root)


def test_a_recovery_that_was_cut_off_is_taken_up_again(outside: Outside, tmp_path: Path) -> None:
    restored(outside, tmp_path)
    mark_succeeded(outside.home, now_us=1, origin=None, leaf=None)
    with pytest.raises(HomeSucceeded, match="not finished"), outside.opened():
        pytest.fail("it opened")
    assert recover(outside, tmp_path / "next").mode == "behind"


def test_who_was_disabled_behind_the_kept_entries_does_not_sign(
    outside: Outside, tmp_path: Path
) -> None:
    later(outside)
    outside.every(down=True)
    with reopened_with(outside) as home:
        home.perform("ada", "person.disable", person="rea")
    outside.every(down=False)
    with pytest.raises(Forbidden, match="behind the kept"):
        recover(outside, tmp_path / "next", compromised=True)
    assert not (tmp_path / "next").exists()
    assert recover(outside, tmp_path / "next", request(second="reg"), compromised=True).kept


@pytest.mark.parametrize("witnessed", [True, False])
def test_a_database_that_lost_its_end_is_recovered_beside_the_notes_that_show_it(
    tmp_path: Path, witnessed: bool
) -> None:
    made = Outside.of(
        Home.open(lived_in(tmp_path)), clock(), *(NAMES if witnessed else ()), apply=witnessed
    )
    kept = later(made)
    database = made.home.database_path.read_bytes()
    seen = later(made)
    made.home.database_path.write_bytes(database)
    with pytest.raises(LedgerTampered), made.opened():
        pytest.fail("it opened")
    (made.home.keys_dir / "log.pem").unlink()
    with pytest.raises(LedgerTampered):
        recover(made, tmp_path / "next", key_lost=True)
    begun = recover(made, tmp_path / "next")
    assert (begun.mode, begun.kept, begun.lost) == ("behind", kept, [kept, seen])
    assert verify_files(tmp_path / "next").succeeds is not None


# --- a lost key ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "witnessed"), [("gone", True), ("unreadable", False)])
def test_a_log_whose_key_is_lost_is_succeeded_from_its_last_signed_size(
    tmp_path: Path, how: str, witnessed: bool
) -> None:
    home = Home.open(lived_in(tmp_path))
    made = Outside.of(home, clock(), *(NAMES if witnessed else ()), apply=witnessed)
    size = later(made)
    key = home.keys_dir / "log.pem"
    key.write_bytes(b"") if how == "unreadable" else key.unlink()
    with pytest.raises(LogKeyMissing) as refused, made.opened():
        pytest.fail("it opened")
    assert "--key-lost" in refused.value.next_step
    assert verify_files(home.root).size == size, "who only reads needs no private key"
    with pytest.raises(NothingLost) as nothing:
        recover(made, tmp_path / "next")
    assert "--key-lost" in nothing.value.next_step
    begun = recover(made, tmp_path / "next", request(reason="key_lost"), key_lost=True)
    assert (begun.mode, begun.kept, begun.lost) == ("key_lost", size, None)
    assert verify_files(tmp_path / "next").succeeds is not None


def test_what_the_lost_key_did_not_sign_is_named_as_lost(tmp_path: Path) -> None:
    made = Outside.of(Home.open(lived_in(tmp_path)), clock(), apply=False)
    with made.opened() as storage:
        act(storage, count=2)
        size = storage.ledger.head()[0]
        notes = made.home.checkpoints_log.read_bytes()
        act(storage)
        crashed = made.backup(tmp_path / "crashed")  # committed; its note is in the file alone
    (crashed / "checkpoints.log").write_bytes(notes)
    (crashed / "keys" / "log.pem").unlink()
    made.home = Home.open(crashed)
    begun = recover(made, tmp_path / "next", request(reason="key_lost"), key_lost=True)
    assert (begun.kept, begun.lost) == (size, [size, size + 1])


def test_a_home_that_has_its_key_is_not_recovered_as_if_it_were_lost(
    outside: Outside, tmp_path: Path
) -> None:
    with pytest.raises(KeyNotLost):
        recover(outside, tmp_path / "next", key_lost=True)
    with outside.opened():
        pass


def test_a_lost_key_hides_no_lost_entries(outside: Outside, tmp_path: Path) -> None:
    kept, seen = restored(outside, tmp_path)
    (outside.home.keys_dir / "log.pem").unlink()
    with pytest.raises(LedgerBehind):
        recover(outside, tmp_path / "next", key_lost=True)
    assert recover(outside, tmp_path / "next").lost == [kept, seen]


# --- a storage from before an erasure -----------------------------------------------------------


def test_bodies_that_were_erased_in_the_lost_entries_are_listed(tmp_path: Path) -> None:
    with people(tmp_path) as asked:
        asked.ask()
        asked.request()
    root = tmp_path / "home"
    when = TickingClock(now_us=START_US + 3 * DAY_US)
    made = Outside.of(Home.open(root), when, *NAMES)
    with made.opened() as storage:
        storage.cosigner.round()
        kept = storage.ledger.head()[0]
    copy = made.backup(tmp_path / "copy")
    when.advance(seconds=60 * 86400)
    reaching = partial(open_storage, reach=made.reach)
    with (
        patch("governance.deployment.open_storage", reaching),
        opened_small(root, when, "") as later_on,
    ):
        erased = People(small=later_on).confirm()["bodies"]
        later_on.deployment.cosigner.round()
    keys = tmp_path / "keys"
    shutil.copytree(root / "keys", keys)
    made.restore(copy)
    shutil.rmtree(root / "keys")
    keys.rename(root / "keys")
    begun = recover_log(
        root, tmp_path / "next", request(reason="storage_lost"), clock=when, reach=made.reach
    )
    assert (begun.mode, begun.kept) == ("behind", kept)
    report = verify_files(tmp_path / "next")
    assert report.succeeds is not None
    assert sum(last - first + 1 for first, last in report.succeeds.erased) == erased > 0


def reopened_with(outside: Outside) -> Any:
    """Open the home as the product does, through the test's doors."""
    from contextlib import contextmanager
    from functools import partial
    from unittest.mock import patch

    @contextmanager
    def opened() -> Iterator[Any]:
        reaching = partial(open_storage, reach=outside.reach)
        with (
            patch("governance.deployment.open_storage", reaching),
            reopened(outside.home.root) as home,
        ):
            yield home

    return opened()


def test_a_home_that_is_whole_is_not_recovered(outside: Outside, tmp_path: Path) -> None:
    with pytest.raises(NothingLost):
        recover(outside, tmp_path / "next")
    outside.every(down=True)
    with pytest.raises(NothingLost):
        recover(outside, tmp_path / "next")
    assert not (tmp_path / "next").exists()


def test_without_a_witness_a_stolen_key_leaves_nothing_to_rest_on(tmp_path: Path) -> None:
    root = lived_in(tmp_path)
    with pytest.raises(NothingWitnessed):
        recover_log(root, tmp_path / "next", request(), compromised=True, clock=clock())
    assert not (tmp_path / "next").exists()


def test_a_storage_of_another_history_is_not_recovered_from(
    outside: Outside, tmp_path: Path
) -> None:
    copy = outside.backup(tmp_path / "copy")
    later(outside, count=3)
    outside.restore(copy)
    outside.every(down=True)
    later(outside, count=5, rounds=False)
    outside.every(down=False)
    with pytest.raises(LedgerBehind, match="another history"):
        recover(outside, tmp_path / "next")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (request("ada", "ada"), Conflict),
        (request("rea", "reg"), Forbidden),
        (request(second="cas"), Forbidden),
        (request().model_copy(update={"second": signing("rea", "wrong")}), SignatureRefused),
    ],
    ids=["one person twice", "no administrator", "disabled", "a wrong password"],
)
def test_who_may_not_sign_recovers_nothing(
    outside: Outside, tmp_path: Path, asked: Any, error: type[GovernanceError]
) -> None:
    restored(outside, tmp_path)
    before = contents(outside.home.root)
    with pytest.raises(error):
        recover(outside, tmp_path / "next", asked)
    assert not [path for path in tmp_path.iterdir() if "next" in path.name]
    assert contents(outside.home.root) == before


def test_a_home_that_a_server_owns_is_not_recovered(outside: Outside, tmp_path: Path) -> None:
    restored(outside, tmp_path)
    with OwnerLock(outside.home.lock_path), pytest.raises(Conflict, match="owns"):
        recover(outside, tmp_path / "next")


# --- the statement ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Stated:
    """The first entry of a recovered home, and the key that signed it."""

    facts: dict[str, Any]
    home: Home

    def with_statement(self, **changed: Any) -> dict[str, Any]:
        """Return the facts with another statement, signed rightly by both."""
        signed: Any = self.facts[SIGNED]
        people = tuple(
            Signatory(person=o["person"], printed_name=o["printed_name"], role=o["role"])
            for o in signed
        )
        return self.facts | signed_facts(
            self.facts[PREDECESSOR] | changed,
            people,  # type: ignore[arg-type]
            key=self.home.signature_key(),
            now_us=1,
        )

    def refused(self, facts: dict[str, Any]) -> bool:
        try:
            succession_of(facts, key=self.home.signature_key().public_key())
        except LedgerTampered as error:
            return error.sequence == 0
        return False


@pytest.fixture(scope="module")
def stated(tmp_path_factory: pytest.TempPathFactory) -> Stated:
    tmp_path = tmp_path_factory.mktemp("stated")
    with cheap_passwords():
        made = Outside.of(Home.open(lived_in(tmp_path)), clock(), *NAMES)
        with made.opened() as storage:
            storage.cosigner.round()
        restored(made, tmp_path)
        recover(made, tmp_path / "next")
    home = Home.open(tmp_path / "next")
    with open_storage(home, clock=clock(), reach=made.reach) as storage:
        facts = storage.ledger.entry(0).facts
    assert isinstance(facts, dict)
    return Stated(facts=json.loads(json.dumps(facts)), home=home)


def test_the_statement_verifies_as_it_was_made(stated: Stated) -> None:
    assert not stated.refused(stated.facts)
    assert not stated.refused(stated.with_statement(reason="another_reason"))
    assert succession_of({}, key=stated.home.signature_key().public_key()) is None


OTHER: dict[str, Any] = {
    "origin": "example.org/other/audit/x", "kept": 3, "lost": [3, 9], "mode": "closed",
    "erased": [[3, 1]],
    "reason": 1, "seen": None, "successor": "other", "successor_vkey": "x", "vkeys": [],
    "policy": "quorum none\n", "checkpoint": "x", "carried": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(OTHER))
def test_a_statement_of_other_things_is_refused_although_it_is_signed(
    stated: Stated, name: str
) -> None:
    assert stated.refused(stated.with_statement(**{name: OTHER[name]}))


def test_a_statement_that_was_changed_after_signing_is_refused(stated: Stated) -> None:
    for name in stated.facts[PREDECESSOR]:
        changed = stated.facts[PREDECESSOR] | {name: OTHER[name]}
        assert stated.refused(stated.facts | {PREDECESSOR: changed}), name
    assert stated.refused(
        stated.facts | {PREDECESSOR: stated.facts[PREDECESSOR] | {"reason": "another_reason"}}
    )


def test_the_range_that_is_lost_must_be_that_of_the_witness(stated: Stated) -> None:
    first, end = stated.facts[PREDECESSOR]["lost"]
    for lost in ([first, end + 1], [first, first], [first - 1, end], [end, first], None, [first]):
        assert stated.refused(stated.with_statement(lost=lost)), lost
    note = stated.facts[PREDECESSOR]["seen"]
    alone = "".join(note.splitlines(keepends=True)[:5])  # the log's line without the witness's
    assert stated.refused(stated.with_statement(seen=alone))


@pytest.mark.parametrize(
    "change",
    [
        {"person": "mo"}, {"role": "auditor"}, {"printed_name": "Somebody"}, {"t_us": 2},
        {"envelope": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_changed_signature_is_refused(stated: Stated, change: dict[str, Any]) -> None:
    for at in (0, 1):
        signed = [dict(one) for one in stated.facts[SIGNED]]
        signed[at] |= change
        assert stated.refused(stated.facts | {SIGNED: signed})


def test_two_signatures_are_needed_and_of_two_people(stated: Stated) -> None:
    first, second = stated.facts[SIGNED]
    for signed in ([], [first], [second, first], [first, first], [first, second, second], None):
        assert stated.refused(stated.facts | {SIGNED: signed}), signed
    without = {k: v for k, v in stated.facts.items() if k != SIGNED}
    assert stated.refused(without)
