"""Istio's simulated calls to gateways arrive where they arrive in Istio, as far as weft serves their servers."""

import json
from typing import Any

import pytest

from tests.intents.simulation import DATA, REFUSED, cases
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.translate import fragment_of
from weft.explain.call import parse_call
from weft.explain.walk import explain
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node

pytestmark = pytest.mark.skipif(not DATA.is_file(), reason="there is no ../shared/data/istio beside the checkout")

CASES = [case for case in cases() if case["proxy"]["type"] == "router"]
PLAYED = 11


def _left_out(case: dict[str, Any]) -> str:
    """Why a case has no counterpart, "" if it has."""
    if "wrong_namespace" in case["id"]:
        return "the ports of a gateway's Service; weft's gateways open the ports that Gateways name"
    if any(one["want"].get("error") == "multiple_filter_chains" for one in case["calls"]):
        return "weft serves the older of two servers with one name, and warns of the other"
    return ""


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_calls_arrive_where_they_arrive_in_istio(case: dict[str, Any]):
    if reason := _left_out(case):
        pytest.skip(reason)
    resources = resources_of(view_of(_mesh(case), _node(case)))
    for one in case["calls"]:
        call, want = one["call"], one["want"]
        if want.get("error") == "no_listener" and _behind_a_service(case):
            continue
        said = explain(resources, parse_call("GET", _url(call, _port(case, call, want))))
        names = [step.what.partition(" % to ")[2].partition(",")[0] for step in said.steps if step.name == "cluster"]
        if want.get("error") == "tls_redirect_301":
            assert said.outcome.startswith("301 to https://"), said
        else:
            assert (names[0] if names else REFUSED) == want.get("cluster", REFUSED), said


def _behind_a_service(case: dict[str, Any]) -> bool:
    """Whether Istio's gateway listens at a Service's target ports; weft's has the ports that Gateways name."""
    return "targetPort" in json.dumps(case["configs"])


def _port(case: dict[str, Any], call: dict[str, Any], want: dict[str, Any]) -> int:
    """The port that the Gateway names, which is in the name of the virtual host."""
    if _behind_a_service(case) and "virtual_host" in want:
        return int(want["virtual_host"].rpartition(":")[2])
    return int(call["port"])


def _url(call: dict[str, Any], port: int) -> str:
    scheme = {"http": "http", "tcp": "tcp"}[call["protocol"]]
    if call.get("tls", "plaintext") != "plaintext":
        scheme = {"http": "https", "tcp": "tls"}[scheme]
    return f"{scheme}://{call.get('host') or '10.0.0.1'}:{port}{call.get('path') or '/'}"


def test_the_cases_that_are_played_are_known():
    assert sum(not _left_out(case) for case in CASES) == PLAYED


def _mesh(case: dict[str, Any]) -> Mesh:
    settings = Settings(domain_suffix="")
    documents = [_document(content) for content in case["configs"] or ()]
    return link(tuple(fragment_of(one, settings) for one in documents), settings, 1)


def _document(content: dict[str, Any]) -> Document:
    metadata, group = content["metadata"], content["apiVersion"].partition("/")[0]
    key = Key(kind=content["kind"], name=metadata["name"], namespace=metadata["namespace"], group=group)
    created = metadata.get("creationTimestamp") or "2026-01-01T00:00:00Z"
    return Document(key=key, content=json.dumps(content).encode(), created=created)


def _node(case: dict[str, Any]) -> Node:
    return Node(
        id="ingress.istio-system",
        namespace="istio-system",
        workload="ingress",
        identity=Identity(trust_domain="cluster.local", namespace="istio-system", account="ingress"),
        labels=tuple(sorted(case["proxy"]["labels"].items())),
        gateway=GatewayPlace(bind="127.0.0.1"),
    )
