"""A password that somebody else chose opens nothing but its own change (P6, P7)."""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from typing import Any

import pytest

from change_control.scope import Scope
from governance.adapters.passwords import hash_password
from governance.errors import Forbidden, InvalidInput, Unauthenticated
from governance.ledger.core.errors import LedgerTampered
from governance.operations import catalogue
from governance.operations.actor import PasswordMustChange
from governance.operations.admin.password_tries import TooManyFailures
from governance.operations.admin.passwords import PasswordRefused
from governance.operations.admin.sign_in import BadCredentials, actor_of_session
from governance.operations.signing import SignatureRefused, authenticate_again
from tests.unit.identity.conftest import House

OTHERS = sorted(set(catalogue.OPERATIONS) - {"person.change_password"})


def stored_hash(house: House, person: str) -> str:
    with sqlite3.connect(house.root / "vigil.sqlite") as database:
        query = "SELECT password_hash FROM credential WHERE person = ?"
        return str(database.execute(query, (person,)).fetchone()[0])


def change_row(house: House, statement: str, *values: Any) -> None:
    with sqlite3.connect(house.root / "vigil.sqlite") as database:
        assert database.execute(statement, values).rowcount == 1


def test_a_first_password_performs_no_operation_but_its_change(house: House) -> None:
    house.add("rea", "reviewer", "administrator")
    actor = house.sign_in("rea", house.first_password("rea")).actor
    for name in OTHERS:
        with pytest.raises(PasswordMustChange):
            house.do(actor, name)
    with pytest.raises(InvalidInput):  # this one is reached, and wants its parameters
        house.do(actor, "person.change_password")


def test_a_first_password_signs_nothing(house: House) -> None:
    house.add("rea", "reviewer")
    actor = house.sign_in("rea", house.first_password("rea")).actor
    with pytest.raises(PasswordMustChange):
        authenticate_again(house.deployment, actor, house.first_password("rea"))


def test_a_session_from_before_a_reset_signs_nothing_with_the_reset_password(house: House) -> None:
    house.add("rea", "reviewer")
    house.settle("rea")
    before = house.actor("rea")
    house.do("ada", "person.reset_password", person="rea", password="chosen-by-ada-again")
    with pytest.raises(PasswordMustChange):
        authenticate_again(house.deployment, before, "chosen-by-ada-again")


def test_a_first_password_gives_no_role_to_any_rule(house: House) -> None:
    house.add("rea", "reviewer")
    actor = house.sign_in("rea", house.first_password("rea")).actor
    assert actor.grants
    assert actor.roles(Scope(organisation="st-olav")) == frozenset()


def test_a_changed_password_signs_and_the_first_one_opens_nothing(house: House) -> None:
    house.add("rea", "reviewer")
    house.settle("rea")
    actor = house.actor("rea")
    assert not actor.must_change
    signer = authenticate_again(house.deployment, actor, house.own_password("rea"))
    assert signer.actor == actor
    with pytest.raises(BadCredentials):
        house.sign_in("rea", house.first_password("rea"))


def test_a_reset_password_opens_only_its_change_and_ends_the_sessions(house: House) -> None:
    house.add("rea", "reviewer")
    house.settle("rea")
    session = house.sign_in("rea")
    house.do("ada", "person.reset_password", person="rea", password="chosen-by-ada-again")
    with pytest.raises(Unauthenticated):
        actor_of_session(house.deployment, token=session.token)
    with pytest.raises(BadCredentials):
        house.sign_in("rea")
    assert house.sign_in("rea", "chosen-by-ada-again").actor.must_change


def test_a_change_ends_the_other_sessions_and_keeps_this_one(house: House) -> None:
    other, this = house.sign_in("ada"), house.sign_in("ada")
    old = house.own_password("ada")
    house.do(this.actor, "person.change_password", old=old, new="another-of-mine-alone")
    actor, _csrf = actor_of_session(house.deployment, token=this.token)
    assert actor.person == "ada"
    with pytest.raises(Unauthenticated):
        actor_of_session(house.deployment, token=other.token)


def test_a_change_needs_the_present_password(house: House) -> None:
    ada = house.actor("ada")
    with pytest.raises(PasswordRefused):
        house.do(ada, "person.change_password", old="not-my-password", new="another-of-mine")
    assert house.sign_in("ada").actor.person == "ada"
    assert "person.password_changed" not in house.kinds()


