"""A finding is raised once, a decision on it lasts, and silence is a finding too (P10, P12)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from governance.clock import FixedClock
from governance.errors import Forbidden
from governance.operations.watch.check_overdue import raise_overdue
from governance.registry.records import Finding, MonitorRun, Review
from tests.support.small_deployment import DAY_US, EVERYWHERE, MODEL, SITE, START_US, Small, small

H02 = "error-h02"


class LateClock(FixedClock):
    """A clock that a test moves on by days, and that otherwise ticks."""

    def now_us(self) -> int:
        self.advance(seconds=0.001)
        return super().now_us()

    def days(self, days: int) -> None:
        self.advance(seconds=days * 86_400)


@pytest.fixture
def clock() -> LateClock:
    return LateClock(now_us=START_US + DAY_US)


@pytest.fixture
def home(tmp_path: Path, clock: LateClock) -> Iterator[Small]:
    with small(tmp_path, clock) as opened:
        opened.compute.fires = frozenset({H02})
        yield opened


def run(home: Small, monitor: str = H02) -> dict[str, Any]:
    runs = home.perform("sam", "monitor.run", model=MODEL)["runs"]
    return next(one for one in runs if one["monitor"] == monitor)


def report(home: Small, name: str) -> dict[str, Any]:
    with home.deployment.reader() as reader:
        told: dict[str, Any] = json.loads(reader.blob(reader.require(MonitorRun, name).digest))
    return told


def status(home: Small) -> dict[str, dict[str, Any]]:
    told = home.perform("sam", "monitor.status")["monitors"]
    return {one["monitor"]: one for one in told}


def findings(home: Small) -> list[Finding]:
    with home.deployment.reader() as reader:
        return reader.find(Finding)


def reinstate(home: Small, review: str) -> None:
    for person in ("rea", "sam"):
        home.decide(person, review, "reinstate", reason="The cause was found")


def test_after_a_reinstatement_the_sums_begin_anew_and_nothing_is_suspended_again(
    home: Small,
) -> None:
    first = run(home)
    reinstate(home, first["review"])
    again = run(home)
    assert report(home, first["run"])["about"]["restart_after"] == {}
    assert report(home, again["run"])["about"]["restart_after"] == {H02: "2005-06"}
    # The prepared computation still fires in the month that was decided upon.
    assert (again["fired_at"], again["finding"], again["hold"]) == ("2005-03", None, None)


def test_a_finding_that_waits_is_not_raised_again(home: Small) -> None:
    run(home)
    assert run(home)["finding"] is None
    assert len(findings(home)) == 1


def test_one_signature_for_reinstatement_begins_nothing_anew(home: Small) -> None:
    first = run(home)
    home.decide("rea", first["review"], "reinstate", reason="The cause was found")
    assert report(home, run(home)["run"])["about"]["restart_after"] == {}


def test_what_is_kept_suspended_begins_nothing_anew_and_raises_nothing_twice(home: Small) -> None:
    first = run(home)
    home.decide("sam", first["review"], "keep_suspended", reason="Not understood yet")
    again = run(home)
    assert report(home, again["run"])["about"]["restart_after"] == {}
    assert again["finding"] is None


def test_a_finding_in_one_place_does_not_hide_one_in_another(home: Small) -> None:
    home.release(home.approved_version(), scope=SITE)
    runs = home.perform("sam", "monitor.run", model=MODEL)["runs"]
    raised = {one["release"]: one["finding"] for one in runs if one["monitor"] == H02}
    assert len(raised) == 2
    assert None not in raised.values()


def test_the_report_names_place_instant_and_position_it_was_made_from(home: Small) -> None:
    size = home.size()
    told = run(home)
    about = report(home, told["run"])["about"]
    assert about["scope"] == EVERYWHERE
    assert START_US + DAY_US < about["now_us"] < START_US + 2 * DAY_US
    with home.deployment.reader() as reader:
        assert reader.require(MonitorRun, told["run"]).through_seq == size
        # one session was opened by `run` before the rows were read
        assert reader.last_seq() == home.size() - 1


def test_what_is_recorded_while_a_monitor_computes_was_not_read(home: Small) -> None:
    actor = home.actor("sam")
    before = home.size()
    home.compute.meanwhile = lambda: home.perform(
        "sam", "hold.place", model=MODEL, scope=SITE, cause="safety.concern", reason="Asked"
    )
    told = home.as_actor(actor, "monitor.run", model=MODEL)["runs"][0]
    with home.deployment.reader() as reader:
        assert reader.require(MonitorRun, told["run"]).through_seq == before - 1


@pytest.mark.parametrize("planted", [True, False])
def test_planted_outcomes_are_told_by_the_run_and_its_report(home: Small, planted: bool) -> None:
    row = {"series": "H02/total", "month": "2004-07", "value": "61"}
    home.perform("sam", "outcome.import", model=MODEL, source="a test", rows=[row], planted=planted)
    told = run(home)
    assert told["planted"] is planted
    about = report(home, told["run"])["about"]
    assert about["batches"] == [{"batch": "O-1", "planted": planted}]


def test_every_monitor_of_a_release_has_a_state_before_it_ever_ran(home: Small) -> None:
    told = status(home)
    assert set(told) == {"error-a10", H02}
    assert {one["last_run"] for one in told.values()} == {None}
    assert not any(one["overdue"] for one in told.values())


def test_a_monitor_that_never_ran_is_overdue_a_month_and_the_grace_after_release(
    home: Small, clock: LateClock
) -> None:
    clock.days(42)
    assert all(one["overdue"] for one in status(home).values())


def test_a_run_is_the_next_ones_promise(home: Small, clock: LateClock) -> None:
    clock.days(30)
    run(home)
    clock.days(40)
    assert not any(one["overdue"] for one in status(home).values())
    clock.days(2)
    assert all(one["overdue"] for one in status(home).values())


def test_silence_is_raised_once_with_its_review_in_one_entry(home: Small, clock: LateClock) -> None:
    assert raise_overdue(home.deployment) == []
    clock.days(42)
    size = home.size()
    raised = raise_overdue(home.deployment)
    assert [one.monitor for one in raised] == ["error-a10", H02]
    assert home.size() == size + 2
    assert raise_overdue(home.deployment) == []
    with home.deployment.reader() as reader:
        reviews = [reader.require(Review, one.review) for one in raised]
    assert {one.owner_role for one in reviews} == {"model_owner"}
    assert all(one.blocks_release for one in reviews)
    home.deployment.rebuild()


def test_a_late_run_does_not_hide_that_it_was_late(home: Small, clock: LateClock) -> None:
    clock.days(42)
    run(home)
    rules = [finding.rule for finding in findings(home)]
    assert rules == ["overdue.error-a10", f"overdue.{H02}", H02]
    assert not any(one["overdue"] for one in status(home).values())


def test_silence_that_goes_on_after_its_review_is_raised_again_a_month_later(
    home: Small, clock: LateClock
) -> None:
    clock.days(42)
    for one in raise_overdue(home.deployment):
        home.decide("sam", one.review, "close", reason="The register was moved")
    assert raise_overdue(home.deployment) == []
    clock.days(42)
    assert len(raise_overdue(home.deployment)) == 2


def test_nobody_without_a_role_here_checks_for_silence(home: Small) -> None:
    with pytest.raises(Forbidden):
        home.perform("nils", "monitor.check_overdue")
    with pytest.raises(Forbidden):
        home.perform("sita", "monitor.check_overdue")
