"""What a workload may claim when it registers: which service it serves, by which labels, at which address.

Who it is comes from its certificate. That it may serve a service is said by roles (the verb ``serve``), asked of the
function that is handed in, or by a ``WorkloadGroup`` for its account. It is asked again with every heartbeat.
"""

import socket
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Protocol

import msgspec

from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.document import Document, Key, Snapshot
from weft.model.identity import Identity
from weft.registry.documents import entry_key, entry_labels
from weft.registry.group import Group, group_key, group_of
from weft.registry.registration import Registration

_ISTIO = "networking.istio.io"
_ANY_PORT = 0


class Claim(Value):
    """Something to be served, in the words of roles: ``services`` "reviews" of a namespace."""

    resource: str
    namespace: str
    name: str
    group: str = ""


MayServe = Callable[[Identity, Claim], Awaitable[bool]]
"""Whether an account may serve something."""

Network = IPv4Network | IPv6Network


class MayNot(PeerError):
    """A claim that is not the caller's; ``help`` says who could change that, and how."""

    def __init__(self, message: str, help: str) -> None:  # noqa: A002
        super().__init__(message)
        self.help = help


class Documents(Protocol):
    """The part of a store that is asked."""

    async def snapshot(self) -> Snapshot:
        """Every document."""
        ...

    async def read(self, key: Key) -> Document | None:
        """One document."""
        ...


class _Selector(Value):
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class _Spec(Value, rename="camel"):
    selector: dict[str, str] = msgspec.field(default_factory=dict)
    workload_selector: _Selector = _Selector()


class _Selecting(Value):
    spec: _Spec = _Spec()


class Rights:
    """Decides about registrations. In ``networks`` a workload may claim an address that it does not come from."""

    def __init__(self, store: Documents, may_serve: MayServe, networks: tuple[Network, ...] = ()) -> None:
        self._store = store
        self._may_serve = may_serve
        self._networks = networks

    async def require(self, name: str, said: Registration, caller: Identity, source: str) -> None:
        """Raise ``MayNot`` unless the caller, who comes from the address ``source``, may say this of itself."""
        self._require_address(said.address, source)
        group = await self._group(said, caller)
        if group is None or not _is_for(group, said.service, caller):
            await self.require_service(said.service, caller)
        labels = entry_labels(said, group)
        stored = await self._store.read(entry_key(caller.namespace, name))
        if stored is None or dict(stored.labels) != labels:
            given = group.labels if group is not None and _is_of(group, caller) else {}
            await self._require_labels(labels, given, caller)

    async def require_service(self, service: str, caller: Identity) -> None:
        """Raise ``MayNot`` unless the caller may serve a service of its namespace."""
        claim = Claim(resource="services", namespace=caller.namespace, name=service)
        if not await self._may_serve(caller, claim) and not await self._some_group(service, caller):
            raise _refusal(caller, claim, f"may not serve {service}")

    def _require_address(self, claimed: str, source: str) -> None:
        address, origin = ip_address(claimed), _origin(source)
        if address == origin or any(address in network for network in self._networks):
            return
        if not (origin and is_local(str(origin)) and is_local(claimed)):
            raise MayNot(
                f"a workload that comes from {source or 'nowhere'} may not claim the address {claimed}",
                help=f"give --address {source}, or let the network claim it: weft up --workload-addresses CIDR",
            )

    async def _group(self, said: Registration, caller: Identity) -> Group | None:
        if not said.group:
            return None
        return group_of(await self._store.read(group_key(caller.namespace, said.group)), said.group)

    async def _some_group(self, service: str, caller: Identity) -> bool:
        """Whether an operator wrote a group of a service for this very account."""
        snapshot = await self._store.snapshot()
        own = (one for one in snapshot.documents if one.key.namespace == caller.namespace)
        groups = (group_of(one, one.key.name) for one in own if one.key.kind == "WorkloadGroup")
        return any(_is_for(group, service, caller) for group in groups)

    async def _require_labels(self, labels: dict[str, str], given: dict[str, str], caller: Identity) -> None:
        """Labels that nobody has ``given`` the workload must not make it an endpoint of something else."""
        for claim, selector in _selecting(await self._store.snapshot(), caller.namespace):
            if selector.get("app") == labels["app"] or not selector.items() <= labels.items():
                continue
            if selector.items() <= given.items():
                continue
            if not await self._may_serve(caller, claim):
                told = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
                raise _refusal(caller, claim, f"may not serve {claim.name}, which selects its labels {told}")


def _is_for(group: Group, service: str, caller: Identity) -> bool:
    return _is_of(group, caller) and group.labels.get("app") == service


def _is_of(group: Group, caller: Identity) -> bool:
    return group.spec.template.service_account == caller.account


def _origin(source: str) -> IPv4Address | IPv6Address | None:
    """Where a connection comes from; a listener for both families tells IPv4 in IPv6's words."""
    if not source:
        return None
    origin = ip_address(source)
    return (isinstance(origin, IPv6Address) and origin.ipv4_mapped) or origin


def _selecting(snapshot: Snapshot, namespace: str) -> Iterator[tuple[Claim, dict[str, str]]]:
    """What takes endpoints of a namespace by their labels."""
    for document in snapshot.documents:
        key = document.key
        if key.namespace != namespace or key.kind not in ("Service", "ServiceEntry"):
            continue
        spec = msgspec.json.decode(document.content, type=_Selecting).spec
        is_service = key.kind == "Service" and not key.group
        selector = spec.selector if is_service else spec.workload_selector.labels
        if selector:
            resource = "services" if is_service else "serviceentries"
            yield Claim(resource=resource, group=key.group, namespace=namespace, name=key.name), selector


def _refusal(caller: Identity, claim: Claim, problem: str) -> MayNot:
    resource = f"{claim.resource}.{claim.group}" if claim.group else claim.resource
    give = f'give it a role in {claim.namespace} with the verb serve on {resource} "{claim.name}"'
    if not claim.group:
        words = f"-n {claim.namespace} --service-account {caller.account} --service {claim.name}"
        give = f"{give}, which `weft token create {words}` does"
    return MayNot(f"the account {caller.account} of {caller.namespace} {problem}", help=give)


def is_local(address: str) -> bool:
    """Whether an address is one of this host: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, _ANY_PORT))
        except OSError:
            return False
    return True
