"""Write the frozen log of format version 1: `python tests/golden/ledger/generate.py`.

Everything is derived from fixed names (`sample.secret`), so the same bytes come out everywhere;
`test_ledger_golden.py` regenerates and compares. The files may be added to and never changed: a
log that was written once must verify for ever. See PROVENANCE.md.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
from pathlib import Path

from governance.ledger.core.note import cosign, with_lines

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

# By path, because in some environments another package is installed under the name `tests`.
_spec = importlib.util.spec_from_file_location(
    "ledger_sample", ROOT / "tests" / "unit" / "ledger" / "sample.py"
)
assert _spec is not None
assert _spec.loader is not None
sample = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = sample  # a dataclass looks its module up
_spec.loader.exec_module(sample)

SIZE = 11
RECEIPT_OF = 7


def files() -> dict[str, bytes]:
    """Return name -> bytes of every generated file."""
    log = sample.SampleLog.of(SIZE)
    return {
        "v1-log.json": _json([_row(log, row.seq) for row in log.rows]),
        "v1-checkpoint.txt": log.note(witnesses=sample.WITNESSES),
        "v1-policy.txt": sample.policy_text(quorum="2").encode(),
        "v1-s0.receipt.json": log.receipt(RECEIPT_OF, extra=b"golden"),
        "v1-s1.receipt.json": log.receipt(RECEIPT_OF, witnesses=sample.WITNESSES[:2]),
        "v1-withheld.receipt.json": log.receipt(
            RECEIPT_OF, 8, witnesses=sample.WITNESSES, with_body=False
        ),
        "v1-frontier.hex": log.tree.frontier().encode().hex().encode() + b"\n",
        "v1-consistency.json": _json(
            [
                {
                    "old": old,
                    "new": SIZE,
                    "old_root": log.tree.root(old).hex(),
                    "new_root": log.tree.root().hex(),
                    "proof": [h.hex() for h in log.tree.consistency_proof(old)],
                }
                for old in (1, 4, 7, 10)
            ]
        ),
        "v1-hostile.json": _json(
            {name: base64.b64encode(raw).decode() for name, raw in _hostile(log).items()}
        ),
    }


def _row(log: object, seq: int) -> dict[str, object]:
    row = log.rows[seq]
    sealed = log.sealed.get(seq)
    return {
        "seq": seq,
        "event_id": row.event_id,
        "env": row.env.decode("ascii"),
        "leaf": row.leaf.hex(),
        "facts": row.facts.decode("utf-8"),
        "facts_salt": row.facts_salt.hex(),
        "body_salt": row.body_salt.hex() if row.body_salt else None,
        "sealed": None
        if sealed is None
        else {
            "nonce": sealed.nonce.hex(),
            "ciphertext": sealed.ciphertext.hex(),
            "key_commitment": sealed.key_commitment.hex(),
        },
    }


def _hostile(log: object) -> dict[str, bytes]:
    """Return receipts that every verifier must refuse under v1-policy.txt."""
    good = log.receipt(RECEIPT_OF, witnesses=sample.WITNESSES[:2])
    other = sample.SampleLog.of(SIZE, origin="example.org/other/audit/1")
    once = log.note(witnesses=("hospital",))
    again = cosign(
        once,
        name="witness.example/hospital",
        private_key=sample.private_key("hospital"),
        time_s=sample.START_US // 1_000_000 + 90,
    )
    twice = with_lines(once, [again]).decode()
    path = log.proof(RECEIPT_OF).encode().decode().partition("\n\n")[0]
    document = json.loads(good)
    swapped = json.loads(log.receipt(RECEIPT_OF + 1))
    return {
        "indented": json.dumps(document, indent=1).encode(),
        "body of another entry": _compact(document | {"body": swapped["body"]}),
        "facts of another entry": _compact(document | {"facts": swapped["facts"]}),
        "receipt of another log": other.receipt(RECEIPT_OF, witnesses=sample.WITNESSES),
        "log signature only": log.receipt(RECEIPT_OF),
        "the same witness twice": _compact(document | {"proof": path + "\n\n" + twice}),
        "proof of a neighbour": _compact(
            document
            | {
                "proof": log.proof(RECEIPT_OF - 1, witnesses=sample.WITNESSES[:2])
                .encode()
                .decode()
                .replace(f"index {RECEIPT_OF - 1}", f"index {RECEIPT_OF}")
            }
        ),
    }


def _compact(document: dict[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


if __name__ == "__main__":
    for name, raw in files().items():
        (HERE / name).write_bytes(raw)
