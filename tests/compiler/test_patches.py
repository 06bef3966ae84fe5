"""Patches made to what the compiler wrote."""

import importlib
import itertools
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft.compiler.patches import apply, bootstrap
from weft.compiler.patches.messages import Fault, encoded
from weft.compiler.patches.sound import verdicts
from weft.compiler.resource import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES, Resources
from weft.compiler.resources import resources_of
from weft.model.document import Key, Origin
from weft.model.extension import ClusterMatch, Context, ListenerMatch, Patch, PatchOperation, PatchTarget, RoutesMatch
from weft.model.match import ANY_REQUEST
from weft.model.route import Backend, Destination, Forward
from weft.model.security import MtlsMode
from weft.model.service import Protocol
from weft.view.view import (
    Endpoint,
    EndpointSet,
    HttpProxyPort,
    InboundPort,
    Outbound,
    Route,
    Target,
    Upstream,
    UpstreamPort,
    View,
    VirtualHost,
)

REVIEWS = "reviews.shop.svc.cluster.local"
DOCUMENT = Key(group="networking.istio.io", kind="EnvoyFilter", namespace="shop", name="it")
LUA = {
    "name": "mine",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": "function envoy_on_request(h) end"},
    },
}
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def patch(target: str, operation: str, value: object = None, **more: Any) -> Patch:
    return Patch(
        origin=Origin(key=DOCUMENT),
        path=("spec", "configPatches", 0),
        namespace="shop",
        target=PatchTarget(target),
        operation=PatchOperation(operation),
        value=b"" if value is None else msgspec.json.encode(value),
        **more,
    )


def view(*patches: Patch) -> View:
    """A sidecar with an HTTP proxy, a local port for reviews and an application on port 8080."""
    targets = [Target(host=REVIEWS, port=port) for port in (80, 9080)]
    hosts = tuple(
        VirtualHost(host=REVIEWS, port=one.port, domains=(REVIEWS, "reviews"), routes=(_route(one),)) for one in targets
    )
    return View(
        trust_domain="cluster.local",
        outbound=Outbound(
            upstreams=tuple(Upstream(target=one, protocol=Protocol.HTTP) for one in targets),
            endpoints=tuple(
                EndpointSet(target=one, endpoints=(Endpoint(address="127.0.0.1", port=1),)) for one in targets
            ),
            virtual_hosts=hosts,
        ),
        inbound=(
            InboundPort(
                name="http",
                port=8080,
                protocol=Protocol.HTTP,
                bind="127.0.0.1",
                bind_port=21001,
                app="127.0.0.1",
                app_port=9081,
                mtls=MtlsMode.STRICT,
                host="web.shop.svc.cluster.local",
            ),
        ),
        http_proxy=HttpProxyPort(bind="127.0.0.1", bind_port=15001),
        upstream_ports=(UpstreamPort(bind="127.0.0.1", bind_port=23456, target=targets[1], protocol=Protocol.HTTP),),
        patches=patches,
    )


def _route(target: Target) -> Route:
    destination = Destination(host=target.host, port=target.port)
    return Route(match=ANY_REQUEST, action=Forward(backends=(Backend(destination=destination),)), name="default")


def body(resources: Resources, type_url: str, name: str) -> bytes:
    (found,) = [one.body for one in resources.resources if (one.type_url, one.name) == (type_url, name)]
    return found


def http_filters(resources: Resources, listener: str) -> list[str]:
    (chain,) = Listener.FromString(body(resources, LISTENER, listener)).filter_chains
    manager = HttpConnectionManager.FromString(chain.filters[0].typed_config.value)
    return [one.name for one in manager.http_filters]


def changed(*patches: Patch) -> set[str]:
    """The names of the resources that patches change."""
    before, after = (
        {(one.type_url, one.name): one.version for one in resources_of(one).resources}
        for one in (view(), view(*patches))
    )
    return {name for (kind, name), version in after.items() if before.get((kind, name)) != version}


