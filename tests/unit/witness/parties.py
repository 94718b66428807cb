"""A log and its witnesses for the tests: fixed keys, a clock that only the test moves."""

from __future__ import annotations

from pathlib import Path

from governance.clock import FixedClock
from governance.ledger.core.merkle import Tree
from governance.ledger.core.note import COSIGNATURE_V1, VerifierKey
from governance.ledger.core.policy import Policy
from governance.ledger.core.witness import encode_add_checkpoint
from governance.witness.home import WitnessHome
from governance.witness.store import SeenStore
from governance.witness.witness import Reply, Witness
from tests.unit.ledger.sample import START_US, SampleLog, policy_text, private_key, witness_key

LOG = SampleLog.of(16)
START_S = START_US // 1_000_000


def forked(at: int, size: int) -> SampleLog:
    """Return a log that agrees with LOG up to `at` and tells another story from there on."""
    fork = SampleLog.of(at)
    while fork.tree.size < size:
        facts = {"n": fork.tree.size, "other": "story"}
        fork.append(kind="model.registered", facts=facts, body=None)
    return fork


def witness_home(root: Path, name: str) -> WitnessHome:
    """Return the folder of the sample witness `name` with its fixed key."""
    root.mkdir(parents=True, exist_ok=True)
    key = private_key(name)
    vkey = VerifierKey.of(key, name=f"witness.example/{name}", algorithm=COSIGNATURE_V1)
    assert vkey == witness_key(name)
    return WitnessHome(root=root, vkey=vkey, key=key)


def make_witness(
    root: Path, name: str = "hospital", *, clock: FixedClock | None = None, policy: str = ""
) -> Witness:
    """Return a witness of the sample log that keeps its memory in `root`."""
    home = witness_home(root, name)
    return Witness(
        home=home,
        store=SeenStore(home.database_path),
        policy=Policy.parse((policy or policy_text()).encode()),
        clock=clock or FixedClock(now_us=START_US),
    )


def request(
    size: int,
    *,
    old: int = 0,
    log: SampleLog = LOG,
    proof: list[bytes] | None = None,
    note: bytes | None = None,
) -> bytes:
    """Return the body of add-checkpoint for the log at `size`."""
    tree: Tree = log.tree
    if proof is None:
        proof = tree.consistency_proof(old, size) if old <= size else []
    return encode_add_checkpoint(old_size=old, proof=proof, checkpoint=note or log.note(size))


def submit(witness: Witness, size: int, *, old: int = 0, log: SampleLog = LOG) -> Reply:
    """Send the log's checkpoint at `size` to the witness."""
    return witness.add_checkpoint(request(size, old=old, log=log))
