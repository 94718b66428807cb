"""A log that is closed goes on in another one, which says so and holds the same state (P3, P6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from governance.errors import Conflict, Forbidden, GovernanceError
from governance.home import Home
from governance.operations.admin import succession
from governance.operations.admin.password_tries import TooManyFailures
from governance.operations.admin.succession import EndOfLog, close_log
from governance.operations.inspect.reconcile import difference, in_short, reconcile_home
from governance.operations.inspect.verify_files import rebuild_files, verify_files
from governance.operations.signing import SignatureRefused
from governance.registry.records import RECORD_TYPES, Document, Record
from governance.storage.errors import LogClosed
from governance.storage.succession.pending import SuccessionPending
from tests.integration.succession.ending import (
    clock,
    contents,
    lived_in,
    reopened,
    request,
    signing,
)
from tests.support.small_deployment import MODEL, SITE, Small, cheap_passwords, password_of

pytestmark = pytest.mark.requirement("P3")


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with cheap_passwords():
        yield


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return lived_in(tmp_path)


def records(home: Small) -> list[Record]:
    with home.deployment.reader() as reader:
        return [one for kind in RECORD_TYPES for one in reader.find(kind)]


def close(old: Path, new: Path, asked: EndOfLog | None = None) -> Any:
    return close_log(old, new, asked or request(), clock=clock())


def test_the_successor_holds_the_same_state_and_goes_on(old: Path, tmp_path: Path) -> None:
    with reopened(old) as before:
        held = records(before)
        with before.deployment.reader() as reader:
            outcomes = reader.outcomes(model=MODEL)
    closed = close(old, tmp_path / "next")
    assert (closed.mode, closed.lost, closed.without_password) == ("closed", None, [])
    with reopened(tmp_path / "next") as after:
        assert records(after) == [
            replace(one, in_force_seq=0)
            if isinstance(one, Document) and one.in_force_seq is not None
            else one
            for one in held
        ]
        (evidence,) = after.perform("mo", "audit.list")["evidence"]
        assert evidence["of_log_before"]
        with after.deployment.reader() as reader:
            assert reader.outcomes(model=MODEL) == outcomes
        assert after.perform("mo", "model.show", model=MODEL)
        hold = after.perform("sam", "hold.list")["holds"][0]["hold"]
        after.signed("rea", "hold.lift", hold=hold, reason="Looked into")
        after.release(after.approved_version())
        _old, new = after.perform("mo", "audit.list")["evidence"]
        assert not new["of_log_before"]
        assert new["plan_seq"] < new["opened_seq"] < after.size()
        after.deployment.rebuild()
        after.deployment.ledger.verify()
    assert rebuild_files(tmp_path / "next").identical
    assert difference(in_short(reconcile_home(tmp_path / "next"))) is None


def test_both_logs_name_each_other(old: Path, tmp_path: Path) -> None:
    closed = close(old, tmp_path / "next")
    report = verify_files(tmp_path / "next")
    assert report.succeeds is not None
    assert report.succeeds.model_dump() == {
        "origin": Home.open(old).origin,
        "mode": "closed",
        "reason": "planned",
        "kept": closed.kept,
        "lost": None,
        "erased": [],
        "signed_by": ["ada", "rea"],
    }
    assert verify_files(old).size == closed.kept + 1
    with reopened(old) as home, reopened(tmp_path / "next") as after:
        last = home.deployment.ledger.entry(closed.kept)
        assert last.kind == "log.closed"
        assert isinstance(last.facts, dict)
        assert last.facts["successor"] == closed.origin
        assert last.facts["successor_leaf"] == after.deployment.ledger.entry(0).stored.leaf.hex()
        assert last.facts["signed_by"] == ["ada", "rea"]


def test_a_closed_log_takes_no_act_of_governance_and_says_so(old: Path, tmp_path: Path) -> None:
    close(old, tmp_path / "next")
    with reopened(old) as home:
        sam = home.actor("sam")
        size = home.size()
        with pytest.raises(LogClosed) as refused:
            home.as_actor(
                sam, "hold.place", model=MODEL, scope=SITE, cause="safety.signal", reason="A report"
            )
        assert (refused.value.code, refused.value.http_status) == ("ledger.closed", 503)
        for kind in ("test.added", "log.closed", "key.rotated"):
            with pytest.raises(LogClosed):
                home.deployment.pen.commit(lambda unit, k=kind: unit.record(kind=k, actor="ada"))
        assert home.size() == size
        home.deployment.ledger.verify()
    with pytest.raises(LogClosed):
        close(old, tmp_path / "third")
    assert not (tmp_path / "third").exists()


def test_a_successor_can_be_closed_in_its_turn(old: Path, tmp_path: Path) -> None:
    close(old, tmp_path / "next")
    close(tmp_path / "next", tmp_path / "third")
    with reopened(tmp_path / "third") as home:
        home.signed("ada", "ledger.rotate_key")
        home.signed("rea", "ledger.rotate_key")
        home.signed("ada", "ledger.retire_key")
    close(tmp_path / "third", tmp_path / "fourth")
    report = verify_files(tmp_path / "fourth")
    assert report.succeeds is not None
    assert report.succeeds.origin == Home.open(tmp_path / "third").origin


REFUSED: dict[str, tuple[EndOfLog, type[GovernanceError]]] = {
    "the same person twice": (request("ada", "ada"), Conflict),
    "a wrong first password": (
        EndOfLog(administrator=signing("ada", "wrong"), second=signing("rea"), reason="planned"),
        SignatureRefused,
    ),
    "a wrong second password": (
        EndOfLog(administrator=signing("ada"), second=signing("rea", "wrong"), reason="planned"),
        SignatureRefused,
    ),
    "somebody who is not there": (request("nobody"), SignatureRefused),
    "somebody who was disabled": (request(second="cas"), SignatureRefused),
    "no administrator": (request("rea", "reg"), Forbidden),
    "an administrator alone": (request(second="mo"), Forbidden),
    "a reviewer of one site": (request(second="sita"), Forbidden),
    "nobody's role": (request(second="nils"), Forbidden),
}


@pytest.mark.parametrize("name", REFUSED)
def test_who_may_not_sign_leaves_nothing(old: Path, tmp_path: Path, name: str) -> None:
    asked, error = REFUSED[name]
    before = contents(old)["vigil.toml"], verify_files(old).size
    with pytest.raises(error):
        close(old, tmp_path / "next", asked)
    assert (contents(old)["vigil.toml"], verify_files(old).size) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_tries_at_a_password_are_few_at_the_end_of_a_log_too(old: Path, tmp_path: Path) -> None:
    wrong = EndOfLog(administrator=signing("ada"), second=signing("rea", "x"), reason="planned")
    for _try in range(5):
        with pytest.raises(SignatureRefused):
            close(old, tmp_path / "next", wrong)
    with pytest.raises(TooManyFailures):
        close(old, tmp_path / "next")
    assert not (tmp_path / "next").exists()


def test_an_interrupted_close_goes_on_with_the_two_who_began_it(old: Path, tmp_path: Path) -> None:
    with patch.object(succession, "_last_entry", crash), pytest.raises(Crash):
        close(old, tmp_path / "next")
    with pytest.raises(Conflict, match="begun by other people"):
        close(old, tmp_path / "next", request(second="reg"))
    close(old, tmp_path / "next")


def test_a_password_that_somebody_else_chose_signs_nothing(tmp_path: Path) -> None:
    old = lived_in(
        tmp_path,
        lambda home: home.perform(
            "ada", "person.reset_password", person="rea", password="chosen by another"
        ),
    )
    asked = EndOfLog(
        administrator=signing("ada"), second=signing("rea", "chosen by another"), reason="planned"
    )
    with pytest.raises(Forbidden):
        close(old, tmp_path / "next", asked)


def test_a_home_is_never_made_over_something_else(old: Path, tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "kept").touch()
    size = verify_files(old).size
    with pytest.raises(GovernanceError):
        close(old, tmp_path / "next")
    assert verify_files(old).size == size


class Crash(Exception):
    """What the machine does when it fails."""


def crash(*_args: object, **_more: object) -> None:
    raise Crash


@pytest.mark.parametrize("at", ["_last_entry", "settle"])
def test_an_interrupted_close_goes_on(old: Path, tmp_path: Path, at: str) -> None:
    with patch.object(succession, at, crash), pytest.raises(Crash):
        close(old, tmp_path / "next")
    with pytest.raises(SuccessionPending), reopened(tmp_path / "next"):
        pytest.fail("it opened before the old log was closed")
    closed = close(old, tmp_path / "next")
    with reopened(tmp_path / "next") as home:
        assert home.deployment.home.origin == closed.origin
    with reopened(old) as home, pytest.raises(LogClosed):
        home.perform("ada", "person.disable", person="mo")


def test_a_log_that_went_on_after_an_interruption_is_not_closed(old: Path, tmp_path: Path) -> None:
    with patch.object(succession, "_last_entry", crash), pytest.raises(Crash):
        close(old, tmp_path / "next")
    with reopened(old) as home:
        home.actor("ada")
    with pytest.raises(Conflict, match="gone on"):
        close(old, tmp_path / "next")
    with reopened(old) as home:
        home.actor("ada")


def test_a_failure_while_the_successor_is_made_leaves_nothing(old: Path, tmp_path: Path) -> None:
    size = verify_files(old).size
    with (
        patch("governance.storage.succession.build.carry", crash),
        pytest.raises(Crash),
    ):
        close(old, tmp_path / "next")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]
    assert verify_files(old).size == size


def test_clients_sign_in_with_the_secrets_that_they_had(tmp_path: Path) -> None:
    secrets: list[str] = []

    def remember(home: Small) -> None:
        added = home.perform(
            "ada", "client.add", client="other", title="Other", scope="st-olav/*",
            permissions=["read"],
        )  # fmt: skip
        secrets.append(added["secret"])

    old = lived_in(tmp_path, remember)
    close(old, tmp_path / "next")
    from governance.adapters.passwords import password_matches
    from governance.storage import private

    with reopened(tmp_path / "next") as home, home.deployment.reader() as reader:
        found = private.client_secret(reader, "other")
        assert found is not None
        assert password_matches(found[0], secrets[0])
        assert home.actor("mo").person == "mo"
        assert password_of("mo")


def test_the_successor_has_a_key_store_of_its_own(tmp_path: Path) -> None:
    old = lived_in(tmp_path, lambda home: home.perform("ada", "keys.rotate_epoch"))
    close(old, tmp_path / "next")
    with reopened(tmp_path / "next") as home:
        home.deployment.rebuild()
        assert home.perform("ada", "keys.rotate_epoch")["new"] == 2
        home.deployment.rebuild()
        home.deployment.ledger.verify()
    with reopened(tmp_path / "next") as home:
        home.deployment.rebuild()
