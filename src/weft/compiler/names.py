"""Every name that Envoy sees. Istio's, so that its users and tools recognise them."""

from weft.view.view import InboundPort, Target, UpstreamPort

HTTP_PROXY = "http_proxy"
"""The listener and the route configuration of the local HTTP proxy."""

PASSTHROUGH_CLUSTER = "PassthroughCluster"
"""Where requests to hosts outside the mesh go."""

CERTIFICATE = "default"
TRUST_BUNDLE = "ROOTCA"
SDS_CLUSTER = "sds"
DNS_CACHE = "weft"


def cluster_name(target: Target) -> str:
    """``outbound|9080|v1|reviews.shop.svc.cluster.local``."""
    return f"outbound|{target.port}|{target.subset}|{target.host}"


def inbound_cluster_name(port: InboundPort) -> str:
    """``inbound|9080||``."""
    return f"inbound|{port.port}||"


def inbound_listener_name(port: InboundPort) -> str:
    """``inbound_127.0.0.1_21001``."""
    return f"inbound_{port.bind}_{port.bind_port}"


def upstream_listener_name(port: UpstreamPort) -> str:
    """``upstream_127.0.0.1_23456``."""
    return f"upstream_{port.bind}_{port.bind_port}"


def upstream_route_name(target: Target) -> str:
    """The route configuration of the local ports that stand for a target: its cluster's name."""
    return cluster_name(target)


def statistics_name(name: str) -> str:
    """A name without dots, at which Envoy's statistics would be cut."""
    return name.replace(".", "_")
