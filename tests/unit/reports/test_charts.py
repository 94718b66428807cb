from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from console_samples import report as sample
from console_samples.records import monitor_record

from governance.adapters.charts import ChartRefused, svg_of
from governance.errors import NotFound
from governance.reports.audit_charts import charts_of
from governance.reports.chart import Chart, Gallery, with_theme
from governance.reports.monitor_report import read_monitor, trigger_chart

CHARTS = charts_of(sample.report())


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_is_drawn_to_the_same_bytes_twice(chart: Chart) -> None:
    first = svg_of(chart.spec)
    assert first == svg_of(chart.spec)
    assert ET.fromstring(first).tag.endswith("svg")


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_says_in_words_and_in_a_table_what_it_draws(chart: Chart) -> None:
    assert len(chart.alt) > 40
    assert chart.rows
    assert all(len(row) == len(chart.columns) for row in chart.rows)


def test_the_criteria_chart_names_every_verdict() -> None:
    chart = CHARTS[0]
    assert [row[-1] for row in chart.rows] == ["Insufficient", "Pass", "Pass", "Pass"]
    assert "insufficient" in chart.alt


def test_an_undefined_estimate_is_drawn_without_a_dot_and_said() -> None:
    report = sample.report()
    first = report.criteria[0]
    gone = replace(first.estimate, value=None, low=None, high=None, note="no data")
    chart = charts_of(replace(report, criteria=(replace(first, estimate=gone),)))[0]
    assert chart.rows[0][1] == "undefined"
    assert "undefined" in chart.alt
    svg_of(chart.spec)


def test_a_script_in_a_label_is_text() -> None:
    report = sample.report()
    paths = (replace(report.paths[0], key="<script>alert(1)</script>"),)
    svg = svg_of(charts_of(replace(report, paths=paths))[1].spec)
    assert "<script" not in svg


def test_a_chart_that_asks_the_network_is_refused() -> None:
    spec = with_theme({"data": {"url": "https://example.org/d.csv"}, "mark": "point"})
    with pytest.raises(ChartRefused):
        svg_of(spec)


def test_a_chart_that_is_no_chart_is_refused_without_a_foreign_error() -> None:
    with pytest.raises(ChartRefused):
        svg_of({"mark": 7})


def test_a_gallery_draws_once_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []

    def draw(spec: object) -> str:
        drawn.append(spec)
        return "<svg/>"

    monkeypatch.setattr("governance.reports.chart.svg_of", draw)
    gallery = Gallery(capacity=2)
    first = gallery.hang(CHARTS[0])
    assert gallery.hang(CHARTS[0]) == first
    assert len(drawn) == 1
    gallery.hang(CHARTS[1])
    gallery.hang(CHARTS[2])
    with pytest.raises(NotFound):
        gallery.svg(first)


def test_a_gallery_has_only_what_was_hung() -> None:
    with pytest.raises(NotFound):
        Gallery().svg("0" * 64)


def test_the_trigger_chart_says_when_it_fired_and_the_limit() -> None:
    report = read_monitor(monitor_record())
    assert report is not None
    chart = trigger_chart(report)
    assert "It fired in 2008-04." in chart.alt
    assert "limit 3.1" in chart.alt
    assert len(chart.rows) == len(report.path)
    svg_of(chart.spec)


def test_a_trigger_that_did_not_fire_says_so() -> None:
    report = read_monitor(monitor_record())
    assert report is not None
    assert "It did not fire" in trigger_chart(replace(report, fired_at=None)).alt


@pytest.mark.parametrize("record", [None, [], {}, {"path": []}, {"run": {"limit": "1"}}])
def test_a_record_without_a_path_is_no_trigger_report(record: object) -> None:
    assert read_monitor(record) is None  # type: ignore[arg-type]
