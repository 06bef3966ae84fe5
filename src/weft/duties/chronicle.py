"""Notes what happens: what people did, by the audit; proxies, endpoints and certificates, by looking at them.

Nothing tells the chronicle of proxies and endpoints: it looks every two seconds and sees what differs, so that no part
of the control plane has to know it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from weft.ca.ending import Ending, worrying
from weft.dialects.translate import KINDS
from weft.kit.clock import Clock
from weft.kit.latest import Latest
from weft.kit.tasks import Tasks
from weft.model.alert import Alert
from weft.model.audit import AuditEntry, Outcome
from weft.model.event import Event, Kind
from weft.model.mesh import Mesh
from weft.model.workload import Workload
from weft.observe.breakers import BreakerEvent
from weft.observe.happenings import Happenings
from weft.xds.fleet import ProxyStatus
from weft.xds.status import SyncState

_LOOK = 2.0
_FLUSH = 1.0
_CERTIFICATES = 60.0
_WRITES = {
    "create": "Created",
    "update": "Applied",
    "patch": "Applied",
    "delete": "Deleted",
    "deletecollection": "Deleted",
}
_JOINS = {"join": "Issued", "attest": "Issued", "renew": "Renewed"}
_KINDS = {(one.group, one.plural): one.kind for one in KINDS}
_QUIET = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "explanations", "status")


class Chronicle:
    """Owned by one event loop."""

    def __init__(self, happenings: Happenings, clock: Clock) -> None:
        self._happenings = happenings
        self._clock = clock
        self._proxies: dict[str, tuple[str, str]] | None = None
        self._endpoints: dict[tuple[str, str], Workload] | None = None
        self._endings: set[tuple[str, str]] = set()
        self._breakers = clock.now()

    def start(
        self,
        group: Tasks,
        proxies: Callable[[], Iterable[ProxyStatus]],
        latest: Latest[Mesh],
        endings: Callable[[], Iterable[Ending]],
        breakers: Callable[[], Iterable[BreakerEvent]],
    ) -> None:
        """Begin to look."""
        group.start(self._watch(proxies, breakers), "events of proxies")
        group.start(self._follow(latest), "events of endpoints")
        group.start(self._certificates(endings), "events of certificates")
        group.start(self._write(), "writing events")

    def audited(self, entry: AuditEntry) -> None:
        """What somebody did; reads and what was refused are the audit's alone, but for certificates."""
        event = _deed(entry) or _certificate(entry)
        if event is not None:
            self._happenings.note(event)

    def alerted(self, alerts: Iterable[Alert]) -> None:
        """Alerts that began or ended."""
        for one in alerts:
            kind = {"slo": Kind.SLO, "anomaly": Kind.ANOMALY}.get(one.kind, Kind.HEALTH)
            self._happenings.note(
                Event(
                    at=0.0,
                    kind=kind,
                    reason=one.name if one.firing else f"{one.name}Ended",
                    message=one.summary,
                    object="Service" if one.service else "",
                    name=one.service,
                    namespace=one.namespace,
                    warning=one.firing,
                )
            )

    def look_at_proxies(self, found: Iterable[ProxyStatus]) -> None:
        """Note which came, went, refused or took what they had refused; the first look notes nothing."""
        now = {one.name: (one.identity.namespace, _refusal(one)) for one in found}
        before, self._proxies = self._proxies, now
        for event in _differences(before, now) if before is not None else ():
            self._happenings.note(event)

    def look_at_endpoints(self, mesh: Mesh) -> None:
        """Note which came, went, failed their checks or passed them again; the first look notes nothing."""
        now = {(one.namespace, one.name): one for one in mesh.workloads}
        before, self._endpoints = self._endpoints, now
        if before is None:
            return
        for (namespace, name), one in now.items():
            known = before.get((namespace, name))
            if known is None:
                self._endpoint("Added", "is there", namespace, name, warning=False)
            elif (turn := _turn(known, one)) is not None:
                reason, said = turn
                self._endpoint(reason, said, namespace, name, warning=reason in ("Down", "Flapping"))
        for namespace, name in before.keys() - now.keys():
            self._endpoint("Removed", "is gone", namespace, name, warning=False)

    def look_at_endings(self, endings: Iterable[Ending]) -> None:
        """Note what begins to end, once."""
        now = self._clock.now()
        worry = {(one.kind, one.name): one for one in endings if worrying(one, now)}
        for (kind, name), one in worry.items():
            if (kind, name) not in self._endings:
                left = one.expires - now
                said = "has expired" if left <= 0 else f"ends in {left / 3600:.0f} hours"
                event = Event(
                    at=0.0, kind=Kind.CERTIFICATE, reason="Ending", message=f"the {kind} {name} {said}",
                    object="Certificate", name=name, namespace=_space(one), warning=True,
                )  # fmt: skip
                self._happenings.note(event)
        self._endings = set(worry)

    def look_at_breakers(self, found: Iterable[BreakerEvent]) -> None:
        """Note circuit breakers that turned: whose endpoints are left alone now, or called again."""
        for one in found:
            if one.at > self._breakers:
                event = Event(
                    at=one.at, kind=Kind.BREAKER, reason="Ejected" if one.after == "open" else one.after.capitalize(),
                    message=f"the breaker {one.breaker} of {one.destination} is {one.after}, it was {one.before}",
                    object="Proxy", name=one.proxy, namespace=one.proxy.rpartition(".")[2], warning=one.after == "open",
                )  # fmt: skip
                self._happenings.note(event)
        self._breakers = max([self._breakers, *(one.at for one in found)])

    def _endpoint(self, reason: str, said: str, namespace: str, name: str, *, warning: bool) -> None:
        self._happenings.note(
            Event(
                at=0.0,
                kind=Kind.ENDPOINT,
                reason=reason,
                message=f"the endpoint {name} {said}",
                object="WorkloadEntry",
                name=name,
                namespace=namespace,
                warning=warning,
            )
        )

    async def _watch(
        self, proxies: Callable[[], Iterable[ProxyStatus]], breakers: Callable[[], Iterable[BreakerEvent]]
    ) -> None:
        while True:
            self.look_at_proxies(proxies())
            self.look_at_breakers(tuple(breakers()))
            await asyncio.sleep(_LOOK)

    async def _follow(self, latest: Latest[Mesh]) -> None:
        async for mesh in latest:
            self.look_at_endpoints(mesh)

    async def _certificates(self, endings: Callable[[], Iterable[Ending]]) -> None:
        while True:
            self.look_at_endings(endings())
            await asyncio.sleep(_CERTIFICATES)

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH)
            await asyncio.to_thread(self._happenings.flush)


