"""Scopes narrow and never widen; roles hold within scopes; some never meet in one person."""

from __future__ import annotations

import pytest

from change_control.errors import ScopeInvalid
from change_control.roles import Grant, Role, conflicts, holds
from change_control.scope import Scope

ORGANISATION = Scope.parse("north/*")
WARD = Scope.parse("north/ward-3")


def grant(role: Role, scope: str, person: str = "ada") -> Grant:
    return Grant(person=person, role=role, scope=Scope.parse(scope))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("north", id="no site"),
        pytest.param("", id="empty"),
        pytest.param("/", id="two empty parts"),
        pytest.param("north/", id="empty site"),
        pytest.param("/ward-3", id="empty organisation"),
        pytest.param("*/*", id="every organisation"),
        pytest.param("*/ward-3", id="one site of every organisation"),
        pytest.param("north/ward/3", id="three parts"),
        pytest.param("North/ward-3", id="upper case"),
        pytest.param("north/ward 3", id="space"),
        pytest.param("north/ward-3\n", id="line break at the end"),
        pytest.param("nörd/ward-3", id="not ASCII"),
        pytest.param("north/.ward", id="leading dot"),
        pytest.param("north/**", id="two stars"),
        pytest.param("north/" + "w" * 64, id="too long"),
    ],
)
def test_text_that_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ScopeInvalid) as caught:
        Scope.parse(text)
    assert caught.value.code == "change.scope_invalid"
    assert caught.value.next_step


@pytest.mark.parametrize("text", ["north/*", "north/ward-3", "n/0", "st.olav_2/x.y_z-1"])
def test_scope_reads_what_it_writes(text: str) -> None:
    assert str(Scope.parse(text)) == text


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("north/*", "north/ward-3", True),
        ("north/*", "north/*", True),
        ("north/ward-3", "north/ward-3", True),
        ("north/ward-3", "north/*", False),
        ("north/ward-3", "north/ward-4", False),
        ("north/*", "south/ward-3", False),
        ("north/*", "south/*", False),
    ],
)
def test_a_scope_covers_itself_and_an_organisation_its_sites(
    wide: str, narrow: str, *, covers: bool
) -> None:
    assert Scope.parse(wide).covers(Scope.parse(narrow)) is covers


def test_a_request_may_narrow_its_scope() -> None:
    assert ORGANISATION.narrow(WARD) == WARD


@pytest.mark.parametrize("wanted", ["north/*", "north/ward-4", "south/ward-3"])
def test_a_request_never_widens_its_scope(wanted: str) -> None:
    with pytest.raises(ScopeInvalid, match="not within north/ward-3"):
        WARD.narrow(Scope.parse(wanted))


def test_a_grant_over_the_organisation_holds_at_each_site() -> None:
    assert holds([grant(Role.REVIEWER, "north/*")], Role.REVIEWER, WARD)


def test_a_grant_at_a_site_does_not_hold_over_the_organisation() -> None:
    sites = [grant(Role.REVIEWER, "north/ward-3"), grant(Role.REVIEWER, "north/ward-4")]
    assert not holds(sites, Role.REVIEWER, ORGANISATION)


def test_a_grant_holds_no_other_role() -> None:
    assert not holds([grant(Role.REVIEWER, "north/*")], Role.REGULATORY, WARD)


def test_nobody_holds_a_role_without_a_grant() -> None:
    assert not any(holds([], role, WARD) for role in Role)


@pytest.mark.parametrize(
    ("present", "wanted"),
    [
        pytest.param(Role.MODEL_OWNER, Role.CUSTODIAN, id="trainer becomes custodian"),
        pytest.param(Role.CUSTODIAN, Role.MODEL_OWNER, id="custodian becomes trainer"),
        pytest.param(Role.ADMINISTRATOR, Role.CUSTODIAN, id="administrator becomes custodian"),
    ],
)
@pytest.mark.requirement("P6")
def test_roles_that_check_each_other_never_meet_in_one_person(present: Role, wanted: Role) -> None:
    held = grant(present, "north/*")
    assert conflicts([held], grant(wanted, "north/ward-3")) == (held,)
    assert conflicts([grant(present, "north/ward-3")], grant(wanted, "north/*"))


def test_roles_that_check_each_other_may_lie_with_two_people_or_two_places() -> None:
    held = [grant(Role.MODEL_OWNER, "north/ward-3")]
    assert conflicts(held, grant(Role.CUSTODIAN, "north/ward-3", person="bo")) == ()
    assert conflicts(held, grant(Role.CUSTODIAN, "north/ward-4")) == ()
    assert conflicts(held, grant(Role.REVIEWER, "north/ward-3")) == ()
