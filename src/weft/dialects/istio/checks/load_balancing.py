"""The load balancer of a DestinationRule."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_duration
from weft.dialects.istio.checks.headers import check_header_name
from weft.dialects.istio.checks.locality import check_locality, check_zones
from weft.dialects.istio.types import load_balancing as wire
from weft.dialects.wire import is_duration

_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_COOKIE_VALUE = re.compile(r"[ !-:<-~]{0,4096}")
_MAX_TABLE = 5_000_011
_MAX_RING = 8 * 2**20


def check_load_balancer(here: Here, balancer: wire.LoadBalancer | None, *, ejects: bool) -> Findings:
    """Istio's ``validateLoadBalancer``. ``ejects``: the policy has outlier detection."""
    if balancer is None:
        return
    if balancer.simple is not None and balancer.consistent_hash is not None:
        yield here.at("consistentHash").error("W0106", "only one of simple and consistentHash can be set", at_key=True)
    if balancer.simple == "LEAST_CONN":
        yield here.at("simple").warning("W0119", "LEAST_CONN is deprecated", "use LEAST_REQUEST")
    if balancer.consistent_hash is not None:
        yield from _check_hash(here.at("consistentHash"), balancer.consistent_hash)
    yield from _check_warmup(here, balancer)
    if balancer.locality_lb_setting is not None:
        yield from check_locality(here.at("localityLbSetting"), balancer.locality_lb_setting, ejects=ejects)
    if balancer.zone_aware_lb_setting is not None:
        yield from check_zones(here, balancer.zone_aware_lb_setting, beside=balancer.locality_lb_setting is not None)


def _check_hash(here: Here, wanted: wire.ConsistentHash) -> Findings:
    keys = {
        "httpHeaderName": wanted.http_header_name,
        "httpCookie": wanted.http_cookie,
        "useSourceIp": wanted.use_source_ip,
        "httpQueryParameterName": wanted.http_query_parameter_name,
    }
    given = [name for name, value in keys.items() if value is not None]
    for name in given[1:]:
        yield here.at(name).error("W0106", f"only one of {given[0]} and {name} can be set", at_key=True)
    if not given or (given == ["useSourceIp"] and not wanted.use_source_ip):
        yield here.error("W0105", "it is not said what is hashed", f"set one of {', '.join(keys)}", at_key=True)
    if wanted.http_header_name is not None:
        yield from check_header_name(here.at("httpHeaderName"), wanted.http_header_name)
    if wanted.http_query_parameter_name == "":
        yield here.at("httpQueryParameterName").error("W0105", "the name of the parameter is empty")
    if wanted.http_cookie is not None:
        yield from _check_cookie(here.at("httpCookie"), wanted.http_cookie)
    yield from _check_sizes(here, wanted)


def _check_cookie(here: Here, cookie: wire.HttpCookie) -> Findings:
    if not cookie.name:
        yield here.at("name").error("W0105", "the cookie has no name")
    if cookie.ttl is not None and not is_duration(cookie.ttl):
        yield here.at("ttl").error("W0108", f'"{cookie.ttl[:80]}" is not a duration', "write 0s for the session")
    elif cookie.ttl is not None and cookie.ttl.startswith("-"):
        yield here.at("ttl").error("W0108", "the life of a cookie cannot be negative", "write 0s for the session")
    for index, attribute in enumerate(cookie.attributes):
        if not _COOKIE_NAME.fullmatch(attribute.name or ""):
            yield here.at("attributes", index, "name").error("W0105", "this cannot be the name of a cookie's attribute")
        if not _COOKIE_VALUE.fullmatch(attribute.value or ""):
            yield here.at("attributes", index, "value").error("W0112", "this cannot be the value of an attribute")


def _check_sizes(here: Here, wanted: wire.ConsistentHash) -> Findings:
    """Limits of Envoy; a table that is too large, or no prime, would be refused by every proxy."""
    if wanted.ring_hash is not None and wanted.maglev is not None:
        yield here.at("maglev").error("W0106", "only one of ringHash and maglev can be set", at_key=True)
    if wanted.minimum_ring_size is not None:
        place = here.at("minimumRingSize")
        yield place.warning("W0119", "minimumRingSize is deprecated", "use ringHash.minimumRingSize", at_key=True)
        yield from _check_ring(place, wanted.minimum_ring_size)
    if wanted.ring_hash is not None and wanted.ring_hash.minimum_ring_size is not None:
        yield from _check_ring(here.at("ringHash", "minimumRingSize"), wanted.ring_hash.minimum_ring_size)
    size = wanted.maglev.table_size if wanted.maglev else None
    if size is not None and not (size <= _MAX_TABLE and _is_prime(size)):
        advice = f"use a prime up to {_MAX_TABLE}, such as 65537"
        yield here.at("maglev", "tableSize").error("W0111", f"{size} cannot be the size of a table", advice)


def _check_ring(here: Here, size: int) -> Findings:
    if size > _MAX_RING:
        yield here.error("W0111", f"a ring of {size} entries is too large", f"use at most {_MAX_RING}")


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % factor for factor in range(2, int(number**0.5) + 1))


def _check_warmup(here: Here, balancer: wire.LoadBalancer) -> Findings:
    if balancer.warmup_duration_secs is not None:
        place = here.at("warmupDurationSecs")
        yield place.warning("W0119", "warmupDurationSecs is deprecated", "use warmup.duration", at_key=True)
        yield from check_duration(place, balancer.warmup_duration_secs)
    if balancer.warmup is None:
        return
    place = here.at("warmup")
    yield from check_duration(place.at("duration"), balancer.warmup.duration)
    if balancer.warmup.aggression == 0:
        yield place.at("aggression").error("W0111", "aggression must be greater than 0", "leave it out for 1")
