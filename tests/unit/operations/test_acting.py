"""What a person may do is compared in the commit, not only when they began (P6, P14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from governance.errors import Forbidden, GovernanceError
from governance.registry.records import Dataset, Evidence, MonitorRun, Version
from tests.support.small_deployment import (
    ADMINISTRATOR,
    EVERYWHERE,
    MODEL,
    SITE,
    VERSION,
    Small,
)


def revoke(home: Small) -> None:
    home.perform(ADMINISTRATOR, "role.revoke", person="mo", role="model_owner", scope=EVERYWHERE)


def disable(home: Small) -> None:
    home.perform(ADMINISTRATOR, "person.disable", person="mo")


def reset(home: Small) -> None:
    home.perform(
        ADMINISTRATOR, "person.reset_password", person="mo", password="chosen by somebody else"
    )


SLOW: dict[str, dict[str, Any]] = {
    "data.add": {"source": "fpp2", "title": "Other series", "licence": "none"},
    "model.wrap": {"model": MODEL, "dataset": "D-1", "horizon": 6},
    "audit.run": {"version": VERSION},
    "monitor.run": {"model": MODEL},
}
# What each of them would have written last.
WRITES = {
    "data.add": Dataset,
    "model.wrap": Version,
    "audit.run": Evidence,
    "monitor.run": MonitorRun,
}


@pytest.mark.parametrize("happens", [revoke, disable, reset])
@pytest.mark.parametrize("name", sorted(SLOW))
def test_who_may_no_more_when_the_work_is_done_records_nothing_of_it(
    home: Small, name: str, happens: Callable[[Small], None]
) -> None:
    actor = home.actor("mo")
    with home.deployment.reader() as reader:
        before = len(reader.find(WRITES[name]))
    home.compute.meanwhile = lambda: happens(home)
    with pytest.raises(Forbidden, match="nothing was recorded"):
        home.as_actor(actor, name, **SLOW[name])
    with home.deployment.reader() as reader:
        assert len(reader.find(WRITES[name])) == before


def test_another_role_that_is_granted_meanwhile_is_no_obstacle(home: Small) -> None:
    home.compute.meanwhile = lambda: home.perform(
        ADMINISTRATOR, "role.grant", person="mo", role="auditor", scope=SITE
    )
    assert home.as_actor(home.actor("mo"), "audit.run", version=VERSION)


def test_a_role_that_is_held_in_fewer_places_by_now_is_narrower(home: Small) -> None:
    def narrow() -> None:
        home.perform(ADMINISTRATOR, "role.grant", person="mo", role="model_owner", scope=SITE)
        revoke(home)

    home.compute.meanwhile = narrow
    with pytest.raises(Forbidden, match="nothing was recorded"):
        home.as_actor(home.actor("mo"), "model.wrap", **SLOW["model.wrap"])


def test_an_administrator_who_is_none_any_more_makes_no_other(home: Small) -> None:
    home.perform(ADMINISTRATOR, "role.grant", person="aud", role="administrator", scope=EVERYWHERE)
    actor = home.actor("aud")
    home.perform(ADMINISTRATOR, "role.revoke", person="aud", role="administrator", scope=EVERYWHERE)
    with pytest.raises(GovernanceError):
        home.as_actor(actor, "role.grant", person="nils", role="administrator", scope=EVERYWHERE)
