"""The hand that signs checkpoints: with every key whose range holds the size, and with no other.

    keys/log.pem              the log's key, during a rotation the old one
    keys/log-<key id>.pem     a key that waits for its rotation, or the new one during it

Which of them sign is said by the ledger alone. Files follow: `settle_key_files` brings them to what
the entries say, at each start and at the end of a rotation, so a crash between entry and file has
one outcome. A key that was retired is overwritten and removed; whoever has copied it is refused by
its range.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.errors import GovernanceError
from governance.home import Home, HomeInvalid, flush, load_key, pem_of, write_private
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.log_keys import KeySpan, LogKeys
from governance.ledger.core.note import VerifierKey
from governance.ledger.store.key_ring import KeyRing
from governance.storage.trust_moves import Trust

LOG_KEY: Final = "log.pem"
_NEXT: Final = (
    "Restore the home's keys folder from its own backup; where the key is lost for good, begin a "
    "successor with `vigil ledger recover NEW_HOME --key-lost`."
)


class LogKeyMissing(GovernanceError):
    """The private half of a log key in force is not in the home, so nothing can be signed."""

    code = "ledger.key_missing"
    http_status = 503


class LogSigner:
    """Signs as the log. The ring says with which keys, the home's files hold them."""

    def __init__(self, home: Home, ring: KeyRing, *, policy: str) -> None:
        """Take the keys of the home; raise LogKeyMissing where one in force is not there.

        Raises LedgerTampered where `log.pem` is another key than the entries have in force.
        """
        check_log_keys(ring.keys, home)
        self.ring = ring
        self._trust = Trust(keys=ring.keys, policy=policy)
        self._home = home
        self._files = log_key_files(home)
        self._hands: tuple[LogKeys, list[tuple[KeySpan, Ed25519PrivateKey]]] | None = None
        for key in ring.keys.in_force:
            self.private(key)

    def private(self, key: VerifierKey) -> Ed25519PrivateKey:
        """Return the private half of a key; raise LogKeyMissing."""
        if key not in self._files:
            self._files = log_key_files(self._home)
        if key not in self._files:
            raise key_missing(key)
        return self._files[key]

    @property
    def is_closed(self) -> bool:
        """Whether an entry has ended the log."""
        return self.ring.keys.closed_seq is not None

    @property
    def trust(self) -> Trust:
        """The log's keys and its policy after the last commit of this process."""
        if self._trust.keys is not self.ring.keys:
            self._trust = replace(self._trust, keys=self.ring.keys)
        return self._trust

    def follow(self, trust: Trust | None) -> None:
        """Go on with the keys and the policy that our own entries have just put in force."""
        if trust is None or trust is self._trust:
            return
        self.ring.keys, self._trust = trust.keys, trust
        retired = {span.key for span in self.ring.keys.spans if span.last is not None}
        self._files = {key: own for key, own in self._files.items() if key not in retired}

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """Return the note with a line of each key whose range holds the checkpoint's size."""
        if self._hands is None or self._hands[0] is not self.ring.keys:
            self._hands = self.ring.keys, self._usable(self.ring.keys, checkpoint.size)
        first, *others = (own for span, own in self._hands[1] if span.holds(checkpoint.size))
        return sign_checkpoint(checkpoint, private_key=first, also=others)

    def _usable(self, keys: LogKeys, size: int) -> list[tuple[KeySpan, Ed25519PrivateKey]]:
        """Return the keys that may sign at `size` or beyond it, with their private halves.

        For one value of `LogKeys`: who may sign changes only as that is replaced.
        """
        return [
            (span, self.private(span.key))
            for span in keys.spans
            if span.last is None or span.last >= size
        ]


def log_key_files(home: Home) -> Mapping[VerifierKey, Ed25519PrivateKey]:
    """Return every log key in the home by its public half; raise LogKeyMissing at an unreadable."""
    return {key: private for _path, key, private in _files(home)}


def lost_keys(keys: LogKeys, home: Home) -> list[VerifierKey]:
    """Return the keys in force of which the home has no file that can be read."""
    held = {key for _path, key, _private in _files(home, readable=True)}
    return [key for key in keys.in_force if key not in held]


def check_log_keys(keys: LogKeys, home: Home, *, needed: bool = True) -> None:
    """Raise LedgerTampered where `keys/log.pem` is no key that the entries have in force.

    Raises LogKeyMissing where it is not there; whoever only reads does not need it.
    """
    path = home.keys_dir / LOG_KEY
    if not path.exists() and needed:
        raise key_missing(keys.in_force[0])
    first = next(_files(home, readable=not needed), None)
    if first is None or first[0] != path:
        return
    if first[1] not in keys.in_force:
        raise LedgerTampered(
            "keys/log.pem is not the key that this entry has in force", sequence=keys.last_seq
        )


def prepare_key(home: Home) -> VerifierKey:
    """Make the log's next key, durably, and return it."""
    private = Ed25519PrivateKey.generate()
    key = VerifierKey.of(private, name=home.origin)
    path = home.keys_dir / f"log-{key.key_id.hex()}.pem"
    write_private(path, pem_of(private))
    flush(path)
    flush(home.keys_dir)
    return key


def settle_key_files(home: Home, keys: LogKeys) -> None:
    """Destroy the files of retired keys, and let `log.pem` be the oldest key in force.

    Files of keys that no entry names are left: they wait for their rotation.
    """
    for left in home.keys_dir.glob("log*.retired"):
        _overwrite(left)
    retired = {span.key for span in keys.spans if span.last is not None}
    for path, key, _private in list(_files(home)):
        if key in retired:
            _destroy(path)
    oldest = keys.in_force[0]
    places = {key: path for path, key, _private in _files(home)}
    if not (home.keys_dir / LOG_KEY).exists() and oldest in places:
        places[oldest].replace(home.keys_dir / LOG_KEY)
        flush(home.keys_dir)


def key_missing(key: VerifierKey) -> LogKeyMissing:
    """Return the refusal of a home that lacks the key."""
    return LogKeyMissing(
        f"the private key of {key.name}+{key.key_id.hex()} is not in keys/", next_step=_NEXT
    )


def _files(
    home: Home, *, readable: bool = False
) -> Iterator[tuple[Path, VerifierKey, Ed25519PrivateKey]]:
    paths = [home.keys_dir / LOG_KEY, *sorted(home.keys_dir.glob("log-*.pem"))]
    for path in paths:
        if not path.exists():
            continue
        try:
            private = load_key(path)
        except HomeInvalid as error:
            if readable:
                continue
            raise LogKeyMissing(str(error), next_step=_NEXT) from error
        yield path, VerifierKey.of(private, name=home.origin), private


def _destroy(path: Path) -> None:
    """Remove the file under another name first: a torn overwriting is never read as a key."""
    dying = path.with_suffix(".retired")
    path.replace(dying)
    flush(dying.parent)
    _overwrite(dying)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    flush(path.parent)
