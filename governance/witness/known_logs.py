"""Whose checkpoints a witness takes: a policy file, and how a log's keys change in it.

A log that rotates its key has two for a while, and the witness must know the new one before the old
one is retired. Only keys of logs that are in the file already are added: who the log is was settled
when its first key was compared with its operator. What was seen of it is not in this file.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TypedDict

from governance.errors import Conflict, InvalidInput
from governance.ledger.core.errors import NoteRejected, PolicyRejected
from governance.ledger.core.note import ED25519, VerifierKey
from governance.ledger.core.policy import Policy

_log = logging.getLogger(__name__)


class LogKeyRefused(Conflict):
    """The key does not belong to a log that this witness knows, or is the log's only one."""

    code = "witness.log_key_refused"


class KnownKeys(TypedDict):
    """The keys of one log after a change."""

    origin: str
    keys: list[str]


class KnownLogs:
    """The file as a running witness follows it."""

    def __init__(self, path: Path) -> None:
        """Read the file; raise PolicyRejected."""
        self._path = path
        self._stamp = _stamp(path)
        self.policy = Policy.parse(path.read_bytes())

    def changed(self) -> Policy | None:
        """Return the policy where the file is another one now.

        A file that cannot be read leaves the logs as they were, and the witness says so.
        """
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return None
            self._stamp = stamp
            self.policy = Policy.parse(self._path.read_bytes())
        except (OSError, PolicyRejected) as error:
            _log.warning("%s cannot be used, the logs stay as they were: %s", self._path, error)
            return None
        return self.policy


def add_log_key(path: Path, vkey: str) -> KnownKeys:
    """Add a key of a known log; raise LogKeyRefused, InvalidInput or PolicyRejected.

    Adding it again changes nothing.
    """
    text, policy, key = _read(path, vkey)
    known = policy.log_keys(key.name)
    if not known:
        raise LogKeyRefused(
            f"no log {key.name} is known here",
            next_step="Compare the key with the log's operator; a new log is added to the policy "
            "file by hand.",
        )
    if key not in known:
        lines = text.splitlines()
        last = max(at for at, line in enumerate(lines) if _names(line, known[-1]))
        _write(path, [*lines[: last + 1], f"log {key.text()}", *lines[last + 1 :]])
    return _after(path, key.name)


def retire_log_key(path: Path, vkey: str) -> KnownKeys:
    """Remove a key of a log that has another; raise as `add_log_key` does."""
    text, policy, key = _read(path, vkey)
    known = policy.log_keys(key.name)
    if key in known:
        if len(known) == 1:
            raise LogKeyRefused(
                "it is the log's only key here",
                next_step="Add its new key first: `vigil ledger witness add-key`.",
            )
        _write(path, [line for line in text.splitlines() if not _names(line, key)])
    return _after(path, key.name)


def _read(path: Path, vkey: str) -> tuple[str, Policy, VerifierKey]:
    try:
        key = VerifierKey.parse(vkey.strip())
    except NoteRejected as error:
        raise InvalidInput(
            f"that is no verifier key: {error}", next_step="Copy it again: name+keyid+base64."
        ) from error
    if key.algorithm != ED25519:
        raise InvalidInput("that is no log's key", next_step="Copy the key of a `log` line.")
    raw = path.read_bytes()
    return raw.decode("utf-8", "strict"), Policy.parse(raw), key


def _names(line: str, key: VerifierKey) -> bool:
    words = line.split()
    return len(words) > 1 and words[0] == "log" and words[1] == key.text()


def _write(path: Path, lines: list[str]) -> None:
    """Replace the file as a whole, durably; refuse what is no policy."""
    content = ("\n".join(lines) + "\n").encode()
    Policy.parse(content)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _after(path: Path, origin: str) -> KnownKeys:
    keys = Policy.parse(path.read_bytes()).log_keys(origin)
    return KnownKeys(origin=origin, keys=[key.text() for key in keys])


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
