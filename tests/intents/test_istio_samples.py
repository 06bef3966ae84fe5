"""Istio's samples: every document is taken, and calls go where the samples' guides say."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dialects.recorded import DATA, needs_data
from weft.cli.check_files import findings_of
from weft.cli.manifests import manifests_of
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.translate import KINDS, fragment_of
from weft.explain.call import parse_call
from weft.explain.walk import explain
from weft.kit.value import labels_of
from weft.model.document import Document, Key
from weft.model.finding import Severity
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node, Outlet

SAMPLES = DATA / "samples"
FILES = sorted(path for path in SAMPLES.rglob("*.yaml")) if SAMPLES.is_dir() else []
SERVED = {(kind.group, kind.kind) for kind in KINDS}
# Kinds of a mesh that weft does not serve, and why.
UNSERVED = {
    "Telemetry": "served later, with what weft observes",
    "IstioOperator": "installs Istio",
}
_OF_THE_MESH = ("istio.io", "gateway.networking.k8s.io")


def _contents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if isinstance(one, dict) and one.get("kind")]


@needs_data
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SAMPLES)))
def test_every_document_of_a_sample_is_taken(path: Path) -> None:
    for content in _contents(path):
        group = content["apiVersion"].rpartition("/")[0]
        if group.endswith(_OF_THE_MESH) and (group, content["kind"]) not in SERVED:
            assert content["kind"] in UNSERVED
    found = findings_of(manifests_of((str(path),), recursive=False), "default", together=False)
    errors = [finding for finding, _ in found if finding.severity is Severity.ERROR and finding.code != "W0126"]
    nameless = [one for one in _contents(path) if not (one.get("metadata") or {}).get("name")]
    assert [one for one in errors if one.code != "W0105" or not (nameless or not _contents(path))] == []


def _mesh(*names: str, also: Sequence[dict[str, Any]] = ()) -> Mesh:
    """The documents of samples; what a Deployment runs is a workload of its own."""
    documents: dict[Key, Document] = {}
    for content in (*(one for name in names for one in _contents(SAMPLES / name)), *also):
        content = _workload(content) if content["kind"] == "Deployment" else content
        group = content["apiVersion"].rpartition("/")[0]
        if (group, content["kind"]) in SERVED:
            metadata = {"namespace": "default", **content["metadata"]}
            key = Key(group=group, kind=content["kind"], namespace=metadata["namespace"], name=metadata["name"])
            text = json.dumps({**content, "metadata": metadata}, default=str).encode()
            documents[key] = Document(key=key, content=text, created=f"2026-01-01T00:00:{len(documents) % 60:02}Z")
    settings = Settings()
    mesh = link(tuple(fragment_of(one, settings) for one in documents.values()), settings, 1)
    assert [finding for finding in mesh.findings if finding.severity is Severity.ERROR] == []
    return mesh


def _workload(deployment: dict[str, Any]) -> dict[str, Any]:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    spec = {"address": "10.0.0.1", "labels": labels, "serviceAccount": labels.get("app", "default")}
    metadata = {"name": deployment["metadata"]["name"]}
    return {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", "metadata": metadata, "spec": spec}


def _clusters(mesh: Mesh, url: str, *headers: tuple[str, str], gateway: dict[str, str] | None = None) -> list[str]:
    """Where a call may go, or the answer that is given."""
    said = explain(resources_of(view_of(mesh, _node(url, gateway))), parse_call("GET", url, headers))
    found = [step.what.partition(",")[0] for step in said.steps if step.name == "cluster"]
    return [_short(name) for name in found] or [said.outcome]


def _node(url: str, gateway: dict[str, str] | None) -> Node:
    _, _, place = url.partition("://")
    host, _, port = place.partition("/")[0].partition(":")
    outlet = Outlet(host=host, port=int(port or 80), bind_port=int(port or 80))
    return Node(
        id="caller.default",
        namespace="default",
        workload="caller",
        identity=Identity(trust_domain="cluster.local", namespace="default", account="caller"),
        labels=labels_of(gateway or {}),
        http_proxy=None if gateway else ("127.0.0.1", 15001),
        outlets=(outlet,) if url.startswith(("tcp", "tls")) and not gateway else (),
        gateway=GatewayPlace(bind="127.0.0.1") if gateway else None,
    )


def _short(name: str) -> str:
    """``50 % to outbound|9080|v1|reviews.default.svc.cluster.local`` as ``50 % to reviews v1``."""
    share, to, cluster = name.rpartition(" to ")
    _, _, subset, host = cluster.split("|") if cluster.count("|") == 3 else ("", "", "", cluster)
    return f"{share}{to}{host.removesuffix('.default.svc.cluster.local')}{f' {subset}' if subset else ''}"


BOOKINFO = ("bookinfo/platform/kube/bookinfo.yaml", "bookinfo/networking/destination-rule-all.yaml")
REVIEWS = "http://reviews:9080/reviews/1"
RATINGS = "http://ratings:9080/ratings/1"
JASON = ("end-user", "jason")
INGRESS = {"istio": "ingressgateway"}


@needs_data
@pytest.mark.parametrize(
    ("rules", "url", "headers", "to"),
    [
        ("virtual-service-all-v1", REVIEWS, (), ["100 % to reviews v1"]),
        ("virtual-service-reviews-80-20", REVIEWS, (), ["80 % to reviews v1", "20 % to reviews v2"]),
        ("virtual-service-reviews-90-10", REVIEWS, (), ["90 % to reviews v1", "10 % to reviews v2"]),
        ("virtual-service-reviews-50-v3", REVIEWS, (), ["50 % to reviews v1", "50 % to reviews v3"]),
        ("virtual-service-reviews-v2-v3", REVIEWS, (), ["50 % to reviews v2", "50 % to reviews v3"]),
        ("virtual-service-reviews-v3", REVIEWS, (), ["100 % to reviews v3"]),
        ("virtual-service-reviews-test-v2", REVIEWS, (JASON,), ["100 % to reviews v2"]),
        ("virtual-service-reviews-test-v2", REVIEWS, (), ["100 % to reviews v1"]),
        ("virtual-service-reviews-jason-v2-v3", REVIEWS, (JASON,), ["100 % to reviews v2"]),
        ("virtual-service-reviews-jason-v2-v3", REVIEWS, (), ["100 % to reviews v3"]),
        ("virtual-service-details-v2", "http://details:9080/details/1", (), ["100 % to details v2"]),
        ("virtual-service-ratings-mysql", RATINGS, (), ["100 % to ratings v2-mysql"]),
        ("virtual-service-ratings-db", RATINGS, (), ["100 % to ratings v2"]),
    ],
)
def test_bookinfo_sends_calls_to_the_versions_that_its_tasks_name(
    rules: str, url: str, headers: tuple[tuple[str, str], ...], to: list[str]
) -> None:
    assert _clusters(_mesh(*BOOKINFO, f"bookinfo/networking/{rules}.yaml"), url, *headers) == to


@needs_data
@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ("virtual-service-ratings-test-delay", "7"),
        ("virtual-service-ratings-test-abort", "500"),
    ],
)
def test_bookinfo_injects_faults_for_its_tester_only(rules: str, what: str) -> None:
    mesh = _mesh(*BOOKINFO, f"bookinfo/networking/{rules}.yaml")
    resources = resources_of(view_of(mesh, _node(RATINGS, None)))
    tester = explain(resources, parse_call("GET", RATINGS, (JASON,)))
    others = explain(resources, parse_call("GET", RATINGS))
    assert any(what in " ".join(step.details) for step in tester.steps if step.name == "fault")
    assert not any(step.name == "fault" for step in others.steps)


@needs_data
@pytest.mark.parametrize(
    ("names", "url", "to"),
    [
        ((*BOOKINFO, "bookinfo/networking/bookinfo-gateway.yaml"), "http://any:8080/productpage", "productpage"),
        ((*BOOKINFO, "bookinfo/networking/bookinfo-gateway.yaml"), "http://any:8080/static/x.css", "productpage"),
        (("helloworld/helloworld.yaml", "helloworld/helloworld-gateway.yaml"), "http://any:80/hello", "helloworld"),
        (("httpbin/httpbin.yaml", "httpbin/httpbin-gateway.yaml"), "http://any:80/status/418", "httpbin"),
        (("websockets/app.yaml", "websockets/route.yaml"), "http://any:80/", "tornado"),
        (("tcp-echo/tcp-echo-services.yaml", "tcp-echo/tcp-echo-all-v1.yaml"), "tcp://any:31400", "tcp-echo v1"),
    ],
    ids=["bookinfo", "bookinfo-static", "helloworld", "httpbin", "websockets", "tcp-echo"],
)
def test_gateways_of_samples_lead_to_their_services(names: tuple[str, ...], url: str, to: str) -> None:
    assert _clusters(_mesh(*names), url, gateway=INGRESS) == [f"100 % to {to}"]


@needs_data
def test_what_no_rule_of_bookinfos_gateway_takes_is_not_found() -> None:
    mesh = _mesh(*BOOKINFO, "bookinfo/networking/bookinfo-gateway.yaml")
    assert "404" in _clusters(mesh, "http://any:8080/admin", gateway=INGRESS)[0]


@needs_data
def test_tcp_echo_splits_connections() -> None:
    mesh = _mesh("tcp-echo/tcp-echo-services.yaml", "tcp-echo/tcp-echo-all-v1.yaml", "tcp-echo/tcp-echo-20-v2.yaml")
    assert _clusters(mesh, "tcp://any:31400", gateway=INGRESS) == ["80 % to tcp-echo v1", "20 % to tcp-echo v2"]


@needs_data
@pytest.mark.parametrize(
    ("sample", "url", "host"),
    [
        ("external/aptget.yaml", "http://deb.debian.org/debian/", "deb.debian.org"),
        ("bookinfo/networking/egress-rule-google-apis.yaml", "tls://www.googleapis.com:443", "www.googleapis.com"),
    ],
)
def test_hosts_outside_are_called_by_the_entries_of_samples(sample: str, url: str, host: str) -> None:
    assert _clusters(_mesh(sample), url) == [f"100 % to {host}"]
