"""Move the key-encryption key to its next epoch: older copies of the key store open nothing then.

One administrator is enough: every body that could be read before can be read afterwards, by the
same people, so nothing is decided about anybody (docs/adr/0008). It is to be done after erasures
and on a schedule.
"""

from __future__ import annotations

from typing import Final

from change_control.roles import Role
from change_control.scope import Scope
from governance.deployment import Deployment
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.storage.epochs import EPOCH_ROTATED, NEW, OLD
from governance.storage.ports import Recorded, Unit

_ADMINISTRATORS: Final = frozenset({Role.ADMINISTRATOR})


class RotateEpoch(Request):
    """The next epoch."""


class RotatedEpoch(Result):
    """The epochs before and after, and the entry that says so."""

    old: int
    new: int
    seq: int


def rotate_epoch(deployment: Deployment, actor: Actor, _request: RotateEpoch) -> RotatedEpoch:
    """Make the next KEK, record it, wrap every surviving key again, and destroy the old KEK."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_ADMINISTRATORS, scope, act="rotate the key-encryption key")
    keys = deployment.keys
    new = keys.prepare_epoch()
    old = new - 1

    def write(unit: Unit) -> Recorded:
        return unit.record(kind=EPOCH_ROTATED, actor=actor.person, notes={OLD: old, NEW: new})

    recorded = deployment.pen.commit(write)
    keys.finish_epoch(new)
    return RotatedEpoch(old=old, new=new, seq=recorded.seq)


ROTATE_EPOCH = Operation(
    name="keys.rotate_epoch",
    request=RotateEpoch,
    kinds=(EPOCH_ROTATED,),
    run=rotate_epoch,
    repeated="moves to another epoch; nothing else changes",
)
