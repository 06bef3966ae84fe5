"""Checks that several kinds share: host names, parents, times, names of headers."""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from weft.dialects.findings import Findings, Here
from weft.dialects.gateway_api.types.common import (
    BackendObjectReference,
    CommonRouteSpec,
    LabelSelector,
    ParentReference,
)
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.regex import check_regex
from weft.dialects.syntax import is_dns_subdomain, is_ip, milliseconds

MOST_MATCHES = 128
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_VALUE = re.compile(r"[!-~]+(?:[\t ][!-~]+)*")
_TIME = re.compile(r"(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}")


def check_hostname(here: Here, hostname: str, *, wildcard: bool = True) -> Findings:
    """A lower-case host name, where allowed with ``*.`` in front; no address."""
    bare = hostname.removeprefix("*.") if wildcard else hostname
    if not is_dns_subdomain(bare) or is_ip(bare):
        advice = "use lower-case letters, digits, - and ., perhaps after *." if wildcard else "name a host"
        yield here.error("W0107", f'"{hostname[:120]}" is not a host name', advice)


def check_route(spec: CommonRouteSpec, hostnames: Sequence[str]) -> Findings:
    """What holds of every kind of route: host names and parents."""
    here = Here(path=("spec",))
    for index, hostname in enumerate(hostnames):
        yield from check_hostname(here.at("hostnames", index), hostname)
    yield from check_parents(here.at("parentRefs"), spec.parent_refs)


def check_hosts_of_services(spec: CommonRouteSpec, hostnames: Sequence[str]) -> Findings:
    """Host names of requests are for listeners: who calls a Service has named it already."""
    if hostnames and spec.parent_refs and all(one.kind == "Service" for one in spec.parent_refs):
        here = Here(path=("spec", "hostnames"))
        yield here.warning("W0128", "host names mean nothing for a Service", "remove them", at_key=True)


def check_parents(here: Here, parents: Sequence[ParentReference]) -> Findings:
    """Parents differ, and if one names a part of an object, all that name the object do."""
    seen: dict[tuple[object, ...], set[tuple[object, object]]] = {}
    for index, one in enumerate(parents):
        parts = seen.setdefault((one.group, one.kind, one.namespace, one.name), set())
        part = (one.section_name, one.port)
        if part in parts:
            yield here.at(index).error("W0117", f"the route attaches to {one.name} twice", "remove one of them")
        elif parts and ((None, None) in parts or part == (None, None)):
            advice = "name a listener (sectionName) or a port for each of them"
            yield here.at(index).error("W0106", f"the route attaches to all of {one.name} and to a part of it", advice)
        parts.add(part)


def check_names(here: Here, names: Iterable[str | None]) -> Findings:
    """Rules' names differ."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name is None:
            continue
        if not is_dns_subdomain(name):
            yield here.at(index, "name").error("W0125", f'"{name}" is not a valid name', "use letters, digits and -")
        if name in seen:
            yield here.at(index, "name").error("W0117", f'several rules are named "{name}"', "name them differently")
        seen.add(name)


class RulesOfRequests(Protocol):
    """A rule of an HTTPRoute or a GRPCRoute."""

    @property
    def name(self) -> str | None: ...

    @property
    def matches(self) -> Sequence[object]: ...


def check_requests_route(
    spec: CommonRouteSpec, hostnames: Sequence[str], rules: Sequence[RulesOfRequests], metadata: ObjectMeta
) -> Findings:
    """What HTTPRoute and GRPCRoute have in common: metadata, host names, parents, and how much a route may hold."""
    here = Here(path=("spec", "rules"))
    yield from check_metadata(metadata)
    yield from check_route(spec, hostnames)
    yield from check_hosts_of_services(spec, hostnames)
    yield from check_names(here, [rule.name for rule in rules])
    if sum(len(rule.matches) for rule in rules) > MOST_MATCHES:
        yield here.error("W0111", f"the rules have more than {MOST_MATCHES} matches together", "use several routes")


def check_backend(here: Here, ref: BackendObjectReference) -> Findings:
    """A Service needs a port."""
    if (ref.group or "", ref.kind or "Service") == ("", "Service") and ref.port is None:
        yield here.error("W0105", "a Service as a backend needs a port", "add port")


def check_time(here: Here, time: str | None) -> Findings:
    """Gateway API's notation of durations (GEP-2257)."""
    if time is not None and not _TIME.fullmatch(time):
        yield here.error("W0108", f'"{time}" is not a duration', "write whole numbers and units, such as 10s or 1m30s")


def time_of(time: str | None) -> int:
    """A duration in milliseconds, 0 without or where it is none."""
    return milliseconds(time) or 0 if time is not None and _TIME.fullmatch(time) else 0


def check_header_name(here: Here, name: str) -> Findings:
    """RFC 9110's token."""
    if not _HEADER.fullmatch(name):
        yield here.error("W0112", f'"{name[:80]}" is not the name of a header', "use letters, digits and -")


def check_header_value(here: Here, value: str) -> Findings:
    """Visible ASCII with single spaces between."""
    if not _VALUE.fullmatch(value):
        yield here.error("W0112", f'"{value[:80]}" is not the value of a header', "use visible ASCII characters")


def check_condition(here: Here, name: str, value: str, kind: str | None) -> Findings:
    """A condition on a header or a parameter."""
    yield from check_header_name(here.at("name"), name)
    if kind == "RegularExpression":
        yield from check_regex(here.at("value"), value)


def check_selector(here: Here, who: str | None, selector: LabelSelector | None) -> Findings:
    """A selector is there when it is asked for, and its conditions are possible."""
    if who == "Selector" and selector is None:
        yield here.error("W0105", "from: Selector needs a selector", "add selector.matchLabels")
    for index, one in enumerate(selector.match_expressions if selector else ()):
        place = here.at("selector", "matchExpressions", index, "values")
        if one.operator in ("In", "NotIn") and not one.values:
            yield place.error("W0114", f"{one.operator} needs values")
        if one.operator in ("Exists", "DoesNotExist") and one.values:
            yield place.error("W0114", f"{one.operator} has no values")