PROXY, UPSTREAM, INBOUND = "http_proxy", "upstream_127.0.0.1_23456", "inbound_127.0.0.1_21001"


@pytest.mark.parametrize(
    ("match", "context", "wanted"),
    [
        (None, Context.ANY, {PROXY, UPSTREAM, INBOUND}),
        (None, Context.SIDECAR_INBOUND, {INBOUND}),
        (None, Context.SIDECAR_OUTBOUND, {PROXY, UPSTREAM}),
        (None, Context.GATEWAY, set()),
        (ListenerMatch(port=9080), Context.ANY, {UPSTREAM}),
        (ListenerMatch(port=8080), Context.ANY, {INBOUND}),
        (ListenerMatch(port=15001), Context.ANY, {PROXY}),
        (ListenerMatch(name="http_proxy"), Context.ANY, {PROXY}),
        (ListenerMatch(name="virtualInbound", destination_port=8080), Context.ANY, {INBOUND}),
        (ListenerMatch(name="virtualInbound", destination_port=9999), Context.ANY, set()),
        (ListenerMatch(name="virtualOutbound"), Context.ANY, {PROXY, UPSTREAM}),
        (ListenerMatch(transport_protocol="tls"), Context.SIDECAR_INBOUND, {INBOUND}),
        (ListenerMatch(filter="envoy.tcp_proxy"), Context.ANY, set()),
    ],
)
def test_listeners_are_found_by_side_port_and_name(match: ListenerMatch | None, context: Context, wanted: set[str]):
    one = patch("HTTP_FILTER", "INSERT_FIRST", LUA, match=match, context=context)
    assert changed(one) == wanted
    assert all(http_filters(resources_of(view(one)), name)[0] == "mine" for name in wanted)


def test_a_filter_that_is_added_comes_before_the_router():
    filters = http_filters(resources_of(view(patch("HTTP_FILTER", "ADD", LUA))), PROXY)
    assert filters[-2:] == ["mine", "envoy.filters.http.router"]


def test_a_connection_manager_is_merged_by_its_type():
    config = {"@type": MANAGER, "xff_num_trusted_hops": 5, "stream_idle_timeout": "7s"}
    one = patch("NETWORK_FILTER", "MERGE", {"typed_config": config}, match=ListenerMatch(name=PROXY))
    (chain,) = Listener.FromString(body(resources_of(view(one)), LISTENER, PROXY)).filter_chains
    manager = HttpConnectionManager.FromString(chain.filters[0].typed_config.value)
    assert (manager.xff_num_trusted_hops, manager.stream_idle_timeout.seconds) == (5, 7)
    assert manager.rds.route_config_name == PROXY


def test_routes_of_the_http_proxy_are_found_by_the_port_of_their_host():
    value = {"response_headers_to_remove": ["x-a"]}
    one = patch("VIRTUAL_HOST", "MERGE", value, match=RoutesMatch(port=80))
    routes = RouteConfiguration.FromString(body(resources_of(view(one)), ROUTES, PROXY))
    touched = {host.name for host in routes.virtual_hosts if host.response_headers_to_remove}
    assert touched == {f"{REVIEWS}:80"}


def test_routes_of_istios_name_for_a_port_are_those_of_that_port():
    one = patch("HTTP_ROUTE", "MERGE", {"decorator": {"operation": "x"}}, match=RoutesMatch(name="9080"))
    assert changed(one) == {PROXY, f"outbound|9080||{REVIEWS}"}


