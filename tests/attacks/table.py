"""The table of attacks: what each row is, what finds it, and which tests run it.

`python -m tests.attacks.table --write` writes docs/reference/attacks.md. A test of row 7 is called
`test_07_…` and stands in this folder, unless `ELSEWHERE` says where it stands.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.attacks.tools import TOOLS
from tests.support.project import ROOT

PAGE: Final = ROOT / "docs/reference/attacks.md"
FOLDER: Final = Path(__file__).parent
_TEST: Final = re.compile(r"test_([0-9]{2})_")

# Number -> attack, what finds it.
ROWS: Final[dict[int, tuple[str, str]]] = {
    1: ("edit a body in the database", "the body's salted commitment in its entry"),
    2: ("edit an envelope", "its leaf hash, or the next entry's link"),
    3: ("delete a row in the middle", "the gap in the numbers"),
    4: ("swap rows", "number and link of each entry"),
    5: ("cut the tail", "the last signed size; without it, the witnesses' size"),
    6: ("rewrite and chain everything again, without a key", "the signed root"),
    7: ("the same with the log's key", "the witnesses: 409, 422, and the start is refused"),
    8: ("delete the checkpoints too", "their absence; witnesses and receipts in the field"),
    9: ("restore an old backup and go on", "the comparison with the witnesses at the start"),
    10: ("show two histories to two audiences", "the quorum of distinct organisations"),
    11: ("one witness colludes", "k of n"),
    12: ("count one witness twice", "distinct public keys, in policy and receipt"),
    13: ("show a receipt for another request", "event id and request inside the hashed bytes"),
    14: ("move an entry or receipt to another log", "origin in checkpoint, genesis and AAD"),
    15: ("the server chooses its identity", "origin and keys come from the pinned policy alone"),
    16: ("a proof that chooses its own shape", "the path follows from index and size"),
    17: ("an inner node as a leaf", "different prefixes of leaf and node"),
    18: (
        "set the clock back or ahead",
        "`t_us` never goes back; `clock.skew`; cosigning times before and after",
    ),
    19: ("backdate a signature", "a signature is an entry: as 18"),
    20: ("move a signature to another record", "record, type and digest inside what is signed"),
    21: ("steal the log's key", "forks gain no quorum; whoever is ahead of us stops the pen"),
    22: ("spell a document in two ways", "only canonical bytes are read, and bytes are hashed"),
    23: ("lenient numbers", "one spelling of every decimal"),
    24: (
        "a bit flips between hashing and storing",
        "leaves and facts are computed again from what the database returns, before the commit",
    ),
    25: ("a migration loses rows", "verification and fold after it"),
    26: ("several writers fork the head", "one owner by file lock, one queue, no starvation"),
    27: (
        "crash, EIO, ENOSPC at any system call",
        "acknowledged only after the flush; see [faults](faults.md)",
    ),
    28: ("an event is never logged", "no entry, no answer; the caller demands the receipt"),
    29: ("two plaintexts for one ciphertext", "the key commitment"),
    30: ("guess an erased body of few values", "the salt went with it"),
    31: ("bring a key back from a backup", "key-encryption keys have epochs"),
    32: ("erase to destroy evidence", "legal hold, two persons, entries that say who and why"),
    33: ("a malicious model file", "the registered digest, before anything is opened"),
    34: ("odd Ed25519 keys", "refused where a key is registered"),
    35: ("huge notes and proofs", "limits before any work"),
    36: ("flood the log, fill the disk", "quotas; nothing is answered that cannot be kept"),
}

# Rows whose tests stand with what they are about: file -> the names of the tests.
ELSEWHERE: Final[dict[int, dict[str, tuple[str, ...]]]] = {
    21: {
        "tests/integration/succession/test_recovery.py": (
            "test_a_stolen_key_leaves_what_a_quorum_cosigned",
        ),
    },
    29: {
        "tests/functional/erasure/test_residue.py": ("test_attack_29_a_body_is_bound_to_its_key",),
        "tests/unit/ledger/test_body_cipher.py": (
            "test_a_ciphertext_that_is_valid_under_a_second_key_is_refused_by_its_commitment",
        ),
    },
    30: {
        "tests/functional/erasure/test_residue.py": (
            "test_attack_30_low_entropy_data_cannot_be_guessed_from_what_is_left",
        ),
    },
    31: {
        "tests/functional/erasure/test_residue.py": (
            "test_attack_31_restoring_the_backups_opens_nothing",
        ),
    },
    32: {
        "tests/functional/erasure/test_erasure.py": (
            "test_attack_32_one_person_alone_cannot_erase",
            "test_attack_32_roles_that_may_neither_ask_nor_confirm",
            "test_attack_32_a_wrong_password_erases_nothing",
            "test_attack_32_a_legal_hold_keeps_until_two_others_lift_it",
        ),
    },
}

_HEAD: Final = """# Attacks and what finds them

Each row is run by at least one test against a real home or a real log, and the test asserts that
the attack is refused or found, and by which check: the step of a receipt, a code, or the words.
*At its entry* stands where a test also asserts the number of the entry that is named. What no log
can show is in section 10 of the [ledger's format](ledger-format.md): lies at the source, and
anything before somebody else held a checkpoint.

A test that needs a tool says so, and skips where the tool is missing; where it is there, or `CI` is
set in the environment, a skip is a failure.

Written by `python -m tests.attacks.table --write`; a test compares it with the tests.

| # | attack | found by | tests |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A test of a row: where it stands, what it needs, and whether it asserts an entry's number."""

    file: str
    name: str
    tools: tuple[str, ...]
    at_entry: bool

    def text(self) -> str:
        """Return it as the page shows it."""
        remarks = [f"needs {TOOLS[tool][0]}" for tool in self.tools]
        remarks += ["at its entry"] if self.at_entry else []
        remark = f", {', '.join(remarks)}" if remarks else ""
        return f"`{self.name}` ([file](../../{self.file}){remark})"


def named_in(path: Path) -> dict[str, Test]:
    """Return the tests of a file by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: Test(
            file=path.relative_to(ROOT).as_posix(),
            name=node.name,
            tools=tuple(_tools(node)),
            at_entry=any(_asserts_number(part) for part in ast.walk(node)),
        )
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def _tools(node: ast.FunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        if ast.unparse(decorator).startswith("pytest.mark.usefixtures("):
            yield from (ast.literal_eval(one) for one in decorator.args)  # type: ignore[attr-defined]


def _asserts_number(part: ast.AST) -> bool:
    """Tell whether it is an assertion about `LedgerTampered.sequence`."""
    return isinstance(part, ast.Assert) and any(
        isinstance(name, ast.Attribute) and name.attr == "sequence" for name in ast.walk(part.test)
    )


def rows_run() -> dict[int, list[Test]]:
    """Return the tests of each row."""
    found: dict[int, list[Test]] = defaultdict(list)
    for path in sorted(FOLDER.glob("test_*.py")):
        for name, test in named_in(path).items():
            if match := _TEST.match(name):
                found[int(match[1])].append(test)
    for row, files in ELSEWHERE.items():
        for file, names in files.items():
            tests = named_in(ROOT / file)
            found[row] += [tests[name] for name in names]
    return found


def page() -> str:
    """Return the whole page."""
    tests = rows_run()
    lines = []
    for row, (attack, by) in ROWS.items():
        named = "<br>".join(test.text() for test in tests[row])
        lines.append(f"| {row} | {attack} | {by} | {named} |")
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
