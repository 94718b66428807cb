"""Release a qualified version in a scope, and roll a release back."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field, SecretStr

from change_control import lifecycle
from change_control.change.documents import GOVERNING
from change_control.change.request import ChangeState
from change_control.lifecycle import SignatureMeaning
from change_control.release.release import (
    RELEASE,
    ReleaseCommand,
    ReleaseFacts,
    ReleaseMode,
    ReleaseState,
)
from change_control.release.version import VersionState
from change_control.scope import Scope
from governance.adapters.model_store import ArtifactTampered, read_artifact
from governance.clock import DAY_US
from governance.deployment import Deployment
from governance.errors import Conflict, InvalidInput
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import document_in_force, entry_in_force, rule_actor
from governance.operations.signing import Signer, authenticate_again, signature_of
from governance.registry.digest import record_digest
from governance.registry.records import ChangeRequest, Record, Release, Review, Signature, Version
from governance.storage.ports import Reader, Unit


class ReleaseVersion(Request):
    """A version, where, for which market and purpose, for how long, and the releaser's password."""

    version: str
    scope: str
    market: str = Field(pattern="^[A-Z]{2}$")
    purpose: str
    mode: ReleaseMode = ReleaseMode.FULL
    days: int | None = Field(default=None, ge=1, le=3650)
    password: SecretStr


class RollBack(Request):
    """A release that is to end now; the release before it in the same place takes over."""

    release: str
    password: SecretStr


class ReleaseLine(Result):
    """A release as it stands."""

    release: str
    model: str
    version: str
    digest: str
    scope: str
    market: str
    purpose: str
    mode: str
    state: str
    from_us: int
    until_us: int | None
    ended_us: int | None
    restored: str | None = None


class ListReleases(Request):
    """Every release."""


class Releases(Result):
    """Releases in order of opening."""

    releases: list[ReleaseLine]


def release_version(deployment: Deployment, actor: Actor, request: ReleaseVersion) -> ReleaseLine:
    """Open the release; an active one in the very same place is replaced in the same act."""
    scope = Scope.parse(request.scope)
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())
    with deployment.reader() as reader:
        version = reader.require(Version, request.version)
    read_artifact(
        root=deployment.home.artifacts_dir, uri=version.artifact_uri, digest=version.digest
    )

    def write(unit: Unit) -> ReleaseLine:
        version = unit.require(Version, request.version)
        change = _approved_change(unit, version)
        _check_purpose(unit, version.model, request.purpose)
        step = lifecycle.advance(
            RELEASE,
            None,
            ReleaseCommand.RELEASE,
            actor=rule_actor(actor, scope),
            facts=_facts(unit, version, change, request.mode),
        )
        until_us = unit.now_us + request.days * DAY_US if request.days else None
        release = Release(
            id=unit.next_id(Release, prefix="REL"),
            model=version.model,
            version=version.id,
            digest=version.digest,
            scope=str(scope),
            market=request.market,
            purpose=request.purpose,
            mode=request.mode.value,
            from_us=unit.now_us,
            until_us=until_us,
            state=step.state.value,
            released_by=actor.person,
            change=change.id,
            body_key=unit.new_key(),
        )
        unit.record(
            kind="release.opened",
            actor=actor.person,
            add=[release, _signed(unit, deployment, signer, release)],
            replace=_replaced(unit, release, rule_actor(actor, scope)),
        )
        return _line(release)

    return deployment.pen.commit(write)


def _facts(
    reader: Reader, version: Version, change: ChangeRequest, mode: ReleaseMode
) -> ReleaseFacts:
    blocking = [
        review.id
        for review in reader.find(Review, model=version.model, blocks_release=True)
        if review.state not in {"decided", "lapsed"}
    ]
    approved = change.state == ChangeState.APPROVED.value
    return ReleaseFacts(
        version_state=VersionState(version.state),
        mode=mode,
        documents_in_force=_documents_in_force(reader, version.model),
        approvals_missing=0 if approved else 1,
        blocking=tuple(blocking),
    )


def _documents_in_force(reader: Reader, model: str) -> bool:
    return all(document_in_force(reader, kind=kind, model=model) for kind in GOVERNING)


def _approved_change(reader: Reader, version: Version) -> ChangeRequest:
    found = reader.find(ChangeRequest, version=version.id)
    approved = [change for change in found if change.state == ChangeState.APPROVED.value]
    if not approved:
        raise Conflict(
            f"{version.id} has no approved change request",
            next_step="open one and have it evaluated and approved: `vigil change run`",
        )
    return approved[-1]


def _check_purpose(reader: Reader, model: str, purpose: str) -> None:
    use = entry_in_force(reader, model).use
    if not use.permits_purpose(purpose):
        raise InvalidInput(
            f"the entry of {model} has no such purpose",
            next_step="name one of: " + ", ".join(known.name for known in use.purposes),
        )


