"""A home and three witnesses over HTTP, each started by its own command."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.functional.witness.parties import NAMES, Party, configure, served_witness
from tests.support.demonstration import (
    Demonstration,
    address_of,
    result,
    run_vigil,
    start_server,
)

pytestmark = [pytest.mark.requirement("P3"), pytest.mark.slow]
PASSWORD = "a-long-enough-password"


class Clinic(Demonstration):
    """A bare home with one administrator."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that is made once and only copied."""
    home = tmp_path_factory.mktemp("clinic") / "home"
    done = run_vigil(
        "init", "--organisation", "st-olav", "--administrator", "ada", "--printed-name",
        "Ada Berg", "--home", str(home), password=PASSWORD,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def clinic(made: Path, tmp_path: Path) -> Clinic:
    home = Path(shutil.copytree(made, tmp_path / "home"))
    clinic = Clinic(home=home, passwords={"ada": PASSWORD}, state=tmp_path / "state", told="")
    clinic.login("ada")
    return clinic


@pytest.fixture
def parties(clinic: Clinic, tmp_path: Path) -> Iterator[list[Party]]:
    policy = tmp_path / "for-witnesses.policy"
    shutil.copy(clinic.home / "log.policy", policy)
    with ExitStack() as stack:
        yield [
            stack.enter_context(served_witness(tmp_path / name, name=name, policy=policy))
            for name in NAMES
        ]


def add_client(clinic: Clinic, name: str) -> None:
    done = clinic.vigil(
        "client", "add", name, "--title", name, "--scope", "st-olav/*", "--allow", "read"
    )
    assert done.returncode == 0, done.stderr


def anchored(clinic: Clinic) -> dict[str, int]:
    return result(clinic.vigil("ledger", "witness", "status", "--json"))


def serve_until_anchored(clinic: Clinic) -> None:
    """Serve the home until a quorum has seen all of it; /readyz tells."""
    process = start_server(clinic.home)
    try:
        address = address_of(process)
        for _ in range(200):
            told = httpx.get(f"{address}/readyz", timeout=10).json()
            if told["witnesses"]["anchored_size"] == told["witnesses"]["size"]:
                return
        raise AssertionError(told)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_whole_way(clinic: Clinic, parties: list[Party], tmp_path: Path) -> None:
    configure(clinic.home, parties, interval_seconds=1)
    pending = result(clinic.vigil("ledger", "witness", "status", "--json"))
    assert pending["quorum"] is False

    applied = result(clinic.vigil("ledger", "witness", "apply", "--json"))
    assert applied["changed"] is True
    assert (clinic.home / "log.policy").read_text() == applied["policy"]
    again = result(clinic.vigil("ledger", "witness", "apply", "--json"))
    assert (again["changed"], again["seq"]) == (False, None)

    backup = Path(shutil.copytree(clinic.home, tmp_path / "backup"))
    add_client(clinic, "ward-one")
    serve_until_anchored(clinic)
    report = result(clinic.vigil("ledger", "verify", "--against-witness", "--json"))
    assert report["witnesses"] == len(NAMES)
    assert report["anchored_size"] == report["size"]
    assert {one["name"]: one["size"] for one in report["compared"]} == dict.fromkeys(
        NAMES, report["size"]
    )

    # a restored backup refuses to write, whoever asks (attack row 9)
    shutil.rmtree(clinic.home)
    shutil.copytree(backup, clinic.home)
    for words in (("client", "list"), ("serve", "--port", "0")):
        done = clinic.vigil(*words)
        assert done.returncode == 3, done.stderr
        assert "ledger.behind_witness" in done.stderr
        assert "`vigil ledger recover NEW_HOME`" in done.stderr
    done = clinic.vigil("ledger", "verify", "--against-witness")
    assert done.returncode == 3
    assert "ledger.behind_witness" in done.stderr
    assert clinic.vigil("ledger", "verify").returncode == 0  # by itself it is whole


def test_a_witness_keeps_its_memory_over_a_restart(
    clinic: Clinic, parties: list[Party], tmp_path: Path
) -> None:
    configure(clinic.home, parties)
    assert clinic.vigil("ledger", "witness", "apply").returncode == 0
    seen = anchored(clinic)["size"]
    with served_witness(
        parties[0].root, name=parties[0].name, policy=tmp_path / "for-witnesses.policy"
    ) as restarted:
        assert restarted.vkey == parties[0].vkey
        from governance.home import Home
        from governance.ledger.core.witness import seen_path

        shown = httpx.get(restarted.address + seen_path(Home.open(clinic.home).origin), timeout=10)
        assert shown.status_code == 200
        assert int(shown.text.split("\n")[1]) == seen


def test_without_witnesses_there_is_nobody_to_compare_with(clinic: Clinic) -> None:
    done = clinic.vigil("ledger", "verify", "--against-witness")
    assert done.returncode == 2
    assert "no witness is configured" in done.stderr


def test_an_unreachable_witness_is_said_and_the_home_opens(clinic: Clinic) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    made = run_vigil(
        "ledger", "witness", "init", "--name", "w.example",
        "--home", str(clinic.home.parent / "w"), "--json",
    )  # fmt: skip
    party = Party(
        name="w",
        root=clinic.home.parent / "w",
        vkey=json.loads(made.stdout)["vkey"],
        address=f"http://127.0.0.1:{port}",
    )
    configure(clinic.home, [party])
    done = clinic.vigil("client", "list")
    assert done.returncode == 0
    assert "started without comparing" in done.stderr
    silent = clinic.vigil("ledger", "verify", "--against-witness")
    assert silent.returncode == 1
    assert "witness.unreachable" in silent.stderr


@pytest.mark.parametrize("words", [("init", "--name", "a b"), ("serve", "--log-policy", "x")])
def test_wrong_usage_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "x").write_text("no policy\n")
    given = [str(tmp_path / "x") if word == "x" else word for word in words]
    done = run_vigil("ledger", "witness", *given, "--home", str(tmp_path / "w"))
    assert done.returncode != 0
    assert not (tmp_path / "w" / "witness.pem").exists()
