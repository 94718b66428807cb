"""Rotate the log's key: an administrator begins, another person signs, and later the old one ends.

    rotate  first   the next key is made in keys/, then `key.rotation_started` names it
    rotate  second  a reviewer or regulatory signs: `key.rotated`, stated by both keys, and the
                    policy with both; every checkpoint from there on has a line of each
    retire          `key.retired`, and the policy with the new one alone; the old file is destroyed

Between the second and the third step whoever knows only one of the keys goes on verifying: that is
the time in which witnesses and verifiers learn the new one (docs/adr/0007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from audits.estimate import Json
from change_control.lifecycle import SignatureMeaning
from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.errors import Conflict
from governance.ledger.core.log_keys import (
    KEY_RETIRED,
    KEY_ROTATED,
    LogKeys,
    retirement_facts,
    rotation_facts,
)
from governance.ledger.core.note import VerifierKey
from governance.ledger.core.policy import with_log_keys
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.signing import Signer, authenticate_again, signature_of
from governance.registry.digest import json_digest
from governance.registry.records import Person, RoleGrant, Signature
from governance.storage.log_signer import (
    key_missing,
    log_key_files,
    prepare_key,
    settle_key_files,
)
from governance.storage.ports import Reader, Unit
from governance.storage.trust import CHANGED_FROM, CHANGED_TO, POLICY_CHANGED
from governance.storage.trust_moves import TrustMoved

ROTATION_STARTED: Final = "key.rotation_started"
RECORD_TYPE: Final = "log_key"
BEGIN: Final = frozenset({Role.ADMINISTRATOR})
CONFIRM: Final = frozenset({Role.REVIEWER, Role.REGULATORY})


class RotationRefused(Conflict):
    """The log's keys are not in the state that this step of a rotation needs."""

    code = "ledger.rotation_refused"


class KeyUnknownToWitnesses(Conflict):
    """Too few witnesses show that they know the log's new key, so the old one cannot go yet."""

    code = "ledger.key_unknown_to_witnesses"


class RotateKey(Request):
    """The next step of a rotation, and the signer's password."""

    password: SecretStr


class RetireKey(Request):
    """The end of a rotation. `although_unknown` goes on although witnesses may not know the key."""

    password: SecretStr
    although_unknown: bool = False


class KeyStep(Result):
    """What a rotation has come to. `waits_for` says who or what is next."""

    state: str
    seq: int
    old: str
    new: str
    waits_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Started:
    """A rotation that one person has signed."""

    new: VerifierKey
    first: Signature


def rotate_key(deployment: Deployment, actor: Actor, request: RotateKey) -> KeyStep:
    """Begin a rotation, or sign one that another person began."""
    keys = deployment.ledger.log_keys
    if len(keys.in_force) != 1:
        raise RotationRefused(
            "a rotation is under way: both keys sign already",
            next_step="End it first: `vigil ledger rotate-key --finish`.",
        )
    with deployment.reader() as reader:
        started = _started(reader, deployment, keys)
    everywhere = Scope(organisation=deployment.home.config.organisation, site="*")
    actor.require(
        BEGIN if started is None else CONFIRM,
        everywhere,
        act="begin a rotation of the log's key"
        if started is None
        else "sign a rotation of the log's key",
    )
    if started is not None and started.first.signer == actor.person:
        raise RotationRefused(
            "the second signature must be another person's",
            next_step="A reviewer or regulatory signs: `vigil ledger rotate-key`.",
        )
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())
    if started is None:
        return _begin(deployment, signer, keys)
    return _confirm(deployment, signer, keys, started)


