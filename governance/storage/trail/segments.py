"""The index's file: finished segments, each sealed by the home and tied to the log's leaves.

What hides an entry from a search is an index that does not list it. So a segment counts only with
its seal: an HMAC, under a key that only the home's key folder gives, over the log's name, the
segment's place, the version of what is derived, the leaf of its last entry (which commits to every
entry before it) and its content. A segment that was changed, taken from another log, derived by
another release or made before the log was restored is thrown away, and derived again from the
entries themselves.
"""

from __future__ import annotations

import hmac
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from governance.home import Home
from governance.storage.trail.facets import DERIVATION, Facets

SEGMENT: Final = 4096
_DOMAIN: Final = b"oncovigil/trail-index/v1\n"
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS segment (number INTEGER PRIMARY KEY, content BLOB NOT NULL, "
    "seal BLOB NOT NULL)"
)

_log = logging.getLogger(__name__)


def sealing_key(home: Home) -> bytes:
    """Return the key of the index's seals; another token key makes the index be derived anew."""
    secret = home.token_key().private_bytes_raw()
    return HKDF(
        algorithm=hashes.SHA256(), length=32, salt=home.origin.encode(), info=_DOMAIN
    ).derive(secret)


class Segments:
    """The file `path`, which may be deleted at any time. A fault of it costs only time."""

    def __init__(self, path: Path, *, key: bytes, origin: str) -> None:
        self._path = path
        self._key = key
        self._origin = origin

    def load(self, number: int, *, leaf: bytes) -> list[Facets] | None:
        """Return the facets of a segment's entries, or None where none is stored or sealed."""
        try:
            with self._open() as connection:
                row = connection.execute(
                    "SELECT content, seal FROM segment WHERE number = ?", (number,)
                ).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        if row is None:
            return None
        content, seal = (part if isinstance(part, bytes) else b"" for part in row)
        if not hmac.compare_digest(seal, self._seal(number, leaf, content)):
            _log.warning("segment %d of the trail's index is not ours; it is derived again", number)
            return None
        return _decoded(content)

    def keep(self, number: int, facets: Sequence[Facets], *, leaf: bytes) -> None:
        """Store a finished segment."""
        content = _encoded(facets)
        try:
            with self._open() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO segment VALUES (?, ?, ?)",
                    (number, content, self._seal(number, leaf, content)),
                )
        except sqlite3.Error as error:
            self._give_up(error)

    def _seal(self, number: int, leaf: bytes, content: bytes) -> bytes:
        place = b"%s\n%d\n%d\n" % (self._origin.encode(), DERIVATION, number)
        sealed = _DOMAIN + place + leaf + content
        return hmac.digest(self._key, sealed, "sha256")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=5)) as connection, connection:
            connection.execute(_SCHEMA)
            yield connection

    def _give_up(self, error: sqlite3.Error) -> None:
        """Say it, and go on without; a file that is no database is removed."""
        _log.warning("the trail's index %s cannot be used: %s", self._path.name, error)
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        ):
            self._path.unlink(missing_ok=True)


def _encoded(facets: Sequence[Facets]) -> bytes:
    shapes = {shape: place for place, shape in enumerate(dict.fromkeys(facets))}
    return orjson.dumps(
        {"at": [shapes[one] for one in facets], "shapes": [tuple(shape) for shape in shapes]}
    )


def _decoded(content: bytes) -> list[Facets]:
    told = orjson.loads(content)
    shapes = [
        Facets(
            kind=kind,
            actor=actor,
            model=model,
            release=release,
            reasons=tuple(reasons),
            changed=tuple(changed),
            named=tuple(named),
        )
        for kind, actor, model, release, reasons, changed, named in told["shapes"]
    ]
    return [shapes[place] for place in told["at"]]
