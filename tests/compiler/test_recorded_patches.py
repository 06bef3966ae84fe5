"""Istio's own cases of patches, made by weft."""

import json
from typing import Any

import msgspec
import pytest
import re2
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from tests.dialects.recorded import lines, needs_data
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.compiler.patches.clusters import adds, patch_cluster
from weft.compiler.patches.listeners import patch_listener
from weft.compiler.patches.messages import encoded
from weft.compiler.patches.routes import patch_routes
from weft.compiler.patches.work import Place, Work
from weft.dialects.link_patches import linked_patches
from weft.dialects.translate import fragment_of
from weft.model.document import Document, Key
from weft.model.extension import Context, Patch, PatchOperation, PatchTarget
from weft.model.settings import Settings

CASES = list(lines("envoyfilter/patch_cases.jsonl"))
VERDICTS = [case for case in lines("validation/cases.jsonl") if case["kind"] == "EnvoyFilter"]
GROUP = "networking.istio.io"


def patches_of(filters: list[dict[str, Any]], version: str) -> tuple[Patch, ...]:
    """The patches of some documents in order, conditions about the proxy's version decided."""
    found: list[Patch] = []
    for index, one in enumerate(filters):
        metadata = {"name": one["name"], "namespace": one["namespace"]}
        content = {"apiVersion": f"{GROUP}/v1alpha3", "kind": "EnvoyFilter", "metadata": metadata, "spec": one["spec"]}
        key = Key(group=GROUP, kind="EnvoyFilter", **metadata)
        document = Document(key=key, content=json.dumps(content).encode(), created=f"{index:04}")
        found += fragment_of(document, Settings()).patches
    chosen = [one for one in found if not one.only_versions or re2.search(one.only_versions, version)]
    return linked_patches((msgspec.structs.replace(one, only_versions="") for one in chosen), Settings())


def whole(case: dict[str, Any]) -> list[dict[str, Any]]:
    """One case was recorded with a part of its documents; the rest is among the recorded verdicts."""
    if case["test"] != "TestApplyListenerPatches/sidecar_outbound_lds":
        return list(case["envoyfilters"])
    groups: list[list[dict[str, Any]]] = []
    for one in VERDICTS:
        metadata = one["object"]["metadata"]
        if one["test"].endswith("buildEnvoyFilterConfigStore"):
            if metadata["name"] == "test-envoyfilter-0":
                groups.append([])
            groups[-1].append({**metadata, "spec": one["object"]["spec"]})
    return max(groups, key=len)


def read(kind: type[Message], content: Any) -> Any:
    return ParseDict(content, kind())


def outcome(case: dict[str, Any]) -> Any:
    """What weft makes of the case."""
    metadata = (case.get("proxy") or {}).get("metadata") or {}
    patches = patches_of(whole(case), metadata.get("ISTIO_VERSION", ""))
    for one in patches:
        encoded(one.target, one.value or b"{}")
    context = Context(case["context"])
    match case["func"]:
        case "ApplyClusterPatches":
            work = Work(patches, Place(context=context))
            clusters = [read(Cluster, one) for one in case["in"]]
            new = (one for one in work.of(PatchTarget.CLUSTER, PatchOperation.ADD) if adds(one, work))
            return [one for one in clusters if patch_cluster(one, work)] + [work.value(one, Cluster) for one in new]
        case "ApplyRouteConfigurationPatches":
            name = case["in"]["name"]
            work = Work(patches, Place(context=context, port=int(name.rpartition("|")[2])))
            routes = read(RouteConfiguration, case["in"])
            patch_routes(routes, work)
            return [routes]
        case "ApplyListenerPatches":
            work = Work(patches, Place(context=context))
            listeners = [read(Listener, one) for one in case["in"]]
            new = work.of(PatchTarget.LISTENER, PatchOperation.ADD)
            kept = [one for one in listeners if patch_listener(one, work)]
            return [*kept, *(() if case["skip_adds"] else (work.value(one, Listener) for one in new))]
    raise AssertionError(case["func"])


@needs_data
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["test"])
def test_a_patch_does_what_istio_recorded(case: dict[str, Any]) -> None:
    kinds = {
        "ApplyClusterPatches": Cluster,
        "ApplyRouteConfigurationPatches": RouteConfiguration,
        "ApplyListenerPatches": Listener,
    }
    found = outcome(case)
    wanted = case["out"] if isinstance(case["out"], list) else [case["out"]]
    expected = [MessageToDict(read(kinds[case["func"]], one)) for one in wanted]
    assert [MessageToDict(one) for one in found] == expected
