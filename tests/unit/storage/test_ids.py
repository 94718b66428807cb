"""Random values that are drawn together are as long as asked, and as random."""

from __future__ import annotations

import os

import pytest

from governance import ids


def test_values_drawn_together_are_parts_of_one_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: bytes(range(count)))
    assert ids.drawn(2, 0, 3) == [b"\x00\x01", b"", b"\x02\x03\x04"]


def test_no_value_is_drawn_twice() -> None:
    values = [value for _ in range(100) for value in ids.drawn(12, 32, 32)]
    assert len(set(values)) == 300
    assert [len(value) for value in values[:3]] == [12, 32, 32]


def test_two_events_of_one_instant_have_different_identifiers() -> None:
    assert ids.event_id(now_us=1) != ids.event_id(now_us=1)
    tails = [bytes([number]) * ids.TAIL_BYTES for number in (0, 1)]
    zero, one = (ids.event_id(now_us=1_800_000_000_000_123, tail=tail) for tail in tails)
    assert zero.endswith("-8000-000000000000")
    assert zero[:19] == one[:19]
    assert zero != one
