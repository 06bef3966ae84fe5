"""Whether the destinations that documents name are there."""

import difflib
from collections.abc import Iterator, Mapping

from weft.dialects.fragment import Fragment, Reference
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run
from weft.model.document import Key
from weft.model.finding import Finding, Path, Severity
from weft.model.route import Destination, RouteTable
from weft.model.service import Service
from weft.model.traffic import DestinationPolicy

_MAX_HINTS = 5
_MAX_ALIKE = 50

_Services = Mapping[str, Service]
_Policies = Mapping[tuple[str, str], tuple[DestinationPolicy, ...]]


def check_references(
    fragments: tuple[Run[Fragment], ...], services: _Services, policies: _Policies
) -> tuple[Finding, ...]:
    """Warnings for hosts, subsets and ports that are not there: they may still come, and calls fail until then."""
    wildcards = tuple(host for host in services if host.startswith("*"))
    subsets = _subsets(policies)
    wild_rules = tuple(host for host in subsets if host.startswith("*"))
    findings: list[Finding] = []
    hints = _Hints(services)
    fine: dict[Destination, bool] = {}
    for run in fragments:
        named = _named(run)
        for one in named:
            if one not in fine:
                fine[one] = _is_fine(one, services.get(one.host), subsets)
        if all(fine[one] for one in named):
            continue
        findings += _check(run, services, (subsets, wildcards, wild_rules), hints, fine)
    return tuple(findings)


@memo(RUNS)
def _named(run: Run[Fragment]) -> tuple[Destination, ...]:
    """The destinations that documents name, once each."""
    return tuple(dict.fromkeys(one.destination for fragment in run.items for one in fragment.references))


def _is_fine(destination: Destination, service: Service | None, subsets: Mapping[str, set[str]]) -> bool:
    """Whether nothing can be said of a destination, whoever names it."""
    if service is None or (destination.subset and destination.subset not in subsets.get(destination.host, ())):
        return False
    if destination.port is None:
        return len(service.ports) == 1
    return service.port(destination.port) is not None


_Lists = tuple[Mapping[str, set[str]], tuple[str, ...], tuple[str, ...]]
"""Subsets by host, and wildcards among the hosts of services and of subsets."""


def _check(
    run: Run[Fragment], services: _Services, lists: _Lists, hints: "_Hints", fine: Mapping[Destination, bool]
) -> list[Finding]:
    subsets, wildcards, wild_rules = lists
    findings: list[Finding] = []
    for fragment in run.items:
        here: set[Destination] = set()
        for reference in fragment.references:
            if fine[reference.destination] or reference.destination in here:
                continue
            service = services.get(reference.destination.host) or _wildcard(reference, wildcards, services)
            said = [*_check_host(fragment, reference, service, services, hints)]
            if service is not None:
                said += _check_subset(fragment.key, reference, subsets, wild_rules)
            if not said:
                here.add(reference.destination)
            findings += said
    return findings


def _wildcard(reference: Reference, wildcards: tuple[str, ...], services: _Services) -> Service | None:
    """The service with the longest wildcard host that covers a destination."""
    host = reference.destination.host
    covering = [wildcard for wildcard in wildcards if host.endswith(wildcard[1:])]
    return services[max(covering, key=len)] if covering else None


def _check_host(
    fragment: Fragment, reference: Reference, service: Service | None, services: _Services, hints: "_Hints"
) -> Iterator[Finding]:
    destination = reference.destination
    if service is None:
        near = hints.near(destination.host)
        advice = f"did you mean {near}?" if near else "create a Service or a ServiceEntry for it"
        message = f"nothing in the mesh is called {destination.host}; calls are answered with 503 until it is there"
        yield _warning("W0201", message, fragment.key, (*reference.path, "host"), advice)
    elif destination.port is not None:
        if service.port(destination.port) is None:
            message = f"{service.host} has no port {destination.port}"
            yield _warning("W0208", message, fragment.key, (*reference.path, "port", "number"), _ports(service))
    elif any(not _same_ports(table, service, services) for table in fragment.route_tables):
        message = f"{service.host} has several ports, and the route names none"
        yield _warning("W0207", message, fragment.key, reference.path, f"add port.number: {_ports(service)}")


class _Hints:
    """What was meant by an unknown host; only for the first few, because likeness is slow to find."""

    def __init__(self, services: _Services) -> None:
        self._services = services
        self._left = _MAX_HINTS

    def near(self, host: str) -> str:
        """The host that is most like another, "" if none is."""
        if not self._left:
            return ""
        self._left -= 1
        alike = [known for known in self._services if known[:1] == host[:1] and abs(len(known) - len(host)) < 3]
        return next(iter(difflib.get_close_matches(host, alike[:_MAX_ALIKE], n=1, cutoff=0.8)), "")


def _same_ports(table: RouteTable, service: Service, services: _Services) -> bool:
    """Whether the port that was called can stand for the one that is not named."""
    if len(service.ports) == 1:
        return True
    called = (services.get(host) for host in table.hosts)
    return all(service.port(port.number) for host in called if host for port in host.ports)


def _ports(service: Service) -> str:
    return "its ports are " + ", ".join(str(port.number) for port in service.ports)


def _subsets(policies: _Policies) -> dict[str, set[str]]:
    """Names of subsets by host, whoever defines them."""
    names: dict[str, set[str]] = {}
    for (_, host), merged in policies.items():
        names.setdefault(host, set()).update(subset.name for policy in merged for subset in policy.subsets)
    return names


def _check_subset(
    document: Key, reference: Reference, subsets: Mapping[str, set[str]], wildcards: tuple[str, ...]
) -> Iterator[Finding]:
    destination = reference.destination
    if not destination.subset:
        return
    known = set(subsets.get(destination.host, ()))
    for host in wildcards:
        if destination.host.endswith(host[1:]):
            known |= subsets[host]
    if destination.subset not in known:
        near = difflib.get_close_matches(destination.subset, known, n=1)
        advice = f'did you mean "{near[0]}"?' if near else "define it in a DestinationRule for the host"
        message = f'{destination.host} has no subset "{destination.subset}"'
        yield _warning("W0202", message, document, (*reference.path, "subset"), advice)


def _warning(code: str, message: str, document: Key, path: Path, advice: str) -> Finding:
    return Finding(code=code, message=message, severity=Severity.WARNING, document=document, path=path, help=advice)
