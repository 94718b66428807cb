"""A file fits in one reading, a function on one screen (docs/STYLE.md)."""

from __future__ import annotations

import ast

import pytest

from tests.support.project import PACKAGES, shown, sources, tree_of

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def body_lines(function: Function) -> int:
    """Return the lines from `def` to the last statement, without the docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        assert docstring.end_lineno is not None
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def test_docstring_does_not_count() -> None:
    function = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n').body[0]
    assert isinstance(function, ast.FunctionDef)
    assert body_lines(function) == 2


@pytest.mark.parametrize("package", PACKAGES)
def test_files_fit_in_one_reading(package: str) -> None:
    counted = {shown(path): len(path.read_text("utf-8").splitlines()) for path in sources(package)}
    assert counted, f"{package} has no files"
    assert {name: lines for name, lines in counted.items() if lines > FILE_LINES_MAX} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_fit_on_one_screen(package: str) -> None:
    long = {
        f"{shown(path)}:{node.lineno} {node.name}": lines
        for path in sources(package)
        for node in ast.walk(tree_of(path))
        if isinstance(node, Function) and (lines := body_lines(node)) > FUNCTION_LINES_MAX
    }
    assert long == {}
