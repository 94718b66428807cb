"""Stand-ins for storage that implement the ports in memory and refuse anything unexpected.

The one world they describe: the model `forecasting` with one entry in force, version
`forecasting/1`, and release `REL-1` of it to every site of `st-olav` for supply planning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from audits.estimate import Json
from change_control.scope import Scope
from governance.errors import NotFound
from governance.gate.ask import Ask, Caller
from governance.ids import event_id
from governance.registry import records
from governance.serving.answer import Answers
from governance.serving.artifacts import Artifacts
from governance.serving.state import ServingState
from governance.storage.answers import AUTHORITY
from governance.storage.errors import audit_unavailable
from governance.storage.ports import CommittedAnswer, OutcomeRow, PendingAnswer, Recorded
from governance.storage.promise import Promise
from tests.support.memory_keys import MemoryKeyStore

NOW_US = 1_790_000_000_000_000
HOUR_US = 3_600_000_000
PURPOSE = "supply-planning"

GOOD_ROW = {"product_class": "L01", "concession": "General", "horizon": 3}
GOOD_BODY = orjson.dumps({"rows": [GOOD_ROW], "context": {"purpose": PURPOSE}})


def path_table(*, base: int = 100) -> dict[str, Json]:
    """Return forecast parameters as the forecasting method writes them, 12 months."""

    def path(offset: int) -> list[Json]:
        return [str(base + offset + month) for month in range(12)]

    series: dict[str, Json] = {
        "group": "General", "from": "1991-07", "months": 168, "median": path(0),
        "quantiles": {
            "0.025": path(-20), "0.1": path(-10), "0.9": path(10), "0.975": path(20),
        },
        "parts": [], "members": {"ets": path(-1), "theta": path(1)},
        "seasonal_naive": path(-5), "calibration_errors": [24] * 12,
    }  # fmt: skip
    return {
        "kind": "forecasting/path-table/1", "origin": "2005-06", "horizon": 12,
        "unit": "prescriptions", "method": "median of members", "intervals": "split conformal",
        "levels": ["0.8", "0.95"], "members": ["ets", "theta"],
        "series": {"L01/General": series},
    }  # fmt: skip


RETENTION: dict[str, Json] = {
    "category": "supply-record", "days": 30, "basis": "Kept a month by the pharmacy's schedule",
}  # fmt: skip


def entry_record(*, about_people: bool = False) -> dict[str, Json]:
    """Return the record of an entry with everything that an entry must have."""
    return {
        "format": "entry/1", "name": "forecasting", "kind": "forecasting",
        "title": "Monthly demand", "owner": "owen",
        "developer": {"name": "The unit", "contact": "unit@example.org", "funding": "None"},
        "regime": "operations", "regime_rationale": "Not a device", "influence": "low",
        "consequence": "low", "risk_rationale": "Stock is counted daily",
        "context_of_use": {
            "statement": "Monthly demand for ordering",
            "purposes": [{"name": PURPOSE, "description": "Ordering for the coming months"}],
            "population": "Products", "setting": "Pharmacy", "users": ["Planner"],
            "decision_role": "inform", "excluded_uses": ["Decisions about a patient"],
            "rows_are_about_people": about_people,
            "limits": [
                {"field": "horizon", "minimum": 1, "maximum": 6, "why": "Audited to six months"}
            ],
            "question_of_interest": "How much to order",
        },
        "predictor": "forecasting/path-table/1",
        "tasks": [_task()],
        "input": {"fields": [
            {"name": "product_class", "type": "text", "required": True,
             "description": "ATC class", "allowed": ["L01"],
             "not_allowed_code": "row.unknown_class"},
            {"name": "concession", "type": "text", "required": True,
             "description": "Concession class", "allowed": ["General"]},
            {"name": "horizon", "type": "integer", "required": True, "description": "Months ahead",
             "minimum": 1, "maximum": 12, "out_of_range_code": "row.horizon_out_of_range"},
        ]},
        "features": [{"name": "history", "source": "The table", "rationale": "Demand repeats",
                      "known_as_of": "The origin", "demographic": False}],
        "hazards": [{
            "id": "stock-out", "hazard": "Too low", "situation": "Ordering", "harm": "Delay",
            "severity": "serious", "residual_risk": "Low",
            "controls": [{"control": "Intervals", "kind": "information", "evidence": "Answer"}],
        }],
        "limits": ["Knows nothing of tenders"],
        "data": {
            "sources": [{
                "name": "table", "description": "Monthly table", "custodian": "Agency",
                "licence": "CC BY", "simulated": False, "from_month": "1991-07",
                "to_month": "2005-06", "roles": ["training"], "inclusion": "All",
                "exclusion": "None", "demographics": "Concession class", "agreement": "None needed",
            }],
            "relation_to_use": "Same system", "split": "By month",
            "external_test": "None was available",
        },
        "subgroups": {"attributes": [], "reason_none": "One series only", "approach": "Not sought"},
        "preconditions": [], "fallback": "Order as last year",
        "retention": RETENTION if about_people else None,
    }  # fmt: skip


def _task() -> dict[str, Json]:
    floor: dict[str, Json] = {
        "id": "mase", "metric": "mase", "direction": "at_most", "floor": "0.8",
        "reading": "point", "minimum_n": 5, "why": "Better than last year",
    }  # fmt: skip
    return {
        "name": "monthly-demand", "description": "Demand by month", "output": "Quantiles",
        "output_type": "Prediction", "unit": "prescriptions", "data": ["table"],
        "reference_standard": "Dispensed prescriptions", "floors": [floor],
        "metrics": [{"name": "mase", "unit": "ratio", "definition": "Scaled absolute error"}],
        "baselines": [{"name": "seasonal-naive", "description": "Last year again"}],
    }  # fmt: skip


@dataclass
class Registry:
    """The governed records and blobs of the fake world, changed by tests as acts would."""

    rows: dict[type[records.Record], list[Any]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    epoch: int = 1

    def add(self, record: records.Record, *, moves: bool = True) -> None:
        """Add a record, moving the standing epoch."""
        self.rows.setdefault(type(record), []).append(record)
        self.epoch += moves

    def change(self, kind: type[records.Record], key: str, /, **fields: Any) -> None:
        """Replace fields of one record, moving the standing epoch."""
        found = self.rows[kind]
        place = next(index for index, item in enumerate(found) if item.id == key)
        found[place] = replace(found[place], **fields)
        self.epoch += 1

    def put(self, content: bytes) -> str:
        """Store a blob and return its digest."""
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest


class FakeReader:
    """Reads the fake world."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def get(self, kind: type[Any], key: str) -> Any:
        return next((item for item in self.find(kind) if item.id == key), None)

    def require(self, kind: type[Any], key: str) -> Any:
        found = self.get(kind, key)
        if found is None:
            raise NotFound(f"there is no such {kind.TABLE}", next_step="list them")
        return found

    def find(self, kind: type[Any], **equals: Any) -> list[Any]:
        return [
            item
            for item in self._registry.rows.get(kind, [])
            if all(getattr(item, name) == value for name, value in equals.items())
        ]

    def blob(self, digest: str) -> bytes:
        return self._registry.blobs[digest]

    def last_seq(self) -> int:
        raise AssertionError("not asked here")

    def outcomes(self, *, model: str, through_month: str | None = None) -> list[OutcomeRow]:
        raise AssertionError("answering reads no outcomes")


