"""Hold the home of a log that is recovered, so that it does not go on beside its successor (P3)."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from governance.clock import Clock
from governance.home import Home, HomeOwned
from governance.storage.engine import writer_engine
from governance.storage.errors import storage_faults_told
from governance.storage.fencing import fence
from governance.storage.succession.pending import (
    mark_succeeded,
    require_not_succeeded,
    unmark_succeeded,
)

_NOT_WRITABLE: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class GivenUp:
    """The old home while its successor is made; `to` says that there is one."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._marked = False
        self._made = False

    def begin(self) -> None:
        """Let nothing start in it from now on."""
        self._mark(None, None)

    def made(self) -> None:
        """Say that the successor stands: from here on nothing takes the mark away."""
        self._made = True

    def to(self, origin: str, leaf: str) -> None:
        """Name the successor by its log and the leaf of its first entry."""
        self._mark(origin, leaf)

    def take_back(self) -> None:
        """Leave the home as it was: no successor was made."""
        if self._marked and not self._made:
            unmark_succeeded(self._home)

    def _mark(self, origin: str | None, leaf: str | None) -> None:
        try:
            mark_succeeded(self._home, now_us=self._clock.now_us(), origin=origin, leaf=leaf)
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise
            return  # evidence that nobody can write to: nothing starts in it either
        self._marked = True


@contextmanager
def given_up(home: Home, clock: Clock) -> Iterator[GivenUp]:
    """Hold the home for the length of the block; nothing runs in it meanwhile, nor afterwards.

    A mark first, then on PostgreSQL the fencing epoch, so that a process which runs now stops and
    does not start again. The mark is the only thing that is written into the home, and is taken
    away where the block raises. Raises HomeOwned where a process has it, HomeSucceeded where there
    is a successor already.
    """
    require_not_succeeded(home, begun_too=False)
    with storage_faults_told(), _unowned(home):
        state = GivenUp(home, clock)
        state.begin()
        try:
            _fence(home)
            yield state
        except BaseException:
            state.take_back()
            raise


def _fence(home: Home) -> None:
    if home.is_sqlite:
        return
    engine = writer_engine(home.database)
    try:
        fence(engine)
    finally:
        engine.dispose()


@contextmanager
def _unowned(home: Home) -> Iterator[None]:
    """Hold the home's lock without writing into it."""
    if not home.is_sqlite or not home.lock_path.exists():
        yield
        return
    descriptor = os.open(home.lock_path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeOwned(
                "a process owns the old home",
                next_step="Stop its server first: a log that ends is written by nobody.",
            ) from None
        yield
    finally:
        os.close(descriptor)
