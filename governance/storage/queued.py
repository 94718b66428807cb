"""What waits for the pen: one queue, in the order in which it came, and the door that closes it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from governance.storage.answers import QueuedAnswer
from governance.storage.errors import audit_unavailable
from governance.storage.ports import Unit
from governance.storage.promise import Promise

MAX_BATCH: Final = 1024
_CLOSE: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedAct:
    """An act in the queue."""

    write: Callable[[Unit], Any]
    future: Promise[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedWork:
    """Work on the writing connection between batches, for what takes no transaction."""

    work: Callable[[Connection], Any]
    future: Promise[Any]


Queued: TypeAlias = QueuedAct | QueuedAnswer | QueuedWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What waited when the pen came back; `last` says that nothing will come behind it."""

    acts: list[QueuedAct]
    answers: list[QueuedAnswer]
    works: list[QueuedWork]
    last: bool


class PenQueue:
    """The queue of a process."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._closed = False
        self._door = threading.Lock()

    def put(self, item: Queued) -> None:
        """Let the item wait for the pen; raise AuditUnavailable where the pen is closed."""
        with self._door:  # nothing may be queued behind the closing mark, and wait for ever
            if self._closed:
                raise audit_unavailable("the pen is closed")
            self._items.put(item)

    def close(self) -> bool:
        """Take nothing more; return whether this was the call that closed the door."""
        with self._door:
            if self._closed:
                return False
            self._closed = True
            self._items.put(_CLOSE)
            return True

    def qsize(self) -> int:
        """Return how many items wait."""
        return self._items.qsize()

    def drain(self) -> Drained:
        """Wait for an item, and return it with those that are there as well, up to a batch."""
        items = [self._items.get()]
        with contextlib.suppress(queue.Empty):
            while items[-1] is not _CLOSE and len(items) < MAX_BATCH:
                items.append(self._items.get_nowait())
        return Drained(
            acts=[item for item in items if isinstance(item, QueuedAct)],
            answers=[item for item in items if isinstance(item, QueuedAnswer)],
            works=[item for item in items if isinstance(item, QueuedWork)],
            last=items[-1] is _CLOSE,
        )
