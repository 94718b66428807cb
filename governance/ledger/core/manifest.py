"""The manifest of an exported log: what the folder holds, so that a missing part is missed.

    {"bodies":false,"entries":{"first":0,"size":600},"files":{"bodies":0,"entries":3,"facts":3,
     "hashes":5},"origin":"…","policy":"<SHA-256 of log.policy>","root":"<hex>","v":1}

Nothing in it is believed. All but `bodies` and `policy` follows from the signed checkpoint, and a
reader writes the manifest again from that and refuses other bytes. `bodies` says what was exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from governance.ledger.core import canonical
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.errors import LedgerTampered, NotCanonical
from governance.ledger.core.tiles import BUNDLES, levels_of, tile_count

VERSION: Final = 1
MAX_MANIFEST_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a folder says that it holds, under which checkpoint, beside which policy text."""

    checkpoint: Checkpoint
    policy: bytes
    bodies: bool

    def encode(self) -> bytes:
        """Return the manifest's canonical bytes."""
        size = self.checkpoint.size
        files: dict[str, canonical.Json] = {kind: tile_count(size) for kind in BUNDLES}
        files["hashes"] = sum(tile_count(size, level=level) for level in levels_of(size))
        if not self.bodies:
            files["bodies"] = 0
        return canonical.dumps(
            {
                "v": VERSION,
                "origin": self.checkpoint.origin,
                "root": self.checkpoint.root.hex(),
                "entries": {"first": 0, "size": size},
                "files": files,
                "bodies": self.bodies,
                "policy": sha256(self.policy).hexdigest(),
            }
        )


def check_manifest(raw: bytes, *, checkpoint: Checkpoint, policy: bytes) -> Manifest:
    """Return the manifest whose bytes are `raw`; raise LedgerTampered where it says otherwise."""
    for bodies in (False, True):
        manifest = Manifest(checkpoint=checkpoint, policy=policy, bodies=bodies)
        if manifest.encode() == raw:
            return manifest
    raise LedgerTampered(f"manifest.json is not that of the checkpoint: {_difference(raw)}")


def _difference(raw: bytes) -> str:
    """Say in which way, for an operator whose export was interrupted; of a hostile file, little."""
    if len(raw) > MAX_MANIFEST_BYTES:
        return "it is too large"
    try:
        found = canonical.loads(raw)
    except NotCanonical:
        return "it is not canonical JSON"
    entries = found.get("entries") if isinstance(found, dict) else None
    size = entries.get("size") if isinstance(entries, dict) else None
    return f"it is for {size} entries" if isinstance(size, int) else "it has another form"
