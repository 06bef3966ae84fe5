"""DestinationRules for what is not there, or without what makes TLS safe."""

from collections.abc import Iterable, Iterator, Mapping

from weft.dialects.analysis.world import Offered, Runs, Thing, World
from weft.dialects.istio.types.destination_rule import ClientTls, DestinationRule, TrafficPolicy
from weft.dialects.istio.types.service_entry import ServiceEntry
from weft.dialects.syntax import qualify
from weft.model.finding import Finding, Path

_SUFFIX = "cluster.local"
_TOPOLOGY = "topology."


def analyse(world: World) -> Iterator[Finding]:
    """Istio: ``CaCertificateAnalyzer``, ``SubsetSelectPodAnalyzer``, ``DestinationRuleHost``."""
    entries = tuple(world.of("ServiceEntry", ServiceEntry))
    hosts = {one.host: one for one in world.services}
    for thing, spec in world.of("DestinationRule", DestinationRule):
        yield from _unverified(thing, spec)
        if not spec.host:
            continue
        host = qualify(spec.host, thing.namespace, _SUFFIX)
        named = [(entry, said) for entry, said in entries if host in said.hosts or _covered(host, said.hosts)]
        offered = hosts.get(host)
        if offered is not None:
            yield from _subsets(world, thing, spec, offered)
            yield from _ports(thing, spec, {port.port for port in offered.ports})
        elif named:
            yield from _ports(thing, spec, {port.number or 0 for _, said in named for port in said.ports})
        elif not (host.startswith("*") and _covered(host, hosts)):
            message = f"nothing in the mesh is called {host[:200]}"
            yield thing.said("W0442", message, ("spec", "host"), "create a Service or a ServiceEntry for it")


def _covered(host: str, known: Iterable[str]) -> bool:
    """Whether a host and a known one are covered by one another's wildcard."""
    if host.startswith("*"):
        return any(one.endswith(host[1:]) for one in known)
    return any(one.startswith("*") and host.endswith(one[1:]) for one in known)


def _unverified(thing: Thing, spec: DestinationRule) -> Iterator[Finding]:
    policies: list[tuple[Path, TrafficPolicy | None]] = [(("spec", "trafficPolicy"), spec.traffic_policy)]
    policies += [
        (("spec", "subsets", index, "trafficPolicy"), one.traffic_policy) for index, one in enumerate(spec.subsets)
    ]
    for path, policy in policies:
        if policy is None:
            continue
        if _open(policy.tls):
            yield _no_authorities(thing, (*path, "tls"), policy.tls)
        for index, settings in enumerate(policy.port_level_settings):
            if _open(settings.tls):
                yield _no_authorities(thing, (*path, "portLevelSettings", index, "tls"), settings.tls)


def _open(tls: ClientTls | None) -> bool:
    """Whether it names no authorities; a Secret has its own, and who is given it is told apart (``W0284``)."""
    if tls is None or tls.mode not in ("SIMPLE", "MUTUAL") or tls.ca_certificates:
        return False
    return not tls.credential_name


def _no_authorities(thing: Thing, path: Path, tls: ClientTls | None) -> Finding:
    mode = tls.mode if tls else ""
    message = f"{mode} without caCertificates: Istio takes any certificate, weft those of the system's authorities"
    return thing.said("W0440", message, path, "name the file of the authorities in caCertificates")


def _subsets(world: World, thing: Thing, spec: DestinationRule, offered: Offered) -> Iterator[Finding]:
    if not offered.spec.selector:
        return
    behind = world.picked(offered.spec.selector, offered.thing.namespace)
    for index, subset in enumerate(spec.subsets):
        if not any(subset.labels.items() <= _labels(runs, world.nodes).items() for runs in behind):
            message = f'no workload of {offered.host} has the labels of the subset "{subset.name}"; its calls get 503'
            path: Path = ("spec", "subsets", index)
            yield thing.said("W0441", message, path, "check the labels", note=not world.workloads)


def _labels(runs: Runs, nodes: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """A workload's labels, those of its node's place among them."""
    spec = runs.thing.content.get("spec")
    node = spec.get("nodeName") if isinstance(spec, dict) else None
    placed = nodes.get(node, {}) if isinstance(node, str) else {}
    return {**{key: value for key, value in placed.items() if key.startswith(_TOPOLOGY) and value}, **runs.labels}


def _ports(thing: Thing, spec: DestinationRule, known: set[int]) -> Iterator[Finding]:
    for index, settings in enumerate(spec.traffic_policy.port_level_settings if spec.traffic_policy else ()):
        number = settings.port.number if settings.port else None
        if number is not None and number not in known:
            message = f"{spec.host} has no port {number}, so the settings hold for nothing"
            path: Path = ("spec", "trafficPolicy", "portLevelSettings", index, "port", "number")
            yield thing.said("W0443", message, path, f"its ports are {', '.join(map(str, sorted(known)))}")
