"""A small audit of rows: an invented table, its manifest, and a protocol for the small deployment.

The numbers are simulated and say so; they are there to be counted, not to be believed.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.support.small_deployment import Small

PATIENTS: Final = 240
MANIFEST: Final = """\
format: dataset/1
title: Invented answers of a screening rule
source: Simulated for tests
licence: none
role: test
simulated: true
unit: patient
from_month: 2024-01
to_month: 2024-12
columns:
  - {name: patient, kind: key, description: Pseudonym}
  - {name: outcome, kind: number, description: Whether the event came}
  - {name: risk, kind: number, description: What the model said}
  - {name: sex, kind: category, description: As registered, levels: [F, M]}
"""
PROTOCOL: Final = """\
format: audit-protocol/1
model: forecasting
kind: discrimination
title: Does the invented score tell patients apart?
question: Does the score separate patients with the event from those without, in both sexes?
columns:
  subject: patient
  label: outcome
  score: risk
  categories: [sex]
seed: 7
criteria:
  - id: auroc
    metric: auroc
    direction: at_least
    floor: 0.6
    reading: excludes_baseline
    baseline: 0.5
    minimum_n: 50
    why: Better than a coin
protocol:
  level: 0.95
  minimum_events: 10
  populations: [[sex]]
  time: null
  window_days: null
  score_kind: probability
  thresholds: [0.5]
  specificities: [0.8]
  net_benefit_thresholds: [0.2]
  bedroc_alphas: []
  enrichment_shares: []
  comparator: null
  replicates: 200
limits:
  - The rows are invented
"""


def rows(*, seed: int = 11, patients: int = PATIENTS) -> str:
    """Return the table as CSV: a score that is informative, and no more."""
    chance = random.Random(seed)
    lines = ["patient,outcome,risk,sex"]
    for number in range(patients):
        event = chance.random() < 0.35
        risk = min(max(chance.gauss(0.6 if event else 0.4, 0.2), 0.001), 0.999)
        lines.append(f"p{number},{int(event)},{risk:.3f},{'FM'[number % 2]}")
    return "\n".join(lines) + "\n"


def prepare(home: Small, *, text: str | None = None) -> dict[str, Any]:
    """Bring the protocol into force, register the table, and return what a run is asked with."""
    registered = home.register("discrimination-protocol", text=PROTOCOL)
    home.decide("rea", registered["review"])
    table = rows() if text is None else text
    home.perform("cas", "data.add_table", manifest=MANIFEST, text=table)
    return rows_asked(table)


def rows_asked(table: str | None = None) -> dict[str, Any]:
    """Return what a run is asked with."""
    return {
        "kind": "discrimination",
        "ref": "forecasting",
        "tables": [{"role": "test", "text": rows() if table is None else table}],
    }
