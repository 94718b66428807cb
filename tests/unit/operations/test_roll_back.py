"""Rolling back stops at once, restores only what may run, and comes to an end (P1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from governance.errors import Unauthenticated
from governance.registry.records import Document, Release, Signature, Version
from tests.support.small_deployment import EVERYWHERE, PURPOSE, Small, TickingClock

DAY_S = 86_400


def roll_back(home: Small, release: str, *, by: str = "sam") -> dict[str, Any]:
    return home.signed(by, "release.roll_back", release=release)


def release_of(home: Small, name: str) -> Release:
    with home.deployment.reader() as reader:
        return reader.require(Release, name)


def active(home: Small) -> list[str]:
    with home.deployment.reader() as reader:
        return [one.version for one in reader.find(Release, state="active")]


def test_the_release_before_takes_over(home: Small) -> None:
    second = home.release(home.approved_version())
    done = roll_back(home, second["release"])
    assert (done["state"], done["ended_us"]) == ("rolled_back", done["ended_us"])
    assert release_of(home, done["restored"]).version == "forecasting/1"
    assert active(home) == ["forecasting/1"]


def test_a_dated_release_that_is_restored_ends_when_it_was_to_end(home: Small) -> None:
    dated = home.release(home.approved_version(), days=10)
    third = home.release(home.approved_version())
    assert release_of(home, dated["release"]).until_us == dated["until_us"], "the plan stays"
    restored = release_of(home, roll_back(home, third["release"])["restored"])
    assert restored.until_us == dated["until_us"] is not None
    assert restored.ended_us is None


@pytest.mark.parametrize(("seconds", "restores"), [(9 * DAY_S, True), (10 * DAY_S, False)])
def test_a_release_whose_end_has_come_is_not_restored(
    home: Small, clock: TickingClock, seconds: int, restores: bool
) -> None:
    home.release(home.approved_version(), days=10)
    third = home.release(home.approved_version())
    clock.advance(seconds=seconds)
    done = roll_back(home, third["release"])
    assert done["state"] == "rolled_back"
    assert (done["restored"] is not None) is restores


def test_rolling_back_again_and_again_comes_to_an_end(home: Small) -> None:
    home.release(home.approved_version())
    name: str | None = home.release(home.approved_version())["release"]
    served = []
    while name is not None:
        served.append(release_of(home, name).version)
        name = roll_back(home, name)["restored"]
        assert len(served) < 5, "versions come back for ever"
    assert served == ["forecasting/3", "forecasting/2", "forecasting/1"]
    assert active(home) == []


def test_the_very_version_that_is_rolled_back_does_not_come_back(home: Small) -> None:
    again = home.release("forecasting/1")
    done = roll_back(home, again["release"])
    assert done["restored"] is None
    assert active(home) == []


def test_what_was_rolled_back_elsewhere_may_still_be_restored_here(home: Small) -> None:
    elsewhere = home.signed(
        "mo",
        "release.open",
        version="forecasting/1",
        scope="st-olav/ward",
        market="NO",
        purpose=PURPOSE,
    )
    roll_back(home, elsewhere["release"])
    second = home.release(home.approved_version(), scope=EVERYWHERE)
    restored = release_of(home, roll_back(home, second["release"])["restored"])
    assert (restored.version, restored.scope) == ("forecasting/1", EVERYWHERE)


def test_both_what_ends_and_what_takes_over_are_signed(home: Small) -> None:
    second = home.release(home.approved_version())
    done = roll_back(home, second["release"])
    with home.deployment.reader() as reader:
        for name in (second["release"], done["restored"]):
            signed = reader.find(Signature, record_type="release", record=name)
            assert [one.signer for one in signed][-1] == "sam"


@pytest.mark.parametrize("kind", ["entry", "plan", "monitoring"])
def test_without_its_documents_in_force_nothing_takes_over_and_the_release_ends_all_the_same(
    home: Small, kind: str
) -> None:
    second = home.release(home.approved_version())
    with home.deployment.reader() as reader:
        (document,) = reader.find(Document, kind=kind, state="in_force")
    home.deployment.pen.commit(
        lambda unit: unit.record(
            kind="document.rejected",
            actor="rea",
            replace=[(document, replace(document, state="withdrawn"))],
        )
    )
    done = roll_back(home, second["release"])
    assert (done["state"], done["restored"]) == ("rolled_back", None)


def test_an_exchanged_artifact_takes_nothing_over_and_does_not_stop_the_stopping(
    home: Small,
) -> None:
    second = home.release(home.approved_version())
    with home.deployment.reader() as reader:
        uri = reader.require(Version, "forecasting/1").artifact_uri
    (home.deployment.home.artifacts_dir / uri).write_bytes(b"{}")
    done = roll_back(home, second["release"])
    assert (done["state"], done["restored"]) == ("rolled_back", None)


def test_a_retired_version_is_not_restored(home: Small) -> None:
    second = home.release(home.approved_version())
    with home.deployment.reader() as reader:
        version = reader.require(Version, "forecasting/1")
    home.deployment.pen.commit(
        lambda unit: unit.record(
            kind="review.decided",
            actor="rea",
            replace=[(version, replace(version, state="retired"))],
        )
    )
    assert roll_back(home, second["release"])["restored"] is None


def test_a_wrong_password_rolls_nothing_back(home: Small) -> None:
    with pytest.raises(Unauthenticated):
        home.perform("sam", "release.roll_back", release="REL-1", password="not the password")
    assert active(home) == ["forecasting/1"]
