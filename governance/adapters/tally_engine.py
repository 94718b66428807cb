"""Counting where the rows are: DuckDB for files and frames, PostgreSQL and Spark for what is there.

Rows do not travel; the whole numbers of a tally do. DuckDB reads Parquet and CSV in a stream, so
memory grows with the cells (and the subjects, where the specification names one; what does not fit
is spilled to a temporary folder), not with the rows. Nothing is fetched: a file is a file on a disk
that this process reads, and no extension is installed (P15).
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from audits.errors import AuditError
from audits.sources.axes import CategoryAxis, NumberAxis, NumberType
from audits.sources.counts import Counts, moments_of
from audits.sources.tally import Tally, empty
from audits.sources.tally_spec import TallySpec
from governance.adapters import tally_expression as parts
from governance.errors import GovernanceError, InvalidInput

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MEMORY: Final = "1GB"
"""What DuckDB may hold before it spills; a tally needs far less."""


class CountingFailed(GovernanceError):
    """The engine that holds the rows could not count them."""

    code = "tally.counting_failed"
    http_status = 503


def tally_file(path: Path, spec: TallySpec, *, memory: str = MEMORY) -> Tally:
    """Count a Parquet or CSV file; raise InvalidInput, CountingFailed or TallyMismatch."""
    if path.suffix not in {".parquet", ".csv"} or not path.is_file():
        raise InvalidInput(
            f"{path.name} is no Parquet or CSV file on this machine",
            next_step="give a file that ends in .parquet or .csv, or a PostgreSQL address",
        )
    with _duckdb(memory) as connection, _translated("DuckDB"):
        name = str(path.absolute())
        if path.suffix == ".parquet":
            return tally_table(connection, connection.read_parquet(name), spec)
        # What a column of text holds is the specification's to say, not the first lines'.
        rows = connection.read_csv(name, types=_csv_types(spec))
        return tally_table(connection, rows, spec)


def _csv_types(spec: TallySpec) -> dict[str, str]:
    numbers = {NumberType.FLOAT: "double", NumberType.INTEGER: "bigint"}
    truth = {"true", "false"}
    types = {
        axis.column: "boolean" if set(axis.levels) <= truth else "varchar"
        for axis in spec.axes
        if isinstance(axis, CategoryAxis)
    }
    types |= {one.column: "double" for one in spec.sums}
    for axis in spec.axes:
        if isinstance(axis, NumberAxis):
            types[axis.column] = numbers.get(axis.type, "timestamp")
    return types


def tally_frame(frame: pd.DataFrame, spec: TallySpec) -> Tally:
    """Count a pandas frame; None and NaN are missing."""
    import ibis

    with _duckdb(MEMORY) as connection, _translated("DuckDB"):
        return tally_table(connection, ibis.memtable(frame), spec)


def tally_postgresql(
    address: str, table: str, spec: TallySpec, *, schema: str | None = None
) -> Tally:
    """Count a table or view of a PostgreSQL database; the statement only reads."""
    import ibis

    with _translated("PostgreSQL"):
        connection = ibis.connect(address)
        try:
            with connection.raw_sql("SET TIME ZONE 'UTC'"):
                pass
            return tally_table(connection, connection.table(table, database=schema), spec)
        finally:
            connection.disconnect()


def tally_spark(session: Any, table: str, spec: TallySpec) -> Tally:
    """Count a table or view of a Spark session; its time zone is set to UTC."""
    import ibis

    with _translated("Spark"):
        session.conf.set("spark.sql.session.timeZone", "UTC")
        session.conf.set("spark.sql.ansi.enabled", "true")  # a sum that overflows is an error
        connection = ibis.pyspark.connect(session)
        return tally_table(connection, connection.table(table), spec)


def tally_table(connection: Any, rows: ir.Table, spec: TallySpec) -> Tally:
    """Return the tally of a table that an ibis connection holds."""
    found = connection.to_pyarrow(parts.expression_of(spec, rows))
    columns = {
        name: found.column(name).to_numpy().astype("int64", casting="safe")
        for name in found.column_names
    }
    return assembled(columns, spec)


def assembled(columns: dict[str, NDArray[np.int64]], spec: TallySpec) -> Tally:
    """Return the tally from the rows of the expression."""
    measures = _stacked(columns, parts.width_of(spec))
    part, place = columns["part"], columns["place"]
    total = measures[:, part == parts.TOTAL][:, 0].tolist()
    known = spec.subject is not None
    if known and total[3]:
        raise CountingFailed(
            f"{total[3]} rows have no subject, so nobody knows which rows belong together",
            next_step="name the subject in every row, or leave such rows out beforehand",
        )
    tables = {
        table.id: _counts(
            {name: column[place == number] for name, column in columns.items()},
            measures[:, place == number],
            spec,
            table.id,
        )
        for number, table in enumerate(spec.tables)
    }
    return Tally(
        spec=spec,
        rows=total[0],
        subjects=total[1] if known else None,
        most_rows=total[2] if known else None,
        tables=tables,
    )


def _counts(
    columns: dict[str, NDArray[np.int64]],
    measures: NDArray[np.int64],
    spec: TallySpec,
    table: str,
) -> Counts:
    blank = empty(spec).tables[table]
    part, a, b = columns["part"], columns["a"], columns["b"]
    used = part == parts.CELLS
    blank.measures[:, a[used]] = measures[: len(blank.measures)][:, used]
    moments = None
    if blank.moments is not None:
        pairs = part == parts.MOMENTS
        moments = moments_of(a[pairs], b[pairs], measures[0][pairs], cells=spec.cells(table))
    if blank.replicates is not None:
        drawn = part == parts.REPLICATES
        kept = measures[: len(blank.measures)][:, drawn]
        blank.replicates[b[drawn], :, a[drawn]] = kept.T
    return Counts(measures=blank.measures, moments=moments, replicates=blank.replicates)


def _stacked(columns: dict[str, NDArray[np.int64]], width: int) -> NDArray[np.int64]:
    import numpy as np

    return np.stack([columns[f"m{place}"] for place in range(width)])


@contextmanager
def _duckdb(memory: str) -> Iterator[Any]:
    import ibis

    with (
        tempfile.TemporaryDirectory(prefix="vigil-count-") as folder,
        warnings.catch_warnings(),
    ):
        # ibis 12 calls what DuckDB 2 has renamed.
        warnings.filterwarnings("ignore", message="fetch_arrow_table", category=DeprecationWarning)
        connection = ibis.duckdb.connect(
            temp_directory=folder,
            memory_limit=memory,
            preserve_insertion_order=False,
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
        )
        try:
            yield connection
        finally:
            connection.disconnect()


@contextmanager
def _translated(engine: str) -> Iterator[None]:
    """Turn whatever an engine raises into ours; its text may hold values, so it is not repeated."""
    try:
        yield
    except (AuditError, GovernanceError):
        raise
    except Exception as error:
        raise CountingFailed(
            f"{engine} could not count the rows ({type(error).__name__})",
            next_step="check the address, the table and its types; where a sum overflows, sum with "
            "fewer decimals",
        ) from error
