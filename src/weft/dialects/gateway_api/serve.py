"""The kinds of Gateway API that weft serves."""

from weft.dialects.gateway_api.checks.connection_routes import check_tcp_route, check_tls_route, check_udp_route
from weft.dialects.gateway_api.checks.gateway import (
    check_class,
    check_class_change,
    check_gateway,
    check_listener_set,
)
from weft.dialects.gateway_api.checks.grpc_route import check_grpc_route
from weft.dialects.gateway_api.checks.http_route import check_http_route
from weft.dialects.gateway_api.checks.policies import check_backend_tls, check_grant
from weft.dialects.gateway_api.translate import grpc_route, http_route
from weft.dialects.gateway_api.translate.connection_routes import translate_tcp, translate_tls, translate_udp
from weft.dialects.gateway_api.translate.gateway import (
    translate_class,
    translate_gateway,
    translate_listener_set,
)
from weft.dialects.gateway_api.translate.policies import translate_backend_tls, translate_grant
from weft.dialects.gateway_api.types.common import GROUP
from weft.dialects.gateway_api.types.connection_routes import TcpRoute, TlsRoute, UdpRoute
from weft.dialects.gateway_api.types.gateway import Gateway, GatewayClass, ListenerSet
from weft.dialects.gateway_api.types.grpc_route import GrpcRoute
from weft.dialects.gateway_api.types.http_route import HttpRoute
from weft.dialects.gateway_api.types.policies import BackendTlsPolicy, ReferenceGrant
from weft.dialects.kinds import AGE, Column, Kind
from weft.dialects.served import Served

_CATEGORIES = ("gateway-api",)
_VERSIONS = ("v1", "v1beta1")
_ACCEPTED = Column(
    name="Accepted", json_path='.status.conditions[?(@.type=="Accepted")].status', description="Whether it is served."
)
_PROGRAMMED = Column(
    name="Programmed",
    json_path='.status.conditions[?(@.type=="Programmed")].status',
    description="Whether proxies are told of it.",
)
_HOSTNAMES = Column(name="Hostnames", json_path=".spec.hostnames", description="Hosts that are asked for.")

GATEWAY_CLASS = Kind(
    group=GROUP,
    kind="GatewayClass",
    plural="gatewayclasses",
    singular="gatewayclass",
    versions=_VERSIONS,
    short_names=("gc",),
    categories=_CATEGORIES,
    namespaced=False,
    columns=(
        Column(name="Controller", json_path=".spec.controllerName", description="Who serves it."),
        _ACCEPTED,
        AGE,
        Column(name="Description", json_path=".spec.description", description="What it is for.", priority=1),
    ),
)
GATEWAY = Kind(
    group=GROUP,
    kind="Gateway",
    plural="gateways",
    singular="gateway",
    versions=_VERSIONS,
    short_names=("gtw",),
    categories=_CATEGORIES,
    columns=(
        Column(name="Class", json_path=".spec.gatewayClassName", description="Its GatewayClass."),
        Column(name="Address", json_path=".status.addresses[*].value", description="Where it is reached."),
        _PROGRAMMED,
        AGE,
    ),
)
HTTP_ROUTE = Kind(
    group=GROUP,
    kind="HTTPRoute",
    plural="httproutes",
    singular="httproute",
    versions=_VERSIONS,
    categories=_CATEGORIES,
    columns=(_HOSTNAMES, AGE),
)
GRPC_ROUTE = Kind(
    group=GROUP,
    kind="GRPCRoute",
    plural="grpcroutes",
    singular="grpcroute",
    versions=("v1", "v1alpha2"),
    categories=_CATEGORIES,
    columns=(_HOSTNAMES, AGE),
)
TLS_ROUTE = Kind(
    group=GROUP,
    kind="TLSRoute",
    plural="tlsroutes",
    singular="tlsroute",
    versions=("v1", "v1alpha3", "v1alpha2"),
    categories=_CATEGORIES,
    columns=(_HOSTNAMES, AGE),
)
TCP_ROUTE = Kind(
    group=GROUP,
    kind="TCPRoute",
    plural="tcproutes",
    singular="tcproute",
    versions=("v1", "v1alpha2"),
    categories=_CATEGORIES,
    columns=(AGE,),
)
UDP_ROUTE = Kind(
    group=GROUP,
    kind="UDPRoute",
    plural="udproutes",
    singular="udproute",
    versions=("v1", "v1alpha2"),
    categories=_CATEGORIES,
    columns=(AGE,),
)
LISTENER_SET = Kind(
    group=GROUP,
    kind="ListenerSet",
    plural="listenersets",
    singular="listenerset",
    versions=("v1",),
    short_names=("lset",),
    categories=_CATEGORIES,
    columns=(_ACCEPTED, _PROGRAMMED, AGE),
)
X_LISTENER_SET = Kind(
    group="gateway.networking.x-k8s.io",
    kind="XListenerSet",
    plural="xlistenersets",
    singular="xlistenerset",
    versions=("v1alpha1",),
    short_names=("lset",),
    categories=_CATEGORIES,
    columns=(_ACCEPTED, _PROGRAMMED, AGE),
)
REFERENCE_GRANT = Kind(
    group=GROUP,
    kind="ReferenceGrant",
    plural="referencegrants",
    singular="referencegrant",
    versions=("v1", "v1beta1", "v1alpha2"),
    short_names=("refgrant",),
    categories=_CATEGORIES,
    columns=(AGE,),
)
BACKEND_TLS_POLICY = Kind(
    group=GROUP,
    kind="BackendTLSPolicy",
    plural="backendtlspolicies",
    singular="backendtlspolicy",
    versions=("v1", "v1alpha3"),
    short_names=("btlspolicy",),
    categories=_CATEGORIES,
    columns=(AGE,),
)

SERVED = (
    Served(
        kind=GATEWAY_CLASS,
        spec=GatewayClass,
        check=check_class,
        translate=translate_class,
        check_change=check_class_change,
    ),
    Served(kind=GATEWAY, spec=Gateway, check=check_gateway, translate=translate_gateway),
    Served(kind=HTTP_ROUTE, spec=HttpRoute, check=check_http_route, translate=http_route.translate),
    Served(kind=GRPC_ROUTE, spec=GrpcRoute, check=check_grpc_route, translate=grpc_route.translate),
    Served(kind=TLS_ROUTE, spec=TlsRoute, check=check_tls_route, translate=translate_tls),
    Served(kind=TCP_ROUTE, spec=TcpRoute, check=check_tcp_route, translate=translate_tcp),
    Served(kind=UDP_ROUTE, spec=UdpRoute, check=check_udp_route, translate=translate_udp),
    Served(kind=LISTENER_SET, spec=ListenerSet, check=check_listener_set, translate=translate_listener_set),
    Served(kind=X_LISTENER_SET, spec=ListenerSet, check=check_listener_set, translate=translate_listener_set),
    Served(kind=REFERENCE_GRANT, spec=ReferenceGrant, check=check_grant, translate=translate_grant),
    Served(kind=BACKEND_TLS_POLICY, spec=BackendTlsPolicy, check=check_backend_tls, translate=translate_backend_tls),
)
