"""Helm, unmodified, against a real server: a ``helm`` binary, or Helm's SDK as the package helm-python-sdk has it."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Live

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

CHART = {
    "Chart.yaml": "{apiVersion: v2, name: shelf, version: 0.1.0}\n",
    "values.yaml": "{port: 80}\n",
    "templates/all.yaml": """
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: shelf}, ports: [{port: {{ .Values.port }}, name: http}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {port: "{{ .Values.port }}"}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {port: "{{ .Values.port }}"}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: {{ .Release.Name }}}
spec:
  hosts: [{{ .Release.Name }}]
  http: [{route: [{destination: {host: {{ .Release.Name }}, port: {number: {{ .Values.port }}}}}]}]
""",
}

Helm = Callable[..., None]
"""``helm("upgrade", port=81)``: one step, which must succeed."""

_SDK = """
import json, sys
import helm_python
kubeconfig, chart, action, values = sys.argv[1:]
config = helm_python.Config(kubeconfig_path=kubeconfig, namespace="helm")
values = json.loads(values)
if action == "install":
    config.install(chart, "shelf", values, namespace="helm", create_namespace=True, wait="watcher", timeout=60)
elif action == "upgrade":
    config.upgrade(chart, "shelf", values, namespace="helm", wait="watcher", timeout=60)
elif action == "rollback":
    config.rollback("shelf", wait="watcher", timeout=60)
elif action == "uninstall":
    config.uninstall("shelf")
elif action == "list":
    assert [release["name"] for release in config.list()] == ["shelf"]
"""


@pytest.fixture
def helm(live: Live, tmp_path: Path) -> Helm:
    binary = shutil.which("helm")
    if binary is None and importlib.util.find_spec("helm_python") is None:
        pytest.skip("neither helm nor the package helm-python-sdk is installed")
    chart = tmp_path / "chart"
    for name, text in CHART.items():
        path = chart / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(action: str, **values: int) -> None:
        if binary is None:
            command = [sys.executable, "-c", _SDK, str(live.kubeconfig), str(chart), action, json.dumps(values)]
        else:
            command = [binary, *_command(action, str(chart), values), f"--kubeconfig={live.kubeconfig}", "-n=helm"]
        environment = os.environ | {f"HELM_{name}_HOME": str(tmp_path / name) for name in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def _command(action: str, chart: str, values: dict[str, int]) -> list[str]:
    settings = [f"--set={name}={value}" for name, value in values.items()]
    steps = {
        "install": ["install", "shelf", chart, "--create-namespace", *settings],
        "upgrade": ["upgrade", "shelf", chart, *settings],
        "rollback": ["rollback", "shelf"],
        "uninstall": ["uninstall", "shelf"],
        "list": ["list"],
    }
    return steps[action]


def test_a_chart_is_installed_upgraded_rolled_back_and_uninstalled(live: Live, helm: Helm) -> None:
    helm("install")
    assert _ports(live) == (80, "80", "ODA=", 80)
    helm("upgrade", port=81)
    assert _ports(live) == (81, "81", "ODE=", 81)
    helm("list")
    releases = live.run("get", "secrets", "-n", "helm", "-l", "owner=helm", "-o", "name").split()
    assert releases == ["secret/sh.helm.release.v1.shelf.v1", "secret/sh.helm.release.v1.shelf.v2"]
    helm("rollback")
    assert _ports(live) == (80, "80", "ODA=", 80)
    helm("uninstall")
    assert "No resources found" in live.run("get", "services,configmaps,secrets,virtualservices", "-n", "helm")


def _ports(live: Live) -> tuple[Any, ...]:
    """The port in each object of the release."""

    def get(kind: str) -> Any:
        return json.loads(live.run("get", kind, "shelf", "-n", "helm", "-o", "json"))

    destination = get("virtualservice")["spec"]["http"][0]["route"][0]["destination"]
    service = get("service")["spec"]["ports"][0]["port"]
    return (service, get("configmap")["data"]["port"], get("secret")["data"]["port"], destination["port"]["number"])