def test_routes_before_the_application_are_patched():
    one = patch("VIRTUAL_HOST", "MERGE", {"include_request_attempt_count": True}, context=Context.SIDECAR_INBOUND)
    assert changed(one) == {"inbound|8080||"}


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        (ClusterMatch(port=9080), {f"outbound|9080||{REVIEWS}"}),
        (ClusterMatch(service="web.shop.svc.cluster.local"), {"inbound|8080||"}),
        (ClusterMatch(name="PassthroughCluster"), {"PassthroughCluster"}),
        (ClusterMatch(service="absent.example.com"), set()),
    ],
)
def test_clusters_are_found_by_service_port_and_name(match: ClusterMatch, wanted: set[str]):
    assert changed(patch("CLUSTER", "MERGE", {"connect_timeout": "3s"}, match=match)) == wanted


def test_a_switch_can_be_turned_off():
    value = {"common_lb_config": {"healthy_panic_threshold": {"value": 30}}, "track_timeout_budgets": True}
    off = {"per_connection_buffer_limit_bytes": 0}
    resources = resources_of(view(patch("CLUSTER", "MERGE", value), patch("CLUSTER", "MERGE", off)))
    cluster = Cluster.FromString(body(resources, CLUSTER, f"outbound|9080||{REVIEWS}"))
    assert cluster.HasField("per_connection_buffer_limit_bytes")
    assert (cluster.per_connection_buffer_limit_bytes.value, cluster.track_timeout_budgets) == (0, True)


def test_a_removed_cluster_takes_its_endpoints_along():
    name = f"outbound|9080||{REVIEWS}"
    kept = resources_of(view(patch("CLUSTER", "REMOVE", match=ClusterMatch(name=name)))).resources
    assert name not in {one.name for one in kept if one.type_url in (CLUSTER, ENDPOINTS)}
    assert f"outbound|80||{REVIEWS}" in {one.name for one in kept if one.type_url == ENDPOINTS}


def test_something_new_is_added_once_and_sorted():
    resources = resources_of(view(patch("CLUSTER", "ADD", {"name": "a-new-one"})))
    places = [(one.type_url, one.name) for one in resources.resources]
    assert places.count((CLUSTER, "a-new-one")) == 1
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("bad", "why", "path"),
    [
        (patch("CLUSTER", "MERGE", {"circuitBreakers": {"thresholds": [{"maxConections": 1}]}}), "unknown field",
         ("value", "circuitBreakers", "thresholds", 0, "maxConections")),
        (patch("CLUSTER", "ADD", {"name": "PassthroughCluster"}), "already", ()),
        (patch("HTTP_FILTER", "INSERT_FIRST", {"name": "untyped"}), "typed_config", ()),
        (patch("HTTP_FILTER", "INSERT_FIRST", {"name": "untyped", "typed_config": {}}), "typed_config", ()),
        (patch("VIRTUAL_HOST", "ADD", {"name": "nobody"}), "domains", ()),
        (patch("VIRTUAL_HOST", "ADD", {"name": "all", "domains": ["*"]}), "the domain * twice", ()),
        (patch("NETWORK_FILTER", "MERGE", {"typed_config": {**LUA["typed_config"]}}), "there is a", ()),  # type: ignore[dict-item]
    ],
)  # fmt: skip
def test_a_patch_that_cannot_be_made_is_found_and_the_next_is_made(bad: Patch, why: str, path: tuple[object, ...]):
    good = patch("CLUSTER", "MERGE", {"connect_timeout": "3s"})
    resources = resources_of(view(bad, good))
    said = {(one.code, one.document, one.path[3:]) for one in resources.findings}
    assert said == {("W0163", DOCUMENT, ("patch", *path))}
    assert all(why in one.message for one in resources.findings)
    alone = resources_of(view(good))
    assert {one.name for one in resources.resources} == {one.name for one in alone.resources}
    assert body(resources, CLUSTER, "PassthroughCluster") == body(alone, CLUSTER, "PassthroughCluster")


def test_a_value_that_is_not_the_message_refuses_its_document_with_its_place():
    (finding,) = verdicts([patch("CLUSTER", "MERGE", {"connectTimeout": "soon"}), patch("CLUSTER", "REMOVE")])
    assert finding.path == ("spec", "configPatches", 0, "patch", "value", "connectTimeout")
    assert (finding.code, finding.severity.value) == ("W0162", "error")


