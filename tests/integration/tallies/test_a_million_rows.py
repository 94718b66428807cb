"""A million rows of thirty columns: one tally from three engines, and memory that stays flat."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest

from audits.sources.axes import CategoryAxis, NumberAxis
from audits.sources.counting import tally_of_sample
from audits.sources.sample import Category, Sample
from audits.sources.tally_spec import TableSpec, TallySpec
from governance.adapters.tally_engine import tally_file, tally_postgresql, tally_spark
from tests.support.postgresql import own_server
from tests.support.project import ROOT

ROWS = 1_000_000
LEVELS = tuple("ABCD")
NUMBERS = tuple(f"x{place}" for place in range(24))
CATEGORIES = tuple(f"c{place}" for place in range(6))
EDGES = tuple(Decimal(k) / 4 for k in range(-10, 11))

pytestmark = pytest.mark.campaign


def sample_of(n: int) -> Sample:
    """Return invented rows; every tenth value is missing, and some levels are not declared."""
    rng = np.random.default_rng(20)
    numbers = {}
    for name in NUMBERS:
        column = rng.standard_t(3, n).round(3)
        column[rng.random(n) < 0.1] = np.nan
        numbers[name] = column
    return Sample(
        subject=rng.integers(0, n // 6, n),
        numbers=numbers,
        categories={
            name: Category(
                codes=rng.integers(-1, 6, n).astype(np.int32), levels=(*LEVELS, "E", "F")
            )
            for name in CATEGORIES
        },
    )


def frame_of(sample: Sample) -> pd.DataFrame:
    columns: dict[str, Any] = {"patient": sample.subject, **sample.numbers}
    for name, column in sample.categories.items():
        columns[name] = pd.Categorical.from_codes(column.codes, column.levels).astype(object)
    return pd.DataFrame(columns)


def thirty() -> TallySpec:
    axes = tuple(NumberAxis(id=name, column=name, edges=EDGES) for name in NUMBERS) + tuple(
        CategoryAxis(id=name, column=name, levels=LEVELS) for name in CATEGORIES
    )
    return TallySpec(
        id="thirty",
        axes=axes,
        tables=tuple(TableSpec(id=axis.id, axes=(axis.id,)) for axis in axes),
        subject="patient",
    )


def test_three_engines_and_memory_give_one_tally(tmp_path: Path) -> None:
    sample, path = sample_of(ROWS), tmp_path / "rows.parquet"
    frame = frame_of(sample)
    frame.to_parquet(path)
    of = thirty()

    expected = tally_of_sample(sample, of).as_record()
    assert tally_file(path, of).as_record() == expected
    with own_server() as server:
        address = server.get_uri()
        _fill(address, frame, tmp_path / "rows.csv")
        assert tally_postgresql(address, "rows", of).as_record() == expected
    if shutil.which("java") is None:
        pytest.skip("DuckDB and PostgreSQL agree; Spark needs Java, and there is none")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyspark's, about Python's own modules
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
        session.read.parquet(str(path)).createOrReplaceTempView("rows")
        assert tally_spark(session, "rows", of).as_record() == expected
        session.stop()


PEAK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from governance.adapters.tally_engine import tally_file
from tests.integration.tallies.test_a_million_rows import thirty
from dataclasses import replace
tally_file(Path({path!r}), replace(thirty(), subject=None), memory="200MB")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    peaks = []
    frame = frame_of(sample_of(250_000))
    for copies in (1, 4):
        path = tmp_path / f"{copies}.parquet"
        pd.concat([frame] * copies).to_parquet(path, row_group_size=50_000)
        told = subprocess.run(
            [sys.executable, "-c", PEAK.format(root=str(ROOT), path=str(path))],
            capture_output=True, text=True, check=True, cwd=ROOT, env=dict(os.environ),
        )  # fmt: skip
        peaks.append(int(told.stdout))
    assert peaks[1] < 1.15 * peaks[0], peaks


def _fill(address: str, frame: pd.DataFrame, path: Path) -> None:
    kinds = {"x": "float8", "c": "text", "p": "bigint"}
    columns = ", ".join(f'"{name}" {kinds[name[0]]}' for name in frame.columns)
    frame.to_csv(path, index=False, header=False)
    with psycopg.connect(address) as connection, path.open("rb") as file:
        connection.execute(f"CREATE TABLE rows ({columns})")
        with connection.cursor().copy("COPY rows FROM STDIN (FORMAT csv)") as copy:
            while block := file.read(2**20):
                copy.write(block)
