"""Ranges of addresses: of two, one holds the other or they have nothing in common."""

from ipaddress import IPv4Network, IPv6Network, ip_network

from weft.kit.memo import memo


def inside(mine: str, subnet: str) -> bool:
    """Whether an address or a range lies in another; texts that are neither do not."""
    narrow, wide = _network(mine), _network(subnet)
    if isinstance(narrow, IPv4Network):
        return isinstance(wide, IPv4Network) and narrow.subnet_of(wide)
    return isinstance(narrow, IPv6Network) and isinstance(wide, IPv6Network) and narrow.subnet_of(wide)


@memo(4096)
def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
