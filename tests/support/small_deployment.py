"""A small deployment in this process, in a second: real operations, prepared numbers.

Everything goes through the catalogue as people do it, from the administrator's first act to a
release. Only what computes is prepared: fitting, storing an artifact, evaluating and watching give
fixed results at once, and a password's hash is cheap. So nothing here is evidence about numbers.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from argon2 import PasswordHasher

from audits.estimate import Json
from audits.sources.series import Month, MonthlySeries, Panel
from change_control.roles import Role
from governance.adapters import passwords
from governance.adapters.model_store import store_artifact
from governance.clock import Clock, FixedClock
from governance.deployment import Deployment, open_deployment
from governance.ledger.core import canonical
from governance.operations import catalogue
from governance.operations.actor import Actor
from governance.operations.admin.create_home import create_home
from governance.operations.admin.sign_in import sign_in
from governance.operations.change.add_dataset import read_panel
from governance.operations.change.evaluation_work import evaluate
from governance.operations.change.wrap_version import fit_parameters
from governance.operations.watch.monitor_work import watch
from models.forecasting import DOCUMENTS

ORGANISATION: Final = "st-olav"
EVERYWHERE: Final = f"{ORGANISATION}/*"
SITE: Final = f"{ORGANISATION}/pharmacy"
OTHER_SITE: Final = f"{ORGANISATION}/ward"
MODEL: Final = "forecasting"
VERSION: Final = f"{MODEL}/1"
PURPOSE: Final = "stock-planning"
CLIENT: Final = "planner"
START_US: Final = 1_790_000_000_000_000
DAY_US: Final = 86_400_000_000
ORIGIN: Final = Month.parse("2004-06")
ROW: Final[dict[str, Any]] = {"product_class": "A10", "concession": "total", "horizon": 3}

ADMINISTRATOR: Final = "ada"
# Person -> roles and where; "olga" holds several, "nils" none, "sita" all that decide at one site.
PEOPLE: Final[Mapping[str, tuple[tuple[Role, str], ...]]] = {
    "mo": ((Role.MODEL_OWNER, EVERYWHERE),),
    "rea": ((Role.REVIEWER, EVERYWHERE),),
    "reg": ((Role.REGULATORY, EVERYWHERE),),
    "sam": ((Role.SAFETY_OFFICER, EVERYWHERE),),
    "cas": ((Role.CUSTODIAN, EVERYWHERE),),
    "aud": ((Role.AUDITOR, EVERYWHERE),),
    "olga": ((Role.MODEL_OWNER, EVERYWHERE), (Role.REVIEWER, EVERYWHERE)),
    "sita": ((Role.SAFETY_OFFICER, SITE), (Role.REVIEWER, SITE)),
    "nils": (),
}


def password_of(person: str) -> str:
    """Return the person's password."""
    return f"the password of {person}"


class TickingClock(FixedClock):
    """A clock that goes on by a millisecond each time it is read, so no two acts share one."""

    def now_us(self) -> int:
        self.advance(seconds=0.001)
        return super().now_us()


def panel(*, raised_by: int = 0) -> Panel:
    """Return two invented series of ten years to `ORIGIN`."""
    months = 120
    return Panel(
        series=tuple(
            MonthlySeries(
                key=key,
                start=ORIGIN.plus(1 - months),
                values=tuple(float(level + raised_by + month % 12) for month in range(months)),
                group=None,
            )
            for key, level in (("A10/total", 100), ("H02/total", 60))
        )
    )


def path_table(*, base: int = 100, horizon: int = 12) -> dict[str, Json]:
    """Return the parameters of a forecast as `fit` writes them."""

    def path(offset: int) -> list[Json]:
        return [str(base + offset + month) for month in range(horizon)]

    def series() -> dict[str, Json]:
        return {
            "group": None, "from": "1994-07", "months": 120, "median": path(0),
            "quantiles": {
                "0.025": path(-20), "0.1": path(-10), "0.9": path(10), "0.975": path(20),
            },
            "parts": [], "members": {"ets": path(-1), "theta": path(1)},
            "seasonal_naive": path(-5), "calibration_errors": [24] * horizon,
        }  # fmt: skip

    return {
        "kind": "forecasting/path-table/1", "origin": str(ORIGIN), "horizon": horizon,
        "unit": "AUD", "method": "median of members", "intervals": "split conformal",
        "levels": ["0.8", "0.95"], "members": ["ets", "theta"],
        "series": {"A10/total": series(), "H02/total": series()},
    }  # fmt: skip