def _replaced(unit: Unit, release: Release, actor: lifecycle.Actor) -> list[tuple[Record, Record]]:
    return [
        (before, _ended(before, ReleaseCommand.REPLACE, actor, unit.now_us))
        for before in _same_place(unit, release)
        if before.state == ReleaseState.ACTIVE.value
    ]


def _ended(
    release: Release, command: ReleaseCommand, actor: lifecycle.Actor, now_us: int
) -> Release:
    step = lifecycle.advance(
        RELEASE, ReleaseState(release.state), command, actor=actor, facts=ReleaseFacts()
    )
    return replace(release, state=step.state.value, ended_us=now_us)


def roll_back(deployment: Deployment, actor: Actor, request: RollBack) -> ReleaseLine:
    """End the release now and reopen the one before it, where that one may still run.

    Never blocked by open reviews or overdue items: stopping must not wait (architecture, Watch).
    Where the one before may not run, the release ends all the same and nothing takes over (P1).
    """
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())

    def write(unit: Unit) -> ReleaseLine:
        release = unit.require(Release, request.release)
        actor_there = rule_actor(actor, Scope.parse(release.scope))
        ended = _ended(release, ReleaseCommand.ROLL_BACK, actor_there, unit.now_us)
        restored = _restored(unit, deployment, release, actor)
        moved = [ended, *([restored] if restored else [])]
        unit.record(
            kind="release.ended",
            actor=actor.person,
            add=[*moved[1:], *(_signed(unit, deployment, signer, one) for one in moved)],
            replace=[(release, ended)],
        )
        return _line(ended, restored)

    return deployment.pen.commit(write)


def _signed(unit: Unit, deployment: Deployment, signer: Signer, release: Release) -> Signature:
    return signature_of(
        unit,
        deployment,
        signer,
        record_type="release",
        record=release.id,
        record_digest=record_digest(release),
        meaning=SignatureMeaning.RESPONSIBLE,
    )


def _restored(unit: Unit, deployment: Deployment, release: Release, actor: Actor) -> Release | None:
    """Return a new release of the version that served before, or None where it may not run.

    It ends when it was to end. A version that was rolled back in this place is not restored there,
    so rolling back again and again comes to an end.
    """
    before = _before(unit, release)
    if before is None or not _may_run(unit, deployment, before):
        return None
    return replace(
        before,
        id=unit.next_id(Release, prefix="REL"),
        from_us=unit.now_us,
        ended_us=None,
        state=ReleaseState.ACTIVE.value,
        released_by=actor.person,
        body_key=unit.new_key(),
    )


def _before(reader: Reader, release: Release) -> Release | None:
    here = _same_place(reader, release)
    gone = {one.version for one in here if one.state == ReleaseState.ROLLED_BACK.value}
    gone.add(release.version)
    replaced = [
        one
        for one in here
        if one.state == ReleaseState.REPLACED.value
        and one.version not in gone
        and one.ended_us is not None
        and one.ended_us <= release.from_us
    ]
    return replaced[-1] if replaced else None


def _may_run(unit: Unit, deployment: Deployment, before: Release) -> bool:
    if before.until_us is not None and before.until_us <= unit.now_us:
        return False
    version = unit.require(Version, before.version)
    if version.state != VersionState.QUALIFIED.value or not _documents_in_force(
        unit, version.model
    ):
        return False
    try:
        read_artifact(
            root=deployment.home.artifacts_dir, uri=version.artifact_uri, digest=version.digest
        )
    except ArtifactTampered:
        return False  # what is not the registered bytes takes nothing over, and stops no stopping
    return True


def _same_place(reader: Reader, release: Release) -> list[Release]:
    return reader.find(
        Release,
        model=release.model,
        scope=release.scope,
        market=release.market,
        purpose=release.purpose,
        mode=release.mode,
    )


def list_releases(deployment: Deployment, actor: Actor, _request: ListReleases) -> Releases:
    """List every release."""
    del actor
    with deployment.reader() as reader:
        return Releases(releases=[_line(release) for release in reader.find(Release)])


def _line(release: Release, restored: Release | None = None) -> ReleaseLine:
    return ReleaseLine(
        release=release.id,
        model=release.model,
        version=release.version,
        digest=release.digest,
        scope=release.scope,
        market=release.market,
        purpose=release.purpose,
        mode=release.mode,
        state=release.state,
        from_us=release.from_us,
        until_us=release.until_us,
        ended_us=release.ended_us,
        restored=restored.id if restored else None,
    )


RELEASE_VERSION = Operation(
    name="release.open",
    request=ReleaseVersion,
    kinds=("release.opened",),
    run=release_version,
    repeated="replaces the release by an equal one",
)
ROLL_BACK = Operation(
    name="release.roll_back",
    request=RollBack,
    kinds=("release.ended",),
    run=roll_back,
    repeated="refused: the release has ended",
)
LIST_RELEASES = Operation(
    name="release.list", request=ListReleases, kinds=(), run=list_releases, repeated="reads only"
)
