"""Verification of 200,000 exported entries in the memory of a few tiles."""

from __future__ import annotations

import tracemalloc
from itertools import islice
from pathlib import Path
from typing import Final

import pytest

from governance.ledger.core.bundles import ExportedFacts, entry_record, facts_record
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.merkle import Tree, leaf_hash
from governance.ledger.core.record import Entry, encode_entry, facts_commitment, genesis_prev
from governance.ledger.core.tiles import TilePath, tiles_from_leaves, tiles_of
from governance.ledger.core.verify_tiles import verify_tiles
from governance.ledger.store.export_folder import ExportFolder
from tests.unit.ledger.sample import ORIGIN, START_US, event_id

ENTRIES: Final = 200_000
MEGABYTE: Final = 1024 * 1024
FACTS: Final = ExportedFacts(salt=bytes(32), facts=b'{"actor":"ana"}')


def write(folder: Path, name: str, raw: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


def synthetic(folder: Path, size: int) -> Checkpoint:
    """Write a log of `size` entries without bodies."""
    committed = facts_commitment(salt=FACTS.salt, facts=FACTS.facts)
    prev, leaves = genesis_prev(ORIGIN), []
    records = []
    for seq in range(size):
        entry = encode_entry(
            Entry(
                seq=seq,
                event_id=event_id(seq % 1000),
                kind="inference.answered",
                facts_c=committed,
                body_c=None,
                prev=prev,
                t_us=START_US + seq,
            )
        )
        prev = leaf_hash(entry)
        leaves.append(prev)
        records.append(entry_record(entry))
    waiting = iter(records)
    for path in tiles_of(size, kind="entries"):
        write(folder, path.text(), b"".join(islice(waiting, path.width)))
        facts = TilePath(kind="facts", index=path.index, width=path.width)
        write(folder, facts.text(), facts_record(FACTS) * path.width)
    for path, raw in tiles_from_leaves(leaves):
        write(folder, path.text(), raw)
    return Checkpoint(origin=ORIGIN, size=size, root=Tree(leaves).root())


@pytest.mark.slow
def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    checkpoint = synthetic(tmp_path, ENTRIES)
    tracemalloc.start()
    try:
        verified = verify_tiles(ExportFolder(tmp_path), checkpoint=checkpoint, bodies=False)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (verified.entries_checked, verified.facts_checked) == (ENTRIES, ENTRIES)
    assert verified.root_confirmed
    assert peak < MEGABYTE, f"{peak} bytes"
