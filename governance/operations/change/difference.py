"""What changed, computed from the recorded bytes and never from what the requester says (P5).

The candidate's artifact is compared with the one in the last release, member by member, and each
differing member stands for one component of the plan. Where nothing was ever released, the
candidate's weights and training data are what is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audits.estimate import Json
from change_control.change.classify import Classification, classify
from change_control.change.documents import DocumentKind
from change_control.change.plan import plan_from_record
from change_control.change.plan_parts import Component
from governance.adapters.model_store import read_artifact
from governance.deployment import Deployment
from governance.ledger.core import canonical
from governance.operations.rules import entry_of, require_in_force
from governance.registry.records import ChangeRequest, Dataset, Document, Release, Version
from governance.storage.ports import Reader

# Which component each member of a predictor's parameters stands for.
COMPONENT_OF: Final = {
    "kind": Component.ARCHITECTURE,
    "method": Component.ARCHITECTURE,
    "members": Component.ARCHITECTURE,
    "horizon": Component.HYPERPARAMETERS,
    "unit": Component.PREPROCESSING,
    "intervals": Component.CALIBRATION,
    "levels": Component.CALIBRATION,
    "origin": Component.TRAINING_DATA,
    "series": Component.WEIGHTS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The components that differ, whether the use does, and what the plan makes of it."""

    baseline: str | None
    components: tuple[Component, ...]
    use_differs: bool
    classification: Classification

    def as_record(self) -> dict[str, Json]:
        """Return the difference as it stands in the facts."""
        return {
            "baseline": self.baseline,
            "components": [component.value for component in self.components],
            "use_differs": self.use_differs,
            "class": self.classification.change_class.value,
            "reasons": list(self.classification.reasons),
        }


def computed_difference(
    reader: Reader, deployment: Deployment, change: ChangeRequest
) -> Difference:
    """Return the difference between the change's version and the model's last release."""
    candidate = reader.require(Version, change.version)
    releases = reader.find(Release, model=change.model)
    last = releases[-1] if releases else None
    differing = _components(reader, deployment, candidate, last)
    use_differs = last is not None and _use_differs(reader, change.model, last)
    plan = plan_from_record(canonical.loads(reader.blob(_plan(reader, change).digest)))
    return Difference(
        baseline=last.version if last else None,
        components=tuple(sorted(differing)),
        use_differs=use_differs,
        classification=classify(
            plan,
            modification=change.modification,
            differing=differing,
            use_differs=use_differs,
        ),
    )


def _plan(reader: Reader, change: ChangeRequest) -> Document:
    return reader.require(Document, change.plan)


def _components(
    reader: Reader, deployment: Deployment, candidate: Version, last: Release | None
) -> frozenset[Component]:
    if last is None:
        return frozenset({Component.WEIGHTS, Component.TRAINING_DATA})
    baseline = reader.require(Version, last.version)
    ours = _parameters(deployment, candidate)
    theirs = _parameters(deployment, baseline)
    differing = {
        # A member that no component is known for must not pass as no difference at all.
        COMPONENT_OF.get(name, Component.ARCHITECTURE)
        for name in ours.keys() | theirs.keys()
        if ours.get(name) != theirs.get(name)
    }
    if _data_digest(reader, candidate) != _data_digest(reader, baseline):
        differing.add(Component.TRAINING_DATA)
    return frozenset(differing)


def _parameters(deployment: Deployment, version: Version) -> dict[str, Json]:
    content = read_artifact(
        root=deployment.home.artifacts_dir, uri=version.artifact_uri, digest=version.digest
    )
    parameters = canonical.loads(content)
    if not isinstance(parameters, dict):
        raise RuntimeError("a predictor's parameters are an object")
    return parameters


def _data_digest(reader: Reader, version: Version) -> str:
    return reader.require(Dataset, version.dataset).digest


def _use_differs(reader: Reader, model: str, last: Release) -> bool:
    """Whether the use in force now is another one than when the last release was opened."""
    now = require_in_force(reader, kind=DocumentKind.ENTRY, model=model)
    then = [
        document
        for document in reader.find(Document, kind=DocumentKind.ENTRY.value, model=model)
        if document.in_force_us is not None and document.in_force_us <= last.from_us
    ]
    if not then:
        return True
    return entry_of(reader, now).use != entry_of(reader, then[-1]).use
