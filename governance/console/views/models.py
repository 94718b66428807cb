"""The list of models, and one model with everything on record about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from audits.estimate import Json
from change_control.release.standing import StandingReason
from change_control.scope import Scope
from governance.errors import NotFound
from governance.operations.inspect.standing_of import PlaceStanding
from governance.registry.records import (
    ChangeRequest,
    Document,
    Evidence,
    Finding,
    Hold,
    MonitorRun,
    Release,
    Review,
    Signature,
    Version,
)
from governance.storage.ports import Reader

T = TypeVar("T")
StandingIn = Callable[[Scope], Sequence[PlaceStanding]]

REASONS: Final = {
    StandingReason.RECALLED: "its version is recalled",
    StandingReason.SUSPENDED: "a hold suspends it",
    StandingReason.EXPIRED: "its release has expired",
    StandingReason.NOT_RELEASED: "no version is released here, or its entry is not in force",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingShown:
    """Whether a model may answer in one scope for a purpose and market, and why not.

    `place` names purpose and market, and is empty where nothing is in service.
    """

    scope: str
    place: str
    verdict: str
    reasons: tuple[str, ...]
    codes: tuple[str, ...]
    release: str | None
    version: str | None
    until_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """One model in the list."""

    name: str
    title: str
    standings: tuple[StandingShown, ...]
    versions: int
    open_reviews: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryShown:
    """What the registry entry says of use and limits."""

    title: str
    kind: str
    owner: str
    statement: str
    question: str
    purposes: tuple[tuple[str, str], ...]
    population: str
    setting: str
    users: tuple[str, ...]
    decision_role: str
    excluded: tuple[str, ...]
    limits: tuple[str, ...]
    hazards: tuple[Mapping[str, str], ...]
    fallback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentShown:
    """A document with the signatures over its bytes."""

    document: Document
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """Everything on record about one model."""

    name: str
    entry: EntryShown | None
    standings: tuple[StandingShown, ...]
    versions: tuple[Version, ...]
    releases: tuple[Release, ...]
    holds: tuple[Hold, ...]
    changes: tuple[ChangeRequest, ...]
    evidence: tuple[Evidence, ...]
    documents: tuple[DocumentShown, ...]
    runs: tuple[MonitorRun, ...]
    findings: tuple[Finding, ...]
    open_reviews: tuple[Review, ...]


def model_lines(reader: Reader, *, standing_in: Callable[[str], StandingIn]) -> list[ModelLine]:
    """Return every model that a document or version names."""
    return [
        ModelLine(
            name=name,
            title=_title(reader, name),
            standings=standings(reader, name, standing_in(name)),
            versions=len(reader.find(Version, model=name)),
            open_reviews=len(_open_reviews(reader, name)),
        )
        for name in sorted(
            {document.model for document in reader.find(Document)}
            | {version.model for version in reader.find(Version)}
        )
    ]


def model_view(reader: Reader, name: str, *, standing_in: StandingIn) -> ModelView:
    """Return one model, or raise NotFound."""
    documents = reader.find(Document, model=name)
    versions = reader.find(Version, model=name)
    if not documents and not versions:
        raise NotFound(
            "there is no model of this name", next_step="choose one from the list of models"
        )
    return ModelView(
        name=name,
        entry=entry_shown(reader, name),
        standings=standings(reader, name, standing_in),
        versions=_latest_first(versions),
        releases=_latest_first(reader.find(Release, model=name)),
        holds=_latest_first(reader.find(Hold, model=name)),
        changes=_latest_first(reader.find(ChangeRequest, model=name)),
        evidence=_latest_first(reader.find(Evidence, model=name)),
        documents=tuple(
            DocumentShown(
                document=document,
                signatures=tuple(reader.find(Signature, record_digest=document.digest)),
            )
            for document in _latest_first(documents)
        ),
        runs=_latest_first(reader.find(MonitorRun, model=name)),
        findings=_latest_first(reader.find(Finding, model=name)),
        open_reviews=_open_reviews(reader, name),
    )


def standings(reader: Reader, name: str, standing_in: StandingIn) -> tuple[StandingShown, ...]:
    """Return the standings in every scope that a release or hold of the model names."""
    scopes = {release.scope for release in reader.find(Release, model=name)}
    scopes |= {hold.scope for hold in reader.find(Hold, model=name) if hold.state != "lifted"}
    return tuple(
        _standing_shown(scope, place)
        for scope in sorted(scopes)
        for place in standing_in(Scope.parse(scope))
    )


def entry_shown(reader: Reader, name: str) -> EntryShown | None:
    """Return what the entry in force says, else the latest; None where there is no entry."""
    entries = reader.find(Document, model=name, kind="entry")
    in_force = [entry for entry in entries if entry.state == "in_force"]
    if not entries:
        return None
    return _entry_of(json.loads(reader.blob((in_force or entries)[-1].digest)))


def _entry_of(record: Mapping[str, Json]) -> EntryShown:
    use = _member(record, "intended_use") or _member(record, "context_of_use")
    return EntryShown(
        title=_text(record, "title"),
        kind=_text(record, "kind"),
        owner=_text(record, "owner"),
        statement=_text(use, "statement"),
        question=_text(use, "question_of_interest") or _text(use, "indications"),
        purposes=tuple(
            (_text(one, "name"), _text(one, "description")) for one in _parts(use, "purposes")
        ),
        population=_text(use, "population"),
        setting=_text(use, "setting"),
        users=_texts(use, "users"),
        decision_role=_text(use, "decision_role"),
        excluded=_texts(use, "excluded_uses"),
        limits=_texts(record, "limits"),
        hazards=tuple(
            {key: _text(one, key) for key in ("hazard", "harm", "severity", "residual_risk")}
            for one in _parts(record, "hazards")
        ),
        fallback=_text(record, "fallback"),
    )


def _member(record: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _parts(record: Mapping[str, Json], name: str) -> tuple[Mapping[str, Json], ...]:
    value = record.get(name)
    return (
        tuple(part for part in value if isinstance(part, dict)) if isinstance(value, list) else ()
    )


def _text(record: Mapping[str, Json], name: str) -> str:
    value = record.get(name)
    return "" if value is None else str(value)


def _texts(record: Mapping[str, Json], name: str) -> tuple[str, ...]:
    value = record.get(name)
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _title(reader: Reader, name: str) -> str:
    entry = entry_shown(reader, name)
    return entry.title if entry else ""


def _standing_shown(scope: str, place: PlaceStanding) -> StandingShown:
    standing = place.standing
    return StandingShown(
        scope=scope,
        place=f"{place.purpose} in {place.market}" if place.market else "",
        verdict=standing.verdict,
        reasons=tuple(REASONS[reason] for reason in standing.reasons),
        codes=tuple(reason.value for reason in standing.reasons),
        release=standing.release.id if standing.release else None,
        version=standing.release.version if standing.release else None,
        until_us=standing.until_us,
    )


def _open_reviews(reader: Reader, name: str) -> tuple[Review, ...]:
    undecided = ("open", "first_signature")
    return tuple(r for r in reader.find(Review, model=name) if r.state in undecided)


def _latest_first(items: Sequence[T]) -> tuple[T, ...]:
    return tuple(reversed(items))
