"""The drill: the log key is stolen, forks are made with it, and the honest log is recovered (P3).

Three witnesses run as other parties run them, each a process of its own. The thief has the log's
private key and a copy of the log, and no witness's key. docs/guides/keys-and-recovery.md tells it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from governance.adapters.witness_client import HttpWitness
from governance.deployment import open_deployment
from governance.errors import GovernanceError
from governance.home import Home
from governance.ledger.core.checkpoint import Checkpoint, sign_checkpoint
from governance.ledger.core.merkle import Tree
from governance.ledger.core.note import VerifierKey, with_lines
from governance.ledger.core.policy import Policy
from governance.ledger.core.witness import encode_add_checkpoint, parse_cosignatures
from governance.operations.admin.succession import recover_log
from governance.operations.inspect.verify_files import verify_files
from governance.storage.succession.pending import SUCCEEDED
from governance.storage.succession.statement import PREDECESSOR
from tests.functional.witness.parties import NAMES, Party, configure, served_witness
from tests.integration.succession.ending import clock, contents, lived_in, reopened, request
from tests.support.demonstration import run_vigil
from tests.support.small_deployment import cheap_passwords

pytestmark = [pytest.mark.requirement("P3"), pytest.mark.slow]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with cheap_passwords():
        yield Home.open(lived_in(tmp_path))


@contextmanager
def witnessed(home: Home, folder: Path) -> Iterator[list[Party]]:
    """Serve three witnesses of the home, put in force, of which two must agree."""
    policy = folder / "for-witnesses.policy"
    shutil.copy(home.policy_path, policy)
    with ExitStack() as stack:
        parties = [
            stack.enter_context(served_witness(folder / name, name=name, policy=policy))
            for name in NAMES
        ]
        configure(home.root, parties, quorum=2)
        with reopened(home.root) as opened:
            opened.perform("ada", "witness.apply")
        yield parties


def fork(tree: Tree, home: Home, *, name: bytes) -> tuple[Tree, bytes]:
    """Return another history from the thief's choice on, signed with the stolen key."""
    forged = Tree()
    forged.extend(tree.leaf(at) for at in range(tree.size - 5))
    forged.extend([name.ljust(32, b".")] * 9)
    checkpoint = Checkpoint(origin=home.origin, size=forged.size, root=forged.root())
    return forged, sign_checkpoint(checkpoint, private_key=home.log_key())


def ask(party: Party, forged: Tree, note: bytes, *, old: int) -> str | None:
    """Ask a witness for its cosignature as a thief would; return the line, None for a refusal."""
    body = encode_add_checkpoint(
        old_size=old, proof=forged.consistency_proof(old, forged.size), checkpoint=note
    )
    answer = HttpWitness(party.address).add_checkpoint(body)
    if answer.status != 200:
        return None
    return parse_cosignatures(answer.body, checkpoint=note, key=VerifierKey.parse(party.vkey))[-1]


def stage_reached(policy: Policy, note: bytes, lines: list[str], parties: list[Party]) -> bool:
    """Return whether those who cosigned the fork satisfy the policy."""
    joined = with_lines(note, lines).decode() if lines else note.decode()
    keys = [VerifierKey.parse(party.vkey) for party in parties]
    return policy.satisfied(key for key in keys if f"— {key.name} " in joined)


def test_forks_of_a_stolen_key_gain_no_quorum_and_two_people_recover(
    home: Home, tmp_path: Path
) -> None:
    with witnessed(home, tmp_path) as parties:
        with open_deployment(home.root, clock=clock()) as deployment:
            deployment.cosigner.round()
            kept = deployment.cosigner.report().anchored_size
            assert kept == deployment.ledger.head()[0]
            policy, tree = deployment.ledger.policy, deployment.ledger.tree
            for name in (b"one", b"two"):
                forged, note = fork(tree, home, name=name)
                lines = [
                    line
                    for party in parties
                    for old in (0, kept, kept - 5)
                    if (line := ask(party, forged, note, old=old)) is not None
                ]
                assert not lines, "every witness remembers what it cosigned"
                assert not stage_reached(policy, note, lines, parties)
            with served_witness(
                tmp_path / "new", name="new", policy=tmp_path / "for-witnesses.policy"
            ) as newcomer:
                line = ask(newcomer, forged, note, old=0)
                assert line is not None, "without memory it cosigns whatever comes first"
                assert not stage_reached(policy, note, [line], parties)
        before = contents(home.root)
        for refused in (request("ada", "ada"), request("ada", "mo")):
            with pytest.raises(GovernanceError):
                recover_log(home.root, tmp_path / "next", refused, compromised=True)
        assert not (tmp_path / "next").exists(), "one signature is none"
        done = run_vigil("ledger", "recover", "--help")
        assert "--compromised" in done.stdout
        asked = request(reason="key_compromised")
        begun = recover_log(home.root, tmp_path / "next", asked, compromised=True)
        after = contents(home.root)
        assert begun.origin in after.pop(SUCCEEDED).decode()
        assert after == before
    assert (begun.mode, begun.kept) == ("compromised", kept)
    report = verify_files(tmp_path / "next")
    assert report.succeeds is not None
    assert report.succeeds.lost is not None
    assert report.succeeds.lost[0] == kept
    with reopened(tmp_path / "next") as opened:
        facts = opened.deployment.ledger.entry(0).facts
        assert isinstance(facts, dict)
        assert isinstance(facts[PREDECESSOR], dict)
        assert Home.open(tmp_path / "next").log_key() != home.log_key()
