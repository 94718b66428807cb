"""Putting witnesses in force is an administrator's act, with the text that it replaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from change_control.roles import Grant, Role
from change_control.scope import Scope
from governance.clock import FixedClock
from governance.deployment import Deployment, open_deployment
from governance.errors import Forbidden
from governance.home import Home, HomeInvalid
from governance.ledger.core.errors import PolicyRejected
from governance.operations import catalogue
from governance.operations.actor import Actor
from tests.integration.witness.outside import Outside, address
from tests.support.known_person import know

pytestmark = pytest.mark.requirement("P3")
ORGANISATION = Scope(organisation="acme", site="*")


def actor(role: Role) -> Actor:
    grant = Grant(person="ada", role=role, scope=ORGANISATION)
    return Actor(person="ada", printed_name="Ada", grants=(grant,))


ADA = actor(Role.ADMINISTRATOR)


@pytest.fixture
def home(home: Home, clock: FixedClock) -> Home:
    """Return a home whose vigil.toml names a witness on a port where nobody listens."""
    with open_deployment(home.root, clock=clock) as deployment:
        know(deployment, "ada", roles=list(Role), scopes=[ORGANISATION])
    outside = Outside.of(home, clock, "hospital", apply=False)
    config = outside.home.root / "vigil.toml"
    config.write_text(config.read_text().replace(address("hospital"), "http://127.0.0.1:9"))
    return Home.open(outside.home.root)


def apply(deployment: Deployment, who: Actor = ADA) -> dict[str, object]:
    return catalogue.perform(deployment, who, "witness.apply", {}).model_dump()


def test_the_change_is_an_entry_with_both_texts(home: Home, clock: FixedClock) -> None:
    old = home.policy_path.read_text()
    with open_deployment(home.root, clock=clock) as deployment:
        applied = apply(deployment)
        assert applied["changed"] is True
        assert applied["vouched_for"] is None, "nobody had to vouch before"
        entry = deployment.ledger.entry(int(str(applied["seq"])))
        assert entry.kind == "ledger.policy_changed"
        assert isinstance(entry.facts, dict)
        assert (entry.facts["old"], entry.facts["new"]) == (old, applied["policy"])
        assert entry.facts["actor"] == "ada"
        assert home.policy_path.read_text() == applied["policy"] == deployment.ledger.policy_text
        deployment.rebuild()
        deployment.ledger.verify()
        status = catalogue.perform(deployment, ADA, "witness.status", {}).model_dump()
        (witness,) = status["witnesses"]
        assert (witness["name"], witness["lag"]) == ("hospital", status["size"])
        assert "does not answer" in witness["fault"]


def test_applying_again_changes_nothing(home: Home, clock: FixedClock) -> None:
    with open_deployment(home.root, clock=clock) as deployment:
        apply(deployment)
        size = deployment.ledger.head()[0]
        assert apply(deployment)["changed"] is False
        assert deployment.ledger.head()[0] == size


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_nobody_else_may(home: Home, clock: FixedClock, role: Role) -> None:
    old = home.policy_path.read_text()
    with open_deployment(home.root, clock=clock) as deployment:
        with pytest.raises(Forbidden):
            apply(deployment, actor(role))
        assert deployment.ledger.head()[0] == 2  # genesis and the person
    assert home.policy_path.read_text() == old


def _edit(home: Home, old: str, new: str) -> None:
    config = Path(home.root / "vigil.toml")
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def test_a_configuration_that_makes_no_policy_changes_nothing(
    home: Home, clock: FixedClock
) -> None:
    with open_deployment(home.root, clock=clock) as deployment:
        _edit(home, "quorum = 0", "quorum = 2")
        with pytest.raises(PolicyRejected):
            apply(deployment)
        _edit(home, "hospital.example+", "hospital.exampla+")
        with pytest.raises(HomeInvalid, match="verifier key"):
            apply(deployment)
        assert deployment.ledger.head()[0] == 2  # genesis and the person


def test_taking_all_witnesses_away_is_an_entry_too(home: Home, clock: FixedClock) -> None:
    with open_deployment(home.root, clock=clock) as deployment:
        first = apply(deployment)
        config = home.root / "vigil.toml"
        config.write_text(config.read_text().split("\n[[witness]]")[0] + "\n")
        second = apply(deployment)
        assert second["changed"] is True
        assert second["vouched_for"] is False, "the witness before was not reached"
        assert str(second["policy"]).endswith("quorum none\n")
        entry = deployment.ledger.entry(int(str(second["seq"])))
        assert isinstance(entry.facts, dict)
        assert entry.facts["old"] == first["policy"]
