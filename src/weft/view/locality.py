"""Which endpoints are near a caller: their priorities, and the shares of localities (Istio ``localityLbSetting``).

Endpoints of a lower priority get calls when those before them fail, so priorities are given only where failures are
noticed, by outlier detection. Shares are given to callers of the localities that a rule names, and replace priorities.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil

from msgspec.structs import replace

from weft.kit.value import Labels, Value, first
from weft.model.service import Service
from weft.model.settings import Settings
from weft.model.traffic import DestinationPolicy, Distribution, LocalityPreference, TrafficPolicy
from weft.view.policy import Caller, mesh_policy
from weft.view.service_policy import asked_by
from weft.view.view import Endpoint, LocalityShares
from weft.view.zones import ZoneCounts, zone_of, zone_shares

REGION = "topology.kubernetes.io/region"
ZONE = "topology.kubernetes.io/zone"
SUBZONE = "topology.istio.io/subzone"
NETWORK = "topology.istio.io/network"
_RANKS = 5
_SAME_REGION = 2


class Vantage(Value):
    """From where a caller looks: ``locality`` is region/zone/subzone, ``labels`` are those that rules compare,
    ``peers`` how many of its own there are in each zone."""

    locality: str = ""
    labels: Labels = ()
    peers: ZoneCounts = ()


class Candidate(Value):
    """An endpoint with the labels of its workload."""

    endpoint: Endpoint
    labels: Labels = ()
    network: str = ""


class Placement(Value):
    """Endpoints with priorities. ``shares`` are weights of localities, ``None`` where endpoints alone have weights."""

    endpoints: tuple[Endpoint, ...]
    shares: LocalityShares | None = None


def compared_labels(blocks: Iterable[TrafficPolicy]) -> Iterator[str]:
    """The labels of callers that make endpoints near."""
    for preference in _preferences(blocks):
        yield from (wanted for wanted in preference.labels if "=" not in wanted)


def localities_matter(blocks: Iterable[TrafficPolicy]) -> bool:
    """Whether what callers get can depend on where they are."""
    blocks = tuple(blocks)
    return any(block.outlier_detection is not None for block in blocks) or any(
        preference.distribute or preference.always for preference in _preferences(blocks)
    )


def zones_matter(blocks: Iterable[TrafficPolicy]) -> bool:
    """Whether what callers get can depend on where their peers are."""
    return any(preference.zones is not None for preference in _preferences(blocks))


def preference_of(policy: TrafficPolicy) -> LocalityPreference | None:
    """A policy's preference: the default one, by locality, unless it says otherwise; ``None`` where it is off."""
    said = policy.load_balancer.locality if policy.load_balancer else None
    preference = said or LocalityPreference()
    return preference if preference.enabled else None


def vantage_of(
    rule: DestinationPolicy | None, caller: Caller, settings: Settings, service: Service | None = None
) -> Vantage | None:
    """What a rule, or the service by itself, wants to know of a caller; ``None`` when nothing, so that what it means is
    the same for all."""
    blocks = [*(blocks_of(rule) if rule else ()), mesh_policy(settings), asked_by(service, TrafficPolicy())]
    if not localities_matter(blocks):
        return None
    keys = set(compared_labels(blocks))
    return Vantage(
        locality=caller.locality,
        labels=tuple(pair for pair in caller.labels if pair[0] in keys),
        peers=caller.peers if zones_matter(blocks) else (),
    )


def placed(candidates: tuple[Candidate, ...], policy: TrafficPolicy, vantage: Vantage | None) -> Placement:
    """The endpoints as a policy prefers them for callers from there."""
    preference = preference_of(policy)
    plain = tuple(one.endpoint for one in candidates)
    if preference is None:
        return Placement(endpoints=plain)
    vantage = vantage or Vantage()
    stated = () if policy.load_balancer is not None and policy.load_balancer.locality is not None else None
    if preference.distribute:
        return _distributed(plain, preference.distribute, vantage.locality)
    if preference.always and not vantage.locality:
        return Placement(endpoints=plain, shares=stated)
    if policy.outlier_detection is None and not preference.always:
        return Placement(endpoints=plain, shares=stated)
    ranked = _ranked(candidates, preference, vantage)
    return Placement(endpoints=ranked, shares=_by_zone(ranked, preference, vantage) or stated)


def _by_zone(ranked: tuple[Endpoint, ...], preference: LocalityPreference, vantage: Vantage) -> LocalityShares | None:
    """The shares of the localities that are called first."""
    if preference.zones is None:
        return None
    nearest = tuple(one for one in ranked if not one.priority)
    return zone_shares(nearest, zone_of(vantage.locality), vantage.peers, preference.zones)