@dataclass
class FakePen:
    """Commits answers as the committer promises to: compare epoch and end, decide again, record."""

    registry: Registry
    now_us: int = NOW_US
    entries: list[PendingAnswer] = field(default_factory=list)
    unavailable: bool = False
    waiting: bool = False
    before_commit: Callable[[], None] | None = None
    held: list[tuple[PendingAnswer, Promise[CommittedAnswer]]] = field(default_factory=list)
    _by_key: dict[tuple[str, str], CommittedAnswer] = field(default_factory=dict)

    def answer(self, pending: PendingAnswer) -> Promise[CommittedAnswer]:
        future: Promise[CommittedAnswer] = Promise()
        if self.unavailable:
            future.set_exception(audit_unavailable("the disk is full"))
        elif self.waiting:
            self.held.append((pending, future))
        else:
            future.set_result(self._commit(pending))
        return future

    def release_held(self) -> None:
        """Commit what was kept waiting."""
        for pending, future in self.held:
            future.set_result(self._commit(pending))
        self.held.clear()

    def _commit(self, pending: PendingAnswer) -> CommittedAnswer:
        if self.before_commit is not None:
            self.before_commit()
        over = pending.until_us is not None and pending.until_us <= self.now_us
        if pending.epoch != self.registry.epoch or over:
            assert pending.redecide is not None
            reader = FakeReader(self.registry)
            pending = pending.redecide(reader, self.registry.epoch, self.now_us)
        if pending.idempotency is not None:
            known = self._by_key.get(pending.idempotency[:2])
            if known is not None:
                for fact in AUTHORITY:
                    assert known.answer.facts[fact] == pending.facts[fact]
                return replace(known, replayed=True)
        self.entries.append(pending)
        recorded = Recorded(
            seq=len(self.entries), event_id=event_id(now_us=self.now_us), t_us=self.now_us
        )
        committed = CommittedAnswer(answer=pending, recorded=recorded, prove=lambda: b'{"v":1}')
        if pending.idempotency is not None:
            self._by_key[pending.idempotency[:2]] = committed
        return committed

    def commit(self, write: Callable[[Any], Any]) -> Any:
        raise AssertionError("answering commits no acts")

    def close(self) -> None:
        raise AssertionError("answering does not close the pen")


