"""Every name that Envoy sees. Istio's, so that its users and tools recognise them."""

from hashlib import sha256

from weft.model.credential import AUTHORITIES_SUFFIX, Credential
from weft.view.view import EgressPort, GatewayPort, InboundPort, RoutesKey, Target, UpstreamPort

HTTP_PROXY = "http_proxy"
"""The listener and the route configuration of the local HTTP proxy."""

GATEWAY = "gateway_"
"""What the listeners of a gateway's ports begin with."""

PASSTHROUGH_CLUSTER = "PassthroughCluster"
"""Where requests to hosts outside the mesh go."""

ORIGINAL_CLUSTER = "OriginalDestination"
"""Where captured connections go that nothing in the mesh is for: to the address that they were sent to."""

INBOUND_STRANGERS = "InboundPassthroughCluster"
"""Where connections go to ports of the application that nobody declared."""

CAPTURED_OUTBOUND, CAPTURED_INBOUND = "virtualOutbound", "virtualInbound"
"""The listeners that the host's rules turn connections to."""

BLACK_HOLE_CLUSTER = "BlackHoleCluster"
"""A cluster that does not exist: where bytes go that nothing answers."""

CERTIFICATE = "default"
TRUST_BUNDLE = "ROOTCA"
SDS_CLUSTER = "sds"
HOST_AUTHORITIES = "system"
"""Stands for the path of the authorities that the sidecar's host trusts."""

DNS_CACHE = "weft"

XDS_CLUSTER = "xds"
"""The control plane, as every proxy's bootstrap calls it."""
LIMITS_DOMAIN = "weft"
"""What the limits that the control plane counts are asked for under."""
ROUTE_CHECK = "weft.check."
"""How filters begin that ask an authorizer for a route."""
BREAKER_FILTER = "weft.circuit_breaker"
REFUSED = ("weft.breaker.refused", "by")
"""Where the breakers' script notes whose breaker refused a request, for the routes."""
_LONGEST_BREAKER = 383


def file_certificate(chain: str, key: str) -> str:
    """The secret that the agent makes of two files: ``file-cert:/certs/chain.pem~/certs/key.pem``."""
    return f"file-cert:{chain}~{key}"


def file_authorities(path: str, revoked: str = "") -> str:
    """The secret that the agent makes of a file of authorities, and of one with revoked certificates."""
    return f"file-root:{path or HOST_AUTHORITIES}" + (f"~{revoked}" if revoked else "")


def stored_certificate(credential: Credential) -> str:
    """The secret that the control plane makes of a stored one: ``kubernetes://shop-cert``, as Istio calls it."""
    if not credential.namespace:
        return f"kubernetes://{credential.name}"
    return f"kubernetes-gateway://{credential.namespace}/{credential.name}"


def stored_authorities(credential: Credential) -> str:
    """Likewise of stored authorities: ``kubernetes://shop-cert-cacert``, ``configmap://shop/roots-cacert``."""
    name = credential.name.removesuffix(AUTHORITIES_SUFFIX) + AUTHORITIES_SUFFIX
    if credential.config_map:
        return f"configmap://{credential.namespace}/{name}"
    return stored_certificate(Credential(name=name, namespace=credential.namespace))


def cluster_name(target: Target) -> str:
    """``outbound|9080|v1|reviews.shop.svc.cluster.local``, or the name by which sidecars ask for it in TLS."""
    if target.sealed:
        return server_name(target)
    return f"outbound|{target.port}|{target.subset}|{target.host}"


def server_name(target: Target) -> str:
    """``outbound_.9080_.v1_.reviews.shop.svc.cluster.local``: the SNI of sidecars."""
    return f"outbound_.{target.port}_.{target.subset}_.{target.host}"


def inbound_cluster_name(port: InboundPort) -> str:
    """``inbound|9080||``; captured ports that nobody declared share one."""
    if port.captured == 0:
        return INBOUND_STRANGERS
    return f"inbound|{port.port}||"