@pytest.mark.parametrize("new", ["eleven-char", "known-to-ada-alone"])
def test_a_new_password_is_long_and_new(house: House, new: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        house.do("ada", "person.change_password", old=house.own_password("ada"), new=new)
    assert new not in str(refused.value)


def test_guessing_the_present_password_ends_the_sessions(house: House) -> None:
    session = house.sign_in("ada")
    for _ in range(5):
        with pytest.raises(PasswordRefused):
            house.do(session.actor, "person.change_password", old="guess", new="another-of-mine")
    with pytest.raises(TooManyFailures):
        house.do(
            session.actor,
            "person.change_password",
            old=house.own_password("ada"),
            new="another-of-mine",
        )
    with pytest.raises(Unauthenticated):
        actor_of_session(house.deployment, token=session.token)


@pytest.mark.parametrize("role", ["reviewer", "model_owner", "auditor"])
def test_only_an_administrator_resets_passwords(house: House, role: str) -> None:
    house.add("rea", role)
    house.settle("rea")
    with pytest.raises(Forbidden):
        house.do("rea", "person.reset_password", person="ada", password="taken-over-by-rea")


def test_an_administrator_does_not_reset_their_own_password(house: House) -> None:
    with pytest.raises(Forbidden):
        house.do("ada", "person.reset_password", person="ada", password="without-the-old-one")


def test_a_site_administrator_resets_nobody_of_the_organisation(house: House) -> None:
    house.add("sid", "administrator", scope="st-olav/pharmacy")
    house.settle("sid")
    with pytest.raises(Forbidden):
        house.do("sid", "person.reset_password", person="ada", password="taken-over-by-sid")


@pytest.mark.parametrize(
    ("kind", "must_change"),
    [
        ("person.added", True),
        ("person.password_reset", True),
        ("person.password_changed", False),
    ],
)
def test_the_facts_hold_the_digest_of_the_stored_hash(
    house: House, kind: str, must_change: bool
) -> None:
    house.add("rea", "reviewer")
    if kind != "person.added":
        house.do("ada", "person.reset_password", person="rea", password=house.first_password("rea"))
    if kind == "person.password_changed":
        house.settle("rea")
    facts = house.facts(kind)
    assert facts["person"] == "rea"
    assert facts["credential_sha256"] == sha256(stored_hash(house, "rea").encode()).hexdigest()
    assert facts["must_change"] is must_change


def test_the_facts_of_a_client_hold_the_digest_of_its_stored_secret(house: House) -> None:
    ada = house.actor("ada")
    house.do(
        ada,
        "client.add",
        client="ward-3",
        title="Ward 3",
        scope="st-olav/ward-3",
        permissions=["read"],
    )
    house.do(ada, "client.rotate", client="ward-3")
    with sqlite3.connect(house.root / "vigil.sqlite") as database:
        (stored,) = database.execute("SELECT secret_hash FROM client_secret").fetchone()
    added, rotated = house.facts("client.added"), house.facts("client.rotated")
    assert rotated["credential_sha256"] == sha256(stored.encode()).hexdigest()
    assert added["client"] == rotated["client"] == "ward-3"
    assert added["credential_sha256"] != rotated["credential_sha256"]


def test_every_act_on_credentials_folds_to_what_is_stored(house: House) -> None:
    house.add("rea", "reviewer")
    house.settle("rea")
    house.do("ada", "person.reset_password", person="rea", password=house.first_password("rea"))
    house.do("ada", "person.disable", person="rea")
    assert house.deployment.rebuild().tables["credential"] == 2


def test_an_exchanged_password_hash_is_found(house: House) -> None:
    change_row(
        house,
        "UPDATE credential SET password_hash = ? WHERE person = 'ada'",
        hash_password("known-to-the-intruder"),
    )
    with pytest.raises(LedgerTampered, match="credential"):
        house.deployment.rebuild()


def test_a_signature_is_refused_where_the_password_changed_meanwhile(house: House) -> None:
    ada = house.sign_in("ada").actor
    signer = authenticate_again(house.deployment, ada, house.own_password("ada"))
    old = house.own_password("ada")
    house.do(ada, "person.change_password", old=old, new="another-of-mine-alone")
    with house.deployment.reader() as reader:
        assert not signer.checked.still_holds(reader)


def test_a_wrong_password_at_signing_is_refused(house: House) -> None:
    with pytest.raises(SignatureRefused):
        authenticate_again(house.deployment, house.actor("ada"), "not-my-password")
