"""A load generator of our own: keep-alive clients over loopback, bounded in count and in time.

Run as a program it reads one plan from standard input and writes one JSON object:

    {"port": 8000, "path": "/…", "headers": {…}, "body": "…", "clients": 32,
     "requests_max": 2000, "seconds_max": 3.0}

Every client sends its next request when the answer to the last one is whole (a closed loop). The
latencies are those of the client, from the first byte sent to the last byte read.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

# A server that stops answering must not keep the benchmark: the run ends then, as failed.
GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent, by how many, and when it ends."""

    port: int
    path: str
    headers: dict[str, str]
    body: str
    clients: int
    requests_max: int
    seconds_max: float

    def request(self) -> bytes:
        """Return the bytes of one request."""
        content = self.body.encode()
        lines = [f"POST {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}", "", ""]
        return "\r\n".join(lines).encode() + content


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._wanted = -1
        self._sent_at = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._wanted < 0:
            head, separator, _ = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lower = head.lower()
            length = lower[lower.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0]
            self._wanted = len(head) + 4 + int(length)
            self._run.count(int(head[9:12]))
        if len(self._buffer) >= self._wanted:
            self._run.latencies.append(time.perf_counter() - self._sent_at)
            self._buffer, self._wanted = b"", -1
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.left(self)

    def _send(self) -> None:
        assert self._transport is not None
        if self._run.over():
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._run.request)


class Run:
    """The requests of one plan, by all of its clients."""

    def __init__(self, plan: Plan) -> None:
        self.request = plan.request()
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self._plan = plan
        self._begun = 0
        self._end = 0.0
        self._clients: set[Client] = set()
        self._done = asyncio.Event()

    def over(self) -> bool:
        """Whether no further request is begun; counts the one that is."""
        if self._begun >= self._plan.requests_max or time.perf_counter() >= self._end:
            return True
        self._begun += 1
        return False

    def count(self, status: int) -> None:
        """Count a response."""
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def left(self, client: Client) -> None:
        """Note that a client is done."""
        self._clients.discard(client)
        if not self._clients:
            self._done.set()

    async def run(self) -> dict[str, Any]:
        """Run the plan and return what was measured."""
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        self._end = started + self._plan.seconds_max
        self._clients = {Client(self) for _ in range(self._plan.clients)}
        for client in list(self._clients):
            await loop.create_connection(lambda one=client: one, "127.0.0.1", self._plan.port)  # type: ignore[misc]
        async with asyncio.timeout(self._plan.seconds_max + GRACE_SECONDS):
            await self._done.wait()
        seconds = time.perf_counter() - started
        ordered = sorted(self.latencies)
        return {
            "requests": len(ordered),
            "seconds": seconds,
            "per_second": len(ordered) / seconds,
            "p50_ms": 1000 * quantile(ordered, 0.50),
            "p99_ms": 1000 * quantile(ordered, 0.99),
            "statuses": {str(status): count for status, count in self.statuses.items()},
        }


def quantile(ordered: list[float], level: float) -> float:
    """Return the nearest-rank quantile of sorted values."""
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(level * len(ordered)))]


def main() -> None:
    """Run the plan on standard input."""
    import uvloop

    plan = Plan(**json.load(sys.stdin))

    async def measure() -> dict[str, Any]:
        return await Run(plan).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(measure()), sys.stdout)


if __name__ == "__main__":
    main()
