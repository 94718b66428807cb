"""Who witnesses the ledger: put `vigil.toml` in force, and see how far the witnesses are.

The policy is an act of its own in the ledger, with the text that it replaces: whoever lowers the
quorum does so where every later reader finds it (P3). Verifiers pin the new `log.policy` by hand,
and a receipt that they hold keeps proving what it proved under the policy of its day.
"""

from __future__ import annotations

from typing import Final

from change_control.roles import Role
from change_control.scope import Scope
from governance.adapters.witness_client import HttpWitness
from governance.deployment import Deployment
from governance.home import Home
from governance.ledger.core.policy import Policy, with_log_keys
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.storage.trust import CHANGED_FROM, CHANGED_TO, POLICY_CHANGED
from governance.storage.witnessing import configured_witnesses, witnesses_in_force

_ADMINISTRATORS: Final = frozenset({Role.ADMINISTRATOR})


class ApplyWitnesses(Request):
    """What `vigil.toml` says of witnesses now."""


class AppliedPolicy(Result):
    """The policy in force. `seq` is the entry that states it, None where nothing changed.

    `vouched_for` says whether a quorum of the witnesses before has cosigned the change, None where
    there was no quorum. Until one has, a recovery from a stolen key goes back behind the change.
    """

    changed: bool
    seq: int | None
    policy: str
    vouched_for: bool | None = None


class WitnessStatus(Request):
    """Every witness."""


class WitnessState(Result):
    """One witness: up to which size it has cosigned, how far that is behind, and why."""

    name: str
    organisation: str
    size: int
    lag: int
    fault: str | None
    failing_since_us: int | None


class WitnessStates(Result):
    """How far a quorum has seen the ledger. `stopped` says that answers are refused for it."""

    size: int
    anchored_size: int
    quorum: bool
    stopped: bool
    witnesses: list[WitnessState]


def apply_witnesses(
    deployment: Deployment, actor: Actor, _request: ApplyWitnesses
) -> AppliedPolicy:
    """Put the configured witnesses and quorum in force; they are asked at once."""
    organisation = deployment.home.config.organisation
    actor.require(
        _ADMINISTRATORS, Scope(organisation=organisation, site="*"), act="change the witnesses"
    )
    home = Home.open(deployment.home.root)  # as it is now, not as it was when we started
    known = configured_witnesses(home, HttpWitness)
    before = deployment.ledger.policy_text
    text = with_log_keys(home.configured_policy(), deployment.ledger.log_keys.in_force)
    seq = None
    if text != before:
        recorded = deployment.pen.commit(
            lambda unit: unit.record(
                kind=POLICY_CHANGED,
                actor=actor.person,
                notes={CHANGED_FROM: before, CHANGED_TO: text},
            )
        )
        seq = recorded.seq
        home.write_policy(text)
        # Those who vouched so far see the change: a recovery believes it only then (P3).
        deployment.cosigner.round()
    anchor = deployment.ledger.use_policy(text)
    deployment.cosigner.configure(witnesses_in_force(home, deployment.ledger.policy, known), anchor)
    return AppliedPolicy(
        changed=seq is not None, seq=seq, policy=text, vouched_for=_vouched(deployment, before, seq)
    )


def _vouched(deployment: Deployment, before: str, seq: int | None) -> bool | None:
    """Whether a quorum of the policy before has cosigned the entry that changes it."""
    policy = Policy.parse(before.encode())
    if seq is None or policy.quorum is None:
        return None
    return deployment.ledger.anchor_under(policy, above=seq, first=True) is not None


def witness_status(deployment: Deployment, actor: Actor, _request: WitnessStatus) -> WitnessStates:
    """Say how far each witness and the quorum have come."""
    del actor
    report = deployment.cosigner.report()
    return WitnessStates(
        size=report.size,
        anchored_size=report.anchored_size,
        quorum=report.quorum,
        stopped=report.stopped,
        witnesses=[
            WitnessState(
                name=one.name,
                organisation=one.organisation,
                size=one.size,
                lag=one.lag,
                fault=one.fault,
                failing_since_us=one.failing_since_us,
            )
            for one in report.witnesses
        ],
    )


APPLY_WITNESSES = Operation(
    name="witness.apply",
    request=ApplyWitnesses,
    kinds=(POLICY_CHANGED,),
    run=apply_witnesses,
    repeated="changes nothing",
)
WITNESS_STATUS = Operation(
    name="witness.status",
    request=WitnessStatus,
    kinds=(),
    run=witness_status,
    repeated="reads only",
)
