"""The way to a witness: only the address that was configured, bounded in bytes and time (P15)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from governance.adapters import witness_client
from governance.adapters.witness_client import HttpWitness
from governance.ledger.core.witness import MAX_ANSWER_BYTES, SIZE_TYPE, seen_path
from governance.ledger.store.witnesses import WitnessUnreachable

pytestmark = pytest.mark.requirement("P15")
ADDRESS = "https://witness.hospital.example/log"


def door(answer: Callable[[httpx.Request], httpx.Response], **options: float) -> HttpWitness:
    return HttpWitness(ADDRESS, transport=httpx.MockTransport(answer), **options)


def told(status: int, body: bytes = b"", **headers: str) -> httpx.Response:
    """Return a response as a connection gives it: not read yet."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=iter([body]), headers=named)


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS + "/"])
def test_a_request_goes_to_the_configured_prefix(address: str) -> None:
    asked: list[tuple[str, str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url), request.read()))
        return told(409, b"5\n", content_type=SIZE_TYPE)

    witness = HttpWitness(address, transport=httpx.MockTransport(answer))
    said = witness.add_checkpoint(b"old 0\n\n")
    assert (said.status, said.content_type, said.body) == (409, SIZE_TYPE, b"5\n")
    witness.seen("example.org/log")
    assert asked == [
        ("POST", f"{ADDRESS}/add-checkpoint", b"old 0\n\n"),
        ("GET", ADDRESS + seen_path("example.org/log"), b""),
    ]


def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return told(307, location="https://elsewhere.example/")

    assert door(answer).add_checkpoint(b"x").status == 307
    assert asked == ["witness.hospital.example"]


def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, object]] = []
    client = httpx.Client

    def noted(**options: object) -> httpx.Client:
        made.append(options)
        return client(**options)  # type: ignore[arg-type]

    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:3128")
    monkeypatch.setattr(witness_client.httpx, "Client", noted)
    door(lambda _request: told(204)).seen("example.org/log")
    assert made[0]["trust_env"] is False
    assert made[0]["follow_redirects"] is False


def test_an_answer_that_is_too_large_is_cut_off() -> None:
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 65536
            yield bytes(65536)

    with pytest.raises(WitnessUnreachable, match="more than"):
        door(lambda _request: httpx.Response(200, content=pieces())).seen("example.org/log")
    assert taken <= MAX_ANSWER_BYTES + 2 * 65536


def test_a_compressed_answer_is_not_unpacked() -> None:
    """A few bytes that become gigabytes are no answer of a witness."""
    bomb = told(200, b"\x1f\x8b", content_encoding="gzip")
    assert door(lambda _request: bomb).seen("example.org/log").body == b"\x1f\x8b"


def test_an_answer_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def pieces() -> Iterator[bytes]:
        while True:
            now[0] += 1.0  # a byte a second never meets a limit between two bytes
            yield b"x"

    with pytest.raises(WitnessUnreachable, match="longer than 10 s"):
        door(lambda _request: httpx.Response(200, content=pieces())).seen("example.org/log")
    assert now[0] < 12


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError]
)
def test_a_failure_of_the_network_is_our_own_error(error: type[httpx.TransportError]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("secret detail", request=request)

    with pytest.raises(WitnessUnreachable) as failed:
        door(answer).add_checkpoint(b"x")
    assert failed.value.code == "witness.unreachable"
    assert "secret detail" not in str(failed.value)
    assert ADDRESS in str(failed.value)


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with pytest.raises(WitnessUnreachable):
        HttpWitness("http://127.0.0.1:9").seen("example.org/log")
