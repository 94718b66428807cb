"""What attackers do to a home, and the two ways in which the owner looks at it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, text

from governance.ledger.core.body_cipher import seal
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.merkle import Frontier, leaf_hash
from governance.ledger.core.record import decode_entry, encode_entry, genesis_prev
from governance.storage.open import Storage, inspect_storage, open_storage
from tests.integration.storage.samples import PERSON, answer
from tests.integration.storage.test_tampering import tampering

if TYPE_CHECKING:
    from governance.clock import FixedClock
    from governance.home import Home

SIZE = 10
ANSWER = 6  # has a body, like every entry from 4 on
ACT = 2


def written(home: Home, clock: FixedClock) -> None:
    """Write the history: three persons, then six answers, a second apart."""
    with open_storage(home, clock=clock) as storage:
        for number in range(1, 4):
            clock.advance(seconds=1)
            add_person(storage, f"p{number}")
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        for number in range(4, SIZE):
            clock.advance(seconds=1)
            storage.pen.answer(answer(key_id, number=number)).result(30)


def add_person(storage: Storage, person: str) -> str:
    """Commit an act; return its event id."""
    return storage.pen.commit(
        lambda unit: (
            unit.record(kind="person.added", actor="ada", add=[replace(PERSON, id=person)]).event_id
        )
    )


def verified(home: Home) -> int:
    """Verify the closed home as `vigil ledger verify` does; return its size."""
    with inspect_storage(home) as inspected:
        size = inspected.ledger.verify().size
        inspected.rebuild()
    return size


def found(home: Home) -> LedgerTampered:
    """Return what a verification says of a home that was tampered with."""
    with pytest.raises(LedgerTampered) as caught:
        verified(home)
    assert caught.value.exit_code == 3
    return caught.value


def found_running(home: Home, clock: FixedClock, do: Callable[[], None]) -> LedgerTampered:
    """Return what the nightly verification of a running server says, attacked in between."""
    with open_storage(home, clock=clock) as storage:
        do()
        with pytest.raises(LedgerTampered) as caught:
            storage.ledger.verify()
    return caught.value


def refused(home: Home, clock: FixedClock) -> LedgerTampered:
    """Return what a start says of it."""
    with pytest.raises(LedgerTampered) as caught, open_storage(home, clock=clock):
        pytest.fail("the home opened")
    return caught.value


def attack(home: Home, *statements: str, **values: object) -> None:
    """Run statements as the owner of the database: no trigger or check is in the way."""
    with tampering(home) as connection:
        for statement in statements:
            connection.execute(text(statement), values)


def column(home: Home, name: str, seq: int, table: str = "entry") -> bytes:
    """Return one stored value."""
    with tampering(home) as connection:
        query = text(f"SELECT {name} FROM {table} WHERE seq = :seq")
        return bytes(connection.execute(query, {"seq": seq}).scalar_one())


def flipped(raw: bytes, at: int = -1) -> bytes:
    """Return the bytes with one bit changed."""
    at %= len(raw)
    return raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]


def rewrite(
    connection: Connection, home: Home, *, change: Callable[[int, bytes], bytes], sign: bool = False
) -> None:
    """Write every entry anew and chain all of them again; with the log's key, sign that too."""
    prev, frontier = genesis_prev(home.origin), Frontier()
    notes = []
    for seq, env in connection.execute(text("SELECT seq, env FROM entry ORDER BY seq")).all():
        entry = decode_entry(change(seq, env))
        fresh = encode_entry(replace(entry, prev=prev))
        prev = leaf_hash(fresh)
        frontier = frontier.push(prev)
        connection.execute(
            text("UPDATE entry SET env = :env, leaf = :leaf WHERE seq = :seq"),
            {"env": fresh, "leaf": prev, "seq": seq},
        )
        checkpoint = Checkpoint(origin=home.origin, size=frontier.size, root=frontier.root())
        notes.append(sign_checkpoint(checkpoint, private_key=home.log_key()))
    connection.execute(
        text("UPDATE log_head SET head_leaf = :leaf, frontier = :frontier, next_seq = :size"),
        {"leaf": prev, "frontier": frontier.encode(), "size": frontier.size},
    )
    if sign:
        connection.execute(text("DELETE FROM checkpoint"))
        for size, note in enumerate(notes, start=1):
            connection.execute(
                text("INSERT INTO checkpoint (size, note) VALUES (:size, :note)"),
                {"size": size, "note": note.decode()},
            )
        home.checkpoints_log.write_bytes(b"".join(note + b"\n" for note in notes))


def another_kind(at: int) -> Callable[[int, bytes], bytes]:
    """Return the change that tells another story in entry `at`."""

    def change(seq: int, env: bytes) -> bytes:
        entry = decode_entry(env)
        return encode_entry(replace(entry, kind="person.disabled")) if seq == at else env

    return change


def seal_again(home: Home, seq: int, body: bytes, dek: bytes) -> None:
    """Put another body under the same key, as somebody who has the key store can."""
    event_id = decode_entry(column(home, "env", seq)).event_id
    sealed = seal(body, dek=dek, origin=home.origin, event_id=event_id, nonce=bytes(12))
    attack(
        home,
        "UPDATE body SET nonce = :nonce, ciphertext = :ciphertext, key_commitment = :commitment "
        "WHERE seq = :seq",
        nonce=sealed.nonce,
        ciphertext=sealed.ciphertext,
        commitment=sealed.key_commitment,
        seq=seq,
    )


def cut(home: Home, size: int) -> None:
    """Take the last entries away, so that what is left agrees with itself."""
    frontier, leaf, last = Frontier(), genesis_prev(home.origin), 0
    for seq in range(size):
        env = column(home, "env", seq)
        leaf, last = leaf_hash(env), decode_entry(env).t_us
        frontier = frontier.push(leaf)
    attack(
        home,
        "DELETE FROM observation WHERE seq >= :size",
        "DELETE FROM body WHERE seq >= :size",
        "DELETE FROM entry WHERE seq >= :size",
        "DELETE FROM checkpoint WHERE size > :size",
        "UPDATE log_head SET next_seq = :size, head_leaf = :leaf, frontier = :frontier, "
        "last_t_us = :last",
        size=size,
        leaf=leaf,
        frontier=frontier.encode(),
        last=last,
    )
