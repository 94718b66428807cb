"""What a caller of the pen holds until its entry is durable.

The part of `concurrent.futures.Future` that is used here, on one lock. A future's condition makes
the thread that waits wake twice and the pen take a lock for each answer, which at the pen's rate
was an eighth of its time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar, cast

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Promise(Generic[T]):
    """A value that comes, or an error. One thread ends it, once; any thread may wait.

    The lock is held until the promise ends. Assignments come before the flag that says so, and
    each step is one that the interpreter does not interrupt, so readers need no lock.
    """

    __slots__ = ("_callbacks", "_ended", "_error", "_held", "_value")

    def __init__(self) -> None:
        self._held = Lock()
        self._held.acquire()
        self._ended = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Promise[T]], object]] = []

    def done(self) -> bool:
        """Return whether the value or the error is there."""
        return self._ended

    def result(self, timeout: float | None = None) -> T:
        """Wait, and return the value or raise the error; raise TimeoutError after `timeout` s."""
        if not self._ended:
            if not self._held.acquire(timeout=-1 if timeout is None else timeout):
                raise TimeoutError
            self._held.release()  # for the next who waits
        if self._error is not None:
            raise self._error
        return cast("T", self._value)

    def add_done_callback(self, callback: Callable[[Promise[T]], object]) -> None:
        """Call back when it has ended, from the thread that ends it; at once where it has."""
        self._callbacks.append(callback)
        if self._ended:
            self._call_back()

    def set_result(self, value: T) -> None:
        """End with a value."""
        self._value = value
        self._end()

    def set_exception(self, error: BaseException) -> None:
        """End with an error."""
        self._error = error
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._held.release()  # an error for whoever ends it twice
        if self._callbacks:
            self._call_back()

    def _call_back(self) -> None:
        # Whoever takes a callback out calls it: the one who ended it, or the one who came late.
        while self._callbacks:
            try:
                callback = self._callbacks.pop(0)
            except IndexError:
                return
            try:
                callback(self)
            except Exception:  # noqa: BLE001 - the one who ends it serves others too
                _log.exception("what was to follow an answer failed")
