"""Witnesses and a rotation of the log's key: nobody is stranded, and no old key comes back (P3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from change_control.roles import Role
from change_control.scope import Scope
from governance.clock import FixedClock
from governance.deployment import Deployment, open_deployment
from governance.home import Home
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.errors import LedgerBehind
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.ledger.core.witness import encode_add_checkpoint
from governance.operations import catalogue
from governance.operations.actor import Actor
from governance.operations.admin import witnesses
from governance.operations.admin.log_keys import KeyUnknownToWitnesses
from governance.operations.admin.sign_in import sign_in
from governance.storage.open import open_storage
from governance.witness.known_logs import add_log_key, retire_log_key
from tests.integration.witness.outside import Outside
from tests.support.known_person import know
from tests.support.small_deployment import cheap_passwords

pytestmark = pytest.mark.requirement("P3")
PASSWORD = "a-long-enough-password"
EVERYWHERE = Scope(organisation="acme", site="*")
PEOPLE = {"ada": Role.ADMINISTRATOR, "rea": Role.REVIEWER}


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with cheap_passwords():
        yield


@pytest.fixture
def outside(home: Home, clock: FixedClock) -> Outside:
    """Return a home with two people and three witnesses, of which two must agree."""
    made = Outside.of(home, clock, "hospital", "vendor", "notified")
    with running(made) as deployment:
        for person, role in PEOPLE.items():
            know(deployment, person, roles=[role], scopes=[EVERYWHERE], password=PASSWORD)
        deployment.cosigner.round()
    return made


@contextmanager
def running(outside: Outside) -> Iterator[Deployment]:
    outside.clock.advance(seconds=1)  # type: ignore[attr-defined]
    reaching = partial(open_storage, reach=outside.reach)
    with (
        patch("governance.deployment.open_storage", reaching),
        open_deployment(outside.home.root, clock=outside.clock) as deployment,
    ):
        yield deployment


def sign(deployment: Deployment, who: str, name: str, **more: Any) -> dict[str, Any]:
    actor: Actor = sign_in(deployment, person=who, password=PASSWORD).actor
    params = {"password": PASSWORD, **more}
    return catalogue.perform(deployment, actor, name, params).model_dump()


def rotate(deployment: Deployment) -> dict[str, Any]:
    sign(deployment, "ada", "ledger.rotate_key")
    return sign(deployment, "rea", "ledger.rotate_key")


def learn(outside: Outside, vkey: str, *names: str) -> None:
    """Let the witnesses' operators add the key, each to a policy file of their own."""
    for name in names:
        door = outside.door(name)
        path = outside.home.root.parent / f"{name}.policy"
        if not path.exists():
            path.write_text(f"log {_only(outside)}\nquorum none\n")
        add_log_key(path, vkey)
        door.witness.know(Policy.parse(path.read_bytes()))


def forget(outside: Outside, vkey: str, *names: str) -> None:
    for name in names:
        path = outside.home.root.parent / f"{name}.policy"
        retire_log_key(path, vkey)
        outside.door(name).witness.know(Policy.parse(path.read_bytes()))


def _only(outside: Outside) -> str:
    with outside.opened() as storage:
        return storage.ledger.log_keys.spans[0].key.text()


def test_witnesses_that_know_the_old_key_alone_go_on_during_the_overlap(outside: Outside) -> None:
    with running(outside) as deployment:
        rotate(deployment)
        deployment.cosigner.round()
        report = deployment.cosigner.report()
        assert report.anchored_size == report.size == deployment.ledger.head()[0]
        event = deployment.ledger.entry(report.size - 1).event_id
        receipt = deployment.ledger.receipt(event)
    policy = Policy.parse(outside.home.policy_path.read_bytes())
    assert verify_receipt(receipt, policy).stage == "S1"


