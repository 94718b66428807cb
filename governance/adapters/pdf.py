"""Documents from Typst templates to tagged, archivable PDF.

Data reach a template only as JSON in `sys.inputs`: no markup is ever built from a value, so a
value cannot become markup. The bytes depend on template, data, instant and the pinned compiler:
the fonts are those that Typst embeds and the DejaVu fonts that matplotlib's package carries,
never the system's.

PDF/A-2a and PDF/UA-1 are what the compiler enforces and declares; it refuses, for instance, a
figure without an alternative text. An independent validator is the reader's to run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from audits.estimate import Json
from governance.adapters.charts import font_directory
from governance.errors import GovernanceError

if TYPE_CHECKING:
    from typst import PDFStandard

STANDARDS: Final[list[PDFStandard]] = ["a-2a", "ua-1"]


class DocumentRefused(GovernanceError):
    """The typesetter does not accept the template with these data."""

    code = "report.document_refused"


def pdf_of(template: Path, *, data: Mapping[str, Json], instant_us: int) -> bytes:
    """Return the typeset document; equal arguments give equal bytes, in any process.

    `template` may read files in its own folder only. `instant_us` (UTC microseconds) becomes the
    document's creation date.

    Raises DocumentRefused where the template fails or an accessibility rule is broken.
    """
    import typst

    compiler = typst.Compiler(
        str(template),
        root=str(template.parent),
        font_paths=[str(font_directory())],
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(data, ensure_ascii=True, sort_keys=True)},
    )
    try:
        document = compiler.compile(
            format="pdf", pdf_standards=STANDARDS, timestamp=instant_us // 1_000_000
        )
    except typst.TypstError as error:
        raise DocumentRefused(
            f"a report could not be typeset: {error.message}",
            next_step="this is a defect of the report; the evidence itself is not affected",
        ) from error
    if not isinstance(document, bytes):
        raise DocumentRefused(
            "a report was typeset into something else than one document",
            next_step="this is a defect of the report; the evidence itself is not affected",
        )
    return document
