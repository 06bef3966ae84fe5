"""Plugins put into finished chains, and their configurations beside them. Without plugins nothing is opened."""

from typing import NamedTuple

from msgspec.structs import replace

from weft._pb.envoy.config.core.v3.config_source_pb2 import ExtensionConfigSource
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_components_pb2 import VirtualHost
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from weft._pb.envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac
from weft.compiler.http_filters.switched import switch
from weft.compiler.names import CAPTURED_INBOUND, chain_port
from weft.compiler.patches.places import Places
from weft.compiler.patches.work import Place
from weft.compiler.plugins.order import with_placed
from weft.compiler.plugins.works import Made, made_of
from weft.compiler.resource import EXTENSION, LISTENER, ROUTES, Resource, Resources, resource
from weft.compiler.wire import ads, packed, serialized
from weft.kit.memo import memo
from weft.model.extension import Context
from weft.model.plugin import Plugin, Traffic
from weft.view.view import View
from weft.view.view import VirtualHost as ViewHost

_MANAGER = "envoy.filters.network.http_connection_manager"
_ALL = (Traffic(),)


class _Standing(NamedTuple):
    """A plugin in one chain; ``off``: until a route or a host switches it on."""

    plugin: Plugin
    off: bool


def with_plugins(resources: Resources, view: View) -> Resources:
    """The resources with the view's plugins in them, sorted as before."""
    hosts = [one.virtual_hosts for one in view.gateway_routes] + [one.virtual_hosts for one in view.egress_ports]
    named = _named(view.outbound.virtual_hosts).union(*(_named(one) for one in hosts))
    plugins = tuple(one for one in view.plugins if not one.off or one.name in named)
    if not plugins:
        return resources
    places = Places(view, resources.resources)
    kept = [_changed(one, plugins, places.of(one)) for one in resources.resources]
    kept += [_configuration(one) for plugin in plugins for one in made_of(plugin)]
    return replace(resources, resources=tuple(sorted(kept, key=lambda one: (one.type_url, one.name))))


@memo(1024)
def _named(hosts: tuple[ViewHost, ...]) -> frozenset[str]:
    """The plugins that routes switch on."""
    return frozenset(name for host in hosts for route in host.routes for name in route.plugins)


def _changed(one: Resource, plugins: tuple[Plugin, ...], place: Place) -> Resource:
    if one.type_url == LISTENER and one.name == CAPTURED_INBOUND:
        return _listener_of_ports(one, plugins, place)
    if one.type_url == LISTENER:
        standing = tuple(found for plugin in plugins if (found := _standing(plugin, place)) is not None)
        return _listener(one, standing) if standing else one
    if one.type_url == ROUTES and not place.port and place.context is Context.SIDECAR_OUTBOUND:
        by_port = tuple(plugin for plugin in plugins if not plugin.off and _ports_of(plugin, place.context))
        return _hosts(one, by_port) if by_port else one
    return one


def _standing(plugin: Plugin, place: Place) -> _Standing | None:
    """How a plugin stands in a listener's chains; in one for all ports, hosts switch on what is for some ports."""
    if plugin.off:
        return _Standing(plugin, True) if place.context is not Context.SIDECAR_INBOUND else None
    for traffic in plugin.traffic or _ALL:
        if not _concerns(traffic, place.context):
            continue
        if not traffic.ports or place.port in traffic.ports:
            return _Standing(plugin, False)
        if not place.port:
            return _Standing(plugin, True)
    return None


def _concerns(traffic: Traffic, context: Context) -> bool:
    match context:
        case Context.SIDECAR_INBOUND:
            return traffic.server
        case Context.GATEWAY:
            return traffic.gateway
        case _:
            return traffic.client


def _ports_of(plugin: Plugin, context: Context) -> frozenset[int]:
    """The ports for which hosts switch a plugin on, if it does not stand for all."""
    found: set[int] = set()
    for traffic in plugin.traffic:
        if _concerns(traffic, context):
            if not traffic.ports:
                return frozenset()
            found.update(traffic.ports)
    return frozenset(found)


@memo(4096)
def _configuration(made: Made) -> Resource:
    config = TypedExtensionConfig(name=made.name)
    config.typed_config.type_url, config.typed_config.value = made.type_url, made.body
    return resource(EXTENSION, made.name, serialized(config))


@memo(16384)
def _listener(one: Resource, standing: tuple[_Standing, ...]) -> Resource:
    listener = Listener.FromString(one.body)
    for chain in listener.filter_chains:
        _chain(chain, standing)
    if listener.HasField("default_filter_chain"):
        _chain(listener.default_filter_chain, standing)
    return resource(LISTENER, one.name, serialized(listener))


@memo(4096)
def _listener_of_ports(one: Resource, plugins: tuple[Plugin, ...], place: Place) -> Resource:
    """The captured way in: each of its chains has a port."""
    listener = Listener.FromString(one.body)
    for chain in listener.filter_chains:
        if number := chain_port(chain.name):
            here = replace(place, port=number)
            _chain(chain, tuple(found for plugin in plugins if (found := _standing(plugin, here)) is not None))
    return resource(LISTENER, one.name, serialized(listener))


def _chain(chain: FilterChain, standing: tuple[_Standing, ...]) -> None:
    """Plugins for bytes come first; those for requests go into the connection manager, if there is one."""
    standing = tuple(one for one in standing if not one.plugin.chains or chain.name in one.plugin.chains)
    network = [_network(made) for plugin, off in standing if not off for made in made_of(plugin) if made.network]
    for one in chain.filters:
        manager = HttpConnectionManager()
        if one.name == _MANAGER and one.typed_config.Unpack(manager):
            new = [(_http(made, off), plugin.phase) for plugin, off in standing for made in _requests(plugin)]
            filters = with_placed(manager.http_filters, new)
            del manager.http_filters[:]
            manager.http_filters.extend(filters)
            one.typed_config.CopyFrom(packed(manager))
    rest = list(chain.filters)
    del chain.filters[:]
    chain.filters.extend([*network, *rest])


def _requests(plugin: Plugin) -> list[Made]:
    return [made for made in made_of(plugin) if not made.network]


def _http(made: Made, off: bool) -> HttpFilter:
    return HttpFilter(name=made.name, disabled=off, config_discovery=_source(made))


def _network(made: Made) -> Filter:
    return Filter(name=made.name, config_discovery=_source(made))


def _source(made: Made) -> ExtensionConfigSource:
    """Where the configuration comes from; what may fail open does nothing while there is none."""
    found = ExtensionConfigSource(config_source=ads(), type_urls=[made.type_url])
    if made.open:
        nothing = packed(network_rbac.RBAC(stat_prefix="none") if made.network else http_rbac.RBAC())
        found.default_config.CopyFrom(nothing)
        found.type_urls.append(nothing.type_url)
    return found


@memo(4096)
def _hosts(one: Resource, plugins: tuple[Plugin, ...]) -> Resource:
    """Switch on what is for some ports, at the hosts of these ports."""
    routes = RouteConfiguration.FromString(one.body)
    for host in routes.virtual_hosts:
        port = host.name.rpartition(":")[2]
        for plugin in plugins:
            if port.isdecimal() and int(port) in _ports_of(plugin, Context.SIDECAR_OUTBOUND):
                _switch_on(host, plugin)
    return resource(ROUTES, one.name, serialized(routes))


def _switch_on(host: VirtualHost, plugin: Plugin) -> None:
    for made in _requests(plugin):
        host.typed_per_filter_config[made.name].CopyFrom(switch())
