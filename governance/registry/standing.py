"""Releases and holds on record, as the rules of standing read them.

The gate's snapshot and the pages ask the same question of the same values; this is the one place
where a record becomes such a value.
"""

from __future__ import annotations

from change_control.release.hold import Hold, HoldState
from change_control.release.release import Release, ReleaseMode, ReleaseState
from change_control.scope import Scope
from governance.registry import records


def release_of(record: records.Release) -> Release:
    """Return the release as change control reads it."""
    return Release(
        id=record.id,
        version=record.version,
        scope=Scope.parse(record.scope),
        market=record.market,
        purpose=record.purpose,
        mode=ReleaseMode(record.mode),
        from_us=record.from_us,
        until_us=record.until_us,
        state=ReleaseState(record.state),
    )


def hold_of(record: records.Hold) -> Hold:
    """Return the hold as change control reads it."""
    return Hold(
        id=record.id,
        scope=Scope.parse(record.scope),
        cause=record.cause,
        state=HoldState(record.state),
        version=record.version,
    )
