"""What access policies and tokens cost a request: CPU of the sidecar before the application, with and without them.

The filters are what weft's compiler makes; beside them, the same policies as the list that Istio's would be. Callers
with mutual TLS call the same application in turns, all with the same token, which Envoy verifies once and then knows;
differences are taken round by round.

One filter costs less than what two runs of the same proxy differ by, so each stands in the chain ``COPIES`` times, and
what they add together is divided by their number.
"""

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.protobuf.json_format import MessageToDict
from msgspec.structs import replace

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from bench import static
from bench.figure import Figure, Target, number, times
from bench.harness import Effort, cpu_seconds, difference, interleaved, ratio
from bench.load import Place, get, once, saturate, with_header
from bench.servers import START_SECONDS, Way, _tls, application, envoy_command, running
from bench.tokens import ISSUER, Signed, signed
from weft._pb.envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from weft.compiler.access.conditions import Port
from weft.compiler.access.decisions import decision, setting_of
from weft.compiler.http_filters.tokens import token_filter
from weft.demo.processes import free_port, until
from weft.model.authentication import TokenRule
from weft.model.authorization import AccessPolicy, AccessRule, Action, Attribute, Condition
from weft.model.document import Key, Origin
from weft.model.match import Exact, Prefix
from weft.view.access import Guards

Filter = dict[str, Any]
"""An HTTP filter as JSON."""

NAME = "access"
TITLE = "Access policies and tokens"
POLICIES = 100
COPIES = 10
MOST_MICROSECONDS, MOST_OF_TOKEN = 3.0, 8.0
_NONE, _MATCHER, _LIST = "no policy", f"{POLICIES} policies, as weft compiles them", f"{POLICIES} policies, as a list"
_TOKEN = "a token that was verified before"
_RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"


def measure(effort: Effort) -> Figure:
    """Microseconds of CPU per request."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="weft-bench-")))
        app = stack.enter_context(application(directory))
        user = signed()
        filters = {_NONE: None, _MATCHER: _matcher(), _LIST: _list(), _TOKEN: _tokens(user)}
        place = Place(
            port=0, request=with_header(get("/api/v1/items/7", "server"), f"Authorization: Bearer {user.token}")
        )
        ways = {name: stack.enter_context(_way(app, directory / name, one, place)) for name, one in filters.items()}
        samples = interleaved(effort.rounds, {name: _case(way, effort.seconds) for name, way in ways.items()})
    added = {name: difference(samples[name], samples[_NONE]) / COPIES for name in samples}
    rows = tuple(_row(name, samples[name], samples[_NONE], added[name]) for name in samples)
    what = f"CPU that {POLICIES} policies add to a request"
    targets = (
        Target(what=what, measured=added[_MATCHER], limit=MOST_MICROSECONDS, unit="us"),
        Target(what="CPU that a known token adds to a request", measured=added[_TOKEN], limit=MOST_OF_TOKEN, unit="us"),
    )
    columns = ("the sidecar has", f"CPU/request, {COPIES} of it", "of none", "added by each")
    note = f"Each filter stands {COPIES} times in the chain; {effort.rounds} rounds of {effort.seconds:g} s, in turns."
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, targets=targets, notes=(note,), samples=samples)


def _row(name: str, mine: list[float], none: list[float], added: float) -> tuple[str, ...]:
    compared = ("", "") if name == _NONE else (times(ratio(mine, none)), number(added, "us"))
    return (name, number(statistics.median(mine), "us"), *compared)


def _tokens(user: Signed) -> Filter:
    guards = Guards(tokens=(TokenRule(issuer=ISSUER, audiences=("bench",), jwks=user.jwks, forward=True),))
    made: Filter = MessageToDict(token_filter(guards), preserving_proto_field_name=True)
    return made


def _policy(index: int) -> AccessPolicy:
    """A caller and a path that the request has neither of."""
    key = Key(kind="AuthorizationPolicy", name=f"policy-{index:03}", namespace="bench")
    caller = Condition(attribute=Attribute.PRINCIPAL, any_of=(Exact(value=f"bench/ns/bench/sa/other-{index}"),))
    path = Condition(attribute=Attribute.PATH, any_of=(Prefix(value=f"/api/v1/path-{index}/"),))
    method = Condition(attribute=Attribute.METHOD, any_of=(Exact(value="GET"),))
    rule = AccessRule(sources=((caller,),), operations=((method, path),))
    return AccessPolicy(origin=Origin(key=key), namespace="bench", action=Action.DENY, rules=(rule,))


def _matcher() -> Filter:
    guards = Guards(trust_domains=("bench",), policies=tuple(_policy(index) for index in range(POLICIES)))
    setting = setting_of(guards, Port(numbers=(9080,)), mesh_only=True)
    made = decision(guards, setting, merges_slashes=True)
    config: dict[str, Any] = MessageToDict(RBAC(matcher=made), preserving_proto_field_name=True)
    return _access(config)


def _list() -> Filter:
    policies = {f"policy-{index:03}": _listed(index) for index in range(POLICIES)}
    return _access({"rules": {"action": "DENY", "policies": policies}})


def _access(config: dict[str, Any]) -> Filter:
    return {"name": "access", "typed_config": {"@type": _RBAC} | config}


def _listed(index: int) -> dict[str, Any]:
    method = {"header": {"name": ":method", "string_match": {"exact": "GET"}}}
    path = {"url_path": {"path": {"prefix": f"/api/v1/path-{index}/"}}}
    caller = {"principal_name": {"exact": f"spiffe://bench/ns/bench/sa/other-{index}"}}
    rules = [{"or_rules": {"rules": [one]}} for one in (method, path)]
    return {"permissions": [{"and_rules": {"rules": rules}}], "principals": [{"authenticated": caller}]}


@contextmanager
def _way(app: int, home: Path, first: Filter | None, asked: Place) -> Iterator[Way]:
    """A caller's proxy and the application's, in a directory of their own."""
    home.mkdir()
    port, between = free_port(), free_port()
    out, into = _tls(home)
    guarded = _guarded(static.inbound(between, app, into), first)
    calling = static.outbound(port, between, out)
    commands = (envoy_command("inbound", guarded, home), envoy_command("outbound", calling, home))
    place = replace(asked, port=port)
    with running("inbound", commands[0], home) as server, running("outbound", commands[1], home) as caller:
        until(lambda: once(place), "the proxies did not answer", START_SECONDS, (server, caller))
        yield Way(place=place, proxies=(("in", server.pid),))


def _guarded(bootstrap: static.Json, first: Filter | None) -> static.Json:
    made = deepcopy(bootstrap)
    if first is not None:
        manager = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        manager["http_filters"][:0] = [first | {"name": f"{first['name']}-{index}"} for index in range(COPIES)]
    return made


def _case(way: Way, seconds: float) -> Callable[[], float]:
    def run() -> float:
        pid = way.proxies[0][1]
        before = cpu_seconds(pid)
        load = saturate(way.place, seconds)
        return (cpu_seconds(pid) - before) / max(1, load.requests) * 1_000_000

    return run