def _turn(before: Workload, now: Workload) -> tuple[str, str] | None:
    """What became of an endpoint, in a word and in a sentence."""
    if now.healthy:
        return None if before.healthy else ("Up", "passes its checks again")
    match now.reason:
        case "Flapping" if (before.reason, before.message) != (now.reason, now.message):
            return "Flapping", f"is well and not believed yet: {now.message or 'ill too often of late'}"
        case "Draining" if before.reason != now.reason:
            return "Draining", "is about to end, and is not called any more"
    return ("Down", "fails its checks") if before.healthy else None


def _deed(entry: AuditEntry) -> Event | None:
    reason = _WRITES.get(entry.verb)
    resource = entry.resource.partition("/")[0]
    if reason is None or entry.outcome is not Outcome.ALLOWED or not entry.name or entry.resource in _QUIET:
        return None
    word = {"Created": "created", "Applied": "changed", "Deleted": "deleted"}[reason]
    place = "/".join(part for part in (entry.namespace, entry.name) if part)
    named = _KINDS.get((entry.group, resource), resource)
    return Event(
        at=0.0, kind=Kind.CONFIG, reason=reason, message=f"{named} {place} was {word}", object=named,
        name=entry.name, namespace=entry.namespace, who=entry.acting_as or entry.who,
    )  # fmt: skip


def _certificate(entry: AuditEntry) -> Event | None:
    reason = _JOINS.get(entry.verb)
    if reason is None:
        return None
    denied = entry.outcome is not Outcome.ALLOWED
    if denied and not entry.who:
        return None
    who, name = entry.who, entry.name or entry.who.rpartition("/")[2]
    said = "was denied a certificate" if denied else f"got a certificate ({entry.verb})"
    return Event(
        at=0.0, kind=Kind.CERTIFICATE, reason="Denied" if denied else reason, message=f"{name} {said}",
        object="Workload", name=name, namespace=entry.namespace, who=who, warning=denied,
    )  # fmt: skip


def _differences(before: dict[str, tuple[str, str]], now: dict[str, tuple[str, str]]) -> Iterator[Event]:
    for name, (namespace, refusal) in now.items():
        known = before.get(name)
        if known is None:
            yield _proxy("Connected", f"the proxy {name} is connected", name, namespace)
        if refusal and (known is None or known[1] != refusal):
            yield _proxy("Refused", f"the proxy {name} refused its {refusal}", name, namespace, warning=True)
        if known is not None and known[1] and not refusal:
            yield _proxy("Accepted", f"the proxy {name} takes its configuration again", name, namespace)
    for name, (namespace, _) in before.items():
        if name not in now:
            yield _proxy("Lost", f"the proxy {name} is no longer connected", name, namespace, warning=True)


def _proxy(reason: str, message: str, name: str, namespace: str, *, warning: bool = False) -> Event:
    return Event(
        at=0.0, kind=Kind.PROXY, reason=reason, message=message[:1000], object="Proxy", name=name, namespace=namespace,
        warning=warning,
    )  # fmt: skip


def _refusal(one: ProxyStatus) -> str:
    """The types that were refused, with the proxy's words."""
    refused = (item for item in one.types if item.state is SyncState.NACK)
    return "; ".join(f"{item.type_url.rpartition('.')[2]}: {item.error}" for item in refused)


def _space(one: Ending) -> str:
    if one.kind == "secret":
        return one.name.partition("/")[0]
    return one.name.rpartition(".")[2] if one.kind == "workload" else ""
