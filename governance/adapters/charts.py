"""Charts from Vega-Lite specifications to SVG text, by vl-convert.

The same text stands in the console and in the PDF. Nothing is fetched: data are in the
specification, and `allowed_base_urls` is empty (P15). Equal specifications give equal bytes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from governance.errors import GovernanceError

VEGA_LITE: Final = "6.4"
"""The Vega-Lite release that is pinned, so that an update of the converter changes no chart."""


class ChartRefused(GovernanceError):
    """The converter does not accept a chart's specification."""

    code = "report.chart_refused"


def font_directory() -> Path:
    """Return the folder of the DejaVu fonts that matplotlib's package carries; imports nothing.

    Raises ChartRefused where the package is missing.
    """
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ChartRefused(
            "the package matplotlib, which carries the fonts of charts and reports, is missing",
            next_step="install the project's locked requirements again",
        )
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


def svg_of(specification: Mapping[str, Any]) -> str:
    """Return the chart as SVG text.

    Raises ChartRefused where the specification is not valid Vega-Lite or names an outside address.
    """
    converter = _converter()
    try:
        svg = converter.vegalite_to_svg(
            dict(specification), vl_version=VEGA_LITE, allowed_base_urls=[]
        )
    except ValueError as error:
        raise ChartRefused(
            f"a chart could not be drawn: {str(error).splitlines()[0][:200]}",
            next_step="this is a defect of the report; the numbers stand in the table beside it",
        ) from error
    return str(svg)


@cache
def _converter() -> Any:
    # Loaded on first use: the package carries a JavaScript engine of 88 MB.
    import vl_convert

    vl_convert.register_font_directory(str(font_directory()))
    return vl_convert