def _distributed(endpoints: tuple[Endpoint, ...], rules: tuple[Distribution, ...], locality: str) -> Placement:
    """The first rule for callers from there; endpoints that it does not name get nothing."""
    rule = first(rule for rule in rules if within(locality, rule.origin))
    if rule is None:
        return Placement(endpoints=endpoints, shares=())
    shares: dict[str, int] = {}
    for pattern, share in rule.shares:
        weights: dict[str, int] = {}
        for one in endpoints:
            if one.locality not in shares and within(one.locality, pattern):
                weights[one.locality] = weights.get(one.locality, 0) + one.weight
        whole = sum(weights.values())
        shares |= {place: ceil(Fraction(share * weight, whole)) for place, weight in weights.items()}
    kept = tuple(one for one in endpoints if one.locality in shares)
    return Placement(endpoints=kept, shares=tuple(sorted(shares.items())))


def _ranked(
    candidates: tuple[Candidate, ...], preference: LocalityPreference, vantage: Vantage
) -> tuple[Endpoint, ...]:
    """Ranks become priorities without gaps, as Envoy wants them."""
    ranks = [_rank(one, preference, vantage) for one in candidates]
    priorities = {rank: priority for priority, rank in enumerate(sorted(set(ranks)))}
    return tuple(replace(one.endpoint, priority=priorities[rank]) for one, rank in zip(candidates, ranks, strict=True))


def _rank(candidate: Candidate, preference: LocalityPreference, vantage: Vantage) -> int:
    """Labels first, then localities; localities count beside labels only where regions are named to take over."""
    by_label = _label_rank(candidate, preference.labels, vantage)
    if preference.zones is not None and not preference.labels:
        return max(0, locality_rank(vantage.locality, candidate.endpoint.locality, preference) - _SAME_REGION)
    if preference.labels and not preference.failover:
        return by_label
    return by_label * _RANKS + locality_rank(vantage.locality, candidate.endpoint.locality, preference)


def _label_rank(candidate: Candidate, wanted: tuple[str, ...], vantage: Vantage) -> int:
    """How many labels are left from the first that differs on; ``key=value`` compares with that value.

    Another network does not hide what follows: of its endpoints, those come first whose other labels are the same.
    """
    ranks = [0, 0]
    own = dict(placed_labels(vantage.labels, vantage.locality))
    theirs = dict(placed_labels(candidate.labels, candidate.endpoint.locality, candidate.network))
    for index, want in enumerate(wanted):
        key, given, value = want.partition("=")
        if theirs.get(key) == (value if given else own.get(key)):
            continue
        elsewhere = key == NETWORK and not ranks[0]
        ranks[1 if ranks[0] else 0] = len(wanted) - index
        if not elsewhere:
            break
    return ranks[0] * (len(wanted) + 1) + ranks[1]


def placed_labels(labels: Labels, locality: str, network: str = "") -> Labels:
    """Labels with those that tell of the place, unless they are there."""
    told = zip((REGION, ZONE, SUBZONE, NETWORK), (*parts(locality), network), strict=True)
    return tuple(sorted(({key: value for key, value in told if value} | dict(labels)).items()))


def locality_rank(own: str, theirs: str, preference: LocalityPreference) -> int:
    """0 the same subzone, 1 zone, 2 region, 3 elsewhere; 4 where another region takes over for the caller's."""
    here, there = parts(own), parts(theirs)
    same = first(index for index in range(3) if here[index] != there[index])
    if same != 0:
        return 0 if same is None else 3 - same
    target = first(failover.to for failover in preference.failover if failover.origin == here[0])
    return 3 if target is None or target == there[0] else 4


def within(locality: str, pattern: str) -> bool:
    """Whether a locality is the one that is named, or in it: ``region/*``, ``region/zone``."""
    return all(
        want in ("*", have) or (not want and level > 0)
        for level, (have, want) in enumerate(zip(parts(locality), parts(pattern), strict=True))
    )


def parts(locality: str) -> tuple[str, str, str]:
    """Region, zone and subzone, each "" where it is not said."""
    region, zone, subzone = (*locality.split("/", 2), "", "")[:3]
    return region, zone, subzone


def blocks_of(policy: DestinationPolicy) -> Iterator[TrafficPolicy]:
    """Everything that a rule says, for all ports, one port or a subset."""
    yield policy.policy
    yield from (block for _, block in policy.ports)
    for subset in policy.subsets:
        yield subset.policy
        yield from (block for _, block in subset.ports)


def _preferences(blocks: Iterable[TrafficPolicy]) -> Iterator[LocalityPreference]:
    for block in blocks:
        if block.load_balancer is not None and block.load_balancer.locality is not None:
            yield block.load_balancer.locality
