"""Plugins in finished chains."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.compiler.test_patches import DOCUMENT, body, http_filters, view
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.compiler.resource import EXTENSION, LISTENER, ROUTES, Resources
from weft.compiler.resources import resources_of
from weft.model.document import Origin
from weft.model.plugin import Failure, Lua, Phase, Plugin, Traffic, Wasm

PREFIX = "envoy.filters.http."


def plugin(name: str, **changes: Any) -> Plugin:
    fields = {"works": (Lua(source="x"),)} | changes
    return Plugin(name=name, origin=Origin(key=DOCUMENT), **fields)


def made(*plugins: Plugin) -> Resources:
    return resources_of(replace(view(), plugins=plugins))


def names(resources: Resources, listener: str) -> list[str]:
    return [one.removeprefix(PREFIX) for one in http_filters(resources, listener)]


def test_phases_stand_in_their_order_around_the_meshs_own_filters():
    resources = made(*(plugin(phase.name, phase=phase) for phase in Phase))
    inner = [
        "TRANSFORMATION",
        "CACHE",
        "COMPRESSION",
        "LAST",
        "STATS",
        "dynamic_forward_proxy",
        "stateful_session",
        "router",
    ]
    assert names(resources, "http_proxy") == ["weft.tap.out", "cors", "AUTHN", "AUTHZ", "fault", *inner]


def test_a_plugin_of_a_phase_comes_after_those_that_are_given_before_it():
    assert names(made(plugin("b"), plugin("a")), "inbound_127.0.0.1_21001")[2:] == ["rbac", "b", "a", "router"]


@pytest.mark.parametrize(
    ("traffic", "inbound", "outbound"),
    [
        (Traffic(client=False), True, False),
        (Traffic(server=False), False, True),
        (Traffic(ports=(8080,)), True, False),
        (Traffic(ports=(9080,)), False, True),
    ],
)
def test_a_plugin_stands_where_its_traffic_passes(traffic: Traffic, inbound: bool, outbound: bool):
    resources = made(plugin("it", traffic=(traffic,)))
    assert ("it" in names(resources, "inbound_127.0.0.1_21001")) is inbound
    assert ("it" in names(resources, "upstream_127.0.0.1_23456")) is outbound


def test_in_the_listener_of_all_ports_hosts_of_a_port_switch_a_plugin_on():
    resources = made(plugin("it", traffic=(Traffic(server=False, ports=(9080,)),)))
    routes = RouteConfiguration.FromString(body(resources, ROUTES, "http_proxy"))
    on = {host.name.rpartition(":")[2] for host in routes.virtual_hosts if "it" in host.typed_per_filter_config}
    assert on == {"9080"}


def test_a_configuration_comes_on_its_own_and_its_change_is_no_listeners_change():
    before, after = made(plugin("it")), made(plugin("it", works=(Lua(source="y"),)))
    versions = [{(one.type_url, one.name): one.version for one in made.resources} for made in (before, after)]
    assert {key for key, version in versions[1].items() if versions[0][key] != version} == {(EXTENSION, "it")}


def test_a_plugin_for_bytes_is_the_first_of_its_chain_and_one_that_may_fail_has_a_default():
    work = Wasm(path="/x", network=True, failure=Failure.OPEN)
    resources = made(plugin("it", works=(work,)))
    listener = Listener.FromString(body(resources, LISTENER, "http_proxy"))
    first = listener.filter_chains[0].filters[0]
    assert first.name == "it"
    assert first.config_discovery.HasField("default_config")


def test_without_plugins_nothing_is_opened():
    assert all(one is other for one, other in zip(made().resources, resources_of(view()).resources, strict=True))
