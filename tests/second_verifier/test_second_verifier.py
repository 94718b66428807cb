"""The second verifier stands alone, reads the page's example, and holds real homes to account."""

from __future__ import annotations

import ast
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from governance.clock import FixedClock
from governance.home import Home
from governance.storage.open import create_home, open_storage
from governance.storage.ports import Unit
from tests.integration.storage.samples import HOLD, NOW_US, PERSON, answer
from tests.second_verifier import verifier
from tests.second_verifier.agreement import Row, dump, log_is_accepted, receipt_is_accepted

ROOT = Path(__file__).parents[2]
FILE = Path(verifier.__file__)
GOLDEN = ROOT / "tests" / "golden" / "ledger"


def run(folder: Path, *words: str) -> tuple[int, str]:
    """Run the file alone in a folder, without the project on the path."""
    done = subprocess.run(
        [sys.executable, "-I", str(FILE), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


# --- alone --------------------------------------------------------------------------------------


def test_it_imports_the_standard_library_and_cryptography_alone() -> None:
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names - {"cryptography"} <= sys.stdlib_module_names


# --- the page and the public vectors ------------------------------------------------------------


@pytest.fixture(scope="module")
def page() -> dict[str, str]:
    """Return name -> content of the blocks of the page's worked example."""
    text = (ROOT / "docs" / "reference" / "ledger-format.md").read_text(encoding="utf-8")
    return dict(re.findall(r"```text (\S+)\n(.*?)\n```", text, re.DOTALL))


def test_the_hashes_of_the_worked_example_come_out(page: dict[str, str]) -> None:
    salt = bytes.fromhex(page["facts_salt_1"])
    body_salt = bytes.fromhex(page["body_salt_1"])
    assert verifier.genesis(page["origin"]) == page["genesis_prev"]
    assert verifier.commitment("facts", salt, page["facts_1"].encode()) == page["facts_c_1"]
    assert verifier.commitment("body", body_salt, page["body_1"].encode()) == page["body_c_1"]
    entry = verifier.read_entry(page["entry_1"].encode())
    assert entry.leaf.hex() == page["leaf_1"]
    assert (entry.prev, entry.facts_c, entry.body_c) == (
        page["leaf_0"],
        page["facts_c_1"],
        page["body_c_1"],
    )


def open_example(page: dict[str, str], **other: bytes) -> bytes:
    parts = {
        "dek": bytes.fromhex(page["dek_1"]),
        "nonce": bytes.fromhex(page["nonce_1"]),
        "key_commitment": bytes.fromhex(page["key_commitment_1"]),
        "sealed": bytes.fromhex(page["ciphertext_1"]),
    } | other
    event_id = verifier.read_entry(page["entry_1"].encode()).event_id
    return verifier.open_body(origin=page["origin"], event_id=event_id, **parts)


def test_the_body_of_the_worked_example_opens(page: dict[str, str]) -> None:
    assert open_example(page).decode() == page["body_1"]


@pytest.mark.parametrize("part", ["dek", "nonce", "key_commitment", "sealed"])
def test_a_body_with_another_part_does_not_open(page: dict[str, str], part: str) -> None:
    raw = bytes.fromhex({"sealed": page["ciphertext_1"]}.get(part) or page[f"{part}_1"])
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(verifier.Refused):
            open_example(page, **{part: changed})
    with pytest.raises(verifier.Refused):
        open_example(page, **{part: raw[:-1]})


def test_the_checkpoint_of_the_worked_example_reaches_s1(page: dict[str, str]) -> None:
    policy = verifier.read_policy(page["policy"].encode() + b"\n")
    point = verifier.read_checkpoint(page["checkpoint_11"] + "\n")
    assert verifier.check_checkpoint(point, policy, accept_s0=False) == "S1"
    proof = verifier.read_proof(page["proof_7"] + "\n")
    assert (proof.index, len(proof.path), proof.checkpoint.root) == (7, 4, point.root)


def test_the_published_trees_come_out() -> None:
    vectors = json.loads((GOLDEN / "rfc6962.json").read_bytes())
    leaves = [verifier.digest(b"\x00", bytes.fromhex(leaf)) for leaf in vectors["leaves"]]
    roots = [bytes.fromhex(root) for root in vectors["roots"]]
    frontier = verifier.Frontier()
    assert frontier.root() == roots[0]
    for leaf, root in zip(leaves, roots[1:], strict=True):
        frontier.add(leaf)
        assert frontier.root() == root
    for one in vectors["inclusion"]:
        path = [bytes.fromhex(p) for p in one["proof"]]
        leaf = leaves[one["index"]]
        assert roots[one["size"]] == verifier.root_from_path(
            leaf=leaf, index=one["index"], size=one["size"], path=path
        )
    for one in vectors["consistency"]:
        verifier.check_consistency(
            old=one["old"],
            new=one["new"],
            old_root=roots[one["old"]],
            new_root=roots[one["new"]],
            path=[bytes.fromhex(p) for p in one["proof"]],
        )


def test_the_frozen_consistency_proofs_hold() -> None:
    for one in json.loads((GOLDEN / "v1-consistency.json").read_bytes()):
        verifier.check_consistency(
            old=one["old"],
            new=one["new"],
            old_root=bytes.fromhex(one["old_root"]),
            new_root=bytes.fromhex(one["new_root"]),
            path=[bytes.fromhex(p) for p in one["proof"]],
        )


def test_a_checkpoint_of_a_public_log_and_its_witnesses_reaches_s1() -> None:
    public = json.loads((GOLDEN / "notes.json").read_bytes())["public_log"]
    names = [f"w{n}" for n, _ in enumerate(public["witness_vkeys"])]
    lines = [f"log {public['log_vkey']}"]
    lines += [f"witness {n} {k}" for n, k in zip(names, public["witness_vkeys"], strict=True)]
    lines += [f"group all-of-them all {' '.join(names)}", "quorum all-of-them", ""]
    policy = verifier.read_policy("\n".join(lines).encode())
    point = verifier.read_checkpoint(public["note"])
    assert verifier.check_checkpoint(point, policy, accept_s0=False) == "S1"
    assert (point.origin, point.size) == (public["origin"], public["size"])


# --- the frozen log, on the command line --------------------------------------------------------


def frozen_rows() -> list[Row]:
    rows = json.loads((GOLDEN / "v1-log.json").read_bytes())
    return [
        Row(
            seq=row["seq"],
            event_id=row["event_id"],
            env=row["env"].encode(),
            leaf=bytes.fromhex(row["leaf"]),
            facts=row["facts"].encode(),
            facts_salt=bytes.fromhex(row["facts_salt"]),
            body_salt=bytes.fromhex(row["body_salt"]) if row["body_salt"] else None,
            sealed=row["sealed"] is not None,
        )
        for row in rows
    ]


def frozen(name: str) -> bytes:
    return (GOLDEN / f"v1-{name}").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the frozen policy, receipts and log, as an auditor takes them home."""
    for name in ("policy.txt", "s0.receipt.json", "s1.receipt.json", "checkpoint.txt"):
        (tmp_path / name).write_bytes(frozen(name))
    (tmp_path / "log.dump").write_bytes(dump(frozen_rows(), [frozen("checkpoint.txt")]))
    return tmp_path


def test_a_receipt_is_verified_on_the_command_line(folder: Path) -> None:
    code, told = run(folder, "receipt", "s1.receipt.json", "--policy", "policy.txt")
    assert (code, told.startswith("The receipt holds at stage S1: entry 7 ")) == (0, True)


def test_a_receipt_below_the_quorum_needs_an_explicit_step_down(folder: Path) -> None:
    words = ("receipt", "s0.receipt.json", "--policy", "policy.txt")
    code, told = run(folder, *words)
    assert (code, told.startswith("Refused: quorum: ")) == (1, True)
    code, told = run(folder, *words, "--accept-s0")
    assert (code, told.startswith("The receipt holds at stage S0: ")) == (0, True)


def test_a_log_is_verified_on_the_command_line(folder: Path) -> None:
    code, told = run(folder, "chain", "log.dump", "--policy", "policy.txt")
    assert code == 0
    assert told == (
        "The log of 11 entries holds: 11 lie under a matching checkpoint, 0 are not anchored;"
        " bodies: 0 compared, 7 not opened, 0 erased.\n"
    )


def test_a_cut_tail_is_seen_with_the_checkpoint_that_was_kept(folder: Path) -> None:
    (folder / "cut.dump").write_bytes(dump(frozen_rows()[:9]))
    words = ("chain", "cut.dump", "--policy", "policy.txt")
    assert run(folder, *words)[0] == 0
    code, told = run(folder, *words, "--checkpoint", "checkpoint.txt")
    assert (code, told) == (1, "Refused: chain: the log has 9 entries, a checkpoint has 11.\n")


def test_bodies_that_are_left_out_must_be_declared(folder: Path) -> None:
    bare = [replace(row, body_salt=None, sealed=False) for row in frozen_rows()]
    (folder / "bare.dump").write_bytes(dump(bare))
    words = ("chain", "bare.dump", "--policy", "policy.txt")
    code, told = run(folder, *words)
    assert (code, told.startswith("Refused: chain: row 1: body_c: ")) == (1, True)
    assert run(folder, *words, "--without-bodies")[0] == 0
    code, told = run(folder, "chain", "log.dump", "--policy", "policy.txt", "--without-bodies")
    assert (code, "leaves bodies out" in told) == (1, True)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("policy.txt", b""),
        ("policy.txt", b"quorum none"),
        ("s1.receipt.json", b""),
        ("s1.receipt.json", b"[" * 100_000),
        ("s1.receipt.json", frozen("s1.receipt.json") + b"\n"),
        ("s1.receipt.json", frozen("withheld.receipt.json")[:-1]),
    ],
)
def test_a_malformed_file_is_refused_in_a_sentence(folder: Path, file: str, content: bytes) -> None:
    (folder / file).write_bytes(content)
    code, told = run(folder, "receipt", "s1.receipt.json", "--policy", "policy.txt")
    assert (code, told.startswith("Refused: "), told.count("\n")) == (1, True, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"\n",
        lambda raw: b"[]\n" + raw,
        lambda raw: raw.replace(b'"seq":4', b'"seq": 4'),
        lambda raw: raw.replace(b'"seq":4', b'"seq":"4"'),
        lambda raw: raw.replace(b'"seq":1}', b'"seq":true}'),
        lambda raw: raw.replace(b'"sealed":true', b'"sealed":1'),
        lambda raw: raw.replace(b'"leaf"', b'"blatt"'),
    ],
)
def test_a_malformed_dump_is_refused(change: Callable[[bytes], bytes]) -> None:
    policy = verifier.read_policy(frozen("policy.txt"))
    raw = dump(frozen_rows(), [frozen("checkpoint.txt")])
    assert verifier.verify_chain(raw, policy).anchored == 11
    assert change(raw) != raw
    with pytest.raises(verifier.Refused):
        verifier.verify_chain(change(raw), policy)


def test_a_missing_file_is_refused_and_wrong_usage_is_told_apart(folder: Path) -> None:
    code, told = run(folder, "receipt", "absent", "--policy", "policy.txt")
    assert (code, told.startswith("Refused: ")) == (1, True)
    assert run(folder, "receipt", "s1.receipt.json")[0] == 2


# --- a real home --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A home with acts and answers, its receipts, and its bodies by `seq` as the project opens."""

    root: Path
    receipts: list[bytes]
    bodies: dict[int, bytes]


def write(unit: Unit) -> None:
    unit.record(kind="person.added", actor="ana", add=[PERSON])
    unit.record(kind="hold.placed", actor="ana", add=[HOLD])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("real") / "home"
    clock = FixedClock(now_us=NOW_US)
    home = create_home(root, organisation="acme", deployment="test", clock=clock)
    with open_storage(home, clock=clock) as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        given = [answer(key_id, number=number) for number in range(3)]
        given.append(replace(answer(key_id, number=3), body=None, kind="inference.refused"))
        receipts = [storage.pen.answer(one).result(30).receipt for one in given]
        storage.pen.commit(write)
        receipts.append(storage.pen.answer(answer(key_id, number=4)).result(30).receipt)
        entries = storage.ledger.entries()
        receipts += [storage.ledger.receipt(entry.event_id) for entry in entries]
        found = {entry.seq: storage.ledger.body(entry.seq) for entry in entries}
    bodies = {seq: body for seq, body in found.items() if body is not None}
    return Made(root=root, receipts=receipts, bodies=bodies)


@pytest.fixture
def home(made: Made, tmp_path: Path) -> Home:
    """Return a copy of the home that a test may change."""
    shutil.copytree(made.root, tmp_path / "home")
    return Home.open(tmp_path / "home")


def exported(home: Home, bodies: dict[int, bytes]) -> tuple[list[Row], list[bytes]]:
    """Return the rows and checkpoints of the home's file as they stand in it."""
    with closing(sqlite3.connect(home.database_path)) as database:
        rows = [
            Row(
                seq=seq,
                event_id=event_id,
                env=env,
                leaf=leaf,
                facts=facts,
                facts_salt=facts_salt,
                body=bodies.get(seq) if ciphertext is not None else None,
                body_salt=salt,
                sealed=ciphertext is not None and seq not in bodies,
                erased=erased is not None,
            )
            for seq, event_id, env, leaf, facts, facts_salt, ciphertext, salt, erased in (
                database.execute(
                    "SELECT e.seq, e.event_id, e.env, e.leaf, e.facts, e.facts_salt,"
                    " b.ciphertext, b.salt, b.erased_by_seq"
                    " FROM entry e LEFT JOIN body b USING (seq) ORDER BY e.seq"
                )
            )
        ]
        notes = database.execute("SELECT note FROM checkpoint ORDER BY size").fetchall()
    return rows, [note.encode() for (note,) in notes]


def test_receipts_of_a_real_home_are_accepted_by_both(made: Made, home: Home) -> None:
    policy = home.policy_path.read_bytes()
    assert len(made.receipts) > 8
    assert all(receipt_is_accepted(raw, policy) for raw in made.receipts)


def test_the_log_of_a_real_home_is_accepted_by_both(made: Made, home: Home) -> None:
    rows, notes = exported(home, made.bodies)
    assert len(rows) > 5
    assert len(made.bodies) >= 3
    assert notes
    policy = home.policy_path.read_bytes()
    assert log_is_accepted(rows, notes, policy)
    unopened, _ = exported(home, {})
    assert log_is_accepted(unopened, notes, policy, opened=False)


def test_a_real_home_is_verified_on_the_command_line(
    made: Made, home: Home, tmp_path: Path
) -> None:
    rows, notes = exported(home, made.bodies)
    (tmp_path / "log.dump").write_bytes(dump(rows, notes))
    (tmp_path / "one.receipt").write_bytes(made.receipts[0])
    policy = str(home.policy_path)
    assert run(tmp_path, "chain", "log.dump", "--policy", policy)[0] == 0
    assert run(tmp_path, "receipt", "one.receipt", "--policy", policy)[0] == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET facts = CAST(replace(facts, 'clinic', 'x') AS BLOB) WHERE seq = {seq}",
        "UPDATE entry SET facts_salt = zeroblob(32) WHERE seq = {seq}",
        "UPDATE entry SET leaf = zeroblob(32) WHERE seq = {seq}",
        "UPDATE entry SET event_id = 'x' WHERE seq = {seq}",
        "UPDATE entry SET env = (SELECT env FROM entry WHERE seq = 0) WHERE seq = {seq}",
        "DELETE FROM entry WHERE seq = {seq}",
        "DELETE FROM entry WHERE seq >= {seq}",
        "UPDATE body SET ciphertext = NULL, salt = NULL WHERE seq = {seq}",
        "UPDATE body SET salt = zeroblob(32) WHERE seq = {seq}",
        "UPDATE body SET erased_by_seq = 2 WHERE seq = {seq}",
        "DELETE FROM body WHERE seq = {seq}",
    ],
)
def test_a_changed_file_of_a_real_home_is_refused_by_both(
    made: Made, home: Home, statement: str
) -> None:
    _, notes = exported(home, {})
    seq = min(made.bodies)
    with closing(sqlite3.connect(home.database_path)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        for (trigger,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        assert database.execute(statement.format(seq=seq)).rowcount > 0
        database.commit()
    rows, _ = exported(home, made.bodies)
    assert not log_is_accepted(rows, notes, home.policy_path.read_bytes())
