"""Virtual addresses of services: which one is whose, and what documents say of them.

An owner's address follows from its name, the next free one where another owner has that, so that a mesh that is made
anew looks the same; what a document says once counts for ever. ServiceEntries share one for each host of a namespace.
Source of the ranges and of who gets one: Istio's automatic allocation; Services have a range of their own.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from weft.model.document import Key

SERVICES = IPv4Network("240.241.0.0/16")
ENTRIES = (IPv4Network("240.240.0.0/16"), IPv6Network("2001:2::/48"))
OPTING_OUT = "networking.istio.io/enable-autoallocate-ip"
_ORDINARY = (None, "", "ClusterIP", "NodePort", "LoadBalancer")
_PLACES = 65_534
"""The addresses of the smaller ranges, without the first and the last."""

Content = dict[str, Any]
Claims = dict[str, tuple[str, ...]]
"""Addresses by owner."""


class AddressBook:
    """Who has which address, by the documents that say so."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._claims: dict[Key, Claims] = {}
        self._users: Counter[str] = Counter()

    def addresses_of(self, owner: str, ranges: Iterable[IPv4Network | IPv6Network]) -> tuple[str, ...]:
        """The owner's addresses, one of each range that is not full: those that it has, else new ones."""
        found = (self._address(owner, network) for network in ranges)
        return tuple(address for address in found if address)

    def note(self, key: Key, claims: Claims) -> None:
        """A document says this now, and nothing else."""
        self._forget(key)
        if claims:
            self._claims[key] = claims
            self._users.update(claims.keys())
        for owner, addresses in claims.items():
            for address in addresses:
                self._owners.setdefault(address, owner)

    def _forget(self, key: Key) -> None:
        for owner, addresses in self._claims.pop(key, {}).items():
            self._users[owner] -= 1
            if self._users[owner] > 0:
                continue
            del self._users[owner]
            for address in addresses:
                if self._owners.get(address) == owner:
                    del self._owners[address]

    def _address(self, owner: str, network: IPv4Network | IPv6Network) -> str:
        start = int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8]) % _PLACES
        for step in range(_PLACES):
            address = str(network[1 + (start + step) % _PLACES])
            if self._owners.get(address, owner) == owner:
                return address
        return ""


def stated(key: Key, content: Content) -> Claims:
    """The addresses that a document says already."""
    if (key.group, key.kind) == ("", "Service"):
        address = _spec(content).get("clusterIP")
        return {_owner(key): (str(address),)} if _is_address(address) else {}
    found = {f"{key.namespace}/{host}": _stated(content, host) for host in _hosts(content)}
    return {owner: addresses for owner, addresses in found.items() if addresses}


def completed(key: Key, content: Content, previous: Content | None, book: AddressBook) -> tuple[Content, Claims]:
    """A document with the addresses that it lacks, and those that it has then."""
    if (key.group, key.kind) == ("", "Service"):
        return _service(key, content, previous, book)
    if (key.group, key.kind) == ("networking.istio.io", "ServiceEntry"):
        return _entry(key, content, previous, book)
    return content, {}


def _service(key: Key, content: Content, previous: Content | None, book: AddressBook) -> tuple[Content, Claims]:
    spec, owner = content.get("spec"), _owner(key)
    if not isinstance(spec, dict) or spec.get("type") not in _ORDINARY:
        return content, {}
    address = str(spec.get("clusterIP") or "")
    if not address:
        before = _spec(previous).get("clusterIP")
        address = str(before) if _is_address(before) else "".join(book.addresses_of(owner, (SERVICES,)))
    if not _is_address(address):
        return content, {}
    families = {"ipFamilies": ["IPv6" if ":" in address else "IPv4"], "ipFamilyPolicy": "SingleStack"}
    said = {name: value for name, value in spec.items() if value not in ("", [], None)}
    made = {"clusterIPs": [address], **families, **said, "clusterIP": address}
    return content | {"spec": made}, {owner: (address,)}


def _owner(key: Key) -> str:
    return f"Service {key.namespace}/{key.name}"


def _entry(key: Key, content: Content, previous: Content | None, book: AddressBook) -> tuple[Content, Claims]:
    """``status.addresses`` as Istio writes them."""
    found = content.get("status")
    status = found if isinstance(found, dict) else {}
    claims: Claims = {}
    for host in _hosts(content):
        owner = f"{key.namespace}/{host}"
        claims[owner] = _stated(previous, host) or book.addresses_of(owner, ENTRIES)
    listed = [{"host": owner.partition("/")[2], "value": value} for owner, values in claims.items() for value in values]
    rest = {name: value for name, value in status.items() if name != "addresses"}
    wanted = rest | ({"addresses": listed} if listed else {})
    bare = {name: value for name, value in content.items() if name != "status"}
    return bare | ({"status": wanted} if wanted or "status" in content else {}), claims


def _hosts(content: Content) -> Iterator[str]:
    """The hosts of an entry that get addresses: resolved ones, without addresses of their own, with a whole name."""
    spec, metadata = _spec(content), content.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    opting = labels.get(OPTING_OUT) if isinstance(labels, dict) else None
    unresolved = spec.get("resolution") in (None, "", "NONE")
    if unresolved or spec.get("addresses") or str(opting).lower() == "false":
        return
    hosts = spec.get("hosts")
    for host in hosts if isinstance(hosts, list) else ():
        if isinstance(host, str) and host and not host.startswith("*"):
            yield host


def _stated(content: Content | None, host: str) -> tuple[str, ...]:
    """What a document says of a host's addresses already."""
    status = (content or {}).get("status")
    listed = status.get("addresses") if isinstance(status, dict) else None
    pairs = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return tuple(one["value"] for one in pairs if one.get("host") == host and _is_address(one.get("value")))


def _spec(content: Content | None) -> Content:
    spec = (content or {}).get("spec")
    return spec if isinstance(spec, dict) else {}


def _is_address(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        ip_address(value)
    except ValueError:
        return False
    return True
