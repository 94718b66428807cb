"""Erasing at the storage's own interface, on both databases (P13)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from governance.ledger.core.erased import ERASED_KIND, statement_over
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.keys import KeyDestroyed
from governance.ledger.store.tables import BodyRow, Row
from governance.registry.records import Erasure
from governance.storage.engine import reader_engine, writer_engine
from governance.storage.erasing import bodies_under, erase_bodies
from governance.storage.errors import AnswerErased, SubjectErased
from governance.storage.open import open_storage
from tests.integration.storage.samples import NOW_US, answer

if TYPE_CHECKING:
    from governance.clock import FixedClock
    from governance.home import Home
    from governance.storage.open import Storage
    from governance.storage.ports import PendingAnswer, Unit

pytestmark = pytest.mark.requirement("P13")
ASKED = ("clinic", "retry-1", "0" * 64)


def about(
    key_id: str, *, number: int = 0, asked: tuple[str, str, str] | None = None
) -> PendingAnswer:
    """Return an answer about a person."""
    pending = answer(key_id, number=number, idempotency=asked)
    assert pending.body is not None
    return replace(pending, body=replace(pending.body, of_subject=True))


def erase(storage: Storage, key_id: str) -> int:
    """Erase the person in one act; return the entry's number. Nothing follows yet."""

    def write(unit: Unit) -> int:
        seqs = [body.seq for body in bodies_under(unit, key_id)]
        erasure = Erasure(
            id=unit.next_id(Erasure, prefix="E"),
            key_id=key_id,
            basis="objection",
            state="erased",
            requested_by="ana",
            requested_us=NOW_US,
            requested_seq=1,
            decided_by="ben",
            decided_us=NOW_US,
            bodies=len(seqs),
            erased_seq=unit.next_seq,
        )
        recorded = unit.record(
            kind=ERASED_KIND,
            actor="ben",
            add=[erasure],
            notes=statement_over(key_id, seqs).as_facts(),
        )
        erase_bodies(unit, key_id, seqs, by_seq=recorded.seq, mark=storage.keys.mark)
        return recorded.seq

    return storage.pen.commit(write)


def counted(home: Home, table: str) -> int:
    engine = reader_engine(home.database)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
    finally:
        engine.dispose()


def test_an_erasure_touches_the_persons_rows_alone(storage: Storage, home: Home) -> None:
    one, two = (storage.keys.subject_key(organisation="acme", subject=s) for s in "12")
    for number, key_id in enumerate((one, two, one)):
        storage.pen.answer(about(key_id, number=number)).result(10)
    storage.pen.answer(about(one, number=3, asked=ASKED)).result(10)
    before = storage.ledger.entries(limit=100)
    seq = erase(storage, one)
    assert storage.finish_erasures()
    assert not storage.finish_erasures()
    with pytest.raises(KeyDestroyed):
        storage.keys.get(one)
    assert storage.ledger.verify().bodies_erased == 3
    storage.rebuild()
    after = storage.ledger.entries(limit=100)[:-1]
    assert [one_.stored.env for one_ in before] == [one_.stored.env for one_ in after]
    assert {entry.erased_by_seq for entry in after if entry.body_key == one} == {seq}
    assert (counted(home, "observation"), counted(home, "idempotency")) == (1, 0)
    assert (counted(home, "erased_answer"), counted(home, "erasure_residue")) == (1, 0)
    assert storage.ledger.body(before[-3].seq) is not None


def test_an_answer_that_waited_is_not_written_under_a_key_that_is_gone(storage: Storage) -> None:
    key_id = storage.keys.subject_key(organisation="acme", subject="1")
    storage.pen.answer(about(key_id, asked=ASKED)).result(10)
    erase(storage, key_id)
    with pytest.raises(SubjectErased):
        storage.pen.answer(about(key_id)).result(10)
    with pytest.raises(AnswerErased):
        storage.pen.answer(about(key_id, asked=ASKED)).result(10)
    storage.finish_erasures()
    again = storage.keys.subject_key(organisation="acme", subject="1")
    with pytest.raises(AnswerErased):
        storage.pen.answer(about(again, asked=ASKED)).result(10)
    storage.pen.answer(about(again)).result(10)
    storage.ledger.verify()
    storage.rebuild()


def test_a_start_finishes_what_was_left(home: Home, clock: FixedClock) -> None:
    with open_storage(home, clock=clock) as storage:
        key_id = storage.keys.subject_key(organisation="acme", subject="1")
        storage.pen.answer(about(key_id)).result(10)
        erase(storage, key_id)
        assert storage.keys.get(key_id)
        storage.ledger.verify()
    with open_storage(home, clock=clock) as storage:
        with pytest.raises(KeyDestroyed):
            storage.keys.get(key_id)
        assert not storage.finish_erasures()
        storage.ledger.verify()


def test_a_verification_that_runs_meanwhile_reads_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id = storage.keys.subject_key(organisation="acme", subject="1")
    for number in range(3):
        storage.pen.answer(about(key_id, number=number)).result(10)
    view = type(storage.ledger)
    opened = view._open
    erasures: list[int] = []

    def opening(self: object, row: object) -> bytes:
        if not erasures:
            erasures.append(erase(storage, key_id))
            storage.keys.destroy(key_id, now_us=NOW_US)
        return opened(self, row)  # type: ignore[arg-type]

    monkeypatch.setattr(view, "_open", opening)
    assert storage.ledger.verify().bodies_erased == 3
    assert erasures


def test_a_body_in_the_same_batch_is_not_left_behind(storage: Storage) -> None:
    from governance.errors import Conflict
    from governance.storage.ports import Body

    key_id = storage.keys.subject_key(organisation="acme", subject="1")

    def write(unit: Unit) -> None:
        unit.record(kind="test.added", actor="ana", body=Body(content=b"{}", key_id=key_id))
        erase_bodies(unit, key_id, [], by_seq=unit.next_seq, mark=storage.keys.mark)

    with pytest.raises(Conflict, match="at this instant"):
        storage.pen.commit(write)


def test_every_connection_that_writes_overwrites_what_it_deletes(sqlite_home: Home) -> None:
    engine = writer_engine(sqlite_home.database)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar_one() == 1
    engine.dispose()


def test_a_connection_without_secure_delete_is_refused(
    sqlite_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance.storage import engine as module
    from governance.storage.errors import SettingRefused

    monkeypatch.setattr(module, "_PRAGMAS", {**module._PRAGMAS, "secure_delete": 3})
    engine = writer_engine(sqlite_home.database)
    with pytest.raises(SettingRefused, match="secure_delete"), engine.connect():
        pytest.fail("it connected")
    engine.dispose()


def test_a_body_that_came_back_is_found(storage: Storage, home: Home) -> None:
    key_id = storage.keys.subject_key(organisation="acme", subject="1")
    storage.pen.answer(about(key_id)).result(10)
    engine = writer_engine(home.database)
    body = Row.metadata.tables[BodyRow.__tablename__]
    with engine.begin() as connection:
        kept = connection.execute(select(body)).mappings().all()
    seq = erase(storage, key_id)
    with engine.begin() as connection:
        for row in kept:
            sealed = {name: value for name, value in row.items() if name not in {"seq", "key_id"}}
            here = body.c.seq == row["seq"], body.c.erased_by_seq == seq
            assert connection.execute(body.update().where(*here), sealed).rowcount == 1
    engine.dispose()
    with pytest.raises(LedgerTampered, match="says that it erased 1 bodies"):
        storage.rebuild()
