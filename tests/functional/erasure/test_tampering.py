"""Bodies that are marked as erased are exactly those that an entry commits to (P3, P13)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from governance.errors import EXIT_TAMPERED
from governance.ledger.core.errors import LedgerTampered
from tests.support.about_people import OTHER, SUBJECT, People, people

pytestmark = [pytest.mark.requirement("P3"), pytest.mark.requirement("P13")]

EMPTY = "nonce = NULL, ciphertext = NULL, key_commitment = NULL, salt = NULL, erased_by_seq = "


@pytest.fixture
def erased(tmp_path: Path) -> Iterator[tuple[People, int]]:
    """A deployment with two people of whom one was erased, and the number of the entry."""
    with people(tmp_path, days=0) as opened:
        for subject in (SUBJECT, OTHER, SUBJECT):
            opened.ask(subject)
        opened.request()
        yield opened, int(opened.confirm()["seq"])


def change(opened: People, *statements: str) -> None:
    connection = sqlite3.connect(opened.small.deployment.home.database_path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def another_body(opened: People) -> int:
    """Return the entry of the person who was not erased."""
    key = opened.key_of(OTHER)
    entries = opened.small.deployment.ledger.entries(limit=1000)
    return next(one.seq for one in entries if one.body_key == key)


TAMPERINGS: dict[str, Callable[[People, int], list[str]]] = {
    "a body more is emptied under the entry": lambda opened, by: [
        f"UPDATE body SET {EMPTY}{by} WHERE seq = {another_body(opened)}"
    ],
    "a body more is emptied, and renamed": lambda opened, by: [
        (
            f"UPDATE body SET {EMPTY}{by}, key_id = (SELECT key_id FROM body WHERE "
            f"erased_by_seq = {by} LIMIT 1) WHERE seq = {another_body(opened)}"
        )
    ],
    "another entry is named": lambda _, by: [
        f"UPDATE body SET erased_by_seq = {by - 1} WHERE erased_by_seq = {by}"
    ],
    "a row of the list is deleted": lambda _, by: [
        f"DELETE FROM body WHERE seq = (SELECT max(seq) FROM body WHERE erased_by_seq = {by})"
    ],
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_bodies_that_the_entry_does_not_list_are_tampering(
    erased: tuple[People, int], how: str
) -> None:
    opened, by = erased
    opened.verify()
    change(opened, *TAMPERINGS[how](opened, by))
    deployment = opened.small.deployment
    for check in (deployment.ledger.verify, deployment.rebuild):
        with pytest.raises(LedgerTampered) as found:
            check()
        assert found.value.exit_code == EXIT_TAMPERED


def test_what_is_left_beside_an_erased_body_is_tampering(erased: tuple[People, int]) -> None:
    opened, by = erased
    change(
        opened,
        "INSERT INTO observation (seq, position, codes, key_id) SELECT seq, 0, '[]', key_id "
        f"FROM body WHERE erased_by_seq = {by} LIMIT 1",
    )
    with pytest.raises(LedgerTampered, match="observation: a row is left"):
        opened.small.deployment.rebuild()


def test_an_erasure_that_only_a_record_says_destroys_no_key(erased: tuple[People, int]) -> None:
    opened, _ = erased
    key = opened.key_of(OTHER)
    assert key is not None
    change(opened, f"UPDATE erasure SET key_id = '{key}'")
    assert opened.small.deployment.finish_erasures()
    assert opened.small.deployment.keys.get(key)
    with pytest.raises(LedgerTampered, match="table erasure row E-1 column key_id"):
        opened.small.deployment.rebuild()
