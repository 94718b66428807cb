"""Which outcomes a release is watched by, and which series a model knows.

A delivery speaks for the scope that it came with. A release is compared with the deliveries whose
scope covers its own: what one site counted is a part of what a release for every site forecast,
and a part is not compared with the whole. Where a site and its organisation report the same month
of the same series, the site's own value counts for a release at that site; within one scope the
latest value counts. So nobody moves the monitors of a place that their credential does not cover
(P10).
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from change_control.scope import Scope
from governance.adapters.model_store import read_artifact
from governance.deployment import Deployment
from governance.errors import InvalidInput
from governance.registry.records import OutcomeBatch, Release, Version
from governance.storage.ports import OutcomeRow, Reader


def outcomes_for(reader: Reader, release: Release, *, through: str | None) -> list[OutcomeRow]:
    """Return the rows that count for the release; of a series and month the last one wins."""
    here = Scope.parse(release.scope)
    scopes = {
        batch.id: Scope.parse(batch.scope)
        for batch in reader.find(OutcomeBatch, model=release.model)
    }
    rows = [
        row
        for row in reader.outcomes(model=release.model, through_month=through)
        if scopes[row.batch].covers(here)
    ]
    # A stable sort: the wider scope first, within a scope the order in which they were recorded.
    return sorted(rows, key=lambda row: scopes[row.batch] == here)


def require_known_series(
    deployment: Deployment, reader: Reader, *, model: str, series: Iterable[str]
) -> None:
    """Raise InvalidInput unless registered artifacts of the model know every series.

    The newest version is asked first, so that usually one artifact is read; its bytes are verified.
    """
    unknown = set(series)
    for version in reversed(reader.find(Version, model=model)):
        if not unknown:
            return
        unknown -= _series_of(
            read_artifact(
                root=deployment.home.artifacts_dir,
                uri=version.artifact_uri,
                digest=version.digest,
            )
        )
    if unknown:
        raise InvalidInput(
            "rows hold a series that no registered version of the model knows",
            next_step="correct the series' keys and send the whole delivery again; nothing was "
            "recorded",
        )


def _series_of(artifact: bytes) -> set[str]:
    try:
        table: object = json.loads(artifact)
    except ValueError:
        return set()  # parameters of another form name no series
    series = table.get("series") if isinstance(table, dict) else None
    return set(series) if isinstance(series, dict) else set()
