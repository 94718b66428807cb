"""Model artifacts: MLflow stores and mirrors them, our facts say which bytes are the model.

MLflow's registry keeps no digest, and bytes in its artifact folder can be overwritten without a
trace, so it is storage here and nothing is believed because MLflow says it: the SHA-256 in the
ledger's facts decides, and it is compared before every load (P1). MLflow has its own database
beside ours (it owns a table named like Alembic's). An experiment keeps the folder that it was made
for, as an absolute path; a home that was moved or restored elsewhere gets an experiment of its own,
and nothing is ever written outside the present folder.

`store_artifact` imports MLflow, which takes seconds: run it through `Compute`. `read_artifact` is
what the server uses and imports nothing.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from governance.errors import GovernanceError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ARTIFACT_NAME: Final = "parameters.json"
SIZE_LIMIT: Final = 256 * 1024 * 1024
"""Bytes; our own predictors are parameter files, so anything larger is a mistake or an attack."""


class ArtifactTampered(GovernanceError):
    """The stored bytes are not the ones that were registered."""

    code = "gate.digest_mismatch"
    http_status = 409
    exit_code = 3


class ArtifactStoreFailed(GovernanceError):
    """MLflow could not store the artifact."""

    code = "artifact.store_failed"
    http_status = 503


def store_artifact(*, root: str, model: str, number: int, content: bytes) -> str:
    """Log `content` as one MLflow model version; return its path relative to `root`.

    `root` is the home's artifact folder; it holds `mlflow.sqlite` and the artifacts.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    # It tells of each table it makes; a command's standard error is for people.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    folder = Path(root)
    address = f"sqlite:///{folder / 'mlflow.sqlite'}"
    try:
        client = MlflowClient(tracking_uri=address, registry_uri=address)
        run = client.create_run(_experiment(client, model, folder))
        stored = _inside(folder, run.info.artifact_uri)
        client.log_text(run.info.run_id, content.decode(), ARTIFACT_NAME)
        client.set_terminated(run.info.run_id)
        if not client.search_registered_models(filter_string=f"name = '{model}'"):
            client.create_registered_model(model)
        client.create_model_version(
            model,
            source=run.info.artifact_uri,
            run_id=run.info.run_id,
            tags={
                "oncovigil.version": f"{model}/{number}",
                "oncovigil.sha256": hashlib.sha256(content).hexdigest(),
            },
        )
    except MlflowException as error:
        raise ArtifactStoreFailed(
            "MLflow could not store the artifact",
            next_step="check that the home's disk has room and is writable, then run it again",
        ) from error
    return str(stored / ARTIFACT_NAME)


def _experiment(client: MlflowClient, model: str, folder: Path) -> str:
    """Return the model's experiment whose artifacts lie in this folder, made where there is none.

    The folder's own name is the model; another place's experiment keeps its name, so one that was
    made here later carries a digest of the place.
    """
    place = (folder / "artifacts" / model).resolve()
    for name in (model, f"{model}@{hashlib.sha256(str(place).encode()).hexdigest()[:16]}"):
        known = client.get_experiment_by_name(name)
        if known is None:
            return str(client.create_experiment(name, artifact_location=place.as_uri()))
        if _path_of(known.artifact_location) == place:
            return str(known.experiment_id)
    raise _outside()


def _inside(folder: Path, uri: str) -> Path:
    """Return the artifact folder's path within `folder`; refuse before anything is written."""
    place = _path_of(uri)
    if not place.is_relative_to(folder.resolve()):
        raise _outside()
    return place.relative_to(folder.resolve())


def _path_of(uri: str) -> Path:
    """Return the folder that MLflow names, an address or a plain path."""
    parsed = urlsplit(uri)
    return Path(unquote(parsed.path) if parsed.scheme == "file" else uri).resolve()


def _outside() -> ArtifactStoreFailed:
    return ArtifactStoreFailed(
        "MLflow would store the artifact outside this home, so nothing was written",
        next_step="restore the home's artifacts folder from its own backup",
    )


def read_artifact(*, root: Path, uri: str, digest: str) -> bytes:
    """Return the artifact's bytes, or raise ArtifactTampered where they are others."""
    path = root / uri
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise _tampered(uri, "is larger than any parameter file may be")
        content = path.read_bytes()
    except OSError as error:
        raise _tampered(uri, "cannot be read") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise _tampered(uri, "has other bytes than the registered version")
    return content


def _tampered(uri: str, what: str) -> ArtifactTampered:
    return ArtifactTampered(
        f"the artifact {uri} {what}",
        next_step="restore the artifact from a backup, or release another version; "
        "`vigil model verify` shows every version",
    )
