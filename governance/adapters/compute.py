"""Where long, pure work runs: in this process for a command, beside it for a server.

A server that answers clinics must not stall while an audit imports half a second of numerics, so
it hands such work to one worker process. What is handed over is a module-level function and
plain values, both ways.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, Protocol, TypeVar

from governance.errors import GovernanceError

P = ParamSpec("P")
T = TypeVar("T")


class ComputeLost(GovernanceError):
    """The worker process ended before it had a result."""

    code = "compute.lost"
    http_status = 503


class Compute(Protocol):
    """Something that runs a function and returns its result."""

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `function(*args, **kwargs)`; what it raises is raised here."""
        ...


class InlineCompute:
    """Runs in the calling thread."""

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `function(*args, **kwargs)`."""
        return function(*args, **kwargs)


class ProcessCompute:
    """Runs in one spawned worker process, one task at a time."""

    def __init__(self) -> None:
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(max_workers=1, mp_context=context)

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `function(*args, **kwargs)` as the worker computed it."""
        try:
            return self._pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            self._pool = self._new_pool()
            raise ComputeLost(
                f"the worker process ended while it ran {function.__name__}",
                next_step="look at the machine's memory, then run the command again",
            ) from error

    def close(self) -> None:
        """End the worker process."""
        self._pool.shutdown(cancel_futures=True)
