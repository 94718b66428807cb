"""The three lower packages compute; only the shell reads clocks, files, chance and the world."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.purity import calls_of, impurities
from tests.support.project import PURE_PACKAGES, shown, sources, tree_of

PLANTED = {
    "opens a file": 'rows = open("rows.csv").read()',
    "opens a file through io": 'import io\nrows = io.open("rows.csv")',
    "reads through pathlib": 'from pathlib import Path\nrows = Path("rows.csv")',
    "imports pathlib whole": "import pathlib",
    "reads a path that it was handed": "def load(path):\n    return path.read_text()",
    "writes a path that it was handed": "def save(path, text):\n    path.write_text(text)",
    "reads a packaged file": "from importlib.resources import files",
    "reads a packaged file, module form": "from importlib import resources",
    "asks for the time": "import datetime\nnow = datetime.datetime.now()",
    "asks for the time with a zone": (
        "from datetime import UTC, datetime\nnow = datetime.now(tz=UTC)"
    ),
    "asks for the time under another name": (
        "from datetime import datetime as dt\nnow = dt.utcnow()"
    ),
    "asks for today": "from datetime import date\nday = date.today()",
    "asks time.time": "import time\nnow = time.time()",
    "asks a monotonic clock": "from time import monotonic",
    "draws from random": "import random\nx = random.random()",
    "imports random inside a function": "def f():\n    from random import choice\n",
    "draws from secrets": "import secrets",
    "reads the environment": 'import os\nhome = os.environ["HOME"]',
    "reads os.path": "from os.path import exists",
    "makes an identifier": "import uuid\nkey = uuid.uuid4()",
    "numpy's global generator": "import numpy as np\nx = np.random.rand(3)",
    "numpy's global seed": "import numpy\nnumpy.random.seed(7)",
    "numpy's global generator, imported by name": (
        "from numpy.random import normal\nx = normal(size=3)"
    ),
    "numpy's global generator, passed on": "import numpy as np\ndraw = np.random.normal",
    "generator without a seed": "import numpy as np\nrng = np.random.default_rng()",
    "generator with no seed said aloud": (
        "from numpy.random import default_rng\nrng = default_rng(None)"
    ),
    "seed sequence without entropy": "import numpy as np\ns = np.random.SeedSequence()",
    "resampling without a generator": "from scipy import stats\nci = stats.bootstrap((x,), mean)",
    "drawing from a distribution without a generator": (
        "from scipy import stats\nx = stats.norm.rvs(size=3)"
    ),
    "resampling with no generator said aloud": (
        "from scipy.stats import bootstrap\nci = bootstrap((x,), mean, rng=None)"
    ),
    "logs": "import logging\nlogging.getLogger(__name__)",
    "prints": 'print("done")',
    "writes to standard output": 'import sys\nsys.stdout.write("done")',
    "reads the command line": "import sys\nname = sys.argv[1]",
    "runs code from text": 'eval("1 + 1")',
    "starts a process": "import subprocess",
    "starts a thread": "from threading import Thread",
    "opens a database": "import sqlite3",
    "opens a connection": "import urllib.request",
}

PURE = {
    "takes an open source": "def load(source):\n    return source.read()",
    "names a path without touching it": "from pathlib import PurePosixPath",
    "handed a generator": "def draw(rng):\n    return rng.normal(size=3)",
    "seeds a generator": "import numpy as np\nrng = np.random.default_rng(seed)",
    "names the type of a generator": "import numpy as np\ndef f(rng: np.random.Generator): ...",
    "resamples with the generator": (
        "from scipy import stats\nci = stats.bootstrap((x,), mean, rng=rng)"
    ),
    "constructs a time": "from datetime import UTC, datetime\nt = datetime(2026, 1, 1, tzinfo=UTC)",
    "has a method that is called open": "class Attempt:\n    def open(self): ...\nAttempt().open()",
    "calls its own now": "def f(clock):\n    return clock.now_us",
}


@pytest.mark.parametrize("snippet", PLANTED.values(), ids=PLANTED.keys())
def test_planted_impurity_is_reported(snippet: str) -> None:
    assert impurities(ast.parse(snippet)), "the rule would let this pass"


@pytest.mark.parametrize("snippet", PURE.values(), ids=PURE.keys())
def test_pure_code_is_not_reported(snippet: str) -> None:
    assert impurities(ast.parse(snippet)) == []


@pytest.mark.parametrize("package", PURE_PACKAGES)
def test_package_is_pure(package: str) -> None:
    found = [
        f"{shown(path)}:{one.line} {one.name}: {one.advice}"
        for path in sources(package)
        for one in impurities(tree_of(path))
    ]
    assert found == []


def test_planted_json_dumps_is_found_under_any_name() -> None:
    planted = ast.parse("from json import dumps as text\ntext({})\nimport json\njson.dumps({})")
    assert calls_of(planted, "json.dumps") == [(2, "json.dumps"), (4, "json.dumps")]


@pytest.mark.requirement("P3")
def test_ledger_writes_json_only_through_its_canonical_form() -> None:
    """`json.dumps` would hash 1.0 and 1, or two key orders, as two different records."""
    found = [
        f"{shown(path)}:{line} {name}"
        for path in sources("governance/ledger")
        for line, name in calls_of(tree_of(path), "json.dumps", "json.dump")
    ]
    assert found == []


@pytest.mark.requirement("P2")
def test_only_storage_ends_a_transaction() -> None:
    """One pen: `commit()` of a session elsewhere would write outside the committer's queue."""
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in sources("governance")
        if "storage" not in path.parts
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "commit"
        and not node.args
        and not node.keywords
    ]
    assert found == []
