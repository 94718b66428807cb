"""The policy that a configuration asks for: k of n organisations, never one party counted twice."""

from __future__ import annotations

from itertools import combinations

import pytest

from governance.home import HomeConfig, WitnessingConfig
from governance.ledger.core.errors import PolicyRejected
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey
from governance.ledger.core.policy import Member, Policy, compose_policy
from tests.unit.ledger.sample import private_key
from tests.unit.witness.parties import LOG

pytestmark = pytest.mark.requirement("P3")


def key_of(name: str) -> VerifierKey:
    key = private_key(name)
    return VerifierKey.of(key, name=f"witness.example/{name}", algorithm=COSIGNATURE_V1)


def member(name: str, organisation: str | None = None, *, vkey: str | None = None) -> Member:
    text = vkey or key_of(name).text()
    return Member(name=name, vkey=text, organisation=organisation or name)


def composed(*members: Member, quorum: int = 0) -> Policy:
    return Policy.parse(compose_policy(log=LOG.key, witnesses=members, quorum=quorum).encode())


def test_without_witnesses_the_policy_has_no_quorum() -> None:
    assert compose_policy(log=LOG.key, witnesses=(), quorum=0) == (
        f"log {LOG.key.text()}\nquorum none\n"
    )


@pytest.mark.parametrize(("organisations", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_more_than_half_of_the_organisations_is_what_zero_means(
    organisations: int, needed: int
) -> None:
    names = [f"w{number}" for number in range(organisations)]
    policy = composed(*(member(name) for name in names))
    for count in range(organisations + 1):
        for some in combinations(names, count):
            assert policy.satisfied(key_of(name) for name in some) == (count >= needed)


def test_two_witnesses_of_one_organisation_are_one() -> None:
    policy = composed(member("a1", "a"), member("a2", "a"), member("b"), member("c"), quorum=2)
    assert not policy.satisfied([key_of("a1"), key_of("a2")])
    assert policy.satisfied([key_of("a2"), key_of("c")])


def test_one_key_under_two_names_is_refused() -> None:
    """Attack row 12: it would be two parties out of one."""
    twice = key_of("a").text()
    alias = VerifierKey.of(private_key("a"), name="other.example", algorithm=COSIGNATURE_V1)
    for vkey in (twice, alias.text()):
        with pytest.raises(PolicyRejected, match="already"):
            composed(member("a"), member("b", vkey=vkey))


@pytest.mark.parametrize(
    ("members", "quorum"),
    [
        ([member("a")], 2),
        ([member("a"), member("a")], 1),
        ([member("a", vkey="no key")], 1),
        ([member("a", vkey=LOG.key.text())], 1),
        (
            [
                member(
                    "log",
                    vkey=VerifierKey.of(
                        private_key("log"), name="w", algorithm=COSIGNATURE_V1
                    ).text(),
                )
            ],
            1,
        ),
    ],
    ids=["more than there are", "one name twice", "no key", "a log's key type", "the log itself"],
)
def test_what_could_not_be_a_quorum_of_others_is_refused(
    members: list[Member], quorum: int
) -> None:
    with pytest.raises(PolicyRejected):
        composed(*members, quorum=quorum)


GOOD = {
    "name": "hospital",
    "address": "https://witness.hospital.example/log",
    "vkey": key_of("hospital").text(),
    "organisation": "hospital",
}
BASE = {"organisation": "acme", "deployment": "test", "log_uuid": "0" * 36}


@pytest.mark.parametrize(
    "change",
    [
        {"address": "ftp://x"},
        {"address": "https://"},
        {"address": "https://user@host/"},
        {"address": "https://host/?q"},
        {"address": "https://host/#f"},
        {"address": "https://ho st/"},
        {"address": "host.example"},
        {"name": "a b"},
        {"name": "org:x"},
        {"organisation": "A"},
        {"vkey": "x"},
        {"more": 1},
    ],
    ids=str,
)
def test_a_witness_that_cannot_be_meant_is_refused(change: dict[str, object]) -> None:
    HomeConfig.model_validate({**BASE, "witness": [GOOD]})
    with pytest.raises(ValueError, match="witness"):
        HomeConfig.model_validate({**BASE, "witness": [{**GOOD, **change}]})


def test_stopping_before_the_second_round_is_refused() -> None:
    with pytest.raises(ValueError, match="two intervals"):
        WitnessingConfig(interval_seconds=60, stop_after_minutes=1)
    assert WitnessingConfig(interval_seconds=30, stop_after_minutes=1)
    assert WitnessingConfig(interval_seconds=3600, stop_after_minutes=0)
