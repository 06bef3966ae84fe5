"""GatewayClass, Gateway and ListenerSet."""

from typing import Literal

from weft.dialects.gateway_api.types.common import (
    Group,
    Hostname,
    KindName,
    LabelSelector,
    LocalParametersReference,
    Name,
    ObjectReference,
    PortNumber,
    SecretObjectReference,
)
from weft.dialects.wire import Many, Strings, Wire, items, mapping, needed, unset


class GatewayClass(Wire):
    """Which controller serves the Gateways of the class."""

    controller_name: str = needed("The controller; weft.dev/gateway-controller is weft.", min_length=1, max_length=253)
    parameters_ref: ObjectReference | None = unset("Parameters of the class; weft has none.")
    description: str | None = unset("What the class is for.", max_length=64)


class RouteGroupKind(Wire):
    """A kind of routes."""

    group: Group | None = unset("Group of the kind, gateway.networking.k8s.io if unset.")
    kind: KindName = needed("Name of the kind.")


class RouteNamespaces(Wire):
    """The namespaces that routes may come from."""

    from_: Literal["All", "Selector", "Same"] | None = unset("Which namespaces, Same if unset.", alias="from")
    selector: LabelSelector | None = unset("Labels of the namespaces, with Selector.")


class AllowedRoutes(Wire):
    """Which routes may attach to a listener."""

    namespaces: RouteNamespaces | None = unset("Where they come from; the Gateway's namespace if unset.")
    kinds: Many[RouteGroupKind] = items("Their kinds; all that fit the protocol if unset.", max_length=8)


class ListenerTlsConfig(Wire):
    """TLS of a listener."""

    mode: Literal["Terminate", "Passthrough"] | None = unset("Who ends the TLS; the gateway (Terminate) if unset.")
    certificate_refs: Many[SecretObjectReference] = items("Secrets of the type kubernetes.io/tls.", max_length=64)
    options: Strings = mapping("Settings that implementations define; weft knows none.", max_length=16)


class Listener(Wire):
    """A port, and the host names that it answers for."""

    name: Name = needed("Name of the listener, unique in the document.")
    hostname: Hostname | None = unset("Host name or *.wildcard; any if unset.")
    port: PortNumber = needed("Number of the port.")
    protocol: str = needed("HTTP, HTTPS, TLS, TCP or UDP.", min_length=1, max_length=255)
    tls: ListenerTlsConfig | None = unset("TLS, for HTTPS and TLS.")
    allowed_routes: AllowedRoutes | None = unset("Which routes may attach; those of the own namespace if unset.")


class GatewayAddress(Wire):
    """An address that the gateway binds."""

    type: str | None = unset("IPAddress (if unset), Hostname or another.", min_length=1, max_length=253)
    value: str | None = unset("The address; empty for one of the gateway's own.", max_length=253)


class GatewayInfrastructure(Wire):
    """What belongs to the proxies of the Gateway."""

    labels: Strings = mapping("Labels that its proxies get on top of their own.", max_length=8)
    annotations: Strings = mapping("Annotations of what is made for the Gateway; weft makes nothing.", max_length=8)
    parameters_ref: LocalParametersReference | None = unset("Parameters; weft has none.")


class FrontendValidation(Wire):
    """What a client's certificate must be."""

    ca_certificate_refs: Many[ObjectReference] = items(
        "ConfigMaps or Secrets with the authorities in ca.crt.", max_length=16
    )
    mode: Literal["AllowValidOnly", "AllowInsecureFallback"] | None = unset("Whether a client may go without.")


class FrontendTlsConfig(Wire):
    """TLS with clients."""

    validation: FrontendValidation | None = unset("What clients must prove; nothing if unset.")


class FrontendTlsPort(Wire):
    """TLS with the clients of a port."""

    port: PortNumber = needed("The port, of HTTPS listeners.")
    tls: FrontendTlsConfig = needed("What holds there.")


class FrontendTls(Wire):
    """TLS with clients, by port."""

    default: FrontendTlsConfig = needed("What holds at all HTTPS listeners.")
    per_port: Many[FrontendTlsPort] = items("What holds at single ports instead.", max_length=64)


class BackendTls(Wire):
    """TLS with backends."""

    client_certificate_ref: SecretObjectReference | None = unset("The certificate that the gateway shows backends.")


class GatewayTls(Wire):
    """TLS on both sides of the Gateway."""

    frontend: FrontendTls | None = unset("With clients.")
    backend: BackendTls | None = unset("With backends.")


class ListenerNamespaces(Wire):
    """The namespaces that ListenerSets may come from."""

    from_: Literal["All", "Selector", "Same", "None"] | None = unset("Which namespaces, None if unset.", alias="from")
    selector: LabelSelector | None = unset("Labels of the namespaces, with Selector.")


class AllowedListeners(Wire):
    """Which ListenerSets may attach."""

    namespaces: ListenerNamespaces | None = unset("Where they come from; nowhere if unset.")


class Gateway(Wire):
    """Ports at the mesh's edge."""

    gateway_class_name: Name = needed("Name of the GatewayClass; weft exists without a document.")
    listeners: Many[Listener] = items("The ports.", max_length=64)
    addresses: Many[GatewayAddress] = items("Addresses to bind; the proxy's own if unset.", max_length=16)
    infrastructure: GatewayInfrastructure | None = unset("What belongs to its proxies.")
    tls: GatewayTls | None = unset("TLS on both sides.")
    allowed_listeners: AllowedListeners | None = unset("Which ListenerSets may attach; none if unset.")
    default_scope: Literal["All", "None"] | None = unset("Whether routes that ask for default Gateways attach to it.")


class ParentGatewayReference(Wire):
    """The Gateway of a ListenerSet."""

    group: Group | None = unset("Group of the parent, gateway.networking.k8s.io if unset.")
    kind: KindName | None = unset("Kind of the parent, Gateway if unset.")
    name: Name = needed("Name of the Gateway.")
    namespace: str | None = unset("Namespace of the Gateway, this one's if unset.", min_length=1, max_length=63)


class ListenerSet(Wire):
    """Further listeners of a Gateway."""

    parent_ref: ParentGatewayReference = needed("The Gateway.")
    listeners: Many[Listener] = items("The ports.", max_length=64)