@dataclass
class World:
    """The fake deployment as answering sees it."""

    registry: Registry
    pen: FakePen
    state: ServingState
    answers: Answers
    artifact: Path
    keys: MemoryKeyStore

    @contextmanager
    def reader(self) -> Iterator[FakeReader]:
        """Return a reader as `Deployment.reader` does."""
        yield FakeReader(self.registry)


def make_world(folder: Path, *, about_people: bool = False) -> World:
    """Return the world described above, with its artifact in `folder`."""
    registry = Registry()
    artifact = folder / "forecast.json"
    content = orjson.dumps(path_table())
    artifact.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    for record in _records(registry, artifact, digest, about_people=about_people):
        registry.add(record)
    pen = FakePen(registry)

    @contextmanager
    def read() -> Iterator[FakeReader]:
        yield FakeReader(registry)

    state = ServingState(
        read=read, epoch_of=lambda: registry.epoch, artifacts=Artifacts(root=folder)
    )
    keys = MemoryKeyStore()
    answers = Answers(state=state, pen=pen, keys=keys)
    return World(
        registry=registry, pen=pen, state=state, answers=answers, artifact=artifact, keys=keys
    )


def _records(
    registry: Registry, artifact: Path, digest: str, *, about_people: bool
) -> Sequence[records.Record]:
    entry = registry.put(orjson.dumps(entry_record(about_people=about_people)))
    return (
        records.Document(
            id="entry:forecasting:1", kind="entry", model="forecasting", number=1, digest=entry,
            source_digest=entry, state="in_force", author="owen", registered_us=NOW_US - HOUR_US,
            in_force_us=NOW_US - HOUR_US, in_force_seq=7,
        ),
        records.Version(
            id="forecasting/1", model="forecasting", number=1, kind="forecasting/path-table/1",
            digest=digest, artifact_uri=artifact.name, dataset="DS-1", origin="2005-06",
            state="qualified", registered_by="owen", registered_us=NOW_US - HOUR_US,
        ),
        release_record(digest=digest),
        records.ServiceClient(
            id="planner", title="Pharmacy planning", scope="st-olav/pharmacy",
            permissions="infer:forecasting read", secret_epoch=1, disabled=False,
        ),
    )  # fmt: skip


def release_record(*, digest: str, key: str = "REL-1", **fields: Any) -> records.Release:
    """Return the release of the world, or one that differs from it."""
    release = records.Release(
        id=key, model="forecasting", version="forecasting/1", digest=digest, scope="st-olav/*",
        market="no", purpose=PURPOSE, mode="full", from_us=NOW_US - HOUR_US, until_us=None,
        state="active", released_by="quinn", change="CR-1", body_key="0" * 32,
    )  # fmt: skip
    return replace(release, **fields)


def hold_record(key: str = "H-1", **fields: Any) -> records.Hold:
    """Return an open hold on the whole model."""
    hold = records.Hold(
        id=key, model="forecasting", version=None, scope="st-olav/*", cause="monitor", review=None,
        placed_by="monitor", placed_us=NOW_US, state="open", first_signer=None, lifted_us=None,
    )  # fmt: skip
    return replace(hold, **fields)


CALLER = Caller(
    client="planner",
    scope=Scope(organisation="st-olav", site="pharmacy"),
    permissions=frozenset({"infer:forecasting"}),
)


def ask(question: Any, *, raw: bytes = GOOD_BODY, **fields: Any) -> Ask:
    """Return an ask of the planner to the forecasting model."""
    known = Ask(model="forecasting", caller=CALLER, question=question, raw=raw)
    return replace(known, **fields)
