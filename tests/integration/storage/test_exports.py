"""The same export, whichever database the log is in."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from governance.operations.inspect.export_ledger import export_home
from governance.operations.inspect.reconcile import reconcile_home
from governance.operations.inspect.verify_export import verify_export
from governance.storage.open import open_storage
from tests.integration.storage.samples import answer

if TYPE_CHECKING:
    from pathlib import Path

    from governance.clock import FixedClock
    from governance.home import Home


@pytest.mark.requirement("P14")
def test_an_export_is_continued_and_verified_without_the_database(
    home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    folder, policy = tmp_path / "exported", tmp_path / "pinned"
    shutil.copy(home.policy_path, policy)
    for round_ in range(2):
        with open_storage(home, clock=clock) as storage:
            key = storage.pen.commit(lambda unit: unit.new_key())
            storage.pen.commit(
                lambda unit: [unit.record(kind="attempt.opened", actor="a") for _ in range(200)]
            )
            for number in range(3):
                storage.pen.answer(answer(key, number=number)).result(30)
        exported = export_home(home.root, folder, bodies=True)
        report, incomplete = verify_export(folder, policy=policy)
        assert incomplete is None
        assert report.completeness.size == exported.size > 200 * (round_ + 1)
        assert report.integrity.bodies_checked == 3 * (round_ + 1)
    found = reconcile_home(home.root)
    assert found.agrees
    assert found.kinds["inference.answered"] == 6
