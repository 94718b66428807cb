"""Processes that write to one ledger, and what must be true of it afterwards."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from governance.clock import SystemClock
from governance.storage.open import open_storage
from tests.support.project import ROOT

if TYPE_CHECKING:
    from governance.home import Home
    from governance.storage.open import Storage


@dataclass(kw_only=True)
class Writer:
    """One `tests.support.ledger_writer`, and what it acknowledged."""

    process: subprocess.Popen[str]
    lines: list[list[str]] = field(default_factory=list)
    _ready: threading.Event = field(default_factory=threading.Event)
    _reader: threading.Thread | None = None

    @classmethod
    def of(cls, home: Home, name: str, *, threads: int, seconds: float) -> Writer:
        """Start a process that waits for `go`."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.ledger_writer", str(home.root), name,
             str(threads), str(seconds)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        writer = cls(process=process)
        writer._reader = threading.Thread(target=writer._read)
        writer._reader.start()
        return writer

    def wait_ready(self) -> bool:
        """Wait until it has opened the home."""
        return self._ready.wait(60)

    def go(self) -> None:
        """Let it write."""
        assert self.wait_ready(), "the writer did not start"
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> list[list[str]]:
        """Wait for its end; return what it acknowledged."""
        assert self._reader is not None
        self._reader.join(120)
        self.process.wait(60)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        return self.lines

    def kill(self) -> None:
        """End it where it stands."""
        self.process.kill()

    @property
    def count(self) -> int:
        """How many acknowledgements have arrived."""
        return len(self.lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            words = line.split()
            if words == ["ready"]:
                self._ready.set()
            elif words[0] in {"answer", "act"} and line.endswith("\n"):
                self.lines.append(words)
        self._ready.set()


def together(home: Home, *, processes: int, threads: int, seconds: float) -> list[list[list[str]]]:
    """Let so many processes write at once; return what each acknowledged."""
    writers = [
        Writer.of(home, f"p{number}", threads=threads, seconds=seconds)
        for number in range(processes)
    ]
    for writer in writers:
        writer.go()
    return [writer.end() for writer in writers]


def check_all_there(home: Home, acknowledged: list[list[str]]) -> int:
    """Open the home, which derives and folds everything, and look up every acknowledgement.

    The whole log is verified; no idempotency key and no acknowledged act is in it twice. Return
    the size.
    """
    with open_storage(home, clock=SystemClock()) as storage:
        size = storage.ledger.verify().size
        entries = _entries(storage)
        assert list(entries) == list(range(size))
        for words in acknowledged:
            kind, key, seq, event_id = words if words[0] == "answer" else _of_act(words)
            assert entries[int(seq)] == event_id, (kind, key)
        places = Counter(int(words[2]) for words in acknowledged)
        assert max(places.values(), default=1) == 1
        with storage.reader() as reader:
            stored = reader.connection.exec_driver_sql(  # type: ignore[attr-defined]
                "SELECT count(*) FROM entry WHERE position('inference.answered' IN "
                "convert_from(env, 'UTF8')) > 0"
            ).scalar()
            keys = reader.connection.exec_driver_sql(  # type: ignore[attr-defined]
                "SELECT count(*) FROM idempotency"
            ).scalar()
        assert stored == keys, "a key has two answers"
        return size


def _of_act(words: list[str]) -> list[str]:
    return [words[0], "", words[2], words[1]]


def _entries(storage: Storage) -> dict[int, str]:
    found: dict[int, str] = {}
    while rows := storage.ledger.entries(len(found), 2000):
        found.update((row.seq, row.event_id) for row in rows)
    return found
