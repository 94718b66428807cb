"""A promise ends once, for everybody who waits, whoever comes first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from governance.storage.promise import Promise


def test_a_value_is_there_for_everybody_who_asks_later() -> None:
    promise: Promise[int] = Promise()
    assert promise.done() is False
    promise.set_result(7)
    assert (promise.done(), promise.result(), promise.result(0)) == (True, 7, 7)


def test_an_error_is_raised_at_everybody_who_asks() -> None:
    promise: Promise[int] = Promise()
    promise.set_exception(KeyError("gone"))
    for _ in range(2):
        with pytest.raises(KeyError, match="gone"):
            promise.result()


def test_a_value_of_none_is_a_value() -> None:
    promise: Promise[None] = Promise()
    promise.set_result(None)
    assert promise.result(0) is None


def test_who_waits_too_long_is_told_and_may_ask_again() -> None:
    promise: Promise[int] = Promise()
    with pytest.raises(TimeoutError):
        promise.result(0.001)
    promise.set_result(1)
    assert promise.result(0) == 1


def test_a_promise_does_not_end_twice() -> None:
    promise: Promise[int] = Promise()
    promise.set_result(1)
    with pytest.raises(RuntimeError):
        promise.set_result(2)


def test_many_threads_wait_for_one_promise() -> None:
    promise: Promise[int] = Promise()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(promise.result, 30) for _ in range(8)]
        promise.set_result(3)
        assert [one.result(30) for one in waiting] == [3] * 8


def test_callbacks_are_called_in_order_and_one_that_comes_late_at_once() -> None:
    promise: Promise[int] = Promise()
    called: list[str] = []
    promise.add_done_callback(lambda ended: called.append(f"first {ended.result()}"))
    promise.add_done_callback(lambda _: called.append("second"))
    assert called == []
    promise.set_result(5)
    promise.add_done_callback(lambda _: called.append("late"))
    assert called == ["first 5", "second", "late"]


def test_a_callback_that_fails_is_logged_and_keeps_nobody_from_the_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    promise: Promise[int] = Promise()
    called: list[int] = []
    promise.add_done_callback(lambda _: 1 // 0)
    promise.add_done_callback(lambda _: called.append(1))
    promise.set_result(2)
    assert (promise.result(), called) == (2, [1])
    assert "ZeroDivisionError" in caplog.text


def test_a_callback_that_comes_as_the_promise_ends_is_called_once() -> None:
    for _ in range(300):
        promise: Promise[int] = Promise()
        called: list[int] = []
        start = threading.Barrier(2)

        def end(promise: Promise[int] = promise, start: threading.Barrier = start) -> None:
            start.wait()
            promise.set_result(1)

        thread = threading.Thread(target=end)
        thread.start()
        start.wait()
        promise.add_done_callback(lambda _, called=called: called.append(1))  # type: ignore[misc]
        thread.join()
        assert called == [1]
