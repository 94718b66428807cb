"""Register a dataset: read a source through its contract, freeze the bytes, record the digest."""

from __future__ import annotations

import io
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from pydantic import Field

from audits.sources.series import Month, Panel
from change_control.roles import Role
from change_control.scope import Scope
from governance.adapters.fpp2_totals import read_totals
from governance.deployment import Deployment
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.change.panel_blob import panel_from_record, panel_record
from governance.operations.operation import Operation, Request, Result
from governance.registry.records import Dataset
from governance.storage.ports import Reader, Unit
from models.entry import DataRole
from models.forecasting.loader import load_pbs, load_totals

_ADDERS: Final = frozenset({Role.MODEL_OWNER, Role.CUSTODIAN})


class DataSource(StrEnum):
    """Where a dataset comes from."""

    PBS = "pbs"
    FPP2 = "fpp2"


class AddDataset(Request):
    """A source: the text of a PBS table, or the totals inside the demonstration's package.

    `through` cuts the panel at that month ("2005-06"), so that later months can stay unseen.
    """

    source: DataSource
    title: str = Field(min_length=3, max_length=200)
    licence: str = Field(min_length=2, max_length=200)
    text: str = Field(default="", max_length=64_000_000)
    through: str | None = None
    classes: list[str] = Field(default_factory=list, max_length=100)
    role: DataRole = DataRole.TRAINING


class DatasetLine(Result):
    """One registered dataset."""

    dataset: str
    title: str
    source: str
    digest: str
    series: int
    rows: int
    first_month: str
    last_month: str
    role: str
    simulated: bool
    licence: str


class ListDatasets(Request):
    """Every dataset."""


class Datasets(Result):
    """Every dataset, in order of registration."""

    datasets: list[DatasetLine]


def read_panel(*, source: str, text: str, through: str | None, classes: list[str]) -> Panel:
    """Return the panel of the source; raises the loader's own error with every fault found."""
    panel = _READERS[DataSource(source)](text)
    if classes:
        chosen = tuple(one for one in panel.series if one.key.split("/")[0] in classes)
        panel = Panel(series=chosen)
    return panel.until(Month.parse(through)) if through else panel


_READERS: Final[dict[DataSource, Callable[[str], Panel]]] = {
    DataSource.PBS: lambda text: load_pbs(io.StringIO(text)).panel,
    DataSource.FPP2: lambda _text: load_totals(read_totals()),
}


def add_dataset(deployment: Deployment, actor: Actor, request: AddDataset) -> DatasetLine:
    """Read, check and freeze the dataset; the very same bytes are registered once."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_ADDERS, scope, act="register datasets")
    panel = deployment.compute.run(
        read_panel,
        source=request.source.value,
        text=request.text,
        through=request.through,
        classes=list(request.classes),
    )
    content = canonical.dumps(panel_record(panel))

    def write(unit: Unit) -> DatasetLine:
        digest = unit.put_blob(content, media_type="application/json")
        known = unit.find(Dataset, digest=digest)
        if known:
            return _line(known[0], len(panel.series))
        dataset = Dataset(
            id=unit.next_id(Dataset, prefix="D"),
            title=request.title,
            source=request.source.value,
            digest=digest,
            rows=sum(len(one.values) for one in panel.series),
            first_month=str(min(one.start for one in panel.series)),
            last_month=str(panel.end),
            role=request.role.value,
            simulated=False,
            licence=request.licence,
            registered_by=actor.person,
            registered_us=unit.now_us,
        )
        unit.record(kind="dataset.registered", actor=actor.person, add=[dataset])
        return _line(dataset, len(panel.series))

    return deployment.pen.commit(write)


def list_datasets(deployment: Deployment, actor: Actor, _request: ListDatasets) -> Datasets:
    """List every dataset."""
    del actor
    with deployment.reader() as reader:
        return Datasets(
            datasets=[_line(dataset, _series(reader, dataset)) for dataset in reader.find(Dataset)]
        )


def _series(reader: Reader, dataset: Dataset) -> int:
    """Return how many series a panel has; a table of rows has none."""
    if dataset.source not in set(DataSource):
        return 0
    return len(panel_from_record(canonical.loads(reader.blob(dataset.digest))).series)


def _line(dataset: Dataset, series: int) -> DatasetLine:
    return DatasetLine(
        dataset=dataset.id,
        title=dataset.title,
        source=dataset.source,
        digest=dataset.digest,
        series=series,
        rows=dataset.rows,
        first_month=dataset.first_month,
        last_month=dataset.last_month,
        role=dataset.role,
        simulated=dataset.simulated,
        licence=dataset.licence,
    )


ADD_DATASET = Operation(
    name="data.add",
    request=AddDataset,
    kinds=("dataset.registered",),
    run=add_dataset,
    repeated="returns the dataset that is already registered",
)
LIST_DATASETS = Operation(
    name="data.list", request=ListDatasets, kinds=(), run=list_datasets, repeated="reads only"
)
