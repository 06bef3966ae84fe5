"""``weft analyze``: files, the mesh, both together, and the formats."""

import json
from pathlib import Path

from sarif_pydantic import Level, Sarif

from tests.cli.conftest import Weft

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
"""
ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s}
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: {host: %s}
"""


def _file(tmp_path: Path, *documents: str) -> str:
    file = tmp_path / "mesh.yaml"
    file.write_text("---".join(documents))
    return str(file)


def test_nothing_to_analyze_is_a_usage_error(weft: Weft) -> None:
    assert weft("analyze").code == 2


def test_files_alone_need_no_control_plane(weft: Weft, tmp_path: Path) -> None:
    file = _file(tmp_path, SERVICE, ROUTE % ("one", "revievs"))
    done = weft("analyze", "--server", "https://127.0.0.1:1", "-f", file)
    assert done.code == 0
    assert "warning[W0201]" in done.err
    assert "mesh.yaml:14:" in done.err
    assert weft("analyze", "--strict", "-f", file).code == 3


def test_a_file_is_analyzed_with_what_the_mesh_has_and_only_what_it_changes_is_told(weft: Weft, tmp_path: Path) -> None:
    assert weft("apply", "-n", "live", "-f", _file(tmp_path, SERVICE, ROUTE % ("one", "nobody"))).code == 0
    told = weft("analyze", "--live", "-n", "live", "-o", "json", "-f", _file(tmp_path, ROUTE % ("two", "reviews")))
    found = {(one["code"], one["path"]) for one in json.loads(told.out)}
    assert ("W0430", "spec.hosts[0]") in found  # of both: the file's line, and the stored document's name
    assert not any(code == "W0201" for code, _ in found)  # the mesh has the host; what it lacked before is not told
    assert told.code == 0


def test_the_mesh_itself_is_analyzed(weft: Weft, tmp_path: Path) -> None:
    assert weft("apply", "-n", "itself", "-f", _file(tmp_path, SERVICE, ROUTE % ("one", "nobody"))).code == 0
    told = weft("analyze", "--live")
    assert "VirtualService itself/one" in told.err
    assert "warning[W0201]" in told.err


def test_sarif_is_what_its_schema_says(weft: Weft, tmp_path: Path) -> None:
    told = weft("analyze", "-o", "sarif", "-f", _file(tmp_path, SERVICE, ROUTE % ("one", "revievs")))
    log = Sarif.model_validate_json(told.out)
    (run,) = log.runs
    (result,) = [one for one in run.results or [] if one.rule_id == "W0201"]
    rules = run.tool.driver.rules or []
    assert result.rule_index is not None
    assert rules[result.rule_index].id == "W0201"
    assert result.level is Level.WARNING
    (location,) = result.locations or []
    assert location.physical_location is not None
    assert location.physical_location.region is not None
    assert location.physical_location.region.start_line == 14
    assert _extras(log) == []


def _extras(log: Sarif) -> list[str]:
    """Names that SARIF does not know; the models keep what they do not know."""
    run = log.runs[0]
    things = (log, run, run.tool, run.tool.driver, *(run.results or ()))
    known = {"columnKind", "ruleIndex"}
    return [name for thing in things for name in (thing.model_extra or {}) if name not in known]
