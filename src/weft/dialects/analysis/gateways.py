"""Gateways that no proxy opens, that lack what they name, or that stand in each other's way."""

from collections.abc import Iterator, Mapping

from weft.dialects.analysis.certificates import fault_in_pair
from weft.dialects.analysis.objects import Secret
from weft.dialects.analysis.world import ROOT_NAMESPACE, Runs, Thing, World, read
from weft.dialects.istio.types.gateway import Gateway, Server
from weft.model.finding import Finding, Path
from weft.model.gateway import covers

_Found = tuple[Thing, Gateway]
_DEFAULT = {"istio": "ingressgateway"}
_DEFAULT_PORTS = frozenset((80, 443, 15012, 15017, 15021, 15443, 31400))


def analyse(world: World) -> Iterator[Finding]:
    """Istio: the analyzers of ports, secrets, conflicts and certificates of Gateways."""
    found = tuple(world.of("Gateway", Gateway))
    for thing, spec in found:
        picked = world.picked(spec.selector, "")
        if not picked and spec.selector and spec.selector != _DEFAULT:
            labels = ", ".join(f"{key}={value}" for key, value in sorted(spec.selector.items()))
            advice = "start one: weft gateway run --label KEY=VALUE"
            note = not world.workloads
            yield thing.said("W0410", f"no gateway has the labels {labels}", ("spec", "selector"), advice, note=note)
        yield from _ports(world, thing, spec, picked)
        yield from _credentials(world, thing, spec, picked)
        yield from _conflicts(thing, spec, found, world)
        yield from _certificates(thing, spec, found)


def _ports(world: World, thing: Thing, spec: Gateway, picked: tuple[Runs, ...]) -> Iterator[Finding]:
    """Ports that no Service before the gateway leads to; without such a Service, there is nothing to say."""
    known: frozenset[int] | None = None
    before = [
        port
        for one in world.services
        if one.spec.selector
        for runs in picked
        if runs.thing.namespace == one.thing.namespace and runs.has(one.spec.selector)
        for port in one.ports
    ]
    if before:
        known = frozenset(port.target_port if isinstance(port.target_port, int) else port.port for port in before)
    elif not picked and spec.selector == _DEFAULT:
        known = _DEFAULT_PORTS
    for index, server in enumerate(spec.servers):
        number = server.port.number if server.port else None
        if known is not None and number is not None and number not in known:
            message = f"no Service leads to port {number} of the gateway; clients must call the gateway itself"
            path: Path = ("spec", "servers", index, "port", "number")
            yield thing.said("W0420", message, path, "add the port to the Service before it", note=not before)


def _credentials(world: World, thing: Thing, spec: Gateway, picked: tuple[Runs, ...]) -> Iterator[Finding]:
    """Certificates that are named and not there; in the namespaces of the gateways, or the Gateway's own."""
    places = {runs.thing.namespace for runs in picked} or {ROOT_NAMESPACE}
    if not picked and spec.selector != _DEFAULT and spec.selector:
        return
    secrets = _secrets(world)
    for index, server in enumerate(spec.servers):
        for field, name in _named(server):
            if name.startswith("kubernetes://"):
                continue
            path: Path = ("spec", "servers", index, "tls", field)
            keys = [(place, name) for place in (*sorted(places), thing.namespace) if (place, name) in secrets]
            if not keys:
                message = f'there is no Secret "{name}" in {" or ".join(sorted({*places, thing.namespace}))}'
                yield thing.said("W0421", message, path, "create it there, or check its name")
            elif fault := fault_in_pair(secrets[keys[0]].data, world.now):
                yield thing.said("W0424", f'the Secret "{name}" is no certificate with its key: {fault}', path)


def _secrets(world: World) -> Mapping[tuple[str, str], Secret]:
    found = (thing for thing in world.things if (thing.key.group, thing.key.kind) == ("", "Secret"))
    return {(thing.namespace, thing.key.name): read(Secret, dict(thing.content)) or Secret() for thing in found}


def _named(server: Server) -> Iterator[tuple[str, str]]:
    if server.tls is None or server.tls.mode == "ISTIO_MUTUAL":
        return
    if server.tls.credential_name:
        yield "credentialName", server.tls.credential_name
    for name in server.tls.credential_names:
        yield "credentialNames", name


def _conflicts(thing: Thing, spec: Gateway, found: tuple[_Found, ...], world: World) -> Iterator[Finding]:
    for index, server in enumerate(spec.servers):
        for other, theirs in found:
            if other is thing or not _same_proxies(spec, theirs, world):
                continue
            rivals = [second for second in theirs.servers if _same_port(server, second)]
            shared = [host for second in rivals for host in _shared(server, second)]
            if shared:
                number = server.port.number if server.port else 0
                message = f"{other.key} has {shared[0]} on port {number} of the same proxies too"
                yield thing.said("W0422", message, ("spec", "servers", index, "hosts"), "keep the host in one Gateway")
                break


def _same_proxies(one: Gateway, other: Gateway, world: World) -> bool:
    mine, theirs = one.selector.items(), other.selector.items()
    return mine <= theirs or theirs <= mine or any(runs.has(other.selector) for runs in world.picked(one.selector, ""))


def _same_port(one: Server, other: Server) -> bool:
    mine, theirs = one.port, other.port
    if mine is None or theirs is None or mine.number is None:
        return False
    return mine.number == theirs.number and (one.bind or "") == (other.bind or "")


def _shared(one: Server, other: Server) -> list[str]:
    theirs = [host.rpartition("/")[2] for host in other.hosts]
    mine = [host.rpartition("/")[2] for host in one.hosts]
    return [host for host in mine if any(covers(host, rival) or covers(rival, host) for rival in theirs)]


def _certificates(thing: Thing, spec: Gateway, found: tuple[_Found, ...]) -> Iterator[Finding]:
    """A client that reuses a connection for another host of the certificate ends in the first gateway."""
    for index, server in enumerate(spec.servers):
        mine = _certificate(server)
        for other, theirs in found:
            if other is thing or not mine or not spec.selector.items() <= theirs.selector.items():
                continue
            if any(_certificate(second) == mine for second in theirs.servers):
                message = f"{other.key} has the same certificate; clients that reuse connections get 404 from the other"
                advice = "use one Gateway for all hosts of the certificate"
                yield thing.said("W0423", message, ("spec", "servers", index, "tls"), advice)
                break


def _certificate(server: Server) -> str:
    if server.tls is None:
        return ""
    return server.tls.credential_name or server.tls.server_certificate or ""
