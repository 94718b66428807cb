"""Keys are durable before they are used, and gone when they are destroyed."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from governance.adapters.key_store import FileKeyStore, KeyStoreUnavailable, KeyUnwrapFailed
from governance.ledger.store.keys import KeyDestroyed, KeyUnknown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kek-1.bin").write_bytes(bytes(range(32)))
    return tmp_path


@pytest.fixture
def keys(folder: Path) -> Iterator[FileKeyStore]:
    store = FileKeyStore(folder)
    yield store
    store.close()


def stored(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "keys.sqlite")
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_key_is_the_same_after_opening_again_and_no_two_are(
    folder: Path, keys: FileKeyStore
) -> None:
    one, two = keys.new_key(), keys.new_key()
    again = FileKeyStore(folder)
    assert again.get(one) == keys.get(one) != keys.get(two)
    again.close()


def test_a_key_is_never_in_its_file_in_the_clear(folder: Path, keys: FileKeyStore) -> None:
    key = keys.get(keys.new_key())
    assert len(key) == 32
    assert all(key not in path.read_bytes() for path in folder.glob("keys.sqlite*"))


def test_an_unknown_key_is_refused(keys: FileKeyStore) -> None:
    with pytest.raises(KeyUnknown):
        keys.get("0" * 32)
    with pytest.raises(KeyUnknown):
        keys.destroy("0" * 32, now_us=1)


def test_a_destroyed_key_is_gone_from_memory_and_file_and_stays_known(
    folder: Path, keys: FileKeyStore
) -> None:
    key_id = keys.new_key()
    connection = sqlite3.connect(folder / "keys.sqlite")
    wrapped = connection.execute("SELECT wrapped FROM data_key").fetchone()[0]
    connection.close()
    keys.destroy(key_id, now_us=1)
    keys.destroy(key_id, now_us=2)
    with pytest.raises(KeyDestroyed):
        keys.get(key_id)
    assert all(wrapped not in path.read_bytes() for path in folder.glob("keys.sqlite*"))


def test_a_wrapped_key_cannot_take_another_name(folder: Path, keys: FileKeyStore) -> None:
    keys.new_key()
    stored(folder, f"UPDATE data_key SET key_id = '{'f' * 32}'")
    with pytest.raises(KeyUnwrapFailed):
        keys.get("f" * 32)


def test_another_kek_opens_nothing(folder: Path, keys: FileKeyStore) -> None:
    key_id = keys.new_key()
    (folder / "kek-1.bin").write_bytes(bytes(32))
    other = FileKeyStore(folder)
    with pytest.raises(KeyUnwrapFailed):
        other.get(key_id)
    other.close()


def test_a_file_that_is_no_database_is_unavailable(folder: Path) -> None:
    (folder / "keys.sqlite").write_bytes(b"x" * 4096)
    with pytest.raises(KeyStoreUnavailable):
        FileKeyStore(folder)
