"""Nothing reaches outside this machine unless the operator configured it (P15).

Each exercise runs in a fresh process with a bare environment: no `CI`, no opt-out variable, a home
folder of its own, as on a user's machine. A guard inside Python records and refuses every attempt;
where strace may be used it watches from outside too, since extension modules bring sockets of their
own. To have more of the product watched, add an entry to `EXERCISES`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from tests.support.network_guard import is_loopback, outside_target
from tests.support.project import ROOT

pytestmark = [pytest.mark.requirement("P15"), pytest.mark.slow]

# Python goes on after a `sitecustomize` that failed; this stops it before anything is tried.
ARMED = "import sitecustomize; sitecustomize.armed\n"
# Everything that runs in the background gets the time to try before the process ends.
SETTLE = """
import threading
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(timeout=5)
"""
# MLflow phones home when it is used, not when it is imported; hence a use.
MLFLOW_USE = """
import os, mlflow
mlflow.set_tracking_uri("sqlite:///" + os.environ["HOME"] + "/mlflow.db")
mlflow.create_experiment("any")
"""
EXERCISES = {
    "the adapters and their engines": f"""
import importlib, pkgutil
import governance.adapters
for module in pkgutil.walk_packages(governance.adapters.__path__, "governance.adapters."):
    importlib.import_module(module.name)
{MLFLOW_USE}
import evidently
""",
    "every module": """
from tests.architecture.error_codes import import_everything
import_everything()
""",
    "the demonstration": """
import os, sys
from governance.cli.main import run
sys.argv = ["vigil", "demo", "--check", "--home", os.environ["HOME"] + "/demo-home"]
try:
    run()
except SystemExit as end:
    assert not end.code, end.code
""",
}
# Documentation addresses (RFC 5737): they belong to nobody, and the guard refuses before a packet.
PLANTED = {
    "a connection": "socket.create_connection(('192.0.2.1', 80), timeout=1)",
    "a datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "a name": "socket.getaddrinfo('telemetry.invalid', 443)",
    "an attempt that hides its failure": (
        "try:\n    socket.create_connection(('192.0.2.1', 80))\nexcept Exception:\n    pass"
    ),
    "a background thread": (
        "import threading\n"
        "threading.Thread(target=socket.getaddrinfo, args=('telemetry.invalid', 443)).start()"
    ),
    "a child process": (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c',"
        " 'import socket; socket.getaddrinfo(\"telemetry.invalid\", 443)'])"
    ),
    "MLflow without our adapters": MLFLOW_USE,
}
ALLOWED = {
    "a Unix socket": (
        "import os\n"
        "path = os.environ['HOME'] + '/s'\n"
        "server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()\n"
        "socket.socket(socket.AF_UNIX).connect(path)"
    ),
    "loopback": (
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname())"
    ),
    "the name localhost": "socket.getaddrinfo('localhost', 80)",
    "listening on every interface": "socket.create_server(('0.0.0.0', 0))",
}
_TRACED = re.compile(
    r'sa_family=AF_INET6?, sin6?_port=htons\((\d+)\),.*?(?:inet_addr\(|AF_INET6, )"([^"]+)"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a process did: its end, and whom it tried to reach."""

    returncode: int
    stderr: str
    armed: int
    seen_inside: list[str]
    seen_outside: list[str] = field(default_factory=list)


@cache
def strace() -> str | None:
    """Return the strace that works here, or None (absent, or tracing is forbidden)."""
    found = shutil.which("strace")
    if found is None:
        return None
    probe = subprocess.run([found, "-o", os.devnull, "true"], capture_output=True, check=False)
    return found if probe.returncode == 0 else None


def traced_targets(trace: str) -> list[str]:
    """Return `address:port` of each internet address that a trace of system calls names."""
    return [f"{address}:{port}" for port, address in _TRACED.findall(trace)]


def watch(code: str, folder: Path, *, tracer: str | None = None) -> Watched:
    """Run `code` in a fresh, bare process under the guard, and under `tracer` if there is one."""
    home, record, trace = folder / "home", folder / "record", folder / "trace"
    home.mkdir()
    command = [sys.executable, "-c", ARMED + code + SETTLE]
    if tracer is not None:
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        command = [tracer, "-f", "-qq", "-e", calls, "-o", str(trace), *command]
    outcome = subprocess.run(
        command,
        cwd=home,
        env={
            "HOME": str(home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests/support/egress"), str(ROOT)]),
            "VIGIL_EGRESS_RECORD": str(record),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    targets = traced_targets(trace.read_text(encoding="utf-8")) if trace.exists() else []
    return Watched(
        returncode=outcome.returncode,
        stderr=outcome.stderr,
        armed=lines.count("armed"),
        seen_inside=[line for line in lines if line != "armed"],
        seen_outside=[t for t in targets if not is_loopback(t.rpartition(":")[0])],
    )


@pytest.mark.parametrize("code", EXERCISES.values(), ids=EXERCISES.keys())
def test_exercise_reaches_nobody(code: str, tmp_path: Path) -> None:
    watched = watch(code, tmp_path, tracer=strace())
    assert watched.armed >= 1, watched.stderr
    assert watched.seen_inside == []
    assert watched.seen_outside == []
    assert watched.returncode == 0, watched.stderr


@pytest.mark.parametrize("code", PLANTED.values(), ids=PLANTED.keys())
def test_planted_attempt_is_recorded(code: str, tmp_path: Path) -> None:
    watched = watch(f"import socket\n{code}\n", tmp_path)
    assert watched.seen_inside != []


@pytest.mark.parametrize("code", ALLOWED.values(), ids=ALLOWED.keys())
def test_this_machine_may_be_reached(code: str, tmp_path: Path) -> None:
    watched = watch(f"import socket\n{code}\n", tmp_path)
    assert (watched.returncode, watched.seen_inside) == (0, []), watched.stderr


def test_trace_sees_what_the_guard_inside_lets_pass(tmp_path: Path) -> None:
    tracer = strace()
    if tracer is None:
        pytest.skip("no strace here, or tracing is forbidden")
    trace = tmp_path / "trace"
    code = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.9', 4711))"
    calls = ["-f", "-e", "trace=connect", "-o", str(trace)]
    subprocess.run([tracer, *calls, sys.executable, "-S", "-c", code], check=True)
    assert "127.0.0.9:4711" in traced_targets(trace.read_text(encoding="utf-8"))


def test_trace_is_read_for_both_families() -> None:
    trace = (
        '7 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.1")}, 16)'
        " = 0\n"
        "7 connect(3, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0),"
        ' inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = -1\n'
        '7 connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = -1\n'
    )
    assert traced_targets(trace) == ["192.0.2.1:53", "2001:db8::1:443"]


@pytest.mark.parametrize(
    ("event", "arguments", "target"),
    [
        ("socket.connect", (None, ("::1", 80, 0, 0)), None),
        ("socket.connect", (None, ("fe80::1%eth0", 80, 0, 2)), "fe80::1%eth0:80"),
        ("socket.connect", (None, ("localhost.evil.invalid", 80)), "localhost.evil.invalid:80"),
        ("socket.connect", (None, "/run/vigil.sock"), None),
        ("socket.getaddrinfo", (b"telemetry.invalid", 443, 0, 0, 0), "name telemetry.invalid"),
        ("socket.getaddrinfo", (None, 80, 0, 0, 0), None),
        ("open", ("/etc/hosts", "r", 0), None),
    ],
)
def test_guard_judges_one_event(
    event: str, arguments: tuple[object, ...], target: str | None
) -> None:
    assert outside_target(event, arguments) == target
