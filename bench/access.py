"""What access policies and tokens cost a request: CPU of the sidecar before the application, with and without them.

The filters are what weft's compiler makes; beside them, the same policies as the list that Istio's would be. Callers
with mutual TLS call the same application in turns, all with the same token, which Envoy verifies once and then knows;
differences are taken round by round. A token costs less where nobody reads what it says, so it is measured where there
is nothing but a rule about tokens, where claims are told and nobody looks at them, where a policy asks for a principal
(the policy included), and where one asks for a word of ``scope``.

One filter costs less than what two runs of the same proxy differ by, so each stands in the chain ``COPIES`` times, and
what they add together is divided by their number.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from msgspec.structs import replace

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from bench import static
from bench.figure import Figure, Target, number, times
from bench.harness import Effort, cpu_seconds, difference, interleaved, ratio
from bench.load import Place, get, once, saturate, with_header
from bench.servers import START_SECONDS, Way, _tls, application, envoy_command, running
from bench.tokens import ISSUER, SUBJECT, Signed, signed
from weft.compiler.http_filters.access import Door, guard_filters, on_routes
from weft.compiler.http_filters.claims import Readers, telling_of
from weft.demo.processes import free_port, until
from weft.model.authentication import TokenRule
from weft.model.authorization import AccessPolicy, AccessRule, Action, Attribute, Condition
from weft.model.document import Key, Origin
from weft.model.match import Exact, Prefix
from weft.view.access import Guards

Filter = dict[str, Any]
"""An HTTP filter as JSON."""


class Chain(NamedTuple):
    """Some filters, and what routes say to those that are named."""

    filters: tuple[Filter, ...] = ()
    said: Mapping[str, Filter] = {}


NAME = "access"
TITLE = "Access policies and tokens"
POLICIES = 100
COPIES = 10
MOST_MICROSECONDS, MOST_OF_TOKEN = 3.0, 8.0
_NONE, _MATCHER, _LIST = "no policy", f"{POLICIES} policies, as weft compiles them", f"{POLICIES} policies, as a list"
_ALLOWING = f"{POLICIES} policies that allow, one of them this request"
_ALWAYS = "a filter of Envoy's that always allows: the least that a policy can cost"
_TOKEN = "a token that was verified before"
_TOLD = f"{_TOKEN}, its claims told"
_PRINCIPAL, _SCOPE = f"{_TOKEN}, and a policy that asks for a principal", f"{_TOKEN}, and one that asks for a scope"
_WHATS = {
    "CPU that a known token adds to a request": _TOKEN,
    "CPU that a known token adds whose claims are told": _TOLD,
}
_RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"


def measure(effort: Effort) -> Figure:
    """Microseconds of CPU per request."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="weft-bench-")))
        app = stack.enter_context(application(directory))
        user = signed()
        chains = {_NONE: Chain(), **_policies(), **_tokens(user)}
        place = Place(
            port=0, request=with_header(get("/api/v1/items/7", "server"), f"Authorization: Bearer {user.token}")
        )
        ways = {name: stack.enter_context(_way(app, directory / name, one, place)) for name, one in chains.items()}
        samples = interleaved(effort.rounds, {name: _case(way, effort.seconds) for name, way in ways.items()})
    added = {name: difference(samples[name], samples[_NONE]) / COPIES for name in samples}
    rows = tuple(_row(name, samples[name], samples[_NONE], added[name]) for name in samples)
    what = f"CPU that {POLICIES} policies add to a request"
    targets = (
        Target(what=what, measured=added[_MATCHER], limit=MOST_MICROSECONDS, unit="us"),
        *(_of_token(what, added[name]) for what, name in _WHATS.items()),
    )
    columns = ("the sidecar has", f"CPU/request, {COPIES} of it", "of none", "added by each")
    note = f"Each filter stands {COPIES} times in the chain; {effort.rounds} rounds of {effort.seconds:g} s, in turns."
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, targets=targets, notes=(note,), samples=samples)


def _policies() -> dict[str, Chain]:
    return {_MATCHER: _compiled(), _ALLOWING: _allowed(), _ALWAYS: _always(), _LIST: Chain((_list(),))}


def _row(name: str, mine: list[float], none: list[float], added: float) -> tuple[str, ...]:
    compared = ("", "") if name == _NONE else (times(ratio(mine, none)), number(added, "us"))
    return (name, number(statistics.median(mine), "us"), *compared)


def _of_token(what: str, measured: float) -> Target:
    return Target(what=what, measured=measured, limit=MOST_OF_TOKEN, unit="us")


