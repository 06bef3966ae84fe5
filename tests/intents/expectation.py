"""What a call of ``calls.yaml`` is expected to do, and whether ``explain`` says that it does.

A call: ``call`` (method and URL; tcp, tls and https go to the local port for the host that the file names as
``outlet``), ``from`` (a workload of the world, web-1), ``headers``; then what happens:

- ``to``: a cluster, or clusters with their shares in percent; ``copies``: the same of mirrored copies;
- ``answer``: the words of an answer of the sidecar's own; ``fails``: words of the step that fails;
- ``route``, ``timeout``, ``retries``: in explain's words; ``says``: further lines among the details of fault or action;
- ``endpoints``: lines among those about the endpoints;
- ``identity``: how the words of the peer's proof begin; ``has``: a part of Envoy's route as JSON;
- ``live``: what a real call shows besides (see ``live``), or the reason why none is made.
"""

import re
from typing import Any

from google.protobuf.json_format import MessageToDict

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from weft._pb.envoy.config.route.v3.route_components_pb2 import Route
from weft.compiler.resource import Resources
from weft.explain.call import Call, Explanation, parse_call
from weft.explain.configuration import configuration_of, http_manager
from weft.explain.entry import entry_of
from weft.explain.matching import mismatch, virtual_host_for
from weft.explain.walk import explain

KEYS = {"call", "from", "headers", "to", "copies", "answer", "fails", "route", "timeout", "retries", "says", "identity"}
KEYS |= {"has", "live"}
KEYS |= {"endpoints"}
DEFAULT_CALLER = "web-1"
_SHARE = re.compile(r"(a copy of )?([0-9.]+) % to (\S+?)(?:, which .*)?")


def call_of(wanted: dict[str, Any]) -> Call:
    """The imagined call."""
    method, url = wanted["call"].split()
    return parse_call(method, url, tuple(wanted.get("headers", {}).items()))


def shares(wanted: dict[str, Any], key: str = "to") -> dict[str, float]:
    """Clusters with their shares in percent."""
    said = wanted.get(key, {})
    return {said: 100.0} if isinstance(said, str) else {name: float(share) for name, share in said.items()}


def check(wanted: dict[str, Any], resources: Resources) -> None:
    """Fail where explain says otherwise."""
    assert wanted.keys() <= KEYS, f"unknown keys: {wanted.keys() - KEYS}"
    assert wanted.keys() & {"to", "answer", "fails"}, "a call needs something that is expected of it"
    said = explain(resources, call_of(wanted))
    assert said.ok is ("fails" not in wanted), said
    if "fails" in wanted:
        assert wanted["fails"] in said.outcome, said.outcome
    _check_clusters(wanted, said)
    for name, found in _single(said).items():
        if name in wanted:
            assert found == wanted[name], f"{name}: {found}"
    if "identity" in wanted:
        assert _what(said, "identity").startswith(wanted["identity"]), _what(said, "identity")
    endpoints = {line for step in said.steps if step.name == "endpoints" for line in step.details}
    assert set(wanted.get("endpoints", ())) <= endpoints, endpoints
    details = {line for step in said.steps if step.name in ("fault", "action") for line in step.details}
    assert set(wanted.get("says", ())) <= details, details
    if "has" in wanted:
        assert_part(
            wanted["has"], MessageToDict(route_of(resources, call_of(wanted)), preserving_proto_field_name=True)
        )


def _check_clusters(wanted: dict[str, Any], said: Explanation) -> None:
    found = [_SHARE.fullmatch(step.what) for step in said.steps if step.name == "cluster"]
    assert all(found), said
    sent = [(one[3], float(one[2]), bool(one[1])) for one in found if one]
    assert {name: share for name, share, copy in sent if not copy} == shares(wanted)
    assert {name: share for name, share, copy in sent if copy} == shares(wanted, "copies")


def _single(said: Explanation) -> dict[str, str]:
    """What explain says of things that there is one of."""
    details = dict(line.partition(": ")[::2] for step in said.steps if step.name == "action" for line in step.details)
    return {
        "route": _what(said, "route"),
        "answer": _what(said, "answer"),
        "timeout": details.get("timeout", ""),
        "retries": details.get("retries", ""),
    }


def _what(said: Explanation, step: str) -> str:
    return next((one.what for one in said.steps if one.name == step), "")


def route_of(resources: Resources, call: Call) -> Route:
    """Envoy's route that takes a call."""
    configuration = configuration_of(resources)
    listener, _ = entry_of(configuration, call)
    assert listener is not None, call
    manager = http_manager(listener)
    routes = configuration.routes_of(manager) if manager else None
    host = virtual_host_for(routes.virtual_hosts, call.authority) if routes else None
    assert host is not None, call
    return next(route for route in host[0].routes if mismatch(route.match, call) is None)


def assert_part(wanted: Any, found: Any, place: str = "") -> None:
    """Fail unless everything that is wanted is found: mappings may hold more, lists and scalars must be equal."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict), f"{place}: {found!r} is no mapping"
        for key, value in wanted.items():
            if value is None:
                assert key not in found, f"{place}.{key} is there: {found[key]!r}"
            else:
                assert key in found, f"{place}: no {key} in {found!r}"
                assert_part(value, found[key], f"{place}.{key}")
    elif isinstance(wanted, list):
        assert isinstance(found, list), f"{place}: {found!r} is no list"
        assert len(wanted) == len(found), f"{place}: {found!r}"
        for index, value in enumerate(wanted):
            assert_part(value, found[index], f"{place}[{index}]")
    else:
        assert wanted == found, f"{place}: {found!r}, not {wanted!r}"
