"""Dashboards are what Grafana imports: references lead somewhere, nothing overlaps, every expression is PromQL."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Weft
from weft.monitoring.grafana import DASHBOARDS, grafana
from weft.monitoring.panels import Dashboard
from weft.monitoring.traffic import RANGE
from weft.observe.promql.evaluate import parse

_OF_GRAFANA = {"__rate_interval", "__interval", "__range", "datasource"}


def plain(expression: str) -> str:
    """An expression with Grafana's variables replaced as Grafana does it."""
    return re.sub(r"\$(\w+)", ".*", expression.replace(RANGE, "1m"))


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.id)
def test_every_expression_is_promql_and_names_only_variables_that_there_are(dashboard: Dashboard):
    known = _OF_GRAFANA | {one.name for one in dashboard.choices}
    assert len(dashboard.expressions) > 5
    for expression in dashboard.expressions:
        assert set(re.findall(r"\$\{?(\w+)", expression)) <= known
        parse(plain(expression))


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.id)
def test_panels_have_numbers_of_their_own_and_do_not_overlap(dashboard: Dashboard):
    panels = grafana(dashboard)["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    for one in panels:
        place = one["gridPos"]
        assert place["x"] + place["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.id)
def test_every_panel_asks_the_data_source_that_was_chosen(dashboard: Dashboard):
    made: dict[str, Any] = grafana(dashboard)
    assert made["schemaVersion"] >= 36
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", made["uid"])
    # What Grafana's schema (``@grafana/schema``, ``DashboardLink``) asks of each.
    assert all({"icon", "includeVars", "keepTime", "targetBlank", "tooltip"} <= set(one) for one in made["links"])
    variables = {one["name"]: one for one in made["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    for panel in made["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["type"] in ("timeseries", "stat", "table", "heatmap")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {"steps": [{"value": None}]})["steps"]
        assert steps[0]["value"] is None
    assert json.loads(json.dumps(made)) == made


def test_dashboards_have_addresses_of_their_own():
    assert len({one.id for one in DASHBOARDS}) == len(DASHBOARDS) == 4


def test_the_files_are_written_and_named(offline: Weft, tmp_path: Path):
    done = offline("dashboards", "export", "--dir", str(tmp_path / "grafana"))
    files = [Path(line) for line in done.out.split()]
    assert [json.loads(file.read_text())["uid"] for file in files] == [one.id for one in DASHBOARDS]
    (tmp_path / "file").write_text("")
    assert offline("dashboards", "export", "--dir", str(tmp_path / "file" / "below")).code == 1
