"""``weft report compliance``: one file for auditors, that shows what callers sent and runs none of it."""

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.cli.conftest import Weft
from weft.cli.report import _csv as as_csv
from weft.cli.report_page import page

WORKLOAD = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reported, namespace: reported, labels: {app: reported}}
spec: {address: 127.0.0.9, labels: {app: reported}, serviceAccount: reporter}
"""
EVIL = "<script>alert(1)</script>"
FOUND: dict[str, Any] = {
    "since": 0.0,
    "until": 86_400.0,
    "trust_domain": "cluster.local",
    "coverage": {
        "edges": [
            {"source": "a.shop", "destination": "b.shop", "requests": 99_999, "connections": 1, "mtls": 99_999},
            {"source": "a.shop", "destination": "c.shop", "requests": 1, "connections": 0, "mtls": 1},
        ],
        "total": 100_001,
        "mtls": 100_000,
        "share": 0.99999,
    },
    "workloads": 3,
    "without_policy": [
        {"namespace": "shop", "workload": EVIL, "account": "x", "meshed": True, "mtls": "STRICT", "policies": []}
    ],
    "without_strict_mtls": [],
    "certificates": [{"kind": "secret", "name": "shop/tls", "problem": "expiring", "days_left": 3, "days_of_life": 90}],
    "attempts": [
        {"where": "mesh", "who": "=HYPERLINK(1)", "what": f"GET /{EVIL}", "policy": "shop/p", "count": 7, "last": "t"}
    ],
    "changes": [{"time": "t", "who": "jane", "what": "create services shop/a", "source": "10.0.0.1"}],
    "changes_by": [["jane", 1]],
    "audit_log_is_whole": False,
}


class Tags(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_everything_and_loads_and_runs_nothing() -> None:
    shown = Tags(page(FOUND))
    assert "script" not in shown.tags
    assert shown.links == []
    for text in (EVIL, "=HYPERLINK(1)", "shop/tls", "create services shop/a", "broken", "1 of 3"):
        assert text in shown.text
    assert "99.99 %" in shown.text, "what is not all is not shown as 100 %"


def test_a_table_for_spreadsheets_has_no_formula() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(FOUND))))
    assert rows[0] == ["section", "subject", "object", "detail", "count", "status"]
    assert ["mtls", "a.shop", "b.shop", "99999 with mTLS", "100000", "without mTLS"] in rows
    assert not [cell for row in rows for cell in row if cell.startswith("=")]
    assert {row[0] for row in rows[1:]} == {"mtls", "no-policy", "certificate", "refused-mesh", "change"}


def test_a_control_plane_reports_on_itself(weft: Weft, tmp_path: Path) -> None:
    (tmp_path / "entry.yaml").write_text(WORKLOAD)
    assert weft("apply", "-f", str(tmp_path / "entry.yaml")).code == 0
    (tmp_path / "token").write_text("weft_api_wrong")
    assert weft("get", "services", "--token-file", str(tmp_path / "token")).code != 0
    found = json.loads(weft("report", "compliance", "--since", "1h", "-o", "json").out)
    assert "reported" in {one["workload"] for one in found["without_policy"]}
    assert found["coverage"]["share"] is None
    assert any(one["what"].endswith("workloadentries reported/reported") for one in found["changes"])
    assert sum(one["count"] for one in found["attempts"] if one["where"] == "api") >= 1
    assert found["audit_log_is_whole"] is True
    assert found["certificates"] == []
    out = tmp_path / "report.html"
    assert weft("report", "compliance", "--to", str(out)).code == 0
    assert "reported" in Tags(out.read_text()).text


def test_the_report_is_a_permission_of_its_own(weft: Weft, tmp_path: Path) -> None:
    weft("auth", "token", "create", "--user", "nobody", "--to-file", str(tmp_path / "token"))
    assert weft("report", "compliance", "--token-file", str(tmp_path / "token")).code == 5
    assert weft("report", "compliance", "--since", "800d").code == 1
    read = json.loads(weft("audit", "--what", "compliancereports", "-o", "json").out)["items"]
    assert {one["outcome"] for one in read} >= {"allowed", "denied"}
