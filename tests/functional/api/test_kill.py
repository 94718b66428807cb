"""The server is killed in the middle of its work, again and again.

Goal: an answer that a caller holds is in the ledger, whatever happens to the process (P2), and
the ledger verifies (P3). Method: a real `vigil serve` over a real home, clients that ask without
pause, SIGKILL after a drawn number of answers; then the home is opened, every answer that arrived
is looked up, its receipt is verified with the pinned policy, and the server is started again.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import orjson
import pytest

from governance.adapters.tokens import TokenAuthority
from governance.clock import SystemClock
from governance.deployment import open_deployment
from governance.home import Home
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from tests.functional.api.support import PREDICT, QUESTION

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 8
SEED = 20260501


@contextmanager
def served(home: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run `vigil serve` for the length of the block; gives the process and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "governance.cli", "serve", "--home", str(home), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "http://" in line:
                break
        else:
            pytest.fail("the server did not start: " + "".join(lines))
        port = urlsplit(line[line.index("http://") :].strip()).port
        assert port is not None
        yield process, port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask_until_killed(
    process: subprocess.Popen[str], port: int, token: str, *, kill_after: int
) -> list[bytes]:
    """Ask from several threads, kill the server after `kill_after` answers; return the replies."""
    replies: list[bytes] = []
    body = orjson.dumps(QUESTION)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            while True:
                connection.request("POST", PREDICT, body, headers)
                response = connection.getresponse()
                reply = response.read()
                assert response.status == 200, reply
                replies.append(reply)
                if len(replies) >= kill_after:
                    process.kill()
        except (http.client.HTTPException, OSError):
            return  # the server is gone; what did not arrive whole was never acknowledged
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.wait() != 0
    return replies


def check_ledger(home: Path, replies: list[bytes], policy: Policy) -> int:
    """Verify the whole ledger, and find every reply in it by the receipt that came with it."""
    with open_deployment(home) as deployment:
        verified = deployment.ledger.verify()
        for raw in replies:
            reply: dict[str, Any] = json.loads(raw)
            receipt = orjson.dumps(reply["receipt"], option=orjson.OPT_SORT_KEYS)
            proven = verify_receipt(receipt, policy)
            assert proven.entry.event_id == reply["event_id"]
            entry = deployment.ledger.find(reply["event_id"])
            assert entry.seq == proven.seq
            assert deployment.ledger.body(entry.seq) == proven.body
        return verified.size


def kill_and_check(home: Path, *, rounds: int) -> None:
    rng = np.random.default_rng(SEED)
    opened = Home.open(home)
    policy = Policy.parse(opened.policy_path.read_bytes())
    authority = TokenAuthority(key=opened.token_key(), issuer=opened.origin)
    acknowledged: list[bytes] = []
    size = 0
    for _ in range(rounds):
        token, _seconds = authority.issue(
            client="planner",
            scopes=frozenset({"infer:forecasting"}),
            secret_epoch=1,
            now_us=SystemClock().now_us(),
        )
        with served(home) as (process, port):
            kill_after = int(rng.integers(1, 60))
            acknowledged += ask_until_killed(process, port, token, kill_after=kill_after)
        before, size = size, check_ledger(home, acknowledged, policy)
        assert size > before
    assert len(acknowledged) >= rounds


@pytest.mark.requirement("P2")
@pytest.mark.slow
def test_no_acknowledged_answer_is_lost_when_the_server_is_killed(home: Path) -> None:
    kill_and_check(home, rounds=3)


@pytest.mark.requirement("P2")
@pytest.mark.campaign
def test_no_acknowledged_answer_is_lost_in_twenty_kills(home: Path) -> None:
    kill_and_check(home, rounds=20)
