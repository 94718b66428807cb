"""The servers that are compared, each one a process with one worker, uvicorn, uvloop, httptools.

    python -m tests.benchmarks.servers KIND HOME

It prints its port and ends when its standard input ends, so that it cannot outlive its parent.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel

from governance.storage.promise import Promise
from tests.unit.serving.fakes import path_table


@contextmanager
def gate(home: Path) -> Iterator[Any]:
    """Everything on: tokens, limits, contract, durable entry, signature, receipt."""
    from governance.api.app import create_app
    from governance.deployment import open_deployment

    with open_deployment(home) as deployment:
        yield create_app(deployment)


@contextmanager
def gate_without_store(home: Path) -> Iterator[Any]:
    """The gate with a pen that keeps nothing: the ceiling of its design, never a product."""
    from governance import ids
    from governance.api.app import create_app
    from governance.deployment import open_deployment
    from governance.storage.ports import CommittedAnswer, PendingAnswer, Recorded

    with open_deployment(home) as deployment:
        clock = deployment.clock

        def answer(pending: PendingAnswer) -> Promise[CommittedAnswer]:
            future: Promise[CommittedAnswer] = Promise()
            now_us = clock.now_us()
            recorded = Recorded(seq=0, event_id=ids.event_id(now_us=now_us), t_us=now_us)
            future.set_result(
                CommittedAnswer(answer=pending, recorded=recorded, prove=lambda: b"{}")
            )
            return future

        deployment.pen.answer = answer  # type: ignore[method-assign]
        yield create_app(deployment)


class Row(BaseModel):
    """What the plain server takes, so that it refuses what the gate's contract refuses."""

    product_class: str
    concession: str
    horizon: int


class Context(BaseModel):
    """See `Row`."""

    purpose: str


class Question(BaseModel):
    """See `Row`."""

    rows: list[Row]
    context: Context


@contextmanager
def plain(_home: Path) -> Iterator[Any]:
    """What a developer writes in ten lines around the same predictor: no gate, no record."""
    from models.predictor import load_predictor

    app = FastAPI()
    predictor = load_predictor("forecasting/path-table/1", path_table())

    @app.post("/predict")
    async def predict(question: Question) -> Any:
        return {"rows": predictor.predict([row.model_dump() for row in question.rows])}

    yield app


@contextmanager
def plain_sklearn(_home: Path) -> Iterator[Any]:
    """The same ten lines around StandardScaler and logistic regression on 20 named floats."""
    import numpy as np
    from pydantic import create_model
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(20050601)
    values = rng.normal(size=(500, 20))
    labels = (values[:, 0] + rng.normal(size=500) > 0).astype(int)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(values, labels)
    fields: dict[str, Any] = {f"x{number}": (float, ...) for number in range(20)}
    row_type = create_model("Row", **fields)
    app = FastAPI()

    async def predict(row: Any) -> Any:
        probability = fitted.predict_proba([list(row.model_dump().values())])[0, 1]
        return {"probability": float(probability)}

    predict.__annotations__["row"] = row_type
    app.post("/predict")(predict)
    yield app


@contextmanager
def noop(_home: Path) -> Iterator[Any]:
    """FastAPI that reads the same question and answers a constant."""
    app = FastAPI()

    @app.post("/predict")
    async def predict(request: Request) -> Any:
        await request.body()
        return {"rows": []}

    yield app


KINDS: dict[str, Callable[[Path], Any]] = {
    "gate": gate,
    "gate without store": gate_without_store,
    "plain": plain,
    "plain scikit-learn": plain_sklearn,
    "no-op": noop,
}


def serve(kind: str, home: Path) -> None:
    """Serve until standard input ends."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    with KINDS[kind](home) as app:
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", log_level="error", access_log=False,
            server_header=False, date_header=False,
        )  # fmt: skip
        server = uvicorn.Server(config)

        def end_with_parent() -> None:
            sys.stdin.read()
            server.should_exit = True

        threading.Thread(target=end_with_parent, daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        server.run(sockets=[listener])


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
