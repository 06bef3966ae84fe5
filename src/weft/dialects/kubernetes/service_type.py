"""Kubernetes' v1 Service and Namespace: every field that people write."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from weft.dialects.wire import Int32, Many, Strings, Wire, items, mapping, needed, unset


def _target(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be the number or the name of a port")
    return value


TargetPort = Annotated[Any, BeforeValidator(_target, json_schema_input_type=int | str)]


class ServicePort(Wire):
    """A port of the service."""

    name: str | None = unset("Name of the port; needed when there are several. Its beginning tells the protocol.")
    protocol: Literal["TCP", "UDP", "SCTP"] | None = unset("Transport, TCP if unset.")
    app_protocol: str | None = unset("Application protocol, such as http, http2, grpc or tcp.")
    port: Int32 = needed("Number that callers use.")
    target_port: TargetPort | None = unset("Number or name of the workload's port, the same number if unset.")
    node_port: Int32 | None = unset("Port on every node; weft has no nodes.")


class ClientIp(Wire):
    """Stickiness by the caller's address."""

    timeout_seconds: Int32 | None = unset("How long it lasts.")


class SessionAffinityConfig(Wire):
    """Stickiness."""

    client_ip: ClientIp | None = unset("Stickiness by the caller's address.", alias="clientIP")


class ServiceSpec(Wire):
    """A host name, its ports, and the workloads behind it."""

    ports: Many[ServicePort] = items("Ports of the service.")
    selector: Strings = mapping("Labels of the workloads behind the service.")
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] | None = unset(
        "How it is reached, ClusterIP if unset."
    )
    cluster_ip: str | None = unset("Virtual address, or None.", alias="clusterIP")
    cluster_ips: Many[str] = items("Virtual addresses.", alias="clusterIPs")
    external_name: str | None = unset("Host name that the service stands for, with type ExternalName.")
    external_ips: Many[str] = items("Further addresses.", alias="externalIPs")
    ip_families: Many[Literal["IPv4", "IPv6"]] = items("Families of the virtual addresses.")
    ip_family_policy: Literal["SingleStack", "PreferDualStack", "RequireDualStack"] | None = unset(
        "How many families it has."
    )
    session_affinity: Literal["ClientIP", "None"] | None = unset("Stickiness.")
    session_affinity_config: SessionAffinityConfig | None = unset("Settings of the stickiness.")
    publish_not_ready_addresses: bool | None = unset("Whether workloads that are not ready are called too.")
    internal_traffic_policy: Literal["Cluster", "Local"] | None = unset("Whether calls stay on the caller's node.")
    external_traffic_policy: Literal["Cluster", "Local"] | None = unset("Whether calls stay on the entered node.")
    traffic_distribution: str | None = unset("Preference for endpoints that are near.")
    allocate_load_balancer_node_ports: bool | None = unset("Whether a load balancer uses ports of nodes.")
    health_check_node_port: Int32 | None = unset("Port of nodes for health checks of a load balancer.")
    load_balancer_class: str | None = unset("Class of the load balancer.")
    load_balancer_ip: str | None = unset("Address of the load balancer.", alias="loadBalancerIP")
    load_balancer_source_ranges: Many[str] = items("Addresses that the load balancer lets in.")


class NamespaceSpec(Wire):
    """A namespace."""

    finalizers: Many[str] = items("What must be done before the namespace is removed.")
