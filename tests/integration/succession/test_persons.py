"""What is owed to persons does not end with a log, and a successor hides nothing of it (P13)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from change_control.errors import LegalHoldOpen
from change_control.roles import Role
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.keys import KeyDestroyed, KeyUnknown
from governance.operations.admin.succession import close_log
from governance.operations.erase.what_keeps import UnknownSubject
from governance.registry.records import LegalHold, RoleGrant, TrailReview
from governance.storage.carried import CARRIED_FROM
from governance.storage.rebuild_private import CARRIED
from tests.integration.succession.ending import clock, request
from tests.support.about_people import OTHER, RETENTION_DAYS, SUBJECT, People, again, people
from tests.support.small_deployment import (
    EVERYWHERE,
    MODEL,
    admit,
    cheap_passwords,
    password_of,
)

pytestmark = pytest.mark.requirement("P13")
LATER = RETENTION_DAYS + 2


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with cheap_passwords():
        yield


def hold(opened: People, **on: Any) -> dict[str, Any]:
    return opened.small.perform(
        "sam", "legal_hold.place", cause="court.order", reason="A court order", **on
    )


def close(tmp_path: Path) -> Path:
    """Close the home in the folder; return the folder of its successor."""
    new = tmp_path / "new"
    close_log(tmp_path / "home", new / "home", request(), clock=clock())
    return new


def test_a_person_is_erased_from_a_closed_log_by_two_people(tmp_path: Path) -> None:
    with people(tmp_path) as opened:
        asked = opened.ask()
        key_id = opened.key_of()
        assert key_id is not None
    new = close(tmp_path)
    with again(tmp_path, days_later=LATER) as opened:
        opened.request()
        erased = opened.confirm()
        assert (erased["unfinished"], erased["elsewhere"]) == (None, None)
        assert opened.small.deployment.ledger.body(asked.recorded.seq) is None
        with pytest.raises(KeyDestroyed):
            opened.small.deployment.keys.get(key_id)
        assert opened.small.perform("ada", "keys.rotate_epoch")["new"] == 2
        opened.verify()
    with again(tmp_path, days_later=LATER) as opened:
        opened.verify()
    with again(new, days_later=LATER) as opened, pytest.raises(KeyUnknown):
        opened.small.deployment.keys.get(key_id)


def test_what_keeps_bodies_in_a_closed_log_keeps_them_there(tmp_path: Path) -> None:
    """A hold on the model, and retention, are looked up in the log that has the bodies."""
    with people(tmp_path) as opened:
        opened.ask()
        opened.request()
        hold(opened, model=MODEL)
    close(tmp_path)
    with again(tmp_path, days_later=LATER) as opened:
        with pytest.raises(LegalHoldOpen):
            opened.confirm()
        opened.small.signed("rea", "legal_hold.lift", legal_hold="LH-1", reason="It is over")
        opened.small.signed("reg", "legal_hold.lift", legal_hold="LH-1")
        assert opened.confirm()["bodies"] == 2
        opened.verify()


def test_a_successor_confirms_nothing_about_bodies_of_the_log_before(tmp_path: Path) -> None:
    with people(tmp_path) as opened:
        opened.ask()
        opened.request()
        origin = opened.small.deployment.home.origin
    new = close(tmp_path)
    with again(new, days_later=LATER) as opened:
        assert opened.small.perform("reg", "erasure.list")["erasures"] == []
        with pytest.raises(UnknownSubject) as refused:
            opened.request()
        assert refused.value.code == "erasure.unknown_subject"
        assert origin in refused.value.next_step
        assert "--home" in refused.value.next_step
        opened.ask()
        waiting = opened.request()
        assert origin in waiting["elsewhere"]
        opened.pass_days(LATER)
        erased = opened.confirm()
        assert (erased["bodies"], origin in erased["elsewhere"]) == (2, True)
        opened.verify()


def test_a_hold_on_a_person_covers_the_person_in_the_successor(tmp_path: Path) -> None:
    with people(tmp_path) as opened:
        opened.ask()
        opened.ask(OTHER)
        hold(opened, subject=SUBJECT)
        opened.small.signed("rea", "legal_hold.lift", legal_hold="LH-1", reason="It is over")
        hold(opened, subject=OTHER)
        opened.small.signed("rea", "legal_hold.lift", legal_hold="LH-2", reason="It is over")
        opened.small.signed("reg", "legal_hold.lift", legal_hold="LH-2")
        old_key = opened.key_of()
    new = close(tmp_path)
    with again(new, days_later=LATER) as opened:
        with opened.small.deployment.reader() as reader:
            (kept,) = reader.find(LegalHold)
        assert (kept.id, kept.state, kept.first_signer) == ("LH-1", "open", None)
        assert kept.key_id == opened.key_of() != old_key
        assert opened.key_of(OTHER) is None
        opened.ask()
        opened.request()
        opened.pass_days(LATER)
        with pytest.raises(LegalHoldOpen):
            opened.confirm()
        opened.verify()


def test_the_trail_of_each_log_is_reviewed_in_it(tmp_path: Path) -> None:
    with people(tmp_path) as opened:
        small = opened.small
        admit(small, "ines", ((Role.REVIEWER, EVERYWHERE),))
        review = small.perform("rea", "trail_review.open")
    new = close(tmp_path)

    def sign(opened: People, review: dict[str, Any]) -> None:
        opened.small.perform(
            "ines", "trail_review.sign", review=review["review"], decision="accepted",
            reason="Looked at all of it", record_digest=review["digest"],
            password=password_of("ines"),
        )  # fmt: skip

    with again(tmp_path) as opened:
        sign(opened, review)
        sign(opened, opened.small.perform("rea", "trail_review.open"))
        opened.verify()
    with again(new) as opened:
        with opened.small.deployment.reader() as reader:
            assert reader.find(TrailReview) == []
        begun = opened.small.perform("rea", "trail_review.open")
        assert begun["first_seq"] == 0
        sign(opened, begun)
        opened.verify()


def test_no_key_of_a_person_is_copied(tmp_path: Path) -> None:
    with people(tmp_path) as opened:
        opened.ask()
    new = close(tmp_path)
    connection = sqlite3.connect(new / "home" / "keys" / "keys.sqlite")
    assert connection.execute("SELECT count(*) FROM subject_key").fetchone() == (0,)
    connection.close()
    kek = "keys/kek-1.bin"
    assert (new / "home" / kek).read_bytes() != (tmp_path / "home" / kek).read_bytes()


def test_a_log_without_a_predecessor_carries_nothing_over(tmp_path: Path) -> None:
    """Such an entry would make an administrator of anybody, without an act of anybody."""
    with people(tmp_path) as opened:
        forge(opened)
        with pytest.raises(LedgerTampered, match="carries state over"):
            opened.small.deployment.rebuild()


def test_a_successor_carries_over_what_was_signed_and_nothing_later(tmp_path: Path) -> None:
    with people(tmp_path):
        pass
    new = close(tmp_path)
    with again(new) as opened:
        opened.verify()
        opened.small.actor("ada")
        forge(opened)
        with pytest.raises(LedgerTampered, match="carries state over"):
            opened.small.deployment.rebuild()


def test_more_state_right_behind_what_was_signed_is_refused(tmp_path: Path) -> None:
    with people(tmp_path):
        pass
    new = close(tmp_path)
    with again(new) as opened:
        forge(opened)
        with pytest.raises(LedgerTampered, match="two people signed"):
            opened.small.deployment.rebuild()


def test_other_state_than_two_people_signed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes the successor cannot add an administrator to what is signed."""
    from governance.storage.succession import build

    carry = build.carry

    def with_more(unit: Any, state: Any, *args: Any, **more: Any) -> int:
        grant = next(one for one in state.records if isinstance(one, RoleGrant))
        added = replace(grant, id="RG-x", person="nils")
        return carry(unit, replace(state, records=(*state.records, added)), *args, **more)

    with people(tmp_path):
        pass
    monkeypatch.setattr(build, "carry", with_more)
    with pytest.raises(LedgerTampered, match="two people signed"):
        close(tmp_path)
    assert not (tmp_path / "new" / "home").exists()


def forge(opened: People) -> None:
    deployment = opened.small.deployment
    with deployment.reader() as reader:
        grant = reader.find(RoleGrant)[0]
    forged = replace(grant, id="RG-x", person="nils")
    deployment.pen.commit(
        lambda unit: unit.record(
            kind=CARRIED, actor="system", add=[forged], notes={CARRIED_FROM: "x", "part": 0}
        )
    )
