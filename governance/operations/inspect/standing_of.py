"""The standing of a model for a scope, market and purpose, from what is on record now."""

from __future__ import annotations

from collections.abc import Mapping

from change_control.change.documents import DocumentKind, DocumentState
from change_control.release.standing import Standing, StandingFacts, standing
from change_control.release.version import VersionState
from change_control.scope import Scope
from governance.operations.rules import document_in_force
from governance.registry.records import Hold, Release, Version
from governance.registry.standing import hold_of, release_of
from governance.storage.ports import Reader


def standing_of(
    reader: Reader, *, model: str, scope: Scope, purpose: str | None, now_us: int
) -> Standing:
    """Return the standing; `purpose` None takes the releases for every purpose together."""
    return standing(
        standing_facts(reader, model=model, purpose=purpose), scope=scope, now_us=now_us
    )


def standing_facts(reader: Reader, *, model: str, purpose: str | None) -> StandingFacts:
    """Return what is on record about the model as change control reads it."""
    found = reader.find(Release, model=model)
    if purpose is not None:
        found = [release for release in found if release.purpose == purpose]
    return StandingFacts(
        entry=_entry_state(reader, model),
        releases=tuple(release_of(release) for release in found),
        holds=tuple(hold_of(hold) for hold in reader.find(Hold, model=model)),
        versions=_versions(reader, model),
    )


def _entry_state(reader: Reader, model: str) -> DocumentState | None:
    document = document_in_force(reader, kind=DocumentKind.ENTRY, model=model)
    return DocumentState(document.state) if document else None


def _versions(reader: Reader, model: str) -> Mapping[str, VersionState]:
    return {
        version.id: VersionState(version.state) for version in reader.find(Version, model=model)
    }
