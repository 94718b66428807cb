"""The log's key is rotated by two people, and every reader follows it by its entries (P3, P6)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.deployment import open_deployment
from governance.errors import Forbidden, GovernanceError
from governance.home import Home, pem_of
from governance.ledger.core.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from governance.ledger.core.errors import LedgerTampered, ReceiptRejected
from governance.ledger.core.note import VerifierKey, parse_note
from governance.ledger.core.policy import Policy, with_log_keys
from governance.ledger.core.receipt import verify_receipt
from governance.operations.admin import log_keys
from governance.operations.admin.log_keys import RotationRefused
from governance.operations.inspect.export_ledger import export_home
from governance.operations.inspect.verify_export import verify_export
from governance.operations.inspect.verify_files import rebuild_files, verify_files
from governance.operations.signing import SignatureRefused
from governance.storage.errors import LogClosed
from governance.storage.log_signer import LogKeyMissing, log_key_files
from governance.storage.trust_moves import TrustMoved
from tests.support.small_deployment import (
    DAY_US,
    START_US,
    Small,
    TickingClock,
    password_of,
    small,
)

pytestmark = pytest.mark.requirement("P3")


def second(home: Small) -> dict[str, Any]:
    return home.signed("rea", "ledger.rotate_key")


def rotate(home: Small) -> dict[str, Any]:
    home.signed("ada", "ledger.rotate_key")
    return second(home)


def finish(home: Small) -> dict[str, Any]:
    return home.signed("ada", "ledger.retire_key")


def lines(home: Small) -> list[str]:
    """Return the key ids of the last checkpoint's lines."""
    note = parse_note(home.deployment.ledger.checkpoint().encode())
    return [one.key_id.hex() for one in note.signatures]


def key_id(vkey: str) -> str:
    return vkey.split("+")[1]


def files(home: Home) -> list[str]:
    return sorted(path.name for path in home.keys_dir.glob("log*"))


def entry_of(home: Small, kind: str) -> Any:
    return next(e for e in home.deployment.ledger.entries(limit=1000) if e.kind == kind)


def test_a_rotation_is_begun_by_one_and_signed_by_another(home: Small) -> None:
    old = home.deployment.ledger.vkey
    started = home.signed("ada", "ledger.rotate_key")
    assert (started["state"], started["old"]) == ("started", old)
    assert lines(home) == [key_id(old)], "nothing changed yet"
    rotated = home.signed("reg", "ledger.rotate_key")
    assert (rotated["state"], rotated["new"]) == ("rotated", started["new"])
    assert lines(home) == [key_id(old), key_id(started["new"])]
    facts = entry_of(home, "key.rotated").facts
    assert (facts["actor"], facts["begun_by"]) == ("reg", "ada")
    home.deployment.rebuild()
    home.deployment.ledger.verify()


def test_a_verifier_that_knows_one_of_the_keys_goes_on_during_the_overlap(home: Small) -> None:
    before = Policy.parse(home.deployment.ledger.policy_text.encode())
    event = home.deployment.ledger.entry(home.size() - 1).event_id
    genuine = home.deployment.ledger.receipt(event)
    rotate(home)
    receipt = home.deployment.ledger.receipt(event)
    both = Policy.parse(home.deployment.home.policy_path.read_bytes())
    assert len(both.log_keys(home.deployment.home.origin)) == 2
    assert verify_receipt(receipt, before).seq == verify_receipt(receipt, both).seq
    finish(home)
    after = Policy.parse(home.deployment.home.policy_path.read_bytes())
    assert verify_receipt(receipt, after).stage == "S0", "it has a line of the new key"
    with pytest.raises(ReceiptRejected, match="log_signature") as refused:
        verify_receipt(genuine, after)
    assert "ask the log for it again" in refused.value.next_step, "it is no forgery, it is older"
    assert (
        verify_receipt(home.deployment.ledger.receipt(event), after).seq
        == verify_receipt(genuine, before).seq
    )
    home.actor("mo")
    later = home.deployment.ledger.receipt(home.deployment.ledger.entry(home.size() - 1).event_id)
    assert verify_receipt(later, after).stage == "S0"
    with pytest.raises(ReceiptRejected, match="log_signature"):
        verify_receipt(later, before)