@pytest.mark.parametrize("kind", ["udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"])
def test_what_weft_has_no_message_for_passes_as_a_typed_struct(kind: str):
    config = {"@type": f"type.googleapis.com/{kind}", "type_url": "type.googleapis.com/a.B", "value": {"c": 1}}
    assert isinstance(
        encoded(PatchTarget.HTTP_FILTER, msgspec.json.encode({"name": "x", "typed_config": config})), bytes
    )


@pytest.mark.parametrize(
    "config", [[], 7, {"@type": 7}, {"@type": "os.path"}, {"@type": "type.googleapis.com/os.Path"}]
)
def test_a_value_of_any_shape_is_a_fault_and_never_an_exception(config: object):
    value = msgspec.json.encode({"name": "x", "typed_config": config})
    assert isinstance(encoded(PatchTarget.HTTP_FILTER, value), Fault)


def test_without_patches_nothing_is_opened_and_equal_patches_are_made_once():
    plain, same = resources_of(view()), resources_of(view(patch("CLUSTER", "MERGE", {}, context=Context.GATEWAY)))
    assert same.resources == plain.resources
    assert all(one is other for one, other in zip(plain.resources, same.resources, strict=True))


MANAGER_MATCH = ListenerMatch(
    filter="envoy.filters.network.http_connection_manager", sub_filter="envoy.filters.http.router"
)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (patch("HTTP_FILTER", "REMOVE", match=MANAGER_MATCH), "cannot be the last"),
        (patch("NETWORK_FILTER", "ADD", {"name": "mine", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo"}}), "must be the last"),
        (patch("FILTER_CHAIN", "ADD", {"filters": [{"name": "echo", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo"}}]}), "the same conditions"),
        (patch("FILTER_CHAIN", "REMOVE"), "no filter chain"),
        (patch("NETWORK_FILTER", "MERGE", {"typed_config": {"@type": MANAGER, "max_request_headers_kb": 1_000_000}}),
         "max_request_headers_kb"),
        (patch("HTTP_FILTER", "INSERT_FIRST", {"name": "lost", "config_discovery": {"config_source": {"ads": {}},
            "type_urls": ["a/b"]}}), "no EXTENSION_CONFIG is named lost"),
    ],
)  # fmt: skip
def test_a_patch_that_envoy_would_refuse_a_listener_for_is_left_out_alone(bad: Patch, why: str):
    good = patch("HTTP_FILTER", "INSERT_FIRST", LUA)
    resources = resources_of(view(good, bad))
    assert {one.code for one in resources.findings} == {"W0163"}
    assert all(why in one.message for one in resources.findings), resources.findings
    assert http_filters(resources, "http_proxy")[0] == "mine"


def test_a_failure_of_weft_costs_one_patch(monkeypatch: pytest.MonkeyPatch):
    real = apply.patch_cluster

    def failing(cluster: Cluster, work: Any) -> bool:
        if any(one.priority == 7 for one in work.of(PatchTarget.CLUSTER)):
            raise RuntimeError("an accident")
        return real(cluster, work)

    monkeypatch.setattr(apply, "patch_cluster", failing)
    bad = patch("CLUSTER", "MERGE", {"alt_stat_name": "x"}, priority=7)
    resources = resources_of(view(bad, patch("CLUSTER", "MERGE", {"connect_timeout": "4s"})))
    assert all("an accident" in one.message and one.code == "W0163" for one in resources.findings)
    assert Cluster.FromString(body(resources, CLUSTER, "PassthroughCluster")).connect_timeout.seconds == 4


def test_an_extension_is_sent_by_its_name_and_the_first_of_a_name_counts():
    first = {**LUA, "name": "ext"}
    second = {"name": "ext", "typed_config": {"@type": "type.googleapis.com/google.protobuf.Struct"}}
    resources = resources_of(view(patch("EXTENSION_CONFIG", "ADD", first), patch("EXTENSION_CONFIG", "ADD", second)))
    sent = TypedExtensionConfig.FromString(body(resources, EXTENSION, "ext"))
    assert sent.typed_config.type_url.endswith(".Lua")
    assert [one.code for one in resources.findings] == ["W0163"]


@pytest.mark.parametrize(("filter_class", "beside"), [("AUTHN", ("envoy.filters.http.cors", "mine")),
                                                      ("STATS", ("mine", "envoy.filters.http.router"))])  # fmt: skip
def test_a_filter_of_a_class_stands_where_the_class_belongs(filter_class: str, beside: tuple[str, str]):
    resources = resources_of(view(patch("HTTP_FILTER", "ADD", LUA, filter_class=filter_class)))
    names = http_filters(resources, "http_proxy")
    assert beside in itertools.pairwise(names)


HOSTILE = {
    "a message cannot be read": ("weft.compiler.patches.sound", "message_of"),
    "rules cannot be tried": ("weft.compiler.patches.sound", "broken"),
    "the result cannot be judged": ("weft.compiler.patches.apply", "unsound"),
    "a value cannot be taken": ("weft.compiler.patches.work", "message_of"),
}
ECHO = "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo"
NEW_THINGS: dict[str, Any] = {
    "CLUSTER": {"name": "mine", "connect_timeout": "1.5s"},
    "LISTENER": {
        "name": "mine",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 9}},
        "filter_chains": [{"filters": [{"name": "echo", "typed_config": {"@type": ECHO}}]}],
    },
    "EXTENSION_CONFIG": {**LUA, "name": "mine"},
}


@pytest.mark.parametrize(
    ("target", "way"),
    [
        pair
        for pair in itertools.product(NEW_THINGS, HOSTILE)
        if pair != ("EXTENSION_CONFIG", "the result cannot be judged")
    ],
)
def test_whatever_fails_over_something_new_costs_that_patch_alone(
    monkeypatch: pytest.MonkeyPatch, target: str, way: str
):
    module, name = HOSTILE[way]
    real = getattr(importlib.import_module(module), name)

    def failing(*args: Any, **more: Any) -> Any:
        if any("hostile" in str(one) or b"hostile" in getattr(one, "body", b"") for one in args):
            raise RecursionError("an accident")
        return real(*args, **more)

    monkeypatch.setattr(f"{module}.{name}", failing)
    bad = patch(target, "ADD", {**NEW_THINGS[target], "name": f"hostile-{way}"})
    bad = replace(bad, path=("spec", "configPatches", 1))
    good = (patch(target, "ADD", NEW_THINGS[target]), patch("HTTP_FILTER", "INSERT_FIRST", LUA))
    resources = resources_of(view(bad, *good))
    assert "mine" in {one.name for one in resources.resources}
    assert not any("hostile" in one.name for one in resources.resources)
    assert http_filters(resources, "http_proxy")[0] == "mine"
    told = {(one.code, one.path[:3]) for one in resources.findings if "an accident" in one.message}
    assert told == {("W0163", ("spec", "configPatches", 1))}


def test_an_accident_over_a_bootstrap_costs_one_patch(monkeypatch: pytest.MonkeyPatch):
    real = bootstrap.merge

    def failing(into: Any, value: Any, **more: Any) -> None:
        if value.flags_path == "hostile":
            raise RuntimeError("an accident")
        real(into, value, **more)

    monkeypatch.setattr(bootstrap, "merge", failing)
    good, bad = (patch("BOOTSTRAP", "MERGE", {"flags_path": name}) for name in ("mine", "hostile"))
    made = bootstrap.patched_bootstrap(b"{}", (bad, good), Context.SIDECAR_OUTBOUND)
    assert msgspec.json.decode(made.content) == {"flags_path": "mine"}
    assert [one.code for one in made.findings] == ["W0163"]
