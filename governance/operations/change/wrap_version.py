"""Wrap: fit the registered method to a dataset, store the artifact, register a candidate."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from change_control import lifecycle
from change_control.change.documents import DocumentKind
from change_control.release.version import VERSION, VersionCommand, VersionFacts
from change_control.scope import Scope
from governance.adapters.model_store import read_artifact, store_artifact
from governance.deployment import Deployment
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.change.panel_blob import panel_from_record
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import entry_of, require_in_force, rule_actor
from governance.registry.digest import sha256_hex
from governance.registry.records import Dataset, Version
from governance.storage.ports import Unit
from models.predictor import load_predictor

JSON: Final = "application/json"


class WrapVersion(Request):
    """A governed model and the dataset to fit; the forecast origin is the dataset's last month."""

    model: str
    dataset: str
    horizon: int = Field(default=24, ge=1, le=24)


class VersionLine(Result):
    """One version."""

    version: str
    model: str
    digest: str
    kind: str
    dataset: str
    origin: str
    state: str
    registered_by: str
    registered_us: int


class ListVersions(Request):
    """Every version, of one model or of all."""

    model: str | None = None


class Versions(Result):
    """Versions in order of registration."""

    versions: list[VersionLine]


class VerifyVersions(Request):
    """The versions of one model whose stored bytes are to be compared with the registered ones."""

    model: str


def fit_parameters(*, panel: bytes, horizon: int, unit: str) -> bytes:
    """Fit in whichever process computes; canonical bytes in, canonical bytes out."""
    from models.forecasting.fitting import fit

    parameters = fit(panel_from_record(canonical.loads(panel)), horizon=horizon, unit=unit)
    return canonical.dumps(parameters)


def wrap_version(deployment: Deployment, actor: Actor, request: WrapVersion) -> VersionLine:
    """Fit, store and register; the bytes are loaded once before anything is recorded."""
    scope = Scope(organisation=deployment.home.config.organisation)
    lifecycle.advance(
        VERSION,
        None,
        VersionCommand.REGISTER,
        actor=rule_actor(actor, scope),
        facts=VersionFacts(),
    )
    with deployment.reader() as reader:
        entry = entry_of(
            reader, require_in_force(reader, kind=DocumentKind.ENTRY, model=request.model)
        )
        dataset = reader.require(Dataset, request.dataset)
        panel = reader.blob(dataset.digest)
        number = len(reader.find(Version, model=request.model)) + 1
    content = deployment.compute.run(
        fit_parameters, panel=panel, horizon=request.horizon, unit=entry.tasks[0].unit
    )
    load_predictor(entry.predictor, canonical.loads(content))
    uri = deployment.compute.run(
        store_artifact,
        root=str(deployment.home.artifacts_dir),
        model=request.model,
        number=number,
        content=content,
    )

    def write(unit: Unit) -> VersionLine:
        taken = len(unit.find(Version, model=request.model)) + 1
        version = Version(
            id=f"{request.model}/{taken}",
            model=request.model,
            number=taken,
            kind=entry.predictor,
            digest=sha256_hex(content),
            artifact_uri=uri,
            dataset=dataset.id,
            origin=dataset.last_month,
            state=VERSION.initial.value,
            registered_by=actor.person,
            registered_us=unit.now_us,
        )
        unit.record(kind="version.registered", actor=actor.person, add=[version])
        return version_line(version)

    return deployment.pen.commit(write)


def list_versions(deployment: Deployment, actor: Actor, request: ListVersions) -> Versions:
    """List the versions."""
    del actor
    with deployment.reader() as reader:
        found = reader.find(Version, model=request.model) if request.model else reader.find(Version)
    return Versions(versions=[version_line(version) for version in found])


def verify_versions(deployment: Deployment, actor: Actor, request: VerifyVersions) -> Versions:
    """Read every version's stored bytes and compare; raise ArtifactTampered at the first other."""
    found = list_versions(deployment, actor, ListVersions(model=request.model))
    with deployment.reader() as reader:
        for line in found.versions:
            version = reader.require(Version, line.version)
            read_artifact(
                root=deployment.home.artifacts_dir,
                uri=version.artifact_uri,
                digest=version.digest,
            )
    return found


def version_line(version: Version) -> VersionLine:
    """Return the version as listed."""
    return VersionLine(
        version=version.id,
        model=version.model,
        digest=version.digest,
        kind=version.kind,
        dataset=version.dataset,
        origin=version.origin,
        state=version.state,
        registered_by=version.registered_by,
        registered_us=version.registered_us,
    )


WRAP_VERSION = Operation(
    name="model.wrap",
    request=WrapVersion,
    kinds=("version.registered",),
    run=wrap_version,
    repeated="registers another candidate with a number of its own",
)
LIST_VERSIONS = Operation(
    name="model.versions", request=ListVersions, kinds=(), run=list_versions, repeated="reads only"
)
VERIFY_VERSIONS = Operation(
    name="model.verify",
    request=VerifyVersions,
    kinds=(),
    run=verify_versions,
    repeated="reads only",
)
