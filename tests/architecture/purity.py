"""What the pure packages may not do, read from the syntax tree (the lower half of the import rule).

Import contracts see whole modules; these rules see calls: `datetime` may be imported, `now` may not
be asked. Names are followed through aliases (`import numpy as np`), not through variables.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Final

BANNED_MODULES: Final = {
    "asyncio": "concurrency belongs to the shell",
    "glob": "no file system: take an open source as an argument",
    "importlib.resources": "no file system: take an open source as an argument",
    "logging": "a pure function returns what it has to say",
    "multiprocessing": "concurrency belongs to the shell",
    "os": "no environment and no file system",
    "random": "take `rng: numpy.random.Generator` as an argument",
    "secrets": "take `rng: numpy.random.Generator` as an argument",
    "shutil": "no file system",
    "socket": "no network",
    "sqlite3": "no database",
    "subprocess": "no processes",
    "tempfile": "no file system",
    "threading": "concurrency belongs to the shell",
    "time": "take `now_us` as an argument",
    "urllib": "no network",
}
PURE_PATHS: Final = frozenset({"PurePath", "PurePosixPath", "PureWindowsPath"})
BANNED_CALLS: Final = {
    "__import__": "imports are written as imports",
    "breakpoint": "left-over of debugging",
    "datetime.date.today": "take the day as an argument",
    "datetime.datetime.now": "take `now_us` as an argument",
    "datetime.datetime.today": "take `now_us` as an argument",
    "datetime.datetime.utcnow": "take `now_us` as an argument",
    "eval": "no code from text",
    "exec": "no code from text",
    "input": "a pure function asks nobody",
    "io.open": "take an open source as an argument",
    "open": "take an open source as an argument",
    "print": "a pure function returns what it has to say",
    "uuid.uuid1": "take the identifier as an argument",
    "uuid.uuid4": "take the identifier as an argument",
}
BANNED_METHODS: Final = {
    "iterdir": "no file system",
    "mkdir": "no file system",
    "read_bytes": "take an open source as an argument",
    "read_text": "take an open source as an argument",
    "rglob": "no file system",
    "unlink": "no file system",
    "write_bytes": "return the bytes",
    "write_text": "return the text",
}
BANNED_ATTRIBUTES: Final = {
    "sys.argv": "no environment",
    "sys.stderr": "a pure function returns what it has to say",
    "sys.stdin": "take an open source as an argument",
    "sys.stdout": "a pure function returns what it has to say",
}
SEEDABLE: Final = frozenset({"default_rng", "SeedSequence", "PCG64", "Philox"})
NUMPY_RANDOM_TYPES: Final = frozenset({"Generator", "BitGenerator"}) | SEEDABLE
# Each of these draws from a hidden global generator unless it is handed one.
RESAMPLERS: Final = frozenset({"bootstrap", "monte_carlo_test", "permutation_test", "rvs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Impurity:
    """One place that is not pure: its line, what stands there, and what to do instead."""

    line: int
    name: str
    advice: str


def impurities(tree: ast.Module) -> list[Impurity]:
    """Return every impurity of one module, in the order of its lines."""
    names = _aliases(tree)
    found: list[Impurity] = []
    for node in ast.walk(tree):
        found += _of_import(node)
        if isinstance(node, ast.Attribute):
            found += _of_attribute(node, _dotted(node, names))
        if isinstance(node, ast.Call):
            found += _of_call(node, _dotted(node.func, names))
    return sorted(found, key=lambda one: (one.line, one.name))


def calls_of(tree: ast.Module, *banned: str) -> list[tuple[int, str]]:
    """Return line and name of each call of one of the `banned` dotted names."""
    names = _aliases(tree)
    return [
        (node.lineno, dotted)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (dotted := _dotted(node.func, names)) in banned
    ]


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Return local name -> dotted origin for everything that the module imports."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Return `np.random.rand` as `numpy.random.rand`; what hangs on no name begins with a dot."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return ""


def _of_import(node: ast.AST) -> list[Impurity]:
    if isinstance(node, ast.Import):
        origins = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        origins = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return []
    return [
        Impurity(line=node.lineno, name=f"import {origin}", advice=advice)
        for origin in origins
        if (advice := _import_advice(origin))
    ]


def _import_advice(origin: str) -> str:
    for module, advice in BANNED_MODULES.items():
        if origin == module or origin.startswith(module + "."):
            return advice
    if origin == "pathlib" or (
        origin.startswith("pathlib.") and origin.partition(".")[2] not in PURE_PATHS
    ):
        return "of pathlib only the Pure… classes, imported by name"
    return ""


def _of_attribute(node: ast.Attribute, dotted: str) -> list[Impurity]:
    advice = BANNED_ATTRIBUTES.get(dotted, "")
    if dotted.startswith("numpy.random.") and dotted.split(".")[2] not in NUMPY_RANDOM_TYPES:
        advice = "numpy's global generator: use the `rng` that was passed in"
    return [Impurity(line=node.lineno, name=dotted, advice=advice)] if advice else []


def _of_call(node: ast.Call, dotted: str) -> list[Impurity]:
    last = dotted.rpartition(".")[2]
    advice = BANNED_CALLS.get(dotted, "")
    if isinstance(node.func, ast.Attribute):
        advice = advice or BANNED_METHODS.get(last, "")
    if not advice and dotted.startswith("numpy.random."):
        advice = _numpy_call_advice(node, last)
    if last in RESAMPLERS and not _is_seeded(node):
        advice = "pass `rng` or `random_state`: the default is a hidden global generator"
    return [Impurity(line=node.lineno, name=dotted, advice=advice)] if advice else []


def _numpy_call_advice(node: ast.Call, last: str) -> str:
    if last not in NUMPY_RANDOM_TYPES:
        return "numpy's global generator: use the `rng` that was passed in"
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    unseeded = not given or any(isinstance(a, ast.Constant) and a.value is None for a in given)
    return "give the seed" if last in SEEDABLE and unseeded else ""


def _is_seeded(node: ast.Call) -> bool:
    return any(
        keyword.arg in {"rng", "random_state"}
        and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
        for keyword in node.keywords
    )