@dataclass(kw_only=True)
class PreparedCompute:
    """Gives what would be computed: the verdict and the firing monitors are the test's to say."""

    verdict: str = "pass"
    fires: frozenset[str] = frozenset()
    base: int = 100
    series: int = 0
    # What happens while something computes, e.g. somebody's role is revoked.
    meanwhile: Callable[[], object] | None = None
    calls: list[str] = field(default_factory=list)

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Return the prepared result of the function, or call one that is quick."""
        self.calls.append(function.__name__)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        prepared: dict[Callable[..., Any], Callable[..., Any]] = {
            read_panel: self._panel,
            fit_parameters: self._fit,
            store_artifact: self._store,
            evaluate: self._evaluate,
            watch: self._watch,
        }
        return prepared.get(function, function)(*args, **kwargs)

    def _panel(self, **_: Any) -> Panel:
        return panel(raised_by=self.series)

    def _fit(self, *, horizon: int, **_: Any) -> bytes:
        return canonical.dumps(path_table(base=self.base, horizon=horizon))

    def _store(self, *, root: str, model: str, number: int, content: bytes) -> str:
        path = Path(model) / str(number) / f"{len(self.calls)}.json"
        (Path(root) / path).parent.mkdir(parents=True, exist_ok=True)
        (Path(root) / path).write_bytes(content)
        return str(path)

    def _evaluate(self, *, header: bytes, **_: Any) -> bytes:
        return canonical.dumps(
            {
                "format": "evidence/1",
                "kind": "temporal",
                "about": canonical.loads(header),
                "report": {"judgements": []},
                "verdict": self.verdict,
            }
        )

    def _watch(self, *, plan: bytes, job: bytes, **_: Any) -> list[bytes]:
        monitors: Any = canonical.loads(plan)
        about: Any = canonical.loads(job)
        return [
            canonical.dumps(
                {
                    "format": "monitor-report/1",
                    "about": {
                        **{name: value for name, value in about.items() if name != "outcomes"},
                        "monitor": monitor["id"],
                    },
                    "through_month": "2005-06",
                    "fired_at": "2005-03" if monitor["id"] in self.fires else None,
                    "verdict": "fail" if monitor["id"] in self.fires else "pass",
                }
            )
            for monitor in monitors["monitors"]
        ]


@dataclass(frozen=True, kw_only=True)
class Small:
    """An open deployment with people, one released version and one calling system."""

    deployment: Deployment
    compute: PreparedCompute
    clock: Clock
    secret: str

    def actor(self, person: str) -> Actor:
        """Sign the person in and return who acts."""
        return sign_in(self.deployment, person=person, password=password_of(person)).actor

    def perform(self, who: str, name: str, /, **params: Any) -> dict[str, Any]:
        """Perform the operation as the person, under a session of their own."""
        return self.as_actor(self.actor(who), name, **params)

    def as_actor(self, actor: Actor, name: str, /, **params: Any) -> dict[str, Any]:
        """Perform the operation as somebody who signed in before."""
        return catalogue.perform(self.deployment, actor, name, params).model_dump(mode="json")

    def signed(self, who: str, name: str, /, **params: Any) -> dict[str, Any]:
        """Perform an operation that the person signs."""
        return self.perform(who, name, password=password_of(who), **params)

    def decide(self, person: str, review: str, decision: str = "approve", **more: Any) -> Any:
        """Decide a review over the digest that it shows."""
        shown = self.perform(person, "review.show", review=review)
        return self.signed(
            person,
            "review.decide",
            review=review,
            decision=decision,
            record_digest=shown["subject_digest"],
            **more,
        )

    def register(self, kind: str, *, text: str | None = None, by: str = "mo") -> dict[str, Any]:
        """Register a document: the demonstration's, or another text."""
        return self.signed(
            by, "document.register", kind=kind, text=document_text(kind) if text is None else text
        )

    def candidate(self, *, by: str = "mo") -> str:
        """Wrap another version with other numbers and return its id."""
        self.compute.base += 1
        return str(
            self.perform(by, "model.wrap", model=MODEL, dataset="D-1", horizon=12)["version"]
        )

    def approved_version(self, *, by: str = "mo", approver: str = "rea") -> str:
        """Wrap, evaluate and approve another version and return its id."""
        version = self.candidate(by=by)
        change = self.perform(
            by, "change.run", version=version, modification="refit", summary="A later fit"
        )
        self.decide(approver, change["review"])
        return version

    def release(self, version: str, *, by: str = "mo", scope: str = EVERYWHERE, **more: Any) -> Any:
        """Release the version."""
        return self.signed(
            by, "release.open", version=version, scope=scope, market="NO", purpose=PURPOSE, **more
        )

    def size(self) -> int:
        """Return the number of entries in the ledger."""
        return self.deployment.ledger.head()[0]


