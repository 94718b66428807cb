"""Homes on both databases: what one contract suite runs on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from governance.clock import FixedClock
from governance.home import Home
from governance.storage.open import Storage, create_home, open_storage
from tests.integration.storage.samples import NOW_US
from tests.support.postgresql import (
    WRITER,
    administer,
    assign_roles,
    database_in,
    new_name,
    own_server,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the address of a PostgreSQL server: VIGIL_TEST_POSTGRESQL, or one of our own."""
    outside = os.environ.get("VIGIL_TEST_POSTGRESQL", "")
    if outside:
        yield outside
        return
    with own_server() as server:
        yield server.get_uri()


def _new_home(root: Path, database: str) -> Home:
    return create_home(
        root,
        organisation="acme",
        deployment="test",
        clock=FixedClock(now_us=NOW_US),
        database=database,
    )


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that was made once; each test gets a copy."""
    return _new_home(tmp_path_factory.mktemp("template") / "home", "sqlite").root


@pytest.fixture(scope="session")
def postgresql_template(
    postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """Return a home on PostgreSQL and the name of its database; each test gets copies of both.

    The database's owner made it; the copies are written to by `WRITER`, who can only append.
    """
    name = new_name()
    administer(postgresql, f"CREATE DATABASE {name}")
    home = _new_home(tmp_path_factory.mktemp("template") / "home", database_in(postgresql, name))
    assign_roles(home)
    yield home.root, name
    administer(postgresql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_home(tmp_path: Path, sqlite_template: Path) -> Home:
    """Return a fresh home on SQLite."""
    shutil.copytree(sqlite_template, tmp_path / "home")
    return Home.open(tmp_path / "home")


@pytest.fixture
def postgresql_home(
    tmp_path: Path, postgresql: str, postgresql_template: tuple[Path, str]
) -> Iterator[Home]:
    """Return a fresh home on PostgreSQL, with a database of its own."""
    root, original = postgresql_template
    name = new_name()
    # Rights on the database itself are not copied with it.
    administer(
        postgresql,
        f"CREATE DATABASE {name} TEMPLATE {original}",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO vigil_writer",
    )
    shutil.copytree(root, tmp_path / "home")
    config = tmp_path / "home" / "vigil.toml"
    address = database_in(postgresql, name, user=WRITER)
    config.write_text(config.read_text().replace(database_in(postgresql, original), address))
    yield Home.open(tmp_path / "home")
    administer(postgresql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def home(request: pytest.FixtureRequest) -> Home:
    """Return a fresh home, on each database in turn."""
    home: Home = request.getfixturevalue(f"{request.param}_home")
    return home


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that only the test moves."""
    return FixedClock(now_us=NOW_US)


@pytest.fixture
def opened(home: Home, clock: FixedClock) -> Callable[[], AbstractContextManager[Storage]]:
    """Return what opens the home, as often as the test likes."""
    return lambda: open_storage(home, clock=clock)


@pytest.fixture
def storage(home: Home, clock: FixedClock) -> Iterator[Storage]:
    """Return the home's storage, opened."""
    with open_storage(home, clock=clock) as storage:
        yield storage


@pytest.fixture
def new_home() -> Callable[[Path, str], Home]:
    """Return what makes a home, for a test with a server of its own."""
    return _new_home