def retire_key(deployment: Deployment, actor: Actor, request: RetireKey) -> KeyStep:
    """End a rotation: the old key signs no more, and its file is destroyed."""
    keys = deployment.ledger.log_keys
    everywhere = Scope(organisation=deployment.home.config.organisation, site="*")
    actor.require(BEGIN, everywhere, act="retire a key of the log")
    if len(keys.in_force) != 2:
        raise RotationRefused(
            "no rotation is under way, so there is no key to retire",
            next_step="Begin one: `vigil ledger rotate-key`.",
        )
    old, new = keys.in_force
    if not request.although_unknown:
        _require_known(deployment, new)
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())
    remaining = _private(deployment, new)

    def write(unit: Unit) -> int:
        notes = retirement_facts(
            origin=keys.origin, size=unit.next_seq, retired=old, remaining=remaining
        )
        signature = _signature(
            unit,
            deployment,
            signer,
            keys=(old, new),
            meaning=SignatureMeaning.RESPONSIBLE,
            about=old,
        )
        return _change(
            unit,
            deployment,
            signer,
            kind=KEY_RETIRED,
            signature=signature,
            notes=notes,
            keys=(new,),
        )

    seq = deployment.pen.commit(write)
    settle_key_files(deployment.home, deployment.ledger.log_keys)
    _follow(deployment)
    return KeyStep(
        state="retired",
        seq=seq,
        old=old.text(),
        new=new.text(),
        waits_for="nothing; verifiers pin the new log.policy, witnesses may retire the old key",
    )


def _begin(deployment: Deployment, signer: Signer, keys: LogKeys) -> KeyStep:
    (old,) = keys.in_force
    new = _prepared(deployment, keys) or prepare_key(deployment.home)

    def write(unit: Unit) -> int:
        _require_alone(deployment, old)
        if _started(unit, deployment, keys) is not None:
            raise RotationRefused(
                "somebody else has just begun a rotation",
                next_step="A reviewer or regulatory signs it: `vigil ledger rotate-key`.",
            )
        signature = _signature(
            unit,
            deployment,
            signer,
            keys=(old, new),
            meaning=SignatureMeaning.RESPONSIBLE,
            about=new,
        )
        notes: dict[str, Json] = {"old": old.text(), "new": new.text()}
        return unit.record(
            kind=ROTATION_STARTED, actor=signer.actor.person, add=[signature], notes=notes
        ).seq

    return KeyStep(
        state="started",
        seq=deployment.pen.commit(write),
        old=old.text(),
        new=new.text(),
        waits_for="a reviewer or regulatory, who signs with `vigil ledger rotate-key`",
    )


def _confirm(deployment: Deployment, signer: Signer, keys: LogKeys, started: _Started) -> KeyStep:
    (old,), new = keys.in_force, started.new
    private = {key: _private(deployment, key) for key in (old, new)}

    def write(unit: Unit) -> int:
        if _started(unit, deployment, keys) != started:
            raise RotationRefused(
                "the rotation is no longer as it was begun",
                next_step="An administrator begins it again: `vigil ledger rotate-key`.",
            )
        notes = rotation_facts(
            origin=keys.origin, size=unit.next_seq, old=private[old], new=private[new]
        )
        signature = _signature(
            unit,
            deployment,
            signer,
            keys=(old, new),
            meaning=SignatureMeaning.APPROVED,
            about=new,
        )
        notes |= {"begun_by": started.first.signer}
        return _change(
            unit,
            deployment,
            signer,
            kind=KEY_ROTATED,
            signature=signature,
            notes=notes,
            keys=(old, new),
        )

    seq = deployment.pen.commit(write)
    _follow(deployment)
    return KeyStep(
        state="rotated",
        seq=seq,
        old=old.text(),
        new=new.text(),
        waits_for="witnesses and verifiers, who add the new key; then "
        "`vigil ledger rotate-key --finish`",
    )


def _started(reader: Reader, deployment: Deployment, keys: LogKeys) -> _Started | None:
    """Return the rotation that waits: its key is in the home and its beginner is still one.

    Where the key file is lost, the beginner was disabled or lost the role, or another key is in
    force than the one that was to be followed, it is begun anew.
    """
    new = _prepared(deployment, keys)
    if new is None:
        return None
    organisation = deployment.home.config.organisation
    for first in reader.find(Signature, record_type=RECORD_TYPE, record=_name(new)):
        person = reader.get(Person, first.signer)
        grants = reader.find(
            RoleGrant,
            person=first.signer,
            role=Role.ADMINISTRATOR.value,
            scope=str(Scope(organisation=organisation, site="*")),
            active=True,
        )
        signed = first.record_digest == _digest(keys.origin, keys.in_force[0], new)
        if signed and person is not None and not person.disabled and grants:
            return _Started(new=new, first=first)
    return None


