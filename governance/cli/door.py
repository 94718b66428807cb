"""How a command reaches the home: through its server where one owns it, by itself where none does.

Either way it is the same operation under the same person's session (`vigil login`): access to the
socket is no identity. The session's token is kept in the person's own state folder, mode 0600.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.errors import GovernanceError, Unauthenticated

CONNECT_SECONDS = 5.0
OPERATION_SECONDS = 3600.0


class ServerRefused(GovernanceError):
    """The server answered with a problem; code, status and next step are the server's."""

    code = "server.refused"

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail", "the server refused")),
            next_step=str(problem.get("next_step", "look at the server's log")),
        )
        self.problem = problem


class ServerUnreachable(GovernanceError):
    """Nothing answers where the server should be."""

    code = "server.unreachable"
    http_status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which deployment a command is about: a home on this machine, or a server elsewhere."""

    home: Path
    server: str | None

    @property
    def socket_path(self) -> Path:
        """The Unix socket of the home's owner."""
        return self.home / "vigil.sock"

    @property
    def is_served(self) -> bool:
        """Whether a server answers on the home's socket."""
        if not self.socket_path.exists():
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(CONNECT_SECONDS)
            try:
                probe.connect(str(self.socket_path))
            except OSError:
                return False
        return True

    @property
    def token_path(self) -> Path:
        """Where this person's session for this deployment is kept."""
        name = self.server or str(self.home.resolve())
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        return state / "oncovigil" / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.session"


def perform(target: Target, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Perform the operation and return its result as plain values."""
    token = _token(target)
    if target.server or target.is_served:
        return _remote(target, f"/operations/{name}", params, token)
    from governance.deployment import open_deployment
    from governance.operations.admin.sign_in import actor_of_session
    from governance.operations.catalogue import perform as perform_here

    with open_deployment(target.home) as deployment:
        actor, _csrf = actor_of_session(deployment, token=token)
        return perform_here(deployment, actor, name, params).model_dump(mode="json")


def sign_in(target: Target, *, person: str, password: str) -> dict[str, Any]:
    """Open a session and keep its token for the commands that follow."""
    if target.server or target.is_served:
        opened = _remote(target, "/session", {"person": person, "password": password}, None)
    else:
        from governance.deployment import open_deployment
        from governance.operations.admin.sign_in import sign_in as sign_in_here

        with open_deployment(target.home) as deployment:
            session = sign_in_here(deployment, person=person, password=password)
        opened = {
            "token": session.token,
            "person": session.actor.person,
            "printed_name": session.actor.printed_name,
            "expires_us": session.expires_us,
            "must_change_password": session.actor.must_change,
        }
    _keep(target.token_path, str(opened.pop("token")))
    return opened


def _token(target: Target) -> str:
    try:
        return target.token_path.read_text().strip()
    except FileNotFoundError:
        raise Unauthenticated(
            "nobody is signed in to this deployment from here",
            next_step="sign in first: `vigil login PERSON`",
        ) from None


def _keep(path: Path, token: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)


def _remote(
    target: Target, path: str, params: Mapping[str, Any], token: str | None
) -> dict[str, Any]:
    import httpx

    transport = None if target.server else httpx.HTTPTransport(uds=str(target.socket_path))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx.Timeout(OPERATION_SECONDS, connect=CONNECT_SECONDS)
    try:
        with httpx.Client(
            transport=transport, base_url=target.server or "http://vigil", timeout=timeout
        ) as client:
            response = client.post(path, content=json.dumps(params), headers=headers)
    except httpx.HTTPError as error:
        raise ServerUnreachable(
            "the server did not answer",
            next_step="check that `vigil serve` runs for this home, or the address in --server",
        ) from error
    answer = response.json()
    if response.status_code != httpx.codes.OK:
        raise ServerRefused(answer)
    return dict(answer)
