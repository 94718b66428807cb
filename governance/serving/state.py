"""What the gate knows now: the registry at the current epoch, and verified predictors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from change_control.release.release import Release, ReleaseState
from governance.serving.artifacts import Artifacts
from governance.serving.snapshot import EntryInUse, GovernedModel, Snapshot, read_snapshot
from governance.storage.ports import Reader
from models.predictor import Predictor


class ServingState:
    """Holds one snapshot and replaces it when the standing epoch moved.

    The epoch is read without a query before each question (`epoch_of`, kept by the committer of
    this process). Where another process shares the database it may be behind; then the committer,
    which compares under the head lock, hands its reader to `under_lock`.
    """

    def __init__(
        self,
        *,
        read: Callable[[], AbstractContextManager[Reader]],
        epoch_of: Callable[[], int],
        artifacts: Artifacts,
    ) -> None:
        self._read = read
        self._epoch_of = epoch_of
        self._entries: dict[str, EntryInUse] = {}
        self._snapshot: Snapshot | None = None
        self.artifacts = artifacts

    def current(self) -> Snapshot:
        """Return the snapshot of the epoch that the committer saw last."""
        epoch = self._epoch_of()
        if self._snapshot is not None and self._snapshot.epoch >= epoch:
            return self._snapshot
        # The epoch is taken before the records are read: where an act falls in between, the
        # snapshot is newer than it says, and the committer's comparison withholds the answer.
        with self._read() as reader:
            snapshot = self.under_lock(reader, epoch)
        self._entries = {model.in_use.digest: model.in_use for model in snapshot.models.values()}
        self._snapshot = snapshot
        return snapshot

    def under_lock(self, reader: Reader, epoch: int) -> Snapshot:
        """Read the records again, through a reader that sees `epoch`, and keep nothing.

        The committer's reader sees what its transaction has written so far. That may never be
        committed, and then the same epoch comes again with other acts: kept, such a picture would
        answer under a hold (P1, P11).
        """
        return read_snapshot(reader, epoch=epoch, known=self._entries)

    def predictor(self, model: GovernedModel, release: Release, *, now_us: int) -> Predictor | None:
        """Return the predictor of a release; None where its bytes are not the registered ones.

        The release names the digest as well as the version: both must be what is loaded (P1).
        """
        version = model.versions[release.version]
        if model.releases[release.id].digest != version.digest:
            return None
        if version.kind != model.in_use.entry.predictor:
            return None
        return self.artifacts.predictor(version, now_us=now_us)

    def artifact_faults(self, *, now_us: int) -> tuple[str, ...]:
        """Return the active releases whose artifact is not what was registered."""
        return tuple(
            release.id
            for model in self.current().models.values()
            for markets in model.facts.values()
            for facts in markets.values()
            for release in facts.releases
            if release.state is ReleaseState.ACTIVE
            and self.predictor(model, release, now_us=now_us) is None
        )