def inbound_route_name(port: InboundPort, *, authenticated: bool) -> str:
    """``inbound|9080||`` for callers with certificates, ``inbound|9080|plain|`` for those without."""
    return f"inbound|{port.port}||" if authenticated else f"inbound|{port.port}|plain|"


def inbound_listener_name(port: InboundPort) -> str:
    """``inbound_127.0.0.1_21001``."""
    return f"inbound_{port.bind}_{port.bind_port}"


def upstream_listener_name(port: UpstreamPort) -> str:
    """``upstream_127.0.0.1_23456``."""
    return f"upstream_{port.bind}_{port.bind_port}"


def egress_name(port: EgressPort) -> str:
    """The listener that a Sidecar asks for, and its routes: ``egress_127.0.0.1_9080``, ``egress_unix:///run/web.sock``."""
    return f"egress_{port.bind}" if port.bind.startswith("unix://") else f"egress_{port.bind}_{port.bind_port}"


def captured_listener_name(number: int) -> str:
    """``0.0.0.0_9080``: the captured connections to a port."""
    return f"0.0.0.0_{number}"


def chain_port(name: str) -> int:
    """The port of a chain of the captured way in (``inbound|9080||mutual``), 0 for any other chain."""
    side, _, rest = name.partition("|")
    number = rest.partition("|")[0]
    return int(number) if side == "inbound" and number.isdecimal() else 0


def captured_route_name(number: int) -> str:
    """``9080``: the routes of the requests in them."""
    return str(number)


def is_of_scope(routes: str) -> bool:
    """Whether a route configuration is one for all proxies of a scope."""
    return routes == HTTP_PROXY or routes.isdecimal()


def gateway_listener_name(port: GatewayPort) -> str:
    """``gateway_127.0.0.1_443``, with the port that documents name."""
    return f"{GATEWAY}{port.bind}_{port.port}"


def udp_listener_name(port: GatewayPort) -> str:
    """``udp_127.0.0.1_443``: a port of UDP, for packets or for QUIC."""
    return f"udp_{port.bind}_{port.port}"


def gateway_route_name(key: RoutesKey) -> str:
    """``http.80`` for a port's plaintext servers, ``https.443.<port name>.<gateway>.<namespace>`` for one with TLS."""
    parts = ["https" if key.server else "http", str(key.port), key.server, key.gateway, key.namespace, key.bind]
    return ".".join(part for part in parts if part)


def upstream_route_name(target: Target) -> str:
    """The route configuration of the local ports that stand for a target: its cluster's name."""
    return cluster_name(target)


def statistics_name(name: str) -> str:
    """A name without dots, at which Envoy's statistics would be cut."""
    return name.replace(".", "_")


def local_limit_filter(policy: str) -> str:
    """``weft.local_rate_limit.shop/orders``, the filter of a policy that counts alone."""
    return f"weft.local_rate_limit.{policy}"


def global_limit_filter(policy: str) -> str:
    """``weft.rate_limit.shop/orders``, the filter of a policy that asks the control plane."""
    return f"weft.rate_limit.{policy}"


def limit_statistics(policy: str) -> str:
    """``rate_limit.shop_orders``, under which a proxy counts what a policy refused."""
    return f"rate_limit.{statistics_name(policy).replace('/', '_')}"


def breaker_name(breaker: str, cluster: str) -> str:
    """``shop/orders|outbound|9080||orders.shop.svc.cluster.local``: a breaker has a state for each destination.

    A name that is too long for its place in the script's file is cut, and ends with a hash of all of it.
    """
    name = f"{breaker}|{cluster}"
    if len(name) <= _LONGEST_BREAKER:
        return name
    return f"{name[: _LONGEST_BREAKER - 17]}~{sha256(name.encode()).hexdigest()[:16]}"


def token_provider(index: int, telling: str = "") -> str:
    """The issuer of a token rule in the filter that reads tokens; ``telling``: what else it is known for there."""
    return f"origins-{index}{telling and '-'}{telling}"
