"""Istio's EnvoyFilter."""

from typing import Any, Literal

from weft.dialects.istio.types.target_refs import PolicyTargetReference
from weft.dialects.wire import Int32, Many, Strings, UInt32, Wire, items, mapping, unset


class ProxyMatch(Wire):
    """What a proxy says of itself."""

    proxy_version: str | None = unset("An RE2 expression for the version of Istio's proxy.")
    metadata: Strings = mapping("Metadata that the proxy's node must have.")


class SubFilterMatch(Wire):
    """A filter inside a filter."""

    name: str | None = unset("Name of the HTTP filter.")


class FilterMatch(Wire):
    """A filter of a chain."""

    name: str | None = unset("Name of the network filter.")
    sub_filter: SubFilterMatch | None = unset("The HTTP filter inside a connection manager.")


class FilterChainMatch(Wire):
    """A chain of a listener."""

    name: str | None = unset("Name of the chain.")
    sni: str | None = unset("A server name that the chain is chosen by.")
    transport_protocol: str | None = unset("tls or raw_buffer.")
    application_protocols: str | None = unset("Protocols that the chain is chosen by, with commas between.")
    filter: FilterMatch | None = unset("A filter of the chain.")
    destination_port: UInt32 | None = unset("The port that the chain is chosen by.")


class ListenerMatch(Wire):
    """Which listener, and what of it."""

    port_number: UInt32 | None = unset("Port that callers name.")
    port_name: str | None = unset("Not used by Istio.")
    filter_chain: FilterChainMatch | None = unset("A chain of the listener.")
    listener_filter: str | None = unset("Name of a listener filter.")
    name: str | None = unset("Name of the listener.")


class RouteMatch(Wire):
    """A route of a virtual host."""

    name: str | None = unset("Name of the route.")
    action: Literal["ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"] | None = unset("What the route does.")


class VirtualHostMatch(Wire):
    """A virtual host."""

    name: str | None = unset("Name of the virtual host, host:port.")
    domain_name: str | None = unset("One of the domains of the virtual host.")
    route: RouteMatch | None = unset("A route of the virtual host.")


class RouteConfigurationMatch(Wire):
    """Which route configuration, and what of it."""

    port_number: UInt32 | None = unset("Port that callers name.")
    port_name: str | None = unset("Name of a gateway's port.")
    gateway: str | None = unset("Gateway, by namespace/name.")
    vhost: VirtualHostMatch | None = unset("A virtual host of the route configuration.")
    name: str | None = unset("Name of the route configuration.")


class ClusterMatch(Wire):
    """Which cluster."""

    port_number: UInt32 | None = unset("Port of the service.")
    service: str | None = unset("Full host name of the service.")
    subset: str | None = unset("Subset of the service.")
    name: str | None = unset("Name of the cluster, by which alone it is then chosen.")


class WaypointFilterMatch(Wire):
    """A filter of a waypoint."""

    name: str | None = unset("Name of a filter of the waypoint.")
    sub_filter: SubFilterMatch | None = unset("The HTTP filter inside it.")


class WaypointRouteMatch(Wire):
    """A route of a waypoint."""

    name: str | None = unset("Name of a route of the waypoint.")


class WaypointMatch(Wire):
    """What of a waypoint."""

    port_number: UInt32 | None = unset("Port of the waypoint.")
    filter: WaypointFilterMatch | None = unset("Filter of the waypoint.")
    route: WaypointRouteMatch | None = unset("Route of the waypoint.")


class ConfigMatch(Wire):
    """When a patch holds."""

    context: Literal["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"] | None = unset(
        "The side of the proxy; ANY if left out."
    )
    proxy: ProxyMatch | None = unset("What the proxy must say of itself.")
    listener: ListenerMatch | None = unset("Which listener; for listeners, chains and filters.")
    route_configuration: RouteConfigurationMatch | None = unset("Which routes; for route configurations and below.")
    cluster: ClusterMatch | None = unset("Which cluster; for clusters.")
    waypoint: WaypointMatch | None = unset("What of a waypoint.")


class Patch(Wire):
    """What is done."""

    operation: (
        Literal[
            "INVALID",
            "MERGE",
            "ADD",
            "REMOVE",
            "INSERT_BEFORE",
            "INSERT_AFTER",
            "INSERT_FIRST",
            "REPLACE",
            "MERGE_AND_REPLACE_LIST",
        ]
        | None
    ) = unset("What is done with the value.")
    value: dict[str, Any] | None = unset("The Envoy message in JSON, with typed_config for extensions.")
    filter_class: Literal["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"] | None = unset("Where among Istio's own filters.")


class ConfigPatch(Wire):
    """One change."""

    apply_to: (
        Literal[
            "INVALID",
            "LISTENER",
            "FILTER_CHAIN",
            "NETWORK_FILTER",
            "HTTP_FILTER",
            "ROUTE_CONFIGURATION",
            "VIRTUAL_HOST",
            "HTTP_ROUTE",
            "CLUSTER",
            "EXTENSION_CONFIG",
            "BOOTSTRAP",
            "LISTENER_FILTER",
        ]
        | None
    ) = unset("What kind of thing is changed.")
    match: ConfigMatch | None = unset("When the change is made; always, if left out.")
    patch: Patch | None = unset("The change itself.")


class WorkloadSelector(Wire):
    """The workloads whose proxies are changed."""

    labels: Strings = mapping("Labels that a workload must have, all of them.", max_length=256)


class EnvoyFilter(Wire):
    """Changes of what proxies are sent, in Envoy's words."""

    workload_selector: WorkloadSelector | None = unset("The workloads; without it, all of the namespace or the mesh.")
    target_refs: Many[PolicyTargetReference] = items("Gateways that the changes are for.", max_length=16)
    config_patches: Many[ConfigPatch] = items("The changes, one after another.")
    priority: Int32 | None = unset("Changes of a smaller number are made first; 0 if left out.")
