"""Tries at a password are few, counted before they are checked, and nobody locks another out."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from governance.adapters import passwords
from governance.errors import GovernanceError, Unauthenticated
from governance.operations.admin import password_tries
from governance.operations.admin.password_tries import (
    TRIES_AT_ACCOUNT_A_DAY,
    TRIES_AT_ACCOUNT_FROM_PEER,
    TRIES_FROM_PEER,
    TooManyFailures,
)
from governance.operations.admin.sign_in import BadCredentials, actor_of_session, sign_out
from governance.operations.signing import SignatureRefused, authenticate_again
from tests.unit.identity.conftest import House


def outcome(act: Callable[[], object]) -> type[GovernanceError] | None:
    try:
        act()
    except GovernanceError as error:
        return type(error)
    return None


def fail(house: House, person: str, times: int, *, peer: str = "10.0.0.1") -> None:
    for _ in range(times):
        with pytest.raises(BadCredentials):
            house.sign_in(person, "not-the-password", peer=peer)


def rows(house: House, query: str) -> list[tuple[str, ...]]:
    with sqlite3.connect(house.root / "vigil.sqlite") as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize("person", ["ada", "nobody-here"])
def test_after_five_failures_even_the_right_password_waits(house: House, person: str) -> None:
    fail(house, person, TRIES_AT_ACCOUNT_FROM_PEER)
    with pytest.raises(TooManyFailures):
        house.sign_in(person, peer="10.0.0.1")


def test_whoever_waits_a_quarter_of_an_hour_may_try_again(house: House) -> None:
    fail(house, "ada", TRIES_AT_ACCOUNT_FROM_PEER)
    house.clock.pass_minutes(16)
    assert house.sign_in("ada", peer="10.0.0.1").actor.person == "ada"


def test_a_refused_try_does_not_make_the_wait_longer(house: House) -> None:
    fail(house, "ada", TRIES_AT_ACCOUNT_FROM_PEER)
    house.clock.pass_minutes(10)
    for _ in range(20):
        with pytest.raises(TooManyFailures):
            house.sign_in("ada", "not-the-password", peer="10.0.0.1")
    house.clock.pass_minutes(6)
    assert house.sign_in("ada", peer="10.0.0.1").actor.person == "ada"


def test_failures_of_one_peer_do_not_lock_the_owner_out(house: House) -> None:
    fail(house, "ada", TRIES_AT_ACCOUNT_FROM_PEER, peer="203.0.113.7")
    assert house.sign_in("ada", peer="10.0.0.1").actor.person == "ada"


def test_a_success_forgives_that_peer_only(house: House) -> None:
    fail(house, "ada", TRIES_AT_ACCOUNT_FROM_PEER - 1, peer="203.0.113.7")
    house.sign_in("ada", peer="10.0.0.1")
    fail(house, "ada", 1, peer="203.0.113.7")
    with pytest.raises(TooManyFailures):
        house.sign_in("ada", peer="203.0.113.7")


def test_many_peers_spend_the_account_but_not_where_its_owner_works(house: House) -> None:
    house.sign_in("ada", peer="10.0.0.1")
    for number in range(TRIES_AT_ACCOUNT_A_DAY):
        fail(house, "ada", 1, peer=f"203.0.113.{number}")
    with pytest.raises(TooManyFailures):
        house.sign_in("ada", "not-the-password", peer="198.51.100.1")
    assert house.sign_in("ada", peer="10.0.0.1").actor.person == "ada"


def test_one_peer_tries_few_accounts(house: House) -> None:
    for number in range(TRIES_FROM_PEER):
        fail(house, f"name-{number}", 1)
    with pytest.raises(TooManyFailures):
        house.sign_in("ada", peer="10.0.0.1")
    assert house.sign_in("ada", peer="10.0.0.2").actor.person == "ada"


def test_tries_that_come_together_count_together(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    all_here = threading.Barrier(TRIES_AT_ACCOUNT_FROM_PEER, timeout=30)

    def slow(_hashed: str | None, password: str) -> bool:
        checked.append(password)
        all_here.wait()  # nobody has an answer before five are being checked
        return False

    monkeypatch.setattr(password_tries, "password_matches", slow)
    with ThreadPoolExecutor(20) as pool:
        tries = [
            pool.submit(outcome, lambda: house.sign_in("ada", "guess", peer="10.0.0.1"))
            for _ in range(20)
        ]
        found = [one.result() for one in tries]
    assert len(checked) == TRIES_AT_ACCOUNT_FROM_PEER
    assert found.count(TooManyFailures) == 20 - TRIES_AT_ACCOUNT_FROM_PEER


def test_no_more_than_two_hashes_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = most = 0
    lock = threading.Lock()
    released = threading.Event()

    class Counting:
        def hash(self, _password: str) -> str:
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
                if inside == 2:
                    released.set()
            assert released.wait(timeout=30)
            with lock:
                inside -= 1
            return "$argon2id$"

    monkeypatch.setattr(passwords, "_HASHER", Counting())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(passwords.hash_password, ["p"] * 8))
    assert most == 2


def test_what_was_typed_as_a_name_is_stored_nowhere(house: House) -> None:
    fail(house, "my-secret-password-in-the-wrong-field", 1)
    fail(house, "ada", 1)
    (unknown,), (known,) = rows(house, "SELECT person FROM sign_in_failure ORDER BY id")
    assert "secret" not in unknown
    assert known == "ada"


def test_failures_are_forgotten_after_a_day(house: House) -> None:
    fail(house, "ada", 3)
    house.clock.pass_minutes(24 * 60 + 1)
    fail(house, "ada", 1)
    assert len(rows(house, "SELECT person FROM sign_in_failure")) == 1


def test_a_person_disabled_while_the_password_is_checked_gets_no_session(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("rea", "reviewer")
    ada = house.actor("ada")
    real = password_tries.password_matches

    def meanwhile(hashed: str | None, password: str) -> bool:
        monkeypatch.setattr(password_tries, "password_matches", real)
        house.do(ada, "person.disable", person="rea")
        return real(hashed, password)

    monkeypatch.setattr(password_tries, "password_matches", meanwhile)
    with pytest.raises(BadCredentials):
        house.sign_in("rea", house.first_password("rea"))


def test_guessing_at_signing_ends_at_the_limit_with_the_session(house: House) -> None:
    session = house.sign_in("ada")
    for _ in range(TRIES_AT_ACCOUNT_FROM_PEER):
        with pytest.raises(SignatureRefused):
            authenticate_again(house.deployment, session.actor, "guess")
    with pytest.raises(TooManyFailures):
        authenticate_again(house.deployment, session.actor, house.own_password("ada"))
    with pytest.raises(Unauthenticated):
        actor_of_session(house.deployment, token=session.token)
    assert house.facts("session.ended")["reason"] == "failed_passwords"


def test_a_good_signature_forgives_earlier_failures(house: House) -> None:
    ada = house.actor("ada")
    for _ in range(3):
        for _ in range(TRIES_AT_ACCOUNT_FROM_PEER - 1):
            with pytest.raises(SignatureRefused):
                authenticate_again(house.deployment, ada, "guess")
        authenticate_again(house.deployment, ada, house.own_password("ada"))


def test_guesses_from_outside_do_not_keep_the_owner_from_signing(house: House) -> None:
    ada = house.actor("ada")
    for number in range(TRIES_AT_ACCOUNT_A_DAY):
        fail(house, "ada", 1, peer=f"203.0.113.{number}")
    assert authenticate_again(house.deployment, ada, house.own_password("ada")).actor == ada


def test_signing_out_is_an_entry_about_that_session(house: House) -> None:
    session = house.sign_in("ada")
    opened = house.facts("session.opened")["session_sha256"]
    sign_out(house.deployment, token=session.token)
    ended = house.facts("session.ended")
    assert ended["sessions_sha256"] == [opened]
    assert (ended["actor"], ended["reason"]) == ("ada", "signed_out")


@pytest.mark.parametrize("token", ["", "unknown", "\ud800"])
def test_signing_out_of_no_session_is_no_entry(house: House, token: str) -> None:
    before = house.kinds()
    sign_out(house.deployment, token=token)
    assert house.kinds() == before


def test_signing_out_twice_is_one_entry(house: House) -> None:
    session = house.sign_in("ada")
    for _ in range(2):
        sign_out(house.deployment, token=session.token)
    assert house.kinds().count("session.ended") == 1


def test_a_disabled_person_has_no_session_and_it_says_who_ended_it(house: House) -> None:
    house.add("rea", "reviewer")
    house.settle("rea")
    session = house.sign_in("rea")
    house.do("ada", "person.disable", person="rea")
    with pytest.raises(Unauthenticated):
        actor_of_session(house.deployment, token=session.token)
    ended = house.facts("session.ended")
    assert (ended["actor"], ended["person"]) == ("ada", "rea")


def test_a_session_that_was_idle_for_half_an_hour_is_over(house: House) -> None:
    session = house.sign_in("ada")
    house.clock.pass_minutes(31)
    with pytest.raises(Unauthenticated):
        actor_of_session(house.deployment, token=session.token)
