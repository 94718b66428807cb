"""Two contracts: the monthly table that training reads, and the row that a caller sends.

The table is checked with pandera (5.6 ms and more: never in the request path), the row with plain
Python. Both list every fault; neither repairs nor drops anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from models.rows import FieldType, InputContract, InputField, RowChecker, RowFaults

if TYPE_CHECKING:
    import pandera.pandas as pa

MAX_HORIZON: Final = 24
TOTAL: Final = "total"
CONCESSIONS: Final = ("Concessional", "General")
TYPES: Final = ("Co-payments", "Safety net")
COLUMNS: Final = (
    "Month", "Concession", "Type", "ATC1", "ATC1_desc", "ATC2", "ATC2_desc", "Scripts", "Cost",
)  # fmt: skip


def table_schema() -> pa.DataFrameSchema:
    """Return the pandera schema of the PBS monthly table, all columns read as text or number.

    Scripts are whole prescriptions, Cost is Australian dollars; both may be zero, never negative
    and never missing. One row for each month x concession x type x class.
    """
    import pandera.pandas as pa

    def text(*checks: pa.Check) -> pa.Column:
        return pa.Column(str, list(checks), nullable=False)

    def amount(*checks: pa.Check) -> pa.Column:
        return pa.Column(float, [pa.Check.in_range(0, 1e12), *checks], nullable=False)

    whole = pa.Check(lambda values: values % 1 == 0, name="whole_number")
    return pa.DataFrameSchema(
        {
            "Month": text(pa.Check.str_matches(r"^[0-9]{4}-(0[1-9]|1[0-2])-01$")),
            "Concession": text(pa.Check.isin(CONCESSIONS)),
            "Type": text(pa.Check.isin(TYPES)),
            "ATC1": text(pa.Check.str_matches(r"^[A-Z]$")),
            "ATC1_desc": text(),
            "ATC2": text(pa.Check.str_matches(r"^[A-Z](0[1-9]|[1-9][0-9])$")),
            "ATC2_desc": text(),
            "Scripts": amount(whole),
            "Cost": amount(),
        },
        strict=True,
        ordered=True,
        unique=["Month", "Concession", "Type", "ATC2"],
        report_duplicates="all",
    )


def row_contract(
    *, product_classes: tuple[str, ...], concessions: tuple[str, ...], max_horizon: int
) -> InputContract:
    """Return the contract of one request row for a model that knows these series."""
    return InputContract(
        fields=(
            InputField(
                name="product_class",
                type=FieldType.TEXT,
                required=True,
                description="ATC level-2 class of the product",
                allowed=product_classes,
                not_allowed_code="row.unknown_class",
            ),
            InputField(
                name="concession",
                type=FieldType.TEXT,
                required=True,
                description="Concession class of the patients, or the total over both",
                allowed=concessions,
                not_allowed_code="row.unknown_concession",
            ),
            InputField(
                name="horizon",
                type=FieldType.INTEGER,
                required=True,
                description="Months ahead of the forecast origin",
                unit="months",
                minimum=Decimal(1),
                maximum=Decimal(max_horizon),
                out_of_range_code="row.horizon_out_of_range",
            ),
        )
    )


class RowContract:
    """The row contract of one artifact: its classes, its concession classes, its horizon."""

    __slots__ = ("_checker",)

    def __init__(self, *, keys: tuple[str, ...], max_horizon: int) -> None:
        """Build the contract for series keys such as `L01/General`."""
        classes, concessions = zip(*(key.split("/") for key in keys), strict=True)
        self._checker = RowChecker(
            row_contract(
                product_classes=tuple(sorted(set(classes))),
                concessions=tuple(sorted(set(concessions))),
                max_horizon=max_horizon,
            )
        )

    def faults(self, row: Mapping[str, object]) -> RowFaults:
        """Return every fault of the row (see `models.rows`)."""
        return self._checker.faults(row)
