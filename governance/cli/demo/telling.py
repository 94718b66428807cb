"""How the story is told: numbered steps with what happened, and the page where it can be seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Telling:
    """Prints a numbered step when it begins and one line for each thing that happened in it."""

    def __init__(self, *, write: Callable[[str], None]) -> None:
        self._write = write
        self._number = 0

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Tell a step; the block is handed the function that tells what happened."""
        self._number += 1
        started = time.perf_counter()
        self._write(f"\n{self._number:>2}. {title}")
        yield lambda line: self._write(f"    {line}")
        self._write(f"    ({time.perf_counter() - started:.1f} s)")

    def say(self, line: str) -> None:
        """Tell something outside of any step."""
        self._write(line)
