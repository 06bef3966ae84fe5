"""Which policies hold for a proxy.

Those of the root namespace hold for the mesh, others for their namespace, where the labels of a workload fit. What is
attached to a Gateway of the Gateway API holds for its proxies. Policies for services are for waypoints, which weft has
none of. Source: Istio ``AuthorizationPolicy.selector`` and ``targetRefs``.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.value import Labels, first, includes, value_at
from weft.model.authentication import TokenRule
from weft.model.authorization import AccessPolicy, Action, TargetRef
from weft.model.finding import Finding, Severity
from weft.model.mesh import Mesh
from weft.view.access import NO_GUARDS, Check, Guards, in_trust_domains
from weft.view.node import Node
from weft.view.norms import norms_of
from weft.view.providers import host_of
from weft.view.view import Captured, Target, View

GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
_GATEWAY_API = "gateway.networking.k8s.io"


class Selective(Protocol):
    """What says for which workloads a policy is."""

    @property
    def namespace(self) -> str: ...

    @property
    def selector(self) -> Labels: ...

    @property
    def targets(self) -> tuple[TargetRef, ...]: ...


def holds_for(policy: Selective, namespace: str, labels: Labels, root: str) -> bool:
    """Whether a policy is for a workload."""
    if policy.namespace not in (namespace, root):
        return False
    if not policy.targets:
        return includes(labels, policy.selector)
    gateway = value_at(labels, GATEWAY_NAME)
    return policy.namespace == namespace and any(
        one.kind == "Gateway" and one.group == _GATEWAY_API and one.name == gateway for one in policy.targets
    )


def guards_of(mesh: Mesh, node: Node) -> Guards:
    """Everything that stands before a proxy's application."""
    settings = mesh.settings
    root, domains = settings.root_namespace, (settings.trust_domain, *settings.trust_domain_aliases)
    access = [one for one in mesh.access_policies if holds_for(one, node.namespace, node.labels, root)]
    tokens = [one for one in mesh.token_policies if holds_for(one, node.namespace, node.labels, root)]
    if not access and not tokens:
        return NO_GUARDS
    rules = tuple(rule for policy in tokens for rule in policy.rules)
    wanted = {rule.keys for rule in rules}
    return Guards(
        trust_domains=domains,
        policies=tuple(_in_mesh(policy, domains) for policy in access),
        check=_check(access, mesh),
        tokens=_different(rules),
        keys=tuple(one for one in mesh.keys if one.source in wanted),
        hardened=settings.hardened,
    )


def guarded(mesh: Mesh, node: Node, view: View) -> View:
    """A view with the guards of its proxy at every port that others call."""
    guards = guards_of(mesh, node)
    if guards == NO_GUARDS:
        return view
    if guards.check is not None and not _reaches(view, guards.check):
        guards = replace(guards, check=Check(provider=guards.check.provider))
    norms = norms_of(mesh.settings)
    return replace(
        view,
        findings=(*view.findings, *_nobody_to_ask(node, guards)),
        inbound=tuple(replace(port, guards=guards) for port in view.inbound),
        captured=_guarded_strangers(view.captured, guards, (port.captured for port in view.inbound)),
        gateway_ports=tuple(replace(port, guards=guards) for port in view.gateway_ports),
        gateway_routes=tuple(replace(routes, guards=guards, norms=norms) for routes in view.gateway_routes),
    )


def _guarded_strangers(captured: Captured | None, guards: Guards, declared: Iterable[int | None]) -> Captured | None:
    """A port that a policy names is told from the others, or the policy would not know it."""
    if captured is None or not captured.strangers:
        return captured
    known = {*declared, *(port.captured for port in captured.strangers)}
    rest = captured.strangers[-1]
    named = (replace(rest, port=n, bind_port=n, app_port=n, captured=n) for n in guards.ports_named if n not in known)
    found = (*captured.strangers[:-1], *named, rest)
    return replace(captured, strangers=tuple(replace(port, guards=guards) for port in found))


def _nobody_to_ask(node: Node, guards: Guards) -> Iterator[Finding]:
    """What is told with a proxy whose CUSTOM policies deny because their provider cannot be asked."""
    if guards.check is None or guards.check.authorizer is not None:
        return
    for policy in guards.of(Action.CUSTOM):
        yield Finding(
            code="W0251",
            message=f"{node.id} cannot ask {guards.check.provider}, so what the policy is about is denied",
            severity=Severity.WARNING,
            document=policy.origin.key,
            path=("spec", "provider", "name"),
            help="name one provider for a workload, whose service the mesh has and the workload sees",
        )


def _reaches(view: View, check: Check) -> bool:
    """Whether the proxy has a cluster for whom it is to ask."""
    wanted = Target(host=check.host, port=check.port)
    return any(upstream.target == wanted for upstream in view.outbound.upstreams)


@memo(16384)
def _in_mesh(policy: AccessPolicy, trust_domains: tuple[str, ...]) -> AccessPolicy:
    return in_trust_domains(policy, trust_domains)


def _different(rules: Iterable[TokenRule]) -> tuple[TokenRule, ...]:
    return tuple(dict.fromkeys(rules))


def _check(policies: Iterable[AccessPolicy], mesh: Mesh) -> Check | None:
    """Who decides for CUSTOM policies: one provider, as in Istio; of several, nobody."""
    names = sorted({one.provider for one in policies if one.action is Action.CUSTOM})
    if not names:
        return None
    provider = first(one for one in mesh.settings.providers if [one.name] == names)
    if provider is None:
        return Check(provider=" and ".join(names))
    asked = provider.authorizer
    host = host_of(asked.service, asked.port, asked.namespace, mesh)
    if not host:
        return Check(provider=provider.name)
    return Check(provider=provider.name, authorizer=asked, host=host, port=asked.port)
