"""Preference for near endpoints: Istio's ``validateLocalityLbSetting``."""

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types.load_balancing import Distribute, Failover, LocalityLoadBalancer, ZoneAwareLoadBalancer

_PLACES = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")
_WHOLE = 100


def check_locality(here: Here, setting: LocalityLoadBalancer, *, ejects: bool) -> Findings:
    """Shares or failover, not both; failover needs the outlier detection that finds failures."""
    if setting.distribute and setting.failover:
        yield here.at("failover").error("W0106", "only one of distribute and failover can be set", at_key=True)
    for index, label in enumerate(setting.failover_priority):
        if setting.failover and label in _PLACES:
            message = f"failover and {label} both say which places come first"
            yield here.at("failoverPriority", index).error("W0106", message, "remove one of them")
    for index, rule in enumerate(setting.distribute):
        yield from _check_distribute(here.at("distribute", index), rule)
    yield from check_localities(here.at("distribute"), tuple(rule.from_ or "" for rule in setting.distribute))
    for index, failover in enumerate(setting.failover):
        yield from _check_failover(here.at("failover", index), failover)
    if (setting.failover or setting.failover_priority) and not ejects:
        field = "failover" if setting.failover else "failoverPriority"
        message = "without outlierDetection no failure is noticed, so nothing fails over"
        yield here.at(field).warning("W0128", message, "set outlierDetection beside loadBalancer", at_key=True)


def check_zones(here: Here, setting: ZoneAwareLoadBalancer, *, beside: bool) -> Findings:
    """Zones, as localities; ``here`` is the load balancer, ``beside``: it has localityLbSetting too."""
    place = here.at("zoneAwareLbSetting")
    for index, failover in enumerate(setting.failover):
        yield from _check_failover(place.at("failover", index), failover)
    if not setting.enabled:
        yield place.warning("W0128", "without enabled zones are not looked at", "set enabled: true", at_key=True)
    elif beside:
        message = "localityLbSetting has no effect beside zoneAwareLbSetting"
        yield here.at("localityLbSetting").warning("W0128", message, "keep one of them", at_key=True)


def _check_distribute(here: Here, rule: Distribute) -> Findings:
    for place, share in rule.to.items():
        if not 0 < share <= _WHOLE:
            yield here.at("to", place).error("W0111", f"{share} cannot be the share of a locality", "use 1 to 100")
    total = sum(rule.to.values())
    if total != _WHOLE:
        yield here.at("to").error("W0111", f"the shares of localities add up to {total}, not 100", at_key=True)
    yield from check_localities(here.at("to"), tuple(rule.to))


def check_localities(here: Here, places: tuple[str, ...]) -> Findings:
    """Istio's ``validateLocalities``: region/zone/subzone, a ``*`` at the end, none inside of another."""
    seen: list[str] = []
    for place in places:
        if fault := _fault_in(place):
            yield here.error("W0116", f'"{place[:80]}" {fault}', "write region/zone/subzone, or * for what follows")
            continue
        stem = place.removesuffix("*")
        if any(_inside(stem, other) or _inside(other, stem) for other in seen):
            yield here.error("W0117", f'"{place[:80]}" and another locality overlap', "name each locality once")
        seen.append(stem)


def _inside(place: str, other: str) -> bool:
    return f"{place.rstrip('/')}/".startswith(f"{other.rstrip('/')}/") or not other


def _fault_in(place: str) -> str:
    parts = place.split("/", 2)
    if "*" in place.removesuffix("*") or (place.endswith("*") and parts[-1] != "*"):
        return "has a * that is not its last part"
    return "" if all(parts) else "has an empty part"


def _check_failover(here: Here, failover: Failover) -> Findings:
    regions = {"from": failover.from_ or "", "to": failover.to or ""}
    if regions["from"] == regions["to"]:
        yield here.error("W0106", "a region cannot take over for itself", "name two regions", at_key=True)
    for field, region in regions.items():
        if "/" in region or "*" in region:
            yield here.at(field).error("W0116", f'"{region[:80]}" is not one region', "name a region alone")