def _prepared(deployment: Deployment, keys: LogKeys) -> VerifierKey | None:
    """Return the key in keys/ that no entry has put in force."""
    known = {span.key for span in keys.spans}
    return next((key for key in log_key_files(deployment.home) if key not in known), None)


def _private(deployment: Deployment, key: VerifierKey) -> Ed25519PrivateKey:
    found = log_key_files(deployment.home).get(key)
    if found is None:
        raise key_missing(key)
    return found


def _require_alone(deployment: Deployment, old: VerifierKey) -> None:
    if deployment.ledger.log_keys.in_force != (old,):
        raise RotationRefused(
            "the log's keys have changed meanwhile", next_step="Look at the console's key page."
        )


def _signature(
    unit: Unit,
    deployment: Deployment,
    signer: Signer,
    *,
    keys: tuple[VerifierKey, VerifierKey],
    meaning: SignatureMeaning,
    about: VerifierKey,
) -> Signature:
    old, new = keys
    return signature_of(
        unit,
        deployment,
        signer,
        record_type=RECORD_TYPE,
        record=_name(about),
        record_digest=_digest(deployment.home.origin, old, new),
        meaning=meaning,
    )


def _digest(origin: str, old: VerifierKey, new: VerifierKey) -> str:
    return json_digest({"origin": origin, "old": old.text(), "new": new.text()})


def _change(
    unit: Unit,
    deployment: Deployment,
    signer: Signer,
    *,
    kind: str,
    signature: Signature,
    notes: dict[str, Json],
    keys: Sequence[VerifierKey],
) -> int:
    """Record the step and the policy with these keys; raise RotationRefused where it comes late.

    Somebody else may have taken the same step in the same batch (`storage.trust_moves`).
    """
    before, actor = deployment.ledger.policy_text, signer.actor.person
    changed: dict[str, Json] = {CHANGED_FROM: before, CHANGED_TO: with_log_keys(before, keys)}
    try:
        seq = unit.record(kind=kind, actor=actor, add=[signature], notes=notes).seq
        unit.record(kind=POLICY_CHANGED, actor=actor, notes=changed)
    except TrustMoved as error:
        raise RotationRefused(
            f"somebody else was first: {error}",
            next_step="Look at the log's keys as they are now; where a step is due, take it again.",
        ) from error
    return seq


def _follow(deployment: Deployment) -> None:
    """Bring file, view and cosigner to the keys that are in force by now."""
    text = with_log_keys(deployment.ledger.policy_text, deployment.ledger.log_keys.in_force)
    deployment.home.write_policy(text)
    anchor = deployment.ledger.use_policy(text)
    deployment.cosigner.judge_by(deployment.ledger.policy, anchor)


def _require_known(deployment: Deployment, new: VerifierKey) -> None:
    """Refuse to strand witnesses: a quorum must show a checkpoint with the new key's line."""
    policy = deployment.ledger.policy
    if policy.quorum is None:
        return
    deployment.cosigner.round()
    asked, _silent = deployment.cosigner.ask()
    ready = [
        one.key
        for one, seen in asked
        if seen is not None and any(s.key == new for s in seen.checkpoint.signatures)
    ]
    if not policy.satisfied(ready):
        raise KeyUnknownToWitnesses(
            f"{len(ready)} of {len(policy.witnesses)} witnesses show that they know the new key, "
            "which is no quorum",
            next_step="Their operators run `vigil ledger witness add-key`; once they have cosigned "
            "one more checkpoint, try again, or say --although-unknown.",
        )


def _name(key: VerifierKey) -> str:
    return f"{key.name}+{key.key_id.hex()}"


ROTATE_KEY: Final = Operation(
    name="ledger.rotate_key",
    request=RotateKey,
    kinds=(ROTATION_STARTED, KEY_ROTATED, POLICY_CHANGED),
    run=rotate_key,
    repeated="refused: the second signature must be another person's, and a third there is none",
)
RETIRE_KEY: Final = Operation(
    name="ledger.retire_key",
    request=RetireKey,
    kinds=(KEY_RETIRED, POLICY_CHANGED),
    run=retire_key,
    repeated="refused: there is no rotation under way any more",
)
