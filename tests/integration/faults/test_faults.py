"""A disk that fails and a process that is killed at any call lose nothing acknowledged (P2, P3).

A few calls of each kind here; `make campaign` tries every one (docs/reference/faults.md).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.integration.faults import campaign, driver, harness
from tests.integration.faults.harness import Fault

REASON: Final = harness.why_not()
pytestmark = [
    pytest.mark.requirement("P2"),
    # In CI nothing is left out: without the tool these tests fail.
    pytest.mark.skipif(REASON is not None and not os.environ.get("CI"), reason=str(REASON)),
]

FEW: Final = [
    ("init", "fdatasync", "KILL", "20"),
    ("init", "fsync", "EIO", "14"),
    ("init", "rename", "KILL", "1"),
    ("open", "fdatasync", "KILL", "4"),
    ("open", "ftruncate", "EIO", "2"),
    ("open", "openat", "ENOSPC", "3"),
    ("commit", "fdatasync", "EIO", "3"),
    ("commit", "fdatasync", "EIO", "7+"),
    ("commit", "fdatasync", "EIO", "1..4"),
    ("commit", "fdatasync", "KILL", "5"),
    ("commit", "fdatasync", "ENOSPC", "9"),
    ("commit", "pwrite64", "EIO", "40"),
    ("commit", "pwrite64", "ENOSPC", "100+"),
    ("commit", "pwrite64", "KILL", "61"),
    ("commit", "pwrite64", "KILL", "200"),
    ("commit", "ftruncate", "EIO", "1"),
    ("commit", "ftruncate", "KILL", "1"),
    ("commit", "write", "ENOSPC", "3+"),
    ("commit", "write", "KILL", "5"),
    ("commit", "rename", "KILL", "1"),
    ("commit", "openat", "EIO", "1+"),
    ("close", "fdatasync", "KILL", "2"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return campaign.template(tmp_path_factory.mktemp("faults"))


def test_a_driver_without_faults_acknowledges_everything(template: Path, tmp_path: Path) -> None:
    ran = campaign.tried(template, tmp_path, None)
    assert len(ran.acknowledged) == driver.REQUESTS
    assert (ran.refused, ran.ended, ran.hits) == ([], None, 0)
    assert all(one["receipt"] for one in ran.acknowledged)


@pytest.mark.parametrize("given", FEW, ids="-".join)
def test_nothing_acknowledged_is_lost_and_the_home_opens_again(
    template: Path, tmp_path: Path, given: tuple[str, str, str, str]
) -> None:
    phase, call, what, when = given
    ran = campaign.tried(template, tmp_path, Fault(phase=phase, call=call, what=what, when=when))
    assert ran.hits, "the run never came to this call"
    assert ran.killed == (what == "KILL")


def test_the_harness_sees_a_lost_act_and_a_lost_answer(template: Path, tmp_path: Path) -> None:
    """An acknowledgement of what was never written is what the campaign looks for."""
    root = tmp_path / "home"
    ran = harness.run(_copied(template, root), None, requests=2)
    invented = {"ack": 3, "seq": None, "event_id": None, "receipt": None}
    ran.said.append(invented)
    with pytest.raises(harness.Lost, match="act 3 is lost"):
        harness.check(root, ran)
    ran.said[-1] = {**ran.acknowledged[1], "seq": 2}
    with pytest.raises(harness.Lost, match="is another one"):
        harness.check(root, ran)


def _copied(template: Path, root: Path) -> Path:
    import shutil

    return Path(shutil.copytree(template, root))


def test_the_page_says_what_was_run_and_what_was_not() -> None:
    page = campaign.PAGE.read_text(encoding="utf-8")
    lines = campaign.lines_of(page)
    assert page == campaign.page_of(lines)
    (some,) = (line for line in lines if line.startswith("| open | fsync | KILL |"))
    without = campaign.page_of([line for line in lines if line != some])
    assert "open fsync KILL" in without.splitlines()[-1]


def test_the_page_says_that_nothing_was_lost() -> None:
    page = campaign.PAGE.read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in campaign.lines_of(page)]
    assert sum(int(line[3]) for line in lines) >= 200
    assert {line[0] for line in lines} == set(driver.PHASES)
    assert [line for line in lines if line[-2:] != ["0", "0"]] == []


@pytest.mark.campaign
@pytest.mark.parametrize("phase", driver.PHASES)
def test_every_call_of_the_phase_under_every_fault(
    template: Path, tmp_path: Path, phase: str
) -> None:
    runs, failures, calls = 0, [], set()
    for call, what, given in campaign.faults(template, tmp_path, phase):
        calls.add(call)
        row = campaign.row_of(template, tmp_path, call, what, given)
        print(row.text())
        runs += len(row.runs)
        failures += row.failures
    assert failures == []
    assert runs >= 20
    assert calls == set(campaign.CALLS[phase])
