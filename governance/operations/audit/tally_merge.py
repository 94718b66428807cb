"""Add the exact tallies of several sites: each signature is verified under a key that was pinned.

One specification, no site twice, nothing that was suppressed or noised. The merged file names the
digests of what it was made from, is signed by this deployment, and can be merged again.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from audits.estimate import Json
from audits.sources.tally import merged
from audits.sources.tally_record import tally_from_record
from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.operations.actor import Actor
from governance.operations.audit.tally_file import (
    TallyFile,
    digest_of_file,
    key_of,
    opened,
    pinned_key,
    rejected,
    signed,
)
from governance.operations.operation import Operation, Request, Result

MERGERS: Final = frozenset({Role.CUSTODIAN, Role.MODEL_OWNER, Role.SAFETY_OFFICER, Role.REVIEWER})
MOST_FILES: Final = 64
MOST_SITES: Final = 1000


class MergeTallies(Request):
    """Signed files, and the pinned keys of who may have signed them."""

    files: list[str] = Field(min_length=1, max_length=MOST_FILES)
    keys: list[str] = Field(min_length=1, max_length=MOST_FILES)


class TalliesMerged(Result):
    """The merged, signed file, its digest as entry `seq` records it, and what it holds."""

    sites: list[str]
    spec: str
    rows: int
    subjects: int | None
    independent: bool
    sha256: str
    seq: int
    key: str
    content: str


def merge_tallies(deployment: Deployment, actor: Actor, request: MergeTallies) -> TalliesMerged:
    """Return the merged file; raises TallyFileRejected, TallyMismatch or TallyDisclosed."""
    organisation = deployment.home.config.organisation
    actor.require(MERGERS, Scope(organisation=organisation), act="merge tallies")
    pinned = [pinned_key(text) for text in request.keys]
    files = [opened(text, pinned=pinned) for text in request.files]
    sites = _sites(files)
    spec, sums, record = deployment.compute.run(added_up, records=[file.tally for file in files])
    sources = sorted(digest_of_file(text) for text in request.files)
    content = signed(
        TallyFile(
            organisation=organisation,
            sites=sites,
            made_us=deployment.clock.now_us(),
            merged_from=tuple(sources),
            tally=record,
        ),
        key=deployment.home.signature_key(),
    )
    digest = digest_of_file(content)
    notes: dict[str, Json] = {
        "files": list(sources),
        "sha256": digest,
        "sites": list(sites),
        "spec": spec,
    }
    recorded = deployment.pen.commit(
        lambda unit: unit.record(kind="tally.merged", actor=actor.person, notes=notes)
    )
    rows, subjects, independent = sums
    return TalliesMerged(
        sites=list(sites),
        spec=spec,
        rows=rows,
        subjects=subjects,
        independent=independent,
        sha256=digest,
        seq=recorded.seq,
        key=key_of(deployment.home).text(),
        content=content,
    )


def added_up(*, records: list[Json]) -> tuple[str, tuple[int, int | None, bool], dict[str, Json]]:
    """Return the specification's digest, (rows, subjects, independent), and the merged record."""
    total = merged([tally_from_record(record) for record in records])
    return (
        total.spec.digest,
        (total.rows, total.subjects, total.independent),
        total.as_record(),
    )


def _sites(files: list[TallyFile]) -> tuple[str, ...]:
    named = [site for file in files for site in file.sites]
    if len(set(named)) != len(named):
        raise rejected("a site is in it twice, and would be counted twice")
    if len(named) > MOST_SITES:
        raise rejected(f"more than {MOST_SITES} sites are named")
    return tuple(sorted(named))


MERGE_TALLIES = Operation(
    name="tally.merge",
    request=MergeTallies,
    kinds=("tally.merged",),
    run=merge_tallies,
    repeated="makes the file again, and records that too",
)
