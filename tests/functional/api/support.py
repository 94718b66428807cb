"""A real home with one released forecasting model, and its API in this process.

The records are committed through the pen with the facts that the operations would write; how they
come to be is tested with the operations.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import orjson

from governance.adapters.passwords import hash_password
from governance.adapters.tokens import TokenAuthority
from governance.api.app import create_app
from governance.api.asgi import App, Message
from governance.clock import Clock, SystemClock
from governance.deployment import Deployment, open_deployment
from governance.registry import records
from governance.storage import private
from governance.storage.open import create_home
from governance.storage.ports import Unit
from tests.unit.serving.fakes import GOOD_ROW, HOUR_US, PURPOSE, entry_record, path_table

SECRET = "correct horse battery staple"
MODEL = "forecasting"
PREDICT = f"/v1/models/{MODEL}/predict"
QUESTION: dict[str, Any] = {"rows": [GOOD_ROW], "context": {"purpose": PURPOSE}}


def make_home(root: Path, *, limits: dict[str, int] | None = None) -> Path:
    """Create a home with the model released to st-olav/*, and three clients."""
    create_home(root, organisation="st-olav", deployment="test", clock=SystemClock())
    set_limits(root, limits or {})
    with open_deployment(root) as deployment:
        _release(deployment)
    return root


def set_limits(root: Path, limits: dict[str, int]) -> None:
    """Change limits in the home's configuration."""
    config = root / "vigil.toml"
    lines = config.read_text().splitlines()
    for name, value in limits.items():
        place = next(at for at, line in enumerate(lines) if line.startswith(f"{name} = "))
        lines[place] = f"{name} = {value}"
    config.write_text("\n".join(lines) + "\n")


def _release(deployment: Deployment) -> None:
    content = orjson.dumps(path_table())
    artifact = deployment.home.artifacts_dir / "forecasting" / "parameters.json"
    artifact.parent.mkdir()
    artifact.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    hashed = hash_password(SECRET)

    def write(unit: Unit) -> None:
        entry = unit.put_blob(orjson.dumps(entry_record()), media_type="application/json")
        now_us = unit.now_us
        document = records.Document(
            id="entry:forecasting:1", kind="entry", model=MODEL, number=1, digest=entry,
            source_digest=entry, state="in_force", author="owen", registered_us=now_us,
            in_force_us=now_us, in_force_seq=unit.next_seq,
        )  # fmt: skip
        version = records.Version(
            id="forecasting/1", model=MODEL, number=1, kind="forecasting/path-table/1",
            digest=digest, artifact_uri="forecasting/parameters.json", dataset="DS-1",
            origin="2005-06", state="qualified", registered_by="owen", registered_us=now_us,
        )  # fmt: skip
        release = records.Release(
            id="REL-1", model=MODEL, version=version.id, digest=digest, scope="st-olav/*",
            market="no", purpose=PURPOSE, mode="full", from_us=now_us - HOUR_US, until_us=None,
            state="active", released_by="quinn", change="CR-1", body_key=unit.new_key(),
        )  # fmt: skip
        unit.record(kind="release.opened", actor="quinn", add=[document, version, release])
        for client, permissions, scope in (
            ("planner", "infer:forecasting", "st-olav/pharmacy"),
            ("auditor", "read", "st-olav/pharmacy"),
            ("inspector", "read", "st-olav/*"),
            ("dispensary", "outcomes:write", "st-olav/pharmacy"),
        ):
            notes = private.put_client_secret(unit, client, hashed, 1)
            unit.record(
                kind="client.added",
                actor="quinn",
                add=[
                    records.ServiceClient(
                        id=client, title=client, scope=scope,
                        permissions=permissions, secret_epoch=1, disabled=False,
                    )
                ],
                notes=notes,
            )  # fmt: skip

    deployment.pen.commit(write)


class ShiftedClock(SystemClock):
    """The machine's clock, moved by hand."""

    shift_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.shift_us


class InProcess:
    """Calls an ASGI application without a socket, and runs its lifespan around the calls."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://vigil.test")

    def __enter__(self) -> Self:
        self._runner.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._stop())
        self._runner.close()

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a POST."""
        return self.request("POST", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and wait for the whole response."""
        return self._runner.run(self._client.request(method, path, **options))

    def together(self, count: int, path: str, **options: Any) -> list[httpx.Response]:
        """Send the same POST `count` times at once."""

        async def all_of_them() -> list[httpx.Response]:
            calls = [self._client.post(path, **options) for _ in range(count)]
            return list(await asyncio.gather(*calls))

        return self._runner.run(all_of_them())

    async def _start(self) -> None:
        self._events: asyncio.Queue[str] = asyncio.Queue()
        self._started, self._ended = asyncio.Event(), asyncio.Event()

        async def receive() -> dict[str, Any]:
            return {"type": await self._events.get()}

        async def send(message: Message) -> None:
            done = {"lifespan.startup.complete": self._started}
            done.get(message["type"], self._ended).set()

        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._lifespan = asyncio.create_task(self._app(scope, receive, send))
        await self._events.put("lifespan.startup")
        await self._started.wait()

    async def _stop(self) -> None:
        await self._client.aclose()
        await self._events.put("lifespan.shutdown")
        await self._lifespan


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API of an open home, and shortcuts to use it as a caller would."""

    deployment: Deployment
    http: InProcess
    authority: TokenAuthority

    def token(self, client: str = "planner", *, scopes: str = "", **fields: Any) -> str:
        """Return a token as POST /oauth/token would issue it."""
        known = {
            "planner": "infer:forecasting", "auditor": "read", "inspector": "read",
            "dispensary": "outcomes:write",
        }  # fmt: skip
        issued = {
            "client": client,
            "scopes": frozenset((scopes or known[client]).split()),
            "secret_epoch": 1,
            "now_us": self.deployment.clock.now_us(),
        }
        return self.authority.issue(**{**issued, **fields})[0]

    def bearer(self, client: str = "planner", **fields: Any) -> dict[str, str]:
        """Return the header of a client's request."""
        return {"Authorization": f"Bearer {self.token(client, **fields)}"}

    def ask(self, question: Any = None, *, path: str = PREDICT, **options: Any) -> Any:
        """Ask the model and return the response."""
        headers = {**self.bearer(), **options.pop("headers", {})}
        if "content" in options:
            headers.setdefault("Content-Type", "application/json")
            return self.http.post(path, headers=headers, **options)
        body = QUESTION if question is None else question
        return self.http.post(path, json=body, headers=headers, **options)

    def act(self, record: records.Record, *, kind: str = "hold.placed") -> None:
        """Commit an act that adds a record."""
        self.deployment.pen.commit(lambda unit: unit.record(kind=kind, actor="quinn", add=[record]))

    def size(self) -> int:
        """Return the number of entries."""
        return self.deployment.ledger.head()[0]


@contextmanager
def running(root: Path, *, clock: Clock | None = None) -> Iterator[Api]:
    """Open the home and serve it in this process."""
    with open_deployment(root, clock=clock) as deployment:
        authority = TokenAuthority(key=deployment.home.token_key(), issuer=deployment.home.origin)
        with InProcess(create_app(deployment)) as http:
            yield Api(deployment=deployment, http=http, authority=authority)
