"""The server process: it owns the home, listens on a port and on the home's socket, and ends.

On PostgreSQL several servers may serve one home, each on a port of its own. The first of them has
the home's socket; a command that finds none is a process of its own beside them. A server that was
fenced ends, so that whatever keeps it running starts it again (`storage.fencing`).

Everything is joined here: deployment, API, operations' door and console. uvicorn is started from
code, never by its own command, whose default puts the working directory on the path (ADR 0002).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, Protocol, cast

import uvicorn

from governance.adapters.compute import ProcessCompute
from governance.api.app import create_app
from governance.api.asgi import App
from governance.api.operations_door import operations_door
from governance.deployment import Deployment, open_deployment
from governance.errors import GovernanceError
from governance.home import HomeOwned, OwnerLock
from governance.storage.errors import Fenced

BACKLOG: Final = 2048
SHUTDOWN_SECONDS: Final = 10


class AddressInUse(GovernanceError):
    """The port is taken, or may not be used."""

    code = "server.address_in_use"
    http_status = 503


class _FencedPen(Protocol):
    """What the server needs of the pen beside `ports.Pen`."""

    @property
    def fault(self) -> GovernanceError | None: ...

    def when_fenced(self, happens: Callable[[], object]) -> None: ...


def serve_home(
    root: Path, *, host: str | None, port: int | None, ready: Callable[[str], None]
) -> None:
    """Own the home at `root` and serve it until the process is told to end.

    `ready` is called with the address once both sockets listen. Raises HomeOwned, KeysNotShared,
    LedgerTampered, WrongRevision or AddressInUse before anything is served, and what stopped the
    pen where that is why the server ends.
    """
    signal.signal(signal.SIGTERM, _end)
    compute = ProcessCompute()
    with contextlib.closing(compute), open_deployment(root, compute=compute) as deployment:
        config = deployment.home.config.server
        where = (host or config.host, config.port if port is None else port)
        with _listening(deployment, *where) as (network, local):
            running = server(application(deployment))
            pen = cast("_FencedPen", deployment.pen)
            pen.when_fenced(lambda: setattr(running, "should_exit", True))
            ready(f"http://{where[0]}:{network.getsockname()[1]}")
            with deployment.cosigner.running(), deployment.verifier.running():
                running.run(sockets=[network, *local])
            if isinstance(pen.fault, Fenced):
                raise pen.fault


def _end(_number: int, _frame: FrameType | None) -> None:
    """End by leaving every block that was entered.

    uvicorn raises the signal that stopped it once more; by default that would kill the process with
    the pen, the worker process and the socket still open.
    """
    raise SystemExit(0)


def application(deployment: Deployment) -> App:
    """Return the whole application over an open deployment."""
    from governance.console.deployment_desk import create_console

    return create_app(
        deployment,
        mount={"/": create_console(deployment)},
        door=operations_door(deployment),
    )


def server(app: App) -> uvicorn.Server:
    """Return a uvicorn server as we run it: one worker, no access log (P15), bounded shutdown."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )


@contextmanager
def _listening(
    deployment: Deployment, host: str, port: int
) -> Iterator[tuple[socket.socket, list[socket.socket]]]:
    path = deployment.home.socket_path
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(network_socket(host, port))
        if not deployment.home.is_sqlite:
            try:
                stack.enter_context(OwnerLock(deployment.home.lock_path))
            except HomeOwned:  # another server of this home has the socket
                yield network, []
                return
        # The home is ours by its lock, so a socket file that is there belongs to nobody.
        path.unlink(missing_ok=True)
        local = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        before = os.umask(0o177)
        try:
            local.bind(str(path))
        finally:
            os.umask(before)
        local.listen(BACKLOG)
        stack.callback(path.unlink, missing_ok=True)
        yield network, [local]


def network_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise AddressInUse where there is none to be had."""
    try:
        listening = socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise AddressInUse(
            f"nothing can listen on {host}:{port}: {error.strerror}",
            next_step="stop what listens there, or choose another port with --port",
        ) from error
    # Accepted sockets inherit it. asyncio sets it only where a socket names its protocol, and the
    # second part of a reply would wait for the client to acknowledge the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
