"""An export goes under the checkpoint that the witnesses have seen, and reaches S1 by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.clock import FixedClock
from governance.home import Home
from governance.ledger.core.errors import NoteRejected
from governance.operations.inspect.export_ledger import export_home
from governance.operations.inspect.verify_export import verify_export
from governance.storage.open import create_home
from tests.integration.storage.samples import NOW_US
from tests.integration.witness.outside import Outside, act

pytestmark = pytest.mark.requirement("P3")


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    clock = FixedClock(now_us=NOW_US)
    create_home(tmp_path / "home", organisation="acme", deployment="test", clock=clock)
    return Outside.of(Home.open(tmp_path / "home"), clock, "hospital", "vendor", "body")


def test_the_exported_checkpoint_is_the_last_one_with_a_quorum(
    outside: Outside, tmp_path: Path
) -> None:
    with outside.opened() as storage:
        act(storage)
        storage.cosigner.round()
        seen = storage.ledger.head()[0]
        act(storage)
        act(storage)
        assert storage.ledger.head()[0] > seen
    root, folder = outside.home.root, tmp_path / "exported"
    assert export_home(root, folder).size == seen
    report, incomplete = verify_export(folder, policy=outside.home.policy_path)
    assert incomplete is None
    assert (report.anchoring.stage, report.anchoring.anchored_size) == ("S1", seen)
    assert len(report.anchoring.cosigned_by) >= 2
    assert report.anchoring.last_cosigned_s is not None


def test_an_export_never_goes_back_behind_the_folder(outside: Outside, tmp_path: Path) -> None:
    root, folder = outside.home.root, tmp_path / "exported"
    outside.every(down=True)
    with outside.opened() as storage:
        act(storage)
        size = storage.ledger.head()[0]
    assert export_home(root, folder).size == size  # nobody has seen it: the log's word
    with pytest.raises(NoteRejected, match="witnesses"):
        verify_export(folder, policy=outside.home.policy_path)
    outside.every(down=False)
    with outside.opened() as storage:
        storage.cosigner.round()
    assert export_home(root, folder).size >= size
    report, _ = verify_export(folder, policy=outside.home.policy_path)
    assert report.anchoring.stage == "S1"