def document_text(kind: str) -> str:
    """Return the demonstration's document of the kind."""
    return (files("models.forecasting") / DOCUMENTS[f"{kind}-demo"]).read_text("utf-8")


@contextmanager
def cheap_passwords() -> Iterator[None]:
    """Hash passwords in no time, for the length of the block."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with (
        patch.object(passwords, "_HASHER", hasher),
        patch.object(passwords, "_NOBODY", hasher.hash("there is no such person")),
    ):
        yield


@contextmanager
def small(tmp_path: Path, clock: Clock | None = None) -> Iterator[Small]:
    """Open a small deployment in `tmp_path / "home"`: REL-1 of forecasting/1 is in service.

    It is built once in a process and copied, so a clock that is given must not be before
    `START_US` and a day.
    """
    home = tmp_path / "home"
    template, secret = _template()
    shutil.copytree(template, home)
    with opened_small(home, clock or TickingClock(now_us=START_US + DAY_US), secret) as opened:
        yield opened


@contextmanager
def opened_small(home: Path, clock: Clock, secret: str) -> Iterator[Small]:
    """Open a home that was built before, with `secret` the calling system's."""
    compute = PreparedCompute()
    with cheap_passwords(), open_deployment(home, clock=clock, compute=compute) as deployment:
        yield Small(deployment=deployment, compute=compute, clock=clock, secret=secret)


@cache
def _template() -> tuple[Path, str]:
    folder = tempfile.TemporaryDirectory(prefix="vigil-small-")
    _KEPT.append(folder)
    home = Path(folder.name) / "home"
    clock = TickingClock(now_us=START_US)
    with cheap_passwords():
        create_home(
            home,
            organisation=ORGANISATION,
            deployment="small",
            database="sqlite",
            administrator=ADMINISTRATOR,
            printed_name="Ada Small",
            password=password_of(ADMINISTRATOR),
            clock=clock,
        )
    with opened_small(home, clock, "") as opened:
        for person, roles in PEOPLE.items():
            admit(opened, person, roles)
        return home, _build(opened)


_KEPT: Final[list[tempfile.TemporaryDirectory[str]]] = []


def admit(opened: Small, person: str, roles: tuple[tuple[Role, str], ...]) -> None:
    """Add the person, grant the roles; the person chooses a password of their own."""
    first = f"the first password of {person}"
    opened.perform(
        ADMINISTRATOR,
        "person.add",
        person=person,
        printed_name=f"{person.capitalize()} Small",
        password=first,
    )
    for role, scope in roles:
        opened.perform(ADMINISTRATOR, "role.grant", person=person, role=role.value, scope=scope)
    actor = sign_in(opened.deployment, person=person, password=first).actor
    opened.as_actor(actor, "person.change_password", old=first, new=password_of(person))


def _build(opened: Small) -> str:
    """Bring one version into service and add a calling system; return its secret."""
    for kind in ("entry", "plan", "monitoring"):
        opened.decide("rea", opened.register(kind)["review"])
    opened.perform("mo", "data.add", source="fpp2", title="Two invented series", licence="none")
    opened.release(opened.approved_version())
    added = opened.perform(
        ADMINISTRATOR,
        "client.add",
        client=CLIENT,
        title="Ordering",
        scope=SITE,
        permissions=[f"infer:{MODEL}", "outcomes:write", "read"],
    )
    return str(added["secret"])
