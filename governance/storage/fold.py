"""What a reading of all facts leaves behind: the governed rows, and what is counted beside them.

Whoever folds a log passes each entry through `Counted.add`, in order. The rows are computed by the
code that the pen writes them with (`projection.apply_changes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from governance.home import Home
from governance.ledger.core import canonical
from governance.ledger.core.canonical import Json
from governance.ledger.core.erased import ERASED_KIND
from governance.ledger.core.errors import LedgerTampered, NotCanonical
from governance.ledger.core.log_keys import KEY_EVENTS, LogKeys
from governance.ledger.core.record import kind_of
from governance.ledger.store.cells import of_another_type
from governance.ledger.store.erased import Erasures
from governance.registry.records import Signature
from governance.storage.carried import CarriedFold
from governance.storage.genesis import check_genesis
from governance.storage.key_history import VKEYS
from governance.storage.projection import (
    COLUMNS,
    Insert,
    Update,
    Value,
    apply_changes,
    touches_standing,
)
from governance.storage.rebuild_private import (
    CARRIED_CLIENTS,
    CARRIED_PEOPLE,
    CREDENTIAL_FACT,
    Credentials,
    verify_signature,
)
from governance.storage.succession.statement import Succession
from governance.storage.trust import POLICY_CHANGED

# What facts say of passwords and secrets.
_OF_CREDENTIALS: Final = frozenset({CREDENTIAL_FACT, CARRIED_PEOPLE, CARRIED_CLIENTS})


@dataclass(slots=True)
class Folded:
    """Governed rows as dictionaries (`projection.Target`), and who set each column last."""

    rows: dict[str, dict[str, dict[str, Value]]] = field(
        default_factory=lambda: {table: {} for table in COLUMNS}
    )
    set_by: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    def insert(self, change: Insert) -> None:
        """Add the row."""
        table = self.rows[change.table]
        if change.key in table:
            raise LedgerTampered(
                f"it adds {change.table} {change.key}, which exists", sequence=change.seq
            )
        place = {"created_seq": change.seq, "created_pos": change.pos}
        table[change.key] = {**change.row, **place}
        self.set_by[change.table, change.key] = dict.fromkeys(table[change.key], change.seq)

    def update(self, change: Update) -> None:
        """Replace the values."""
        row = self.rows[change.table].get(change.key)
        if row is None or any(not same(row[name], old) for name, old in change.old.items()):
            raise LedgerTampered(
                f"it changes {change.table} {change.key} from what it was not",
                sequence=change.seq,
            )
        row.update(change.new)
        self.set_by[change.table, change.key].update(dict.fromkeys(change.new, change.seq))

    def verify_signatures(self, key: Ed25519PublicKey) -> None:
        """Verify every signature over the columns that it stands beside."""
        for row_id, row in self.rows[Signature.TABLE].items():
            verify_signature(row, key=key, sequence=self.set_by[Signature.TABLE, row_id]["id"])


@dataclass(slots=True)
class Counted:
    """What the stream of entries leaves behind beside the rows."""

    entries: int = 0
    standing_epoch: int = 0
    blobs: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)
    policy: tuple[Json, int] = (None, 0)
    erasures: Erasures = field(default_factory=Erasures)
    keys: LogKeys | None = None
    succession: Succession | None = None
    carried: CarriedFold = field(default_factory=lambda: CarriedFold(None))

    def log_keys(self) -> LogKeys:
        """Return the log's keys as the entries so far state them."""
        if self.keys is None:
            raise LedgerTampered("the first entry is missing", sequence=0)
        return self.keys

    def add(self, seq: int, env: bytes, raw: bytes, folded: Folded, home: Home) -> None:
        """Take in an entry, in order, and fold its changes. By position, because it is hot."""
        facts, kind = _facts(raw, seq), _kind(env, seq)
        if self.entries == 0:
            self._begin(seq, facts, home)
        else:
            self._follow(seq, kind, facts)
        self.entries += 1
        if kind == ERASED_KIND:
            self.erasures.add(env, facts, seq)
        if not _OF_CREDENTIALS.isdisjoint(facts):
            self.credentials.add(kind, facts, seq)
        changes = facts.get("changes")
        if changes:
            apply_changes(changes, folded, seq=seq)
            self.standing_epoch += isinstance(changes, list) and touches_standing(changes)
        if "blobs" in facts:
            self._name_blobs(facts["blobs"], seq)

    def _begin(self, seq: int, facts: dict[str, Json], home: Home) -> None:
        self.succession = check_genesis(facts, home)
        self.policy = facts.get("policy"), seq
        self.keys = LogKeys.begin(home.origin, facts.get(VKEYS))
        succession = self.succession
        self.carried = CarriedFold(None if succession is None else succession.carried)

    def _follow(self, seq: int, kind: str, facts: dict[str, Json]) -> None:
        """Take in what an entry says of the log itself."""
        if kind == POLICY_CHANGED:
            self.log_keys().allow(seq, kind)
            self.policy = facts.get("new"), seq
        elif kind in KEY_EVENTS:
            self.keys = self.log_keys().after(seq, kind, facts)
        elif self.log_keys().closed_seq is not None:
            self.log_keys().allow(seq, kind)
        self.carried.add(kind, facts, seq)

    def _name_blobs(self, blobs: Json, seq: int) -> None:
        for blob in _listed(blobs):
            match blob:
                case [str(digest), str(media_type), int(size)]:
                    self.blobs[digest] = (media_type, size, seq)
                case _:
                    raise LedgerTampered("it names a blob in no known form", sequence=seq)


def same(one: object, other: object) -> bool:
    """Compare values of one type: to Python 1 == True, to a record it is another value."""
    return type(one) is type(other) and one == other


def _facts(raw: bytes, seq: int) -> dict[str, Json]:
    try:
        facts = canonical.loads(raw)
    except NotCanonical as error:
        raise LedgerTampered("its facts are not canonical JSON", sequence=seq) from error
    if not isinstance(facts, dict):
        raise LedgerTampered("its facts are not an object", sequence=seq)
    return facts


def _kind(env: bytes, seq: int) -> str:
    if not isinstance(env, bytes):
        raise of_another_type("its env", sequence=seq)
    try:
        return kind_of(env)
    except NotCanonical as error:
        raise LedgerTampered("its envelope is not an entry", sequence=seq) from error


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
