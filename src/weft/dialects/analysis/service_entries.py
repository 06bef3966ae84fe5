"""ServiceEntries that lack addresses, or contradict each other."""

from collections.abc import Iterator

from weft.dialects.analysis.visible import meet, seen_by
from weft.dialects.analysis.world import Thing, World
from weft.dialects.istio.types.service_entry import ServiceEntry
from weft.model.finding import Finding

_Entry = tuple[Thing, ServiceEntry]


def analyse(world: World) -> Iterator[Finding]:
    """Istio: ``serviceentry.Analyzer``, ``ConflictingServiceEntryProtocolAnalyzer``."""
    entries = tuple(world.of("ServiceEntry", ServiceEntry))
    for thing, spec in entries:
        yield from _unaddressed(thing, spec)
    yield from _conflicts(entries)


def _unaddressed(thing: Thing, spec: ServiceEntry) -> Iterator[Finding]:
    """Bytes carry no host name, so that captured connections can only be told apart by address."""
    if spec.addresses or thing.status.addresses:
        return
    for index, port in enumerate(spec.ports):
        if (port.protocol or "TCP").upper() == "TCP":
            message = "a TCP port of hosts without addresses: where connections are captured, they cannot be told apart"
            yield thing.said("W0450", message, ("spec", "ports", index), "add addresses, or the port's protocol")
            return


def _conflicts(entries: tuple[_Entry, ...]) -> Iterator[Finding]:
    told: dict[tuple[str, int], list[tuple[_Entry, int, str]]] = {}
    for entry in entries:
        for index, port in enumerate(entry[1].ports):
            for host in entry[1].hosts:
                protocol = (port.protocol or "TCP").upper()
                told.setdefault((host, port.number or 0), []).append((entry, index, protocol))
    for (host, number), found in told.items():
        for entry, index, protocol in found:
            others = [one for one in found if one[2] != protocol and _meet(entry, one[0])]
            if others:
                other, said = others[0][0][0].key, others[0][2]
                message = f"{host} has port {number} as {protocol} here and as {said} in {other}"
                yield entry[0].said("W0451", message, ("spec", "ports", index, "protocol"), "use one protocol in both")


def _meet(one: _Entry, other: _Entry) -> bool:
    """Whether a namespace sees both."""
    return meet(*(seen_by(spec.export_to, thing.namespace) for thing, spec in (one, other)))