def test_the_end_destroys_the_old_key_and_every_reader_follows(home: Small, tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    export_home(home.deployment.home.root, folder)
    rotated = rotate(home)
    own = home.deployment.home
    assert files(own) == [f"log-{key_id(rotated['new'])}.pem", "log.pem"]
    assert finish(home)["state"] == "retired"
    assert files(own) == ["log.pem"]
    assert lines(home) == [key_id(rotated["new"])]
    assert VerifierKey.of(own.log_key(), name=own.origin).text() == rotated["new"]
    home.actor("mo")
    home.deployment.rebuild()
    home.deployment.ledger.verify()
    assert verify_files(own.root).size == home.size()
    assert rebuild_files(own.root).identical
    export_home(own.root, folder)  # the folder was begun under the old key
    report, incomplete = verify_export(folder, policy=own.policy_path)
    assert incomplete is None
    assert report.completeness.size == home.size()


def test_a_home_opens_again_in_every_state_of_a_rotation(tmp_path: Path) -> None:
    clock = TickingClock(now_us=START_US + DAY_US)
    with small(tmp_path, clock) as opened:
        root = opened.deployment.home.root
        opened.signed("ada", "ledger.rotate_key")
    for step in ("rotated", "retired", "again"):
        with open_deployment(root, clock=clock) as deployment:
            again = Small(deployment=deployment, compute=opened.compute, clock=clock, secret="")
            if step == "rotated":
                again.signed("rea", "ledger.rotate_key")
            elif step == "retired":
                finish(again)
            else:
                rotate(again)
                finish(again)
            deployment.ledger.verify()
    with open_deployment(root, clock=clock) as deployment:
        assert len(deployment.ledger.log_keys.spans) == 3
        deployment.rebuild()


def test_the_same_person_does_not_sign_twice(home: Small) -> None:
    home.perform("ada", "role.grant", person="ada", role="reviewer", scope="st-olav/*")
    home.signed("ada", "ledger.rotate_key")
    before = home.size()
    with pytest.raises(RotationRefused, match="another person"):
        home.signed("ada", "ledger.rotate_key")
    assert home.size() == before + 1, "nothing but the session"


@pytest.mark.parametrize("who", ["mo", "sam", "cas", "aud", "olga", "sita", "nils", "rea"])
def test_only_an_administrator_begins(home: Small, who: str) -> None:
    with pytest.raises(Forbidden):
        home.signed(who, "ledger.rotate_key")
    assert files(home.deployment.home) == ["log.pem"]


@pytest.mark.parametrize("who", ["mo", "sam", "cas", "aud", "sita", "nils"])
def test_only_a_reviewer_or_regulatory_signs(home: Small, who: str) -> None:
    home.signed("ada", "ledger.rotate_key")
    with pytest.raises(Forbidden):
        home.signed(who, "ledger.rotate_key")
    assert len(home.deployment.ledger.log_keys.in_force) == 1


@pytest.mark.parametrize("name", ["ledger.rotate_key", "ledger.retire_key"])
def test_a_wrong_password_signs_nothing(home: Small, name: str) -> None:
    if name == "ledger.retire_key":
        rotate(home)
    keys = home.deployment.ledger.log_keys
    with pytest.raises(SignatureRefused):
        home.perform("ada", name, password="not the password of ada")
    assert home.deployment.ledger.log_keys == keys


def test_a_rotation_ends_before_the_next_begins(home: Small) -> None:
    with pytest.raises(RotationRefused, match="no rotation"):
        finish(home)
    rotate(home)
    with pytest.raises(RotationRefused, match="under way"):
        home.signed("ada", "ledger.rotate_key")


def test_a_rotation_whose_beginner_was_disabled_is_begun_anew(home: Small) -> None:
    started = home.signed("ada", "ledger.rotate_key")
    home.perform("ada", "role.grant", person="sam", role="administrator", scope="st-olav/*")
    home.perform("sam", "person.disable", person="ada")
    with pytest.raises(Forbidden):
        home.signed("rea", "ledger.rotate_key")
    assert home.signed("sam", "ledger.rotate_key")["new"] == started["new"]
    assert home.signed("rea", "ledger.rotate_key")["state"] == "rotated"


def test_a_prepared_key_that_is_lost_is_made_anew(home: Small) -> None:
    started = home.signed("ada", "ledger.rotate_key")
    (home.deployment.home.keys_dir / f"log-{key_id(started['new'])}.pem").unlink()
    with pytest.raises(Forbidden):
        home.signed("rea", "ledger.rotate_key")
    assert home.signed("ada", "ledger.rotate_key")["new"] != started["new"]


# --- crashes ------------------------------------------------------------------------------------


class Crash(Exception):
    """What the machine does when it fails."""


@pytest.mark.parametrize(
    ("step", "at"),
    [("rotate", "write_policy"), ("finish", "write_policy"), ("finish", "settle_key_files")],
)
def test_a_crash_behind_the_entry_is_made_good_by_the_next_start(
    tmp_path: Path, step: str, at: str
) -> None:
    clock = TickingClock(now_us=START_US + DAY_US)
    with small(tmp_path, clock) as home:
        root = home.deployment.home.root
        if step == "finish":
            rotate(home)
        else:
            home.signed("ada", "ledger.rotate_key")

        def fail(*_args: object) -> None:
            raise Crash

        target = log_keys if at == "settle_key_files" else Home
        last = finish if step == "finish" else second
        with patch.object(target, at, fail), pytest.raises(Crash):
            last(home)
    with open_deployment(root, clock=clock) as deployment:
        deployment.rebuild()
        deployment.ledger.verify()
        keys = deployment.ledger.log_keys
        assert len(keys.in_force) == (1 if step == "finish" else 2)
        assert set(log_key_files(deployment.home)) == set(keys.in_force)
        policy = Policy.parse(deployment.home.policy_path.read_bytes())
        assert policy.log_keys(keys.origin) == keys.in_force


def test_a_crash_between_overwriting_and_removing_leaves_no_old_key(tmp_path: Path) -> None:
    clock = TickingClock(now_us=START_US + DAY_US)
    with small(tmp_path, clock) as home:
        own = home.deployment.home
        rotate(home)
        old = (own.keys_dir / "log.pem").read_bytes()
        finish(home)
        (own.keys_dir / "log.retired").write_bytes(old)
    with open_deployment(own.root, clock=clock):
        assert files(own) == ["log.pem"]


def test_a_key_in_force_that_is_not_in_the_home_is_said(tmp_path: Path) -> None:
    clock = TickingClock(now_us=START_US + DAY_US)
    with small(tmp_path, clock) as home:
        own, rotated = home.deployment.home, rotate(home)
    (own.keys_dir / f"log-{key_id(rotated['new'])}.pem").unlink()
    with pytest.raises(LogKeyMissing, match="not in keys/"), open_deployment(own.root):
        pytest.fail("it opened")


# --- who has the old key, or the database -------------------------------------------------------


def retired_home(tmp_path: Path) -> tuple[Home, Ed25519PrivateKey, int]:
    """Return a home after a rotation, its old private key, and the number of the retirement."""
    with small(tmp_path) as home:
        own = home.deployment.home
        old = own.log_key()
        rotate(home)
        retired = finish(home)
        home.actor("mo")
    return own, old, int(retired["seq"])


def test_the_retired_key_signs_nothing_behind_its_range(tmp_path: Path) -> None:
    own, old, retired = retired_home(tmp_path)
    with open_deployment(own.root) as deployment:
        keys, tree = deployment.ledger.log_keys, deployment.ledger.tree
        for size, accepted in ((retired, True), (retired + 1, False), (tree.size, False)):
            checkpoint = Checkpoint(origin=own.origin, size=size, root=tree.root(size))
            note = sign_checkpoint(checkpoint, private_key=old)
            if accepted:
                assert keys.open(note).size == size
                continue
            with pytest.raises(GovernanceError, match="no known key"):
                keys.open(note)


def test_a_note_of_the_retired_key_in_the_file_is_refused(tmp_path: Path) -> None:
    own, old, _retired = retired_home(tmp_path)
    with open_deployment(own.root) as deployment:
        tree = deployment.ledger.tree
    checkpoint = Checkpoint(origin=own.origin, size=tree.size, root=tree.root(tree.size))
    with own.checkpoints_log.open("ab") as file:
        file.write(b"\n" + sign_checkpoint(checkpoint, private_key=old) + b"\n")
    with pytest.raises(LedgerTampered, match=r"checkpoints\.log"), open_deployment(own.root):
        pytest.fail("it opened")


def test_the_new_key_signs_nothing_before_its_rotation(home: Small) -> None:
    rotated = rotate(home)
    keys, tree = home.deployment.ledger.log_keys, home.deployment.ledger.tree
    new = log_key_files(home.deployment.home)[VerifierKey.parse(rotated["new"])]
    size = int(rotated["seq"])
    checkpoint = Checkpoint(origin=keys.origin, size=size, root=tree.root(size))
    with pytest.raises(GovernanceError):
        keys.open(sign_checkpoint(checkpoint, private_key=new))


def test_the_old_key_put_back_into_the_home_is_found(tmp_path: Path) -> None:
    own, old, _retired = retired_home(tmp_path)
    (own.keys_dir / "log.pem").write_bytes(pem_of(old))
    with pytest.raises(GovernanceError), open_deployment(own.root):
        pytest.fail("it opened")


def test_checkpoints_open_for_those_who_pinned_either_policy(home: Small) -> None:
    old = VerifierKey.parse(home.deployment.ledger.vkey)
    new = VerifierKey.parse(rotate(home)["new"])
    note, origin = home.deployment.ledger.checkpoint().encode(), home.deployment.home.origin
    for known in ([old], [new], [old, new]):
        assert open_checkpoint(note, origin=origin, keys=known).size == home.size()


# --- two steps in one batch --------------------------------------------------------------------


def together(home: Small, *acts: Callable[[], Any]) -> list[Any]:
    """Run acts in threads so that what each commits last is in one batch; return what came."""
    pen: Any = home.deployment.pen
    commit = pen.commit

    def until_all_wait(_unit: object) -> None:
        busy.set()
        while pen._queue.qsize() < len(acts):
            pass

    def hold_the_pen() -> None:
        threads.submit(commit, until_all_wait)
        busy.wait()

    busy, ready = threading.Event(), threading.Barrier(len(acts), action=hold_the_pen)

    def held(write: Callable[..., Any]) -> Any:
        if write.__module__ in {"governance.operations.admin.log_keys", __name__}:
            ready.wait()
        return commit(write)

    def told(act: Callable[[], Any]) -> Any:
        try:
            return act()
        except GovernanceError as error:
            return error

    with ThreadPoolExecutor() as threads, patch.object(pen, "commit", held):
        return list(threads.map(told, acts))


def signing(home: Small, who: str, name: str) -> Callable[[], Any]:
    actor, password = home.actor(who), password_of(who)
    return lambda: home.as_actor(actor, name, password=password)


@pytest.mark.parametrize("step", ["rotate", "retire"])
def test_two_who_take_a_step_in_one_batch_take_it_once(tmp_path: Path, step: str) -> None:
    clock = TickingClock(now_us=START_US + DAY_US)
    with small(tmp_path, clock) as home:
        root = home.deployment.home.root
        home.signed("ada", "ledger.rotate_key")
        if step == "retire":
            second(home)
        name = "ledger.rotate_key" if step == "rotate" else "ledger.retire_key"
        people = ("rea", "reg") if step == "rotate" else ("ada", "ada")
        came = together(home, *(signing(home, who, name) for who in people))
        refused = [one for one in came if isinstance(one, GovernanceError)]
        assert [type(one) for one in refused] == [RotationRefused], came
        assert refused[0].code == "ledger.rotation_refused"
        home.perform("ada", "person.disable", person="nils")
    with open_deployment(root, clock=clock) as deployment:
        deployment.ledger.verify()
        deployment.rebuild()


def test_two_policy_changes_in_one_batch_leave_the_one_that_was_first(home: Small) -> None:
    before = home.deployment.ledger.policy_text

    def change(comment: str) -> Callable[[], Any]:
        notes: dict[str, Any] = {"old": before, "new": f"# {comment}\n{before}"}
        return lambda: home.deployment.pen.commit(
            lambda unit: unit.record(kind="ledger.policy_changed", actor="ada", notes=notes)
        )

    came = together(home, change("one"), change("two"))
    assert sorted(isinstance(one, TrustMoved) for one in came) == [False, True], came
    home.deployment.home.write_policy(home.deployment.ledger.entry(home.size() - 1).facts["new"])  # type: ignore[index,call-overload]
    home.deployment.rebuild()


def test_a_policy_that_names_other_keys_than_are_in_force_is_not_written(home: Small) -> None:
    before, size = home.deployment.ledger.policy_text, home.size()
    other = VerifierKey.of(Ed25519PrivateKey.generate(), name=home.deployment.home.origin)
    for new in (with_log_keys(before, [other]), "quorum", before.replace("log ", "# ")):
        with pytest.raises(TrustMoved):
            home.deployment.pen.commit(
                lambda unit, new=new: unit.record(  # type: ignore[misc]
                    kind="ledger.policy_changed", actor="ada", notes={"old": before, "new": new}
                )
            )
    assert home.size() == size


def test_nothing_follows_the_end_of_the_log_in_its_batch(home: Small) -> None:
    def act(kind: str) -> Callable[[], Any]:
        return lambda: home.deployment.pen.commit(
            lambda unit: unit.record(kind=kind, actor="ada").seq
        )

    came = together(home, act("log.closed"), act("log.closed"))
    assert [type(one) for one in came if not isinstance(one, int)] == [LogClosed], came
    home.deployment.ledger.verify()


def test_a_first_signature_is_of_the_key_that_was_in_force_when_it_was_given(
    home: Small,
) -> None:
    home.signed("ada", "ledger.rotate_key")
    own = home.deployment.home
    waiting = next(path for path in own.keys_dir.glob("log-*.pem"))
    kept = waiting.read_bytes()
    waiting.unlink()
    rotate(home)
    finish(home)
    waiting.write_bytes(kept)
    assert home.signed("ada", "ledger.rotate_key")["state"] == "started", "it is begun anew"
