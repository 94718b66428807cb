"""Nobody is called what the product itself is called in the trail (P6)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import governance
from change_control.roles import Role
from governance.errors import InvalidInput
from governance.operations import rules
from governance.operations.admin.create_home import create_home
from governance.registry.machines import RESERVED
from tests.support.small_deployment import ADMINISTRATOR, EVERYWHERE, Small, cheap_passwords


@pytest.mark.requirement("P6")
@pytest.mark.parametrize("name", sorted(RESERVED))
def test_no_person_no_client_and_no_first_administrator_has_a_name_of_the_product(
    home: Small, tmp_path: Path, name: str
) -> None:
    before = home.size()
    actor = home.actor(ADMINISTRATOR)
    with pytest.raises(InvalidInput, match="the product itself"):
        home.as_actor(
            actor, "person.add", person=name, printed_name="Some Body", password="a long password"
        )
    with pytest.raises(InvalidInput, match="the product itself"):
        home.as_actor(
            actor,
            "client.add",
            client=name,
            title="Ordering",
            scope=EVERYWHERE,
            permissions=["read"],
        )
    assert home.size() - before <= 1  # the session
    with cheap_passwords(), pytest.raises(InvalidInput, match="the product itself"):
        create_home(
            tmp_path / "new",
            organisation="st-olav",
            deployment="new",
            database="sqlite",
            administrator=name,
            printed_name="Some Body",
            password="a long password",
        )
    assert not (tmp_path / "new").exists()


def test_every_name_under_which_the_product_acts_is_reserved() -> None:
    assert {rules.MONITOR.person, rules.EVALUATOR.person} <= RESERVED
    assert not RESERVED & {role.value for role in Role}
    literal = re.compile(r'\b(?:actor|placed_by|opened_by|by|person)="([a-z.-]+)"')
    source = Path(governance.__file__).parent
    found = {
        name
        for path in source.rglob("*.py")
        if "demo" not in path.parts
        for name in literal.findall(path.read_text("utf-8"))
    }
    assert found <= RESERVED
