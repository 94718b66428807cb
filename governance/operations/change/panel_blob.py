"""A panel of monthly series as the canonical bytes that a dataset's digest stands for."""

from __future__ import annotations

from audits.estimate import Json, decimal_text
from audits.sources.series import Month, MonthlySeries, Panel
from governance.errors import GovernanceError

FORMAT = "panel/1"


class DatasetMalformed(GovernanceError):
    """The stored bytes are not a panel."""

    code = "data.malformed"
    http_status = 422


def panel_record(panel: Panel) -> dict[str, Json]:
    """Return the panel in the JSON domain, values as decimal text."""
    return {
        "format": FORMAT,
        "series": [
            {
                "key": one.key,
                "group": one.group,
                "start": str(one.start),
                "values": [decimal_text(value) for value in one.values],
            }
            for one in panel.series
        ],
    }


def panel_from_record(record: Json) -> Panel:
    """Return the panel that the record holds, or raise DatasetMalformed."""
    try:
        if not isinstance(record, dict) or record["format"] != FORMAT:
            raise _malformed()
        return Panel(series=tuple(_series(item) for item in record["series"]))  # type: ignore[union-attr]
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed() from error


def _series(item: Json) -> MonthlySeries:
    if not isinstance(item, dict):
        raise _malformed()
    return MonthlySeries(
        key=str(item["key"]),
        group=None if item["group"] is None else str(item["group"]),
        start=Month.parse(str(item["start"])),
        values=tuple(float(str(value)) for value in item["values"]),  # type: ignore[union-attr]
    )


def _malformed() -> DatasetMalformed:
    return DatasetMalformed(
        "the dataset is not a panel of monthly series",
        next_step="register the dataset again with `vigil data add`",
    )
