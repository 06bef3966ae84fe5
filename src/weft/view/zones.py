"""Calls kept in the caller's zone as far as its endpoints can carry them (Envoy's zone aware routing).

Each zone has a share of the callers and a share of the endpoints. Where a zone has at least as much of the endpoints,
its callers stay there; where it has less, what is too much goes to the zones that have more than they need. Envoy would
want to know its own place among its peers for this; here that is known already, so zones get weights.
"""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from math import ceil

from weft.view.view import Endpoint, LocalityShares

ZoneCounts = tuple[tuple[str, int], ...]
"""How many there are in each zone, ``region/zone``."""

_FINENESS = 1000


def zone_of(locality: str) -> str:
    """``region/zone`` of a locality."""
    return "/".join(locality.split("/", 2)[:2])


def counted(localities: Iterable[str]) -> ZoneCounts:
    """How many of some localities are in each zone."""
    return tuple(sorted(Counter(zone_of(one) for one in localities).items()))


def zone_shares(endpoints: tuple[Endpoint, ...], own: str, peers: ZoneCounts, least: int) -> LocalityShares | None:
    """Weights of the localities for callers of the zone ``own`` whose peers are in some zones; ``None`` where there are
    too few endpoints, or all in one zone, to speak of zones."""
    there = dict(counted(one.locality for one in endpoints))
    here = {zone: count for zone, count in peers if zone.partition("/")[0] == own.partition("/")[0]}
    if len(endpoints) < least or len(there) < 2 or own not in here:
        return None
    shares = _zones(_fractions(there), _fractions(here), own)
    localities = Counter[str]()
    for one in endpoints:
        localities[one.locality] += one.weight
    whole = Counter[str]()
    for locality, weight in localities.items():
        whole[zone_of(locality)] += weight
    return tuple(
        (locality, ceil(_FINENESS * shares[zone_of(locality)] * Fraction(weight, whole[zone_of(locality)])))
        for locality, weight in sorted(localities.items())
    )


def _zones(there: dict[str, Fraction], here: dict[str, Fraction], own: str) -> dict[str, Fraction]:
    """The share of each zone for the callers of one."""
    stays = min(Fraction(1), there.get(own, Fraction(0)) / here[own])
    spare = {zone: max(Fraction(0), have - here.get(zone, Fraction(0))) for zone, have in there.items() if zone != own}
    total = sum(spare.values(), Fraction(0))
    onward = {zone: (1 - stays) * have / total if total else Fraction(0) for zone, have in spare.items()}
    return {zone: stays if zone == own else onward[zone] for zone in there}


def _fractions(counts: dict[str, int]) -> dict[str, Fraction]:
    total = sum(counts.values())
    return {zone: Fraction(count, total) for zone, count in counts.items()}
