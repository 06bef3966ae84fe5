"""GatewayClass, Gateway and ListenerSet."""

import re
from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.gateway_api.checks.common import check_hostname, check_selector
from weft.dialects.gateway_api.types import gateway as wire
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.parts import CONTROLLER
from weft.dialects.syntax import is_dns_subdomain, is_ip

_CONTROLLER = re.compile(
    r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
)
_KNOWN = ("HTTP", "HTTPS", "TLS", "TCP", "UDP")
_WITHOUT_TLS = ("HTTP", "TCP", "UDP")
_WITHOUT_HOST = ("TCP", "UDP")
_PROTOCOL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?|[a-z0-9][-a-z0-9.]*/[A-Za-z0-9]+")


def check_class(spec: wire.GatewayClass, metadata: ObjectMeta) -> Findings:
    """The controller's name is a path after a domain."""
    yield from check_metadata(metadata)
    if not _CONTROLLER.fullmatch(spec.controller_name):
        place = Here(path=("spec", "controllerName"))
        message = f'"{spec.controller_name[:80]}" is not the name of a controller'
        yield place.error("W0102", message, f"use {CONTROLLER}")


def check_class_change(old: wire.GatewayClass, new: wire.GatewayClass) -> Findings:
    """A class stays with its controller."""
    if old.controller_name != new.controller_name:
        yield Here(path=("spec", "controllerName")).error(
            "W0131", "the controller of a class cannot be changed", "create another class"
        )


def check_gateway(spec: wire.Gateway, metadata: ObjectMeta) -> Findings:
    """Listeners, addresses and what is not served."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from _check_listeners(here.at("listeners"), spec.listeners)
    yield from _check_addresses(here.at("addresses"), spec.addresses)
    allowed = spec.allowed_listeners.namespaces if spec.allowed_listeners else None
    if allowed is not None:
        yield from check_selector(here.at("allowedListeners", "namespaces"), allowed.from_, allowed.selector)
    yield from _check_tls(here.at("tls"), spec)


def check_listener_set(spec: wire.ListenerSet, metadata: ObjectMeta) -> Findings:
    """Its listeners."""
    yield from check_metadata(metadata)
    yield from _check_listeners(Here(path=("spec", "listeners")), spec.listeners)


def _check_listeners(here: Here, listeners: Sequence[wire.Listener]) -> Findings:
    if not listeners:
        yield here.error("W0105", "at least one listener is needed", "add a name, a port and a protocol", at_key=True)
    names: set[str] = set()
    places: set[tuple[int, str, str]] = set()
    for index, one in enumerate(listeners):
        place = (one.port, one.protocol, (one.hostname or "").lower())
        if one.name in names:
            yield here.at(index, "name").error("W0117", f'several listeners are named "{one.name}"')
        if place in places:
            advice = "give them different ports or host names"
            yield here.at(index).error("W0117", "another listener has the same port, protocol and host name", advice)
        names.add(one.name)
        places.add(place)
        yield from _check_listener(here.at(index), one)


def _check_listener(here: Here, one: wire.Listener) -> Findings:
    if not is_dns_subdomain(one.name):
        yield here.at("name").error("W0125", f'"{one.name}" is not a valid name', "use lower-case letters, digits, -")
    if not _PROTOCOL.fullmatch(one.protocol):
        yield here.at("protocol").error("W0102", f'"{one.protocol[:80]}" is not a protocol', f"use {', '.join(_KNOWN)}")
    if one.hostname is not None:
        yield from check_hostname(here.at("hostname"), one.hostname)
        if one.protocol in _WITHOUT_HOST:
            yield here.at("hostname").error("W0106", f"{one.protocol} names no host", "remove it", at_key=True)
    yield from _check_listener_tls(here, one)
    namespaces = one.allowed_routes.namespaces if one.allowed_routes else None
    if namespaces is not None:
        yield from check_selector(here.at("allowedRoutes", "namespaces"), namespaces.from_, namespaces.selector)


def _check_listener_tls(here: Here, one: wire.Listener) -> Findings:
    tls, place = one.tls, here.at("tls")
    if one.protocol in _WITHOUT_TLS and tls is not None:
        yield place.error("W0106", f"a listener of protocol {one.protocol} has no TLS", "use HTTPS or TLS", at_key=True)
        return
    if one.protocol == "HTTPS" and tls is not None and tls.mode == "Passthrough":
        yield place.at("mode").error("W0106", "HTTPS is ended by the gateway", "use the protocol TLS")
    if one.protocol == "TLS" and (tls is None or tls.mode is None):
        yield here.error("W0105", "the protocol TLS needs tls.mode", "use Terminate or Passthrough")
    if tls is not None and tls.mode != "Passthrough" and not tls.certificate_refs and not tls.options:
        advice = "name a Secret of the type kubernetes.io/tls"
        yield place.error("W0105", "TLS that is ended here needs certificateRefs", advice)
    if tls is not None and tls.options:
        yield place.at("options").warning("W0128", "weft knows no options of TLS", "remove them", at_key=True)


def _check_addresses(here: Here, addresses: Sequence[wire.GatewayAddress]) -> Findings:
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(addresses):
        kind, value = one.type or "IPAddress", one.value or ""
        if kind == "IPAddress" and value and not is_ip(value):
            yield here.at(index, "value").error("W0116", f'"{value[:80]}" is not an IP address')
        if kind == "Hostname" and value and not is_dns_subdomain(value):
            yield here.at(index, "value").error("W0107", f'"{value[:80]}" is not a host name')
        if value and (kind, value) in seen:
            yield here.at(index).error("W0117", f"the address {value} is there twice", "remove one of them")
        seen.add((kind, value))


def _check_tls(here: Here, spec: wire.Gateway) -> Findings:
    frontend = spec.tls.frontend if spec.tls else None
    if frontend is None:
        return
    ports: set[int] = set()
    places = [(here.at("frontend", "default"), frontend.default)]
    for index, one in enumerate(frontend.per_port):
        place = here.at("frontend", "perPort", index)
        if one.port in ports:
            yield place.at("port").error("W0117", f"port {one.port} is there twice", "remove one of them")
        ports.add(one.port)
        places.append((place.at("tls"), one.tls))
    for place, config in places:
        validation = config.validation
        if validation is not None and not validation.ca_certificate_refs:
            yield place.at("validation").error("W0105", "validation needs caCertificateRefs", "name a ConfigMap")
