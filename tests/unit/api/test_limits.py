"""Rates and bodies: the limits that stand before everything else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.api.limits import MINUTE_US, ClientGone, RateLimit, receive_body
from governance.gate.reasons import Refusal

NOW_US = 1_790_000_000_000_000


def test_a_whole_budget_may_be_spent_at_once_and_no_more() -> None:
    rate = RateLimit(per_minute=3)
    assert [rate.wait_us("a", now_us=NOW_US) for _ in range(3)] == [0, 0, 0]
    assert rate.wait_us("a", now_us=NOW_US) == MINUTE_US // 3


def test_a_refused_request_costs_nothing() -> None:
    rate = RateLimit(per_minute=1)
    rate.wait_us("a", now_us=NOW_US)
    for _ in range(5):
        assert rate.wait_us("a", now_us=NOW_US) == MINUTE_US
    assert rate.wait_us("a", now_us=NOW_US + MINUTE_US) == 0


def test_one_client_does_not_spend_anothers_budget() -> None:
    rate = RateLimit(per_minute=1)
    assert rate.wait_us("a", now_us=NOW_US) == 0
    assert rate.wait_us("b", now_us=NOW_US) == 0


def test_the_memory_of_keys_is_bounded() -> None:
    rate = RateLimit(per_minute=1, keys_max=10)
    for number in range(100):
        rate.wait_us(str(number), now_us=NOW_US)
    assert len(rate._whole_us) == 10


@given(
    per_minute=st.integers(1, 50),
    gaps_us=st.lists(st.integers(0, MINUTE_US // 4), min_size=1, max_size=200),
)
def test_no_window_of_a_minute_holds_more_than_twice_the_limit(
    per_minute: int, gaps_us: list[int]
) -> None:
    """A whole budget at once and its refill: the known bound of the algorithm."""
    rate = RateLimit(per_minute=per_minute)
    now_us, taken = NOW_US, []
    for gap_us in gaps_us:
        now_us += gap_us
        if rate.wait_us("a", now_us=now_us) == 0:
            taken.append(now_us)
    for start_us in taken:
        inside = [at for at in taken if start_us <= at < start_us + MINUTE_US]
        assert len(inside) <= 2 * per_minute


def read(
    messages: list[dict[str, Any]], *, headers: dict[bytes, bytes] | None = None
) -> bytes | Refusal:
    """Read a body of at most ten bytes from the messages; more than they hold is waited for."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return asyncio.run(receive_body(headers or {}, receive, bytes_max=10, seconds_max=0.01))


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"0123456789")],
        [part(b"01234", more=True), part(b"56789")],
        [part(b"", more=True), part(b"0123456789", more=True), part(b"")],
    ],
)
def test_a_body_comes_together_from_its_parts(messages: list[dict[str, Any]]) -> None:
    assert read(messages) == b"0123456789"


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"0123456789a")],
        [part(b"01234", more=True), part(b"56789a")],
        [part(b"01234", more=True), part(b"56789a", more=True)],
    ],
)
def test_a_body_over_the_limit_is_refused_as_soon_as_it_is(messages: list[dict[str, Any]]) -> None:
    assert read(messages) == Refusal(code="gate.too_large", detail="the limit is 10 bytes")


@pytest.mark.parametrize("length", [b"11", b"-1", b"ten", b"1e1", b"", b"9" * 100])
def test_a_stated_length_over_the_limit_is_refused_before_anything_is_read(length: bytes) -> None:
    found = read([], headers={b"content-length": length})
    assert isinstance(found, Refusal)
    assert found.code == "gate.too_large"


def test_a_body_that_does_not_come_is_given_up() -> None:
    found = read([part(b"0", more=True)])
    assert isinstance(found, Refusal)
    assert found.code == "gate.body_timeout"


def test_a_client_that_went_away_gets_no_answer() -> None:
    with pytest.raises(ClientGone):
        read([part(b"0", more=True), {"type": "http.disconnect"}])
    with pytest.raises(ClientGone):
        read([{"type": "http.disconnect"}])