def _tokens(user: Signed) -> dict[str, Chain]:
    """As a RequestAuthentication is compiled whose tokens go on to the application, so that each copy finds one."""
    rule = TokenRule(
        issuer=ISSUER, audiences=("bench",), jwks=user.jwks, forward=True, space_delimited=("permission", "scope")
    )
    principal = Condition(attribute=Attribute.REQUEST_PRINCIPAL, any_of=(Exact(value=f"{ISSUER}/{SUBJECT}"),))
    scope = Condition(attribute=Attribute.CLAIM, keys=("scope",), any_of=(Exact(value="write"),))
    return {
        _TOKEN: _chain(Guards(tokens=(rule,))),
        _TOLD: _chain(Guards(tokens=(rule,)))._replace(said={}),
        _PRINCIPAL: _chain(Guards(tokens=(rule,), policies=(_allowing(principal),))),
        _SCOPE: _chain(Guards(tokens=(rule,), policies=(_allowing(scope),))),
    }


def _allowing(condition: Condition) -> AccessPolicy:
    key = Key(kind="AuthorizationPolicy", name="users", namespace="bench")
    return AccessPolicy(origin=Origin(key=key), namespace="bench", rules=(AccessRule(when=(condition,)),))


def _chain(guards: Guards) -> Chain:
    """What is compiled of guards, for the chain and for the routes."""
    door = Door(guards=guards, numbers=(9080,), merges_slashes=True)
    said = on_routes(door, telling_of(guards, Readers()))
    return Chain(tuple(map(_json, guard_filters(door))), {name: _json(one) for name, one in said.items()})


def _json(message: Message) -> Filter:
    made: Filter = MessageToDict(message, preserving_proto_field_name=True)
    return made


def _policy(index: int) -> AccessPolicy:
    """A caller and a path that the request has neither of."""
    key = Key(kind="AuthorizationPolicy", name=f"policy-{index:03}", namespace="bench")
    caller = Condition(attribute=Attribute.PRINCIPAL, any_of=(Exact(value=f"bench/ns/bench/sa/other-{index}"),))
    path = Condition(attribute=Attribute.PATH, any_of=(Prefix(value=f"/api/v1/path-{index}/"),))
    method = Condition(attribute=Attribute.METHOD, any_of=(Exact(value="GET"),))
    rule = AccessRule(sources=((caller,),), operations=((method, path),))
    return AccessPolicy(origin=Origin(key=key), namespace="bench", action=Action.DENY, rules=(rule,))


def _compiled() -> Chain:
    return _chain(Guards(trust_domains=("bench",), policies=tuple(_policy(index) for index in range(POLICIES))))


def _allowed() -> Chain:
    rule = AccessRule(operations=((Condition(attribute=Attribute.PATH, any_of=(Prefix(value="/api/v1/items/"),)),),))
    others = tuple(replace(_policy(index), action=Action.ALLOW) for index in range(1, POLICIES))
    wanted = replace(_policy(0), action=Action.ALLOW, rules=(rule,))
    return _chain(Guards(trust_domains=("bench",), policies=(wanted, *others)))


def _always() -> Chain:
    action = {"@type": "type.googleapis.com/envoy.config.rbac.v3.Action", "name": "always", "action": "ALLOW"}
    matcher = {"on_no_match": {"action": {"name": "action", "typed_config": action}}}
    return Chain(({"name": "access", "typed_config": {"@type": _RBAC, "matcher": matcher}},))


def _list() -> Filter:
    policies = {f"policy-{index:03}": _listed(index) for index in range(POLICIES)}
    config: Filter = {"@type": _RBAC, "rules": {"action": "DENY", "policies": policies}}
    return {"name": "access", "typed_config": config}


def _listed(index: int) -> dict[str, Any]:
    method = {"header": {"name": ":method", "string_match": {"exact": "GET"}}}
    path = {"url_path": {"path": {"prefix": f"/api/v1/path-{index}/"}}}
    caller = {"principal_name": {"exact": f"spiffe://bench/ns/bench/sa/other-{index}"}}
    rules = [{"or_rules": {"rules": [one]}} for one in (method, path)]
    return {"permissions": [{"and_rules": {"rules": rules}}], "principals": [{"authenticated": caller}]}


@contextmanager
def _way(app: int, home: Path, first: Chain, asked: Place) -> Iterator[Way]:
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


def _guarded(bootstrap: static.Json, first: Chain) -> static.Json:
    """The chain ``COPIES`` times before all else."""
    made = deepcopy(bootstrap)
    manager = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    copies = range(COPIES)
    manager["http_filters"][:0] = [
        one | {"name": f"{one['name']}-{index}"} for index in copies for one in first.filters
    ]
    said = {f"{name}-{index}": one for index in copies for name, one in first.said.items()}
    manager["route_config"]["virtual_hosts"][0]["typed_per_filter_config"] = said
    return made


def _case(way: Way, seconds: float) -> Callable[[], float]:
    def run() -> float:
        pid = way.proxies[0][1]
        before = cpu_seconds(pid)
        load = saturate(way.place, seconds)
        return (cpu_seconds(pid) - before) / max(1, load.requests) * 1_000_000

    return run
