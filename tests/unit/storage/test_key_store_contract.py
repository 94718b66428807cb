"""What every key store does: the one in files, one in memory, and whatever a site brings."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from governance.adapters.key_store import FileKeyStore
from governance.ledger.store.keys import KeyDestroyed, KeyStore, KeyUnknown
from tests.support.memory_keys import MemoryKeyStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyStore]:
    if request.param == "memory":
        yield MemoryKeyStore()
        return
    (tmp_path / "kek-1.bin").write_bytes(bytes(range(32)))
    opened = FileKeyStore(tmp_path)
    yield opened
    opened.close()


def test_keys_differ_and_stay(store: KeyStore) -> None:
    one, two = store.new_key(), store.new_key()
    assert len(store.get(one)) == 32
    assert store.get(one) == store.get(one) != store.get(two)


def test_a_subject_has_one_key_and_organisations_do_not_share_it(store: KeyStore) -> None:
    one = store.subject_key(organisation="a", subject="b")
    assert store.subject_key(organisation="a", subject="b") == one
    others = {("a", "c"), ("b", "b"), ("a", "B"), ("a", "b "), ("ab", "")}
    found = {store.subject_key(organisation=o, subject=s) for o, s in others}
    assert len(found) == len(others)
    assert one not in found


def test_looking_for_a_subject_makes_no_key(store: KeyStore) -> None:
    assert store.find_subject(organisation="a", subject="b") is None
    made = store.subject_key(organisation="a", subject="b")
    assert store.find_subject(organisation="a", subject="b") == made


def test_many_threads_get_one_key_for_a_subject(store: KeyStore) -> None:
    barrier = threading.Barrier(8)

    def ask(_: int) -> str:
        barrier.wait()
        return store.subject_key(organisation="a", subject="b")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_a_destroyed_subject_is_unknown_and_comes_back_under_another_key(store: KeyStore) -> None:
    before = store.subject_key(organisation="a", subject="b")
    other = store.subject_key(organisation="a", subject="c")
    store.destroy(before, now_us=1)
    store.destroy(before, now_us=2)
    assert store.find_subject(organisation="a", subject="b") is None
    with pytest.raises(KeyDestroyed):
        store.get(before)
    assert store.subject_key(organisation="a", subject="b") != before
    assert store.get(other)


def test_an_unknown_key_is_neither_given_nor_destroyed(store: KeyStore) -> None:
    with pytest.raises(KeyUnknown):
        store.get("0" * 32)
    with pytest.raises(KeyUnknown):
        store.destroy("0" * 32, now_us=1)


def test_a_mark_tells_the_same_text_and_nothing_else(store: KeyStore) -> None:
    marks = [store.mark(text) for text in ("a", "b", "a")]
    assert marks[0] == marks[2] != marks[1]
    assert all(len(mark) == 64 and set(mark) <= set("0123456789abcdef") for mark in marks)


def test_an_epoch_moves_and_what_survives_opens(store: KeyStore) -> None:
    kept, gone = store.new_key(), store.new_key()
    subject = store.subject_key(organisation="a", subject="b")
    secret, mark = store.get(kept), store.mark("a")
    store.destroy(gone, now_us=1)
    assert (store.epoch, store.unfinished_epoch()) == (1, None)
    assert store.prepare_epoch() == store.prepare_epoch() == store.unfinished_epoch() == 2
    assert store.epoch == 1
    store.finish_epoch(2)
    store.finish_epoch(2)
    assert (store.epoch, store.unfinished_epoch()) == (2, None)
    assert (store.get(kept), store.mark("a")) == (secret, mark)
    assert store.find_subject(organisation="a", subject="b") == subject
    assert store.get(store.new_key())
    with pytest.raises(KeyDestroyed):
        store.get(gone)
