"""One expression, three engines, one tally: whole numbers that are identical everywhere."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest

from audits.sources.tally import Tally
from audits.sources.tally_spec import TallySpec
from governance.adapters.tally_engine import (
    tally_file,
    tally_frame,
    tally_postgresql,
    tally_spark,
)
from tests.support.postgresql import own_server
from tests.support.tallies import by_hand, instant, rows, spec

ROWS = 20_000
SPARK_ROWS = 2_000
TYPES = {
    "patient": "bigint", "name": "text", "sex": "text", "flag": "boolean", "lab": "float8",
    "whole": "bigint", "at": "timestamptz", "at_plain": "timestamp",
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> list[dict[str, Any]]:
    return rows(ROWS, seed=7)


@pytest.fixture(scope="module")
def frame(data: list[dict[str, Any]]) -> pd.DataFrame:
    return frame_of(data)


def frame_of(data: list[dict[str, Any]]) -> pd.DataFrame:
    plain = pd.DataFrame(data)
    made = plain[["patient", "name", "sex"]].copy()
    made["flag"] = plain["flag"].astype("boolean")
    made["lab"] = plain["lab"].astype("float64")
    made["whole"] = pd.array([row["whole"] for row in data], dtype="Int64")
    # Microseconds: the instants reach further than nanoseconds do.
    at = pd.Series([instant(row["at_us"]) for row in data], dtype="datetime64[us, UTC]")
    made["at"] = at
    made["at_plain"] = at.dt.tz_localize(None)
    return made


@pytest.fixture(scope="module")
def parquet(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    frame.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def postgresql(data: list[dict[str, Any]]) -> Iterator[str]:
    with own_server() as server:
        address = server.get_uri()
        fill(address, data)
        yield address


def fill(address: str, data: list[dict[str, Any]]) -> None:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in TYPES.items())
    with psycopg.connect(address) as connection:
        connection.execute("SET TIME ZONE 'Pacific/Auckland'")
        connection.execute(f"CREATE TABLE rows ({columns})")
        with connection.cursor().copy("COPY rows FROM STDIN") as copy:
            for row in data:
                at = instant(row["at_us"])
                plain = None if at is None else at.replace(tzinfo=None)
                copy.write_row([*(row[name] for name in list(TYPES)[:6]), at, plain])


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none")
    sql = pytest.importorskip("pyspark.sql")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyspark's, about Python's own modules
        session = (
            sql.SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "1")
            .config("spark.sql.codegen.wholeStage", "false")  # compiling costs more than it saves
            .config("spark.sql.adaptive.enabled", "false")
            .config("spark.sql.session.timeZone", "Pacific/Auckland")
            .getOrCreate()
        )
        yield session
        session.stop()


def same(found: Tally, expected: Tally) -> None:
    """Compare part by part first, so that a difference says where it is."""
    left, right = found.as_record(), expected.as_record()
    for name in expected.tables:
        assert left["tables"][name] == right["tables"][name], name  # type: ignore[index,call-overload]
    assert left == right
    assert found.digest == expected.digest


SPECS = {
    "numbers as subjects": spec(),
    "texts as subjects": spec(subject="name", replicates=2),
    "nobody named": spec(subject=None),
}


@pytest.mark.parametrize("of", SPECS.values(), ids=SPECS)
def test_duckdb_counts_a_parquet_file_as_by_hand(
    data: list[dict[str, Any]], parquet: Path, of: TallySpec
) -> None:
    same(tally_file(parquet, of), by_hand(data, of))


def test_duckdb_counts_a_frame_and_a_csv_file_alike(
    data: list[dict[str, Any]], frame: pd.DataFrame, tmp_path: Path
) -> None:
    of = spec()
    expected = by_hand(data, of)
    same(tally_frame(frame, of), expected)
    # A CSV file cannot tell an empty text from a missing one: it says neither here.
    known = frame[frame["sex"] != ""]
    path = tmp_path / "rows.csv"
    known.to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S.%f")
    kept = [row for row in data if row["sex"] != ""]
    same(tally_file(path, of), by_hand(kept, of))


@pytest.mark.postgres
@pytest.mark.parametrize("of", SPECS.values(), ids=SPECS)
def test_postgresql_counts_as_by_hand(
    data: list[dict[str, Any]], postgresql: str, of: TallySpec
) -> None:
    same(tally_postgresql(postgresql, "rows", of), by_hand(data, of))


@pytest.mark.slow
def test_spark_counts_as_by_hand(
    data: list[dict[str, Any]], frame: pd.DataFrame, spark: Any, tmp_path: Path
) -> None:
    path, of = tmp_path / "rows.parquet", small()
    frame[:SPARK_ROWS].to_parquet(path)
    spark.read.parquet(str(path)).createOrReplaceTempView("rows")
    same(tally_spark(spark, "rows", of), by_hand(data[:SPARK_ROWS], of))


@pytest.mark.campaign
@pytest.mark.parametrize("of", SPECS.values(), ids=SPECS)
def test_spark_counts_everything_as_by_hand(
    data: list[dict[str, Any]], parquet: Path, spark: Any, of: TallySpec
) -> None:
    spark.read.parquet(str(parquet)).createOrReplaceTempView("rows")
    same(tally_spark(spark, "rows", of), by_hand(data, of))


def small() -> TallySpec:
    """Return what takes Spark seconds and not minutes; its subject terms are the campaign's."""
    of = spec(replicates=0)
    cross = next(one for one in of.tables if one.id == "cross")
    return replace(of, tables=(replace(cross, moments=False),))
