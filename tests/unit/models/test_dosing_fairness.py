"""The published fairness protocol of warfarin dosing, and what it finds on the real table."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from audits.estimate import Estimate, Verdict
from audits.fairness.audit import KIND, FairnessProtocol, parse, run
from audits.report import AuditReport
from change_control.audit.protocol import AuditProtocol, parse_protocol
from models.dosing import DOCUMENTS
from models.dosing.loader import load_warfarin
from models.dosing.published import CLINICAL, FIXED, table

BLACK = "race=Black or African American"


def document() -> AuditProtocol:
    folder = resources.files("models.dosing")
    return parse_protocol(folder.joinpath(DOCUMENTS["fairness-protocol"]).read_text("utf-8"))


def protocol() -> FairnessProtocol:
    """Return the published protocol, asked of more attributes and metrics than it publishes."""
    return replace(
        parse(document().method_record()),
        attributes=(("race",), ("sex",), ("race", "sex"), ("age_band",)),
        metrics=("overdosed", "underdosed", "within_tolerance", "mean_error"),
    )


def test_the_document_is_a_protocol_that_parse_reads() -> None:
    assert document().kind.value == KIND
    assert parse(protocol().as_record()) == protocol()
    assert [one.column for one in protocol().policies] == [FIXED, CLINICAL]


def test_the_protocol_names_columns_that_the_table_has() -> None:
    found = table([])
    assert set(document().columns.numbers) == set(found.doses)
    assert set(document().columns.categories) <= set(found.categories)


@cache
def audited(folder: Path) -> AuditReport:
    with (folder / "dosing/iwpc_warfarin_dose.csv").open(encoding="utf-8") as stream:
        sample = table(load_warfarin(stream)).sample()
    seed = document().seed
    rng = np.random.default_rng(seed)
    return run({"test": sample}, protocol=protocol(), criteria=(), rng=rng)


def estimates(report: AuditReport) -> dict[tuple[str, str], Estimate]:
    return {(one.metric, one.population): one for part in report.sections for one in part.estimates}


@pytest.mark.data
@pytest.mark.parametrize(
    ("metric", "population", "low", "high"),
    [
        # one dose for all: most Asian patients get too much, few Black patients do
        ("overdosed under fixed", "race=Asian", 0.77, 0.82),
        ("overdosed under fixed", BLACK, 0.17, 0.27),
        ("overdosed under fixed", "race=White", 0.42, 0.48),
        ("overdosed under fixed", f"race=Asian minus {BLACK}", 0.50, 0.65),
        # the published algorithm: a third of everybody, and a gap a sixth as wide
        ("overdosed under iwpc_clinical", "race=Asian", 0.32, 0.39),
        ("overdosed under iwpc_clinical", BLACK, 0.21, 0.33),
        ("overdosed under iwpc_clinical", f"race=Asian minus {BLACK}", 0.03, 0.15),
        ("overdosed iwpc_clinical minus fixed", "race=Asian", -0.53, -0.40),
        # people of 90 and over, who need least
        ("overdosed under fixed", "age_band=90+", 0.75, 1.0),
    ],
)
def test_overdosing_by_race_lies_where_it_should(
    test_data: Path, metric: str, population: str, low: float, high: float
) -> None:
    found = estimates(audited(test_data))[metric, population]
    assert found.value is not None
    assert found.low is not None
    assert low <= found.value <= high


@pytest.mark.data
@pytest.mark.requirement("P8")
def test_every_pair_of_races_has_its_interval_under_both_policies(test_data: Path) -> None:
    found = estimates(audited(test_data))
    races = ["Asian", "Black or African American", "Unknown", "White"]
    for policy in (FIXED, CLINICAL):
        for i, one in enumerate(races):
            for other in races[i + 1 :]:
                gap = found[f"overdosed under {policy}", f"race={one} minus race={other}"]
                assert gap.value is not None
                assert gap.low is not None
                assert gap.high is not None
                assert gap.high - gap.low < 0.25


@pytest.mark.data
def test_a_fixed_dose_fails_between_races_and_the_verdicts_say_which(test_data: Path) -> None:
    verdicts = {one.criterion: one.verdict for one in audited(test_data).judgements}
    fixed = "margin: overdosed under fixed race=Asian minus race=White"
    clinical = "margin: overdosed under iwpc_clinical race=Asian minus race=White"
    small = "margin: overdosed under fixed sex=(missing) minus sex=female"
    assert verdicts[fixed] is Verdict.FAIL
    assert verdicts[clinical] is Verdict.PASS
    assert verdicts[small] is Verdict.INSUFFICIENT
    assert audited(test_data).verdict is Verdict.FAIL


@pytest.mark.data
@pytest.mark.requirement("P8")
def test_patients_without_a_dose_are_counted_by_group(test_data: Path) -> None:
    missing = audited(test_data).missing
    assert "race=Asian: 337 of 1128 rows lack label or dose under iwpc_clinical" in missing
    assert "age_band=(missing): 24 of 24 rows lack label or dose under iwpc_clinical" in missing
