"""GatewayClass, Gateway and ListenerSet as parts that link puts together."""

from weft.dialects.findings import Here
from weft.dialects.fragment import Fragment
from weft.dialects.gateway_api.translate.refs import generation, object_ref, secret_ref
from weft.dialects.gateway_api.types import gateway as wire
from weft.dialects.gateway_api.types.common import GROUP, LabelSelector, LocalParametersReference
from weft.dialects.issuers import Asked, orders_of
from weft.dialects.parts import (
    SECRET,
    Audience,
    ClassPart,
    ClientCheck,
    GatewayPart,
    Listener,
    ListenerSetPart,
    Ref,
)
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model import selector as model
from weft.model.issuing import Order


def translate_class(spec: wire.GatewayClass, subject: Subject) -> Fragment:
    """A class."""
    parameters = object_ref(spec.parameters_ref, "") if spec.parameters_ref else None
    part = ClassPart(
        origin=subject.origin,
        generation=generation(subject),
        controller=spec.controller_name,
        parameters=parameters,
    )
    return Fragment(key=subject.key, part=part)


def translate_gateway(spec: wire.Gateway, subject: Subject) -> Fragment:
    """A gateway."""
    infrastructure = spec.infrastructure or wire.GatewayInfrastructure()
    tls = spec.tls or wire.GatewayTls()
    frontend = tls.frontend
    certificate = tls.backend.client_certificate_ref if tls.backend else None
    parameters = infrastructure.parameters_ref
    part = GatewayPart(
        origin=subject.origin,
        generation=generation(subject),
        class_name=spec.gateway_class_name,
        listeners=_listeners(spec.listeners, subject),
        addresses=tuple((one.type or "IPAddress", one.value or "") for one in spec.addresses),
        labels=labels_of(infrastructure.labels),
        parameters=_parameters(parameters, subject) if parameters else None,
        sets=_sets(spec.allowed_listeners),
        clients=_clients(_FRONTEND.at("default"), frontend.default, subject) if frontend else None,
        port_clients=_port_clients(frontend, subject) if frontend else (),
        default=spec.default_scope == "All",
        certificate=secret_ref(certificate, subject.namespace) if certificate else None,
    )
    return Fragment(key=subject.key, part=part, orders=_orders(part.listeners, subject))


def _orders(listeners: tuple[Listener, ...], subject: Subject) -> tuple[Order, ...]:
    """Certificates of an annotated gateway: for listeners with one Secret of their own namespace."""
    asked = []
    for one in listeners:
        own = [
            ref for ref in one.certificates if (ref.group, ref.kind) == SECRET and ref.namespace == subject.namespace
        ]
        if len(own) == len(one.certificates) == 1:
            asked.append(Asked(secret=own[0].name, hosts=(one.hostname,), path=(*one.path, "tls")))
    return orders_of(subject, asked)


def translate_listener_set(spec: wire.ListenerSet, subject: Subject) -> Fragment:
    """Further listeners of a gateway."""
    parent = spec.parent_ref
    gateway = Ref(
        group=GROUP if parent.group is None else parent.group,
        kind=parent.kind or "Gateway",
        namespace=parent.namespace or subject.namespace,
        name=parent.name,
    )
    part = ListenerSetPart(
        origin=subject.origin,
        generation=generation(subject),
        gateway=gateway,
        listeners=_listeners(spec.listeners, subject),
    )
    return Fragment(key=subject.key, part=part)


def _listeners(listeners: tuple[wire.Listener, ...], subject: Subject) -> tuple[Listener, ...]:
    here = Here(path=("spec", "listeners"))
    return tuple(_listener(here.at(index), one, subject) for index, one in enumerate(listeners))


def _listener(here: Here, listener: wire.Listener, subject: Subject) -> Listener:
    allowed = listener.allowed_routes or wire.AllowedRoutes()
    tls = listener.tls or wire.ListenerTlsConfig()
    return Listener(
        name=listener.name,
        port=listener.port,
        protocol=listener.protocol,
        path=here.path,
        hostname=(listener.hostname or "").lower(),
        kinds=tuple((GROUP if one.group is None else one.group, one.kind) for one in allowed.kinds),
        audience=_audience(allowed.namespaces, "Same"),
        certificates=tuple(secret_ref(one, subject.namespace) for one in tls.certificate_refs),
        passes=tls.mode == "Passthrough",
    )


def _sets(allowed: wire.AllowedListeners | None) -> Audience:
    return _audience(allowed.namespaces if allowed else None, "None")


def _audience(namespaces: wire.RouteNamespaces | wire.ListenerNamespaces | None, unset: str) -> Audience:
    if namespaces is None:
        return Audience(who=unset)
    return Audience(who=namespaces.from_ or unset, selector=_selector(namespaces.selector))


def _selector(selector: LabelSelector | None) -> model.LabelSelector:
    if selector is None:
        return model.LabelSelector()
    return model.LabelSelector(
        labels=labels_of(selector.match_labels),
        expressions=tuple(
            model.Requirement(key=one.key, operator=model.Operator(one.operator), values=one.values)
            for one in selector.match_expressions
        ),
    )


_FRONTEND = Here(path=("spec", "tls", "frontend"))


def _port_clients(frontend: wire.FrontendTls, subject: Subject) -> tuple[tuple[int, ClientCheck | None], ...]:
    return tuple(
        (one.port, _clients(_FRONTEND.at("perPort", index, "tls"), one.tls, subject))
        for index, one in enumerate(frontend.per_port)
    )


def _clients(here: Here, config: wire.FrontendTlsConfig, subject: Subject) -> ClientCheck | None:
    validation = config.validation
    if validation is None:
        return None
    return ClientCheck(
        authorities=tuple(object_ref(one, subject.namespace) for one in validation.ca_certificate_refs),
        path=here.at("validation").path,
        optional=validation.mode == "AllowInsecureFallback",
    )


def _parameters(parameters: LocalParametersReference, subject: Subject) -> Ref:
    return Ref(group=parameters.group, kind=parameters.kind, namespace=subject.namespace, name=parameters.name)
