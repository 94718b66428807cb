"""Two real servers of one home on PostgreSQL: both ready, one with the socket, both fenced."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest

from governance.home import HomeOwned
from governance.operations.admin.schema import fence_writers, upgrade_schema
from tests.support.project import ROOT

if TYPE_CHECKING:
    from governance.home import Home


def started(home: Home, stack: ExitStack) -> subprocess.Popen[str]:
    server = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-m", "governance.cli", "serve", "--home", str(home.root),
             "--port", "0"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
    )  # fmt: skip
    stack.callback(server.kill)
    return server


def port_of(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    line = server.stdout.readline()
    port = urlsplit(line[line.index("http://") :].strip()).port
    assert port is not None
    return port


def ready(port: int) -> tuple[int, dict[str, str]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as reply:
            return reply.status, json.load(reply)["checks"]
    except HTTPError as error:
        with error:
            return error.code, json.load(error)["checks"]


@pytest.mark.slow
@pytest.mark.postgres
def test_two_servers_serve_one_home_until_both_are_fenced(postgresql_home: Home) -> None:
    with ExitStack() as stack:
        servers = [started(postgresql_home, stack) for _ in range(2)]
        ports = [port_of(server) for server in servers]
        for port in (*ports, *ports):
            assert ready(port)[0] == 200
        assert postgresql_home.socket_path.exists()
        with pytest.raises(HomeOwned):  # nobody migrates below a server of this home
            upgrade_schema(postgresql_home.root)
        fence_writers(postgresql_home.root)
        for server, port in zip(servers, ports, strict=True):
            status, checks = ready(port)
            assert (status, checks["ledger"]) == (503, "ledger.fenced")
            _, said = server.communicate(timeout=60)
            assert server.returncode == 1
            assert "ledger.fenced" in said
        assert not postgresql_home.socket_path.exists()
