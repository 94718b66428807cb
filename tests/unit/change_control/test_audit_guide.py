"""The two documents of the guide to audits of rows can be registered as they are written."""

from __future__ import annotations

import re

from change_control.audit.protocol import parse_protocol
from models.dataset import parse_manifest
from tests.support.project import ROOT

BLOCKS = re.findall(
    r"```yaml\n(.*?)```", (ROOT / "docs/guides/audit-rows.md").read_text("utf-8"), re.DOTALL
)


def test_the_guides_manifest_and_protocol_fit_each_other() -> None:
    manifest, protocol = parse_manifest(BLOCKS[0]), parse_protocol(BLOCKS[1])
    columns = {column.name for column in manifest.columns}
    use = protocol.columns
    assert {use.subject, use.label, use.score, *use.categories} <= columns
    assert protocol.criteria[0].as_criterion().metric == "auroc"