def test_the_old_key_stays_until_a_quorum_shows_the_new_one(outside: Outside) -> None:
    with running(outside) as deployment:
        new = rotate(deployment)["new"]
        with pytest.raises(KeyUnknownToWitnesses, match="0 of 3"):
            sign(deployment, "ada", "ledger.retire_key")
    learn(outside, new, "hospital")
    with running(outside) as deployment, pytest.raises(KeyUnknownToWitnesses, match="1 of 3"):
        sign(deployment, "ada", "ledger.retire_key")
    learn(outside, new, "vendor")
    with running(outside) as deployment:
        assert sign(deployment, "ada", "ledger.retire_key")["state"] == "retired"
        outside.door("notified").down = True
        deployment.cosigner.round()
        report = deployment.cosigner.report()
        assert report.anchored_size == report.size
        deployment.rebuild()
        deployment.ledger.verify()


def test_the_end_can_be_forced_and_the_witness_that_was_not_told_says_so(outside: Outside) -> None:
    with running(outside) as deployment:
        rotate(deployment)
        sign(deployment, "ada", "ledger.retire_key", although_unknown=True)
        deployment.cosigner.round()
        faults = {one.name: one.fault for one in deployment.cosigner.report().witnesses}
    assert all("does not accept the log's signature" in str(fault) for fault in faults.values())


def finished(outside: Outside) -> str:
    """Rotate to the end with all witnesses; return the new key."""
    with running(outside) as deployment:
        rotated = rotate(deployment)
    learn(outside, rotated["new"], "hospital", "vendor", "notified")
    with running(outside) as deployment:
        sign(deployment, "ada", "ledger.retire_key")
        deployment.cosigner.round()
    forget(outside, rotated["old"], "hospital", "vendor", "notified")
    return str(rotated["new"])


def test_a_witness_keeps_what_it_saw_over_the_change_of_keys(outside: Outside) -> None:
    new = finished(outside)
    with running(outside) as deployment:
        sign_in(deployment, person="ada", password=PASSWORD)
        deployment.cosigner.round()
        report = deployment.cosigner.report()
        assert [one.fault for one in report.witnesses] == [None] * 3
        assert deployment.ledger.vkey == new


def test_a_fork_of_the_retired_key_gains_no_cosignature(outside: Outside) -> None:
    old = outside.home.log_key()
    finished(outside)
    with running(outside) as deployment:
        tree = deployment.ledger.tree
    checkpoint = Checkpoint(origin=outside.home.origin, size=tree.size, root=tree.root(tree.size))
    body = encode_add_checkpoint(
        old_size=0, proof=[], checkpoint=sign_checkpoint(checkpoint, private_key=old)
    )
    for name in ("hospital", "vendor", "notified"):
        assert outside.door(name).add_checkpoint(body).status == 403


def test_a_backup_from_before_the_rotation_does_not_start(outside: Outside, tmp_path: Path) -> None:
    copy = outside.backup(tmp_path / "copy")
    finished(outside)
    outside.restore(copy)
    with pytest.raises(LedgerBehind, match="does not know"), outside.opened():
        pytest.fail("it opened")


def test_one_witness_alone_cannot_stop_a_start_with_a_key_that_it_invented(
    outside: Outside, tmp_path: Path
) -> None:
    copy = outside.backup(tmp_path / "copy")
    finished(outside)
    outside.restore(copy)
    outside.door("hospital").down = outside.door("vendor").down = True
    with outside.opened() as storage:
        assert storage.ledger.head()[0] > 0


def test_an_administrator_who_applies_witnesses_keeps_both_keys(outside: Outside) -> None:
    with running(outside) as deployment:
        rotate(deployment)
        both = deployment.ledger.log_keys.in_force
        config = outside.home.root / "vigil.toml"
        config.write_text(config.read_text().replace("quorum = 0", "quorum = 3"))
        actor = sign_in(deployment, person="ada", password=PASSWORD).actor
        with patch.object(witnesses, "HttpWitness", outside.reach):
            catalogue.perform(deployment, actor, "witness.apply", {})
        assert deployment.ledger.policy.log_keys(outside.home.origin) == both
        deployment.rebuild()
