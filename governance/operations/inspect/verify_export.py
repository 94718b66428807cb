"""Verify an exported log: its files and a pinned policy, no home, no server, no database (P14).

Three questions are kept apart. Integrity: is everything that is here what was signed? Completeness:
is everything here that the checkpoint covers? Anchoring: who outside has seen that checkpoint?
"""

from __future__ import annotations

from pathlib import Path

from governance.clock import iso_text
from governance.errors import InvalidInput
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.manifest import MAX_MANIFEST_BYTES, check_manifest
from governance.ledger.core.note import MAX_NOTE_BYTES
from governance.ledger.core.policy import MAX_POLICY_BYTES, Policy
from governance.ledger.core.tiles import BUNDLES, levels_of, tile_count
from governance.ledger.core.verify_tiles import (
    ExportIncomplete,
    TrustedCheckpoint,
    VerifiedExport,
    trusted_checkpoint,
    verify_tiles,
)
from governance.ledger.store.export_folder import CHECKPOINT, MANIFEST, POLICY, ExportFolder
from governance.operations.operation import Result

LISTED_MAX = 20


class Integrity(Result):
    """What was compared with what was signed; what differs is raised, never reported here.

    `root_confirmed` is false where missing files left no way from the entries to the signed root.
    """

    root_confirmed: bool
    root: str
    entries_checked: int
    facts_checked: int
    bodies_checked: int
    bodies_erased: int
    erasures_unproven: int


class Completeness(Result):
    """What the checkpoint covers and what of that is here; `missing` lists the first files."""

    complete: bool
    size: int
    entries_missing: int
    bodies_exported: bool
    files_missing: int
    missing: list[str]
    files_unknown: int


class Anchoring(Result):
    """Whose word the checkpoint is. S0: the log's alone, and `anchored_size` is 0."""

    stage: str
    anchored_size: int
    cosigned_by: list[str]
    last_cosigned_s: int | None
    last_entry: str
    kept_checkpoint_size: int | None


class ExportVerification(Result):
    """The three answers about one folder."""

    origin: str
    integrity: Integrity
    completeness: Completeness
    anchoring: Anchoring


def verify_export(
    folder: Path, *, policy: Path, kept: Path | None = None
) -> tuple[ExportVerification, ExportIncomplete | None]:
    """Verify `folder` under the pinned `policy`; `kept` is a checkpoint that the reader holds.

    Raises LedgerTampered naming the first bad entry, NoteRejected for a checkpoint that the policy
    does not accept. What is only missing comes back beside the report.
    """
    source, pinned = ExportFolder(folder), Policy.parse(_pinned(policy, MAX_POLICY_BYTES))
    note = source.read(CHECKPOINT, limit=MAX_NOTE_BYTES)
    if note is None:
        raise ExportIncomplete("the file checkpoint is missing: nothing can be shown", sequence=0)
    trusted = trusted_checkpoint(note, pinned)
    checkpoint = trusted.checkpoint.checkpoint
    held = None
    if kept is not None:
        held = trusted_checkpoint(_pinned(kept, MAX_NOTE_BYTES), pinned.without_quorum())
    absent, bodies = _beside(source, checkpoint)
    verified = verify_tiles(
        source,
        checkpoint=checkpoint,
        kept=None if held is None else held.checkpoint.checkpoint,
        bodies=bodies,
    )
    for one in (trusted, held):
        if one is not None:
            verified.keys.check(one.checkpoint)
    completeness = _completeness(source, verified, absent, bodies=bodies)
    report = ExportVerification(
        origin=checkpoint.origin,
        integrity=_integrity(verified, checkpoint),
        completeness=completeness,
        anchoring=_anchoring(trusted, verified, held),
    )
    return report, _incomplete(completeness, verified)


def _pinned(path: Path, limit: int) -> bytes:
    """Read a file of the reader's own."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}", next_step="Name a file that you can read."
        ) from error
    return raw


def _beside(source: ExportFolder, checkpoint: Checkpoint) -> tuple[list[str], bool]:
    """Check the files beside the tiles; return which are absent, and whether bodies are expected.

    The folder's own policy is no authority: it is only compared with what the manifest says.
    """
    policy = source.read(POLICY, limit=MAX_POLICY_BYTES)
    manifest = source.read(MANIFEST, limit=MAX_MANIFEST_BYTES)
    absent = [name for name, raw in ((POLICY, policy), (MANIFEST, manifest)) if raw is None]
    if manifest is None or policy is None:
        return absent, (source.root / "tile" / "bodies").is_dir()
    return absent, check_manifest(manifest, checkpoint=checkpoint, policy=policy).bodies


def _integrity(verified: VerifiedExport, checkpoint: Checkpoint) -> Integrity:
    return Integrity(
        root_confirmed=verified.root_confirmed,
        root=checkpoint.root.hex(),
        entries_checked=verified.entries_checked,
        facts_checked=verified.facts_checked,
        bodies_checked=verified.bodies_checked,
        bodies_erased=verified.bodies_erased,
        erasures_unproven=verified.erasures_unproven,
    )


def _completeness(
    source: ExportFolder, verified: VerifiedExport, absent: list[str], *, bodies: bool
) -> Completeness:
    size = verified.size
    expected = sum(tile_count(size, level=level) for level in levels_of(size))
    expected += tile_count(size) * (len(BUNDLES) - (not bodies))
    files_here = expected - len(verified.missing)
    missing = absent + [path.text() for path in verified.missing]
    return Completeness(
        complete=not missing,
        size=size,
        entries_missing=size - verified.entries_checked,
        bodies_exported=bodies,
        files_missing=len(missing),
        missing=missing[:LISTED_MAX],
        files_unknown=max(0, source.count_files() - files_here),
    )


def _anchoring(
    trusted: TrustedCheckpoint, verified: VerifiedExport, held: TrustedCheckpoint | None
) -> Anchoring:
    latest = max((one.time_s for one in trusted.cosigned_by), default=None)
    seen = trusted.stage == "S1" and verified.root_confirmed
    return Anchoring(
        stage=trusted.stage,
        anchored_size=verified.size if seen else 0,
        cosigned_by=[one.name for one in trusted.cosigned_by],
        last_cosigned_s=latest,
        last_entry=iso_text(verified.last_t_us),
        kept_checkpoint_size=None if held is None else held.checkpoint.size,
    )


def _incomplete(found: Completeness, verified: VerifiedExport) -> ExportIncomplete | None:
    if found.complete:
        return None
    first = min((path.first for path in verified.missing), default=0)
    what = f"{found.missing[0]} is missing ({found.files_missing} files in all)"
    if not verified.root_confirmed:
        what += "; without it nothing here leads to the signed root"
    return ExportIncomplete(what, sequence=first)
