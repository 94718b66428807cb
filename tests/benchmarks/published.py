"""Where results go: JSON beside the page, and the table between its marks on the page."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
RESULTS: Final = PAGE.with_name("performance")

Result = dict[str, Any]


def machine() -> dict[str, Any]:
    """Return what the absolute numbers are of."""
    return {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def rendered(page: str, name: str, table: str, facts: dict[str, Any]) -> str:
    """Return the page with the table of benchmark `name` between its marks."""
    begin, end = f"<!-- {name}:", f"<!-- /{name} -->"
    head, rest = page.split(begin, 1)
    mark, tail = rest.split("\n", 1)
    line = ", ".join(f"{key} {value}" for key, value in facts.items())
    return f"{head}{begin}{mark}\n{table}\n\n{line}.\n{end}{tail.split(end, 1)[1]}"


def command(
    name: str,
    *,
    measure: Callable[[bool], Result],
    table: Callable[[Result], str],
    described: str | None,
) -> None:
    """Run a benchmark as a program: by default it publishes JSON and table."""
    parser = argparse.ArgumentParser(description=(described or name).splitlines()[0])
    parser.add_argument("--short", action="store_true", help="seconds; numbers mean nothing")
    parser.add_argument("--out", type=Path, help="write the JSON here and leave the page alone")
    options = parser.parse_args()
    result = measure(options.short)
    print(table(result))
    text = json.dumps(result, indent=1) + "\n"
    if options.out or options.short:
        if options.out:
            options.out.write_text(text, encoding="utf-8")
        return
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(rendered(page, name, table(result), result["machine"]), encoding="utf-8")
