"""A witness learns a log's new key from its operator, and forgets nothing that it saw (P3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.errors import InvalidInput
from governance.ledger.core.errors import PolicyRejected
from governance.ledger.core.note import VerifierKey
from governance.ledger.core.policy import Policy
from governance.witness.known_logs import KnownLogs, LogKeyRefused, add_log_key, retire_log_key
from tests.unit.ledger.sample import ORIGIN, policy_text, private_key, witness_key

pytestmark = pytest.mark.requirement("P3")
OLD = Policy.parse(policy_text().encode()).log_keys(ORIGIN)[0].text()
NEW = VerifierKey.of(private_key("log-2"), name=ORIGIN).text()
STRANGER = VerifierKey.of(private_key("log-2"), name="example.org/other/audit/x").text()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.policy"
    path.write_text(f"# ours\n{policy_text()}")
    return path


def keys(path: Path) -> list[str]:
    return [key.text() for key in Policy.parse(path.read_bytes()).log_keys(ORIGIN)]


def test_a_key_is_added_beside_the_old_one_and_the_old_one_retired(path: Path) -> None:
    assert add_log_key(path, NEW) == {"origin": ORIGIN, "keys": [OLD, NEW]}
    assert add_log_key(path, f" {NEW}\n")["keys"] == [OLD, NEW]
    assert retire_log_key(path, OLD)["keys"] == [NEW]
    assert retire_log_key(path, OLD)["keys"] == [NEW]
    assert path.read_text().startswith("# ours\n")


def test_a_running_witness_follows_the_file(path: Path) -> None:
    logs = KnownLogs(path)
    assert logs.changed() is None
    add_log_key(path, NEW)
    changed = logs.changed()
    assert changed is not None
    assert len(changed.log_keys(ORIGIN)) == 2
    assert logs.changed() is None


@pytest.mark.parametrize("content", [b"", b"log x\n", b"\xff\n"])
def test_a_file_that_cannot_be_read_leaves_the_logs_as_they_were(
    path: Path, content: bytes
) -> None:
    logs = KnownLogs(path)
    path.write_bytes(content)
    assert logs.changed() is None
    path.unlink()
    assert logs.changed() is None
    assert logs.policy.log_keys(ORIGIN)


@pytest.mark.parametrize("vkey", ["", "x", OLD[:-2], witness_key("hospital").text()])
def test_what_is_no_key_of_a_log_is_refused(path: Path, vkey: str) -> None:
    before = path.read_bytes()
    for change in (add_log_key, retire_log_key):
        with pytest.raises(InvalidInput):
            change(path, vkey)
    assert path.read_bytes() == before


def test_a_key_of_a_log_that_is_not_known_is_refused(path: Path) -> None:
    with pytest.raises(LogKeyRefused, match="no log"):
        add_log_key(path, STRANGER)


def test_the_only_key_of_a_log_is_not_retired(path: Path) -> None:
    with pytest.raises(LogKeyRefused, match="only key"):
        retire_log_key(path, OLD)
    assert keys(path) == [OLD]


def test_a_file_that_is_no_policy_is_not_changed(path: Path) -> None:
    path.write_text("nonsense\n")
    with pytest.raises(PolicyRejected):
        add_log_key(path, NEW)
    assert path.read_text() == "nonsense\n"
