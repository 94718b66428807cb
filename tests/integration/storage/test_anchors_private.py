"""Rows that authenticate, repeat and sign are held against the facts (P2, P3, P7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.ledger.core.errors import LedgerTampered
from governance.registry.esignature import Statement, sign
from governance.registry.records import ServiceClient, Signature
from governance.storage import private
from governance.storage.rebuild_private import CREDENTIAL_FACT
from tests.integration.storage.samples import NOW_US, PERSON, RECORDS, answer, signed
from tests.integration.storage.test_tampering import change

if TYPE_CHECKING:
    from governance.home import Home
    from governance.ledger.core.canonical import Json
    from governance.storage.open import Storage
    from governance.storage.ports import Unit

HASH, OTHER = "$argon2id$first", "$argon2id$other"
CLIENT = next(record for record in RECORDS if isinstance(record, ServiceClient))


@pytest.fixture
def known(storage: Storage) -> Storage:
    """Return a storage with a person who has a password, and a client with a secret."""

    def write(unit: Unit) -> None:
        said = private.put_credential(unit, PERSON.id, HASH, must_change=True)
        unit.record(kind="person.added", actor="root", add=[PERSON], notes=said)
        said = private.put_client_secret(unit, CLIENT.id, HASH, 1)
        unit.record(kind="client.added", actor="root", add=[CLIENT], notes=said)

    storage.pen.commit(write)
    report = storage.rebuild()
    assert (report.tables["credential"], report.tables["client_secret"]) == (1, 1)
    return storage


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (f"UPDATE credential SET password_hash = '{OTHER}'", "entry 1: table credential row ana"),
        ("DELETE FROM credential", "table credential row ana: facts have it"),
        ("UPDATE credential SET must_change = NOT must_change", "column must_change"),
        ("UPDATE credential SET person = 'eve'", "row eve: facts know no such row"),
        (f"UPDATE client_secret SET secret_hash = '{OTHER}'", "entry 2: table client_secret"),
        ("UPDATE client_secret SET epoch = 2", "column epoch"),
        ("DELETE FROM client_secret", "table client_secret row clinic: facts have it"),
    ],
)
def test_a_credential_that_nobody_set_is_found(
    known: Storage, home: Home, statement: str, what: str
) -> None:
    change(home, statement)
    with pytest.raises(LedgerTampered, match=what):
        known.rebuild()


def test_a_password_that_no_entry_states_is_found(storage: Storage) -> None:
    """Even of a person on record: whoever holds the pen states what is stored."""

    def write(unit: Unit) -> None:
        private.put_credential(unit, PERSON.id, HASH, must_change=False)
        unit.record(kind="person.added", actor="root", add=[PERSON])

    storage.pen.commit(write)
    with pytest.raises(LedgerTampered, match="row ana: facts know no such row"):
        storage.rebuild()


def test_a_changed_password_is_the_one_that_counts_from_then_on(known: Storage, home: Home) -> None:
    def renew(unit: Unit) -> None:
        said = private.put_credential(unit, PERSON.id, OTHER, must_change=False)
        unit.record(kind="person.password_changed", actor="ana", notes=said)

    known.pen.commit(renew)
    known.rebuild()
    change(home, f"UPDATE credential SET password_hash = '{HASH}'")
    with pytest.raises(LedgerTampered, match="entry 3: table credential row ana"):
        known.rebuild()


def test_an_earlier_secret_of_a_rotated_client_does_not_come_back(
    known: Storage, home: Home
) -> None:
    def rotate(unit: Unit) -> None:
        after = replace(CLIENT, secret_epoch=2)
        said = private.put_client_secret(unit, CLIENT.id, OTHER, 2)
        unit.record(kind="client.rotated", actor="root", replace=[(CLIENT, after)], notes=said)

    known.pen.commit(rotate)
    known.rebuild()
    change(home, f"UPDATE client_secret SET secret_hash = '{HASH}'")
    with pytest.raises(LedgerTampered, match="entry 3: table client_secret row clinic"):
        known.rebuild()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("person.disabled", {CREDENTIAL_FACT: "0" * 64, "person": "ana"}),
        ("person.password_reset", {CREDENTIAL_FACT: 7, "person": "ana"}),
    ],
)
def test_a_credential_in_the_facts_of_another_act_or_form_is_found(
    known: Storage, kind: str, said: dict[str, Json]
) -> None:
    known.pen.commit(lambda unit: unit.record(kind=kind, actor="ana", notes=said))
    with pytest.raises(LedgerTampered, match=r"entry 3: its? .*credential"):
        known.rebuild()


# --- repeats -------------------------------------------------------------------------------------


@pytest.fixture
def repeated(storage: Storage) -> Storage:
    """Return a storage with two answers of one caller, the second under a key."""
    key_id = storage.pen.commit(lambda unit: unit.new_key())
    for number, asked in ((1, None), (2, ("clinic", "K1", "a" * 64))):
        storage.pen.answer(answer(key_id, number=number, idempotency=asked)).result(10)
    storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
    assert storage.rebuild().tables["idempotency"] == 1
    return storage


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE idempotency SET caller = 'other'", "another caller's"),
        ("UPDATE idempotency SET created_us = created_us + 1", "another instant"),
        ("UPDATE idempotency SET seq = 3", "another kind of act"),
        ("UPDATE idempotency SET seq = 99", "another entry"),
    ],
)
def test_a_repeat_that_is_not_its_entrys_is_found(
    repeated: Storage, home: Home, statement: str, what: str
) -> None:
    change(home, statement)
    with pytest.raises(LedgerTampered, match=what):
        repeated.rebuild()


# --- signatures ----------------------------------------------------------------------------------

SIGNATURE = next(record for record in RECORDS if isinstance(record, Signature))
FORGED = sign(
    Statement(
        record_type=SIGNATURE.record_type, record=SIGNATURE.record,
        record_sha256=SIGNATURE.record_digest, meaning=SIGNATURE.meaning, signer=SIGNATURE.signer,
        printed_name=SIGNATURE.printed_name, auth_methods=("session", "password"), t_us=NOW_US,
    ),
    key=Ed25519PrivateKey.generate(),
)  # fmt: skip


@pytest.mark.parametrize("column", ["record_type", "record", "meaning", "signer", "printed_name"])
def test_a_signature_that_says_other_than_its_columns_is_found(
    storage: Storage, home: Home, column: str
) -> None:
    """Even where the pen itself was made to write it, facts and row agreeing."""
    good = signed(SIGNATURE, home)
    moved = replace(good, **{column: "other"})
    storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana", add=[moved]))
    with pytest.raises(LedgerTampered, match="entry 1: table signature row S-1 column envelope"):
        storage.rebuild()


@pytest.mark.parametrize(
    "change_to",
    [
        {"signed_us": NOW_US + 1},
        {"record_digest": "0" * 64},
        {"envelope": "{}"},
        {"envelope": FORGED},
    ],
    ids=["instant", "digest", "no envelope", "another key's"],
)
def test_a_signature_of_another_instant_record_or_key_is_found(
    storage: Storage, home: Home, change_to: dict[str, str | int]
) -> None:
    bad = replace(signed(SIGNATURE, home), **change_to)  # type: ignore[arg-type]
    storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana", add=[bad]))
    with pytest.raises(LedgerTampered, match="column envelope"):
        storage.rebuild()


def test_a_signature_by_the_homes_key_over_its_columns_is_accepted(
    storage: Storage, home: Home
) -> None:
    good = signed(SIGNATURE, home)
    storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana", add=[good]))
    assert storage.rebuild().tables["signature"] == 1
