"""Register a table of rows: read it once under its manifest, keep the manifest and the digest.

The rows stay where their custodian keeps them. The record says what every column means, how many
values it lacks, and the SHA-256 of the file; whoever audits brings the file again, and it is the
same file or it is refused. So an erasure has nothing to look for here (P13).
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from audits.estimate import Json
from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.registry.digest import sha256_hex
from governance.registry.records import Dataset, Evidence
from governance.storage.ports import Reader, Unit
from models.dataset import Manifest, manifest_from_record, parse_manifest

SOURCE: Final = "table"
"""`Dataset.source` of a table."""
FORMAT: Final = "table/1"
MAX_CHARACTERS: Final = 64_000_000
_ADDERS: Final = frozenset({Role.MODEL_OWNER, Role.CUSTODIAN})


class AddTable(Request):
    """The manifest as written and the table's text; the text is read and not kept."""

    manifest: str = Field(max_length=256 * 1024)
    text: str = Field(max_length=MAX_CHARACTERS)


class TableLine(Result):
    """One registered table."""

    dataset: str
    title: str
    digest: str
    file_sha256: str
    rows: int
    unit: str
    role: str
    simulated: bool
    licence: str


def describe(*, manifest: bytes, text: str) -> bytes:
    """Return the table's record in canonical bytes, in whichever process computes."""
    from models.readers import read

    described = manifest_from_record(canonical.loads(manifest))
    table = read(text, described)
    missing: dict[str, Json] = {name: int((x != x).sum()) for name, x in table.numbers.items()}  # noqa: PLR0124 - a NaN differs from itself
    missing |= {name: int((x.codes < 0).sum()) for name, x in table.categories.items()}
    return canonical.dumps(
        {
            "format": FORMAT,
            "manifest": described.as_record(),
            "file_sha256": sha256_hex(text.encode()),
            "rows": table.rows,
            "missing": missing,
        }
    )


def add_table(deployment: Deployment, actor: Actor, request: AddTable) -> TableLine:
    """Read, check and register; the very same file under the same manifest is registered once."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_ADDERS, scope, act="register tables")
    manifest = parse_manifest(request.manifest)
    content = deployment.compute.run(
        describe, manifest=canonical.dumps(manifest.as_record()), text=request.text
    )

    def write(unit: Unit) -> TableLine:
        digest = unit.put_blob(content, media_type="application/json")
        known = unit.find(Dataset, digest=digest)
        if known:
            return _line(known[0], content)
        _refuse_another_meaning(unit, _record(content)[2])
        dataset = Dataset(
            id=unit.next_id(Dataset, prefix="D"),
            title=manifest.title,
            source=SOURCE,
            digest=digest,
            rows=_record(content)[1],
            first_month=manifest.from_month,
            last_month=manifest.to_month,
            role=manifest.role.value,
            simulated=manifest.simulated,
            licence=manifest.licence,
            registered_by=actor.person,
            registered_us=unit.now_us,
        )
        unit.record(kind="dataset.registered", actor=actor.person, add=[dataset])
        return _line(dataset, content)

    return deployment.pen.commit(write)


def _refuse_another_meaning(reader: Reader, file_sha256: str) -> None:
    """Refuse another manifest of a file that evidence rests on: what it meant stays fixed (P4)."""
    used = {name for one in reader.find(Evidence) for name in datasets_of(reader, one)}
    for dataset in reader.find(Dataset, source=SOURCE):
        if dataset.id in used and _record(reader.blob(dataset.digest))[2] == file_sha256:
            raise Conflict(
                f"evidence rests on this file as {dataset.id}, under another manifest",
                next_step="export the table anew if its columns mean something else",
            )


def datasets_of(reader: Reader, evidence: Evidence) -> tuple[str, ...]:
    """Return the tables that a piece of evidence read; none where it read a series."""
    match canonical.loads(reader.blob(evidence.digest)):
        case {"about": {"tables": [*tables]}}:
            return tuple(str(one["dataset"]) for one in tables if isinstance(one, dict))
    return ()


def table_of_file(
    reader: Reader, file_sha256: str, *, among: frozenset[str] | None = None
) -> tuple[Dataset, Manifest]:
    """Return the newest registered table whose file has this digest, or raise Conflict.

    `among` are the only ones that count, where evidence says which it read.
    """
    for dataset in reversed(reader.find(Dataset, source=SOURCE)):
        if among is not None and dataset.id not in among:
            continue
        content = reader.blob(dataset.digest)
        manifest, _, digest = _record(content)
        if digest == file_sha256:
            return dataset, manifest
    raise Conflict(
        "this file is not registered, or was changed since",
        next_step="register it: `vigil data add table --manifest dataset.yaml --file FILE`",
    )


def _record(content: bytes) -> tuple[Manifest, int, str]:
    match canonical.loads(content):
        case {"manifest": manifest, "rows": int(rows), "file_sha256": str(digest)}:
            return manifest_from_record(manifest), rows, digest
    raise RuntimeError("a table's record names its manifest, rows and file")


def _line(dataset: Dataset, content: bytes) -> TableLine:
    manifest, rows, digest = _record(content)
    return TableLine(
        dataset=dataset.id,
        title=dataset.title,
        digest=dataset.digest,
        file_sha256=digest,
        rows=rows,
        unit=manifest.unit,
        role=dataset.role,
        simulated=dataset.simulated,
        licence=dataset.licence,
    )


ADD_TABLE = Operation(
    name="data.add_table",
    request=AddTable,
    kinds=("dataset.registered",),
    run=add_table,
    repeated="returns the table that is already registered",
)
