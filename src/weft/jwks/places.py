"""Where keys may be asked for: public addresses over https, unless the operator allows a network.

Whoever writes a RequestAuthentication makes the control plane ask a URL. Names are resolved here, every address is
looked at, and the connection goes to one that was looked at: a name that means something else the next moment
(DNS rebinding) changes nothing.
"""

import asyncio
import socket
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from weft.jwks.errors import Unfetched
from weft.kit.value import Value

Network = IPv4Network | IPv6Network
_PORTS = {"https": 443, "http": 80}
# Addresses that lead into networks behind translators, whatever Python's tables say of them.
_TRANSLATED = tuple(ip_network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


class Place(Value):
    """A URL whose address was looked at."""

    scheme: str
    host: str
    port: int
    address: str
    target: str

    @property
    def authority(self) -> str:
        """The host as a request names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


async def placed(uri: str, allowed: tuple[Network, ...]) -> Place:
    """Look at a URL. Raises ``Unfetched``."""
    parts = _parted(uri)
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    address = _chosen(await _resolved(host, port), allowed, host)
    if parts.scheme == "http" and not _is_allowed(address, allowed):
        raise Unfetched(f"{host} would be asked without TLS; write https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(scheme=parts.scheme, host=host, port=port, address=address, target=target)


def _parted(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        known = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or not uri.isascii() or not uri.isprintable() or " " in uri or "\\" in uri:
        raise Unfetched("this is no URL of https")
    if parts.username is not None or parts.password is not None:
        raise Unfetched("the URL must have no user and no password")
    return parts


async def _resolved(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as wrong:
        raise Unfetched(f"{host} is not found") from wrong
    return [str(address[0]).partition("%")[0] for *_, address in found]


def _chosen(addresses: list[str], allowed: tuple[Network, ...], host: str) -> str:
    """The first, if each of them may be asked: of a name with several, any may be meant next."""
    closed = [one for one in addresses if not (is_public(one) or _is_allowed(one, allowed))]
    if closed or not addresses:
        raise Unfetched(f"{host} is not a public address; the operator can allow its network")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is one of the internet: not private, local, of a link, a group, reserved or translated."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _is_allowed(address: str, allowed: tuple[Network, ...]) -> bool:
    found = ip_address(address)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in allowed if network.version == found.version)
