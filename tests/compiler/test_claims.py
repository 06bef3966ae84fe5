"""Claims are told where something reads them, and nowhere else, for telling them costs each request."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import JwtAuthentication, PerRouteConfig
from weft.compiler.access.inputs import TOKEN_FILTER
from weft.compiler.connection_managers import inbound_routes
from weft.compiler.http_filters.claims import Readers, Telling, telling_of
from weft.compiler.http_filters.tokens import token_filter
from weft.compiler.resource import LISTENER, ROUTES
from weft.compiler.resources import resources_of
from weft.compiler.routes import gateway_routes
from weft.model.access_log import FileLog
from weft.model.authentication import TokenHeader, TokenRule
from weft.model.authorization import AccessPolicy, AccessRule, Action, Attribute, Condition
from weft.model.document import Key, Origin
from weft.model.extension import Context, Patch, PatchOperation, PatchTarget
from weft.model.limits import ByClaim, ByHeader, Limit, RateLimits
from weft.model.match import ANY_REQUEST, ClaimMatch, Exact, HttpMatch, Present
from weft.model.plugin import Lua, Plugin
from weft.model.route import Backend, Destination, Forward, HeaderOperations, Headers
from weft.model.security import MtlsMode
from weft.model.service import Protocol
from weft.model.sinks import Collector, OtelLog, OtelTracer, StreamLog
from weft.model.telemetry import Counting, FilteredLog, SpanTag, TagKind, Telemetry, Told, Tracing
from weft.view.access import Guards
from weft.view.view import GatewayRoutes, InboundPort, Norms, Route, RoutesKey, View, VirtualHost

RULE = TokenRule(issuer="https://idp.example.com", jwks='{"keys":[]}', space_delimited=("permission", "scope"))
NOTHING = Told()
SINK = Collector(service="sink", port=1, host="sink")
READS = "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%"
IN_CEL = "metadata.filter_metadata['envoy.filters.http.jwt_authn']['payload']['sub']"


def policy(attribute: Attribute, *keys: str, action: Action = Action.ALLOW, dry_run: bool = False) -> AccessPolicy:
    condition = Condition(attribute=attribute, keys=keys, any_of=(Present(),))
    return AccessPolicy(
        origin=Origin(key=Key(kind="AuthorizationPolicy", name="p", namespace="shop")),
        namespace="shop",
        action=action,
        rules=(AccessRule(when=(condition,)),),
        dry_run=dry_run,
    )


def port(*policies: AccessPolicy, told: Told = NOTHING, limits: RateLimits | None = None) -> InboundPort:
    return InboundPort(
        name="http", port=80, protocol=Protocol.HTTP, bind="127.0.0.1", bind_port=8080, app="127.0.0.1", app_port=81,
        mtls=MtlsMode.STRICT, guards=Guards(tokens=(RULE,), policies=policies), limits=limits,
        norms=Norms(telemetry=Telemetry(server=told)),
    )  # fmt: skip


def telling(routes: RouteConfiguration) -> Telling:
    """What routes say, wherever they say it."""
    said = [routes.typed_per_filter_config, *(host.typed_per_filter_config for host in routes.virtual_hosts)]
    for one in said:
        if TOKEN_FILTER in one:
            config = PerRouteConfig()
            assert one[TOKEN_FILTER].Unpack(config)
            return Telling(config.requirement_name)
    return Telling.CLAIMS


def of_sidecar(at: InboundPort) -> Telling:
    return telling(RouteConfiguration.FromString(inbound_routes(at, authenticated=True).body))


def log(**fields: Any) -> Told:
    return Told(logs=(FilteredLog(log=FileLog(path="/dev/stdout", **fields)),))


def tag(text: str) -> Told:
    return Told(tracing=Tracing(tracer=OtelTracer(), tags=(SpanTag(name="t", kind=TagKind.FORMATTER, text=text),)))


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("attribute", "keys", "wanted"),
    [
        (Attribute.REQUEST_PRINCIPAL, (), Telling.CLAIMS),
        (Attribute.AUDIENCE, (), Telling.CLAIMS),
        (Attribute.PRESENTER, (), Telling.CLAIMS),
        (Attribute.CLAIM, ("group",), Telling.CLAIMS),
        (Attribute.CLAIM, ("scope",), Telling.WORDS),
        (Attribute.METADATA, (TOKEN_FILTER, "payload", "sub"), Telling.WORDS),
        (Attribute.HEADER, ("x",), Telling.NOTHING),
        (Attribute.PRINCIPAL, (), Telling.NOTHING),
    ],
)
def test_a_policy_is_told_what_it_asks_for_whatever_it_does(
    attribute: Attribute, keys: tuple[str, ...], wanted: Telling, action: Action, dry_run: bool
) -> None:
    assert of_sidecar(port(policy(attribute, *keys, action=action, dry_run=dry_run))) is wanted


@pytest.mark.parametrize(
    "told",
    [
        log(text=READS),
        log(fields=(("sub", READS),)),
        log(object=f'{{"a": {{"sub": "{READS}"}}}}'),
        Told(logs=(FilteredLog(log=FileLog(path="/dev/stdout"), filter=f"{IN_CEL} == 'ann'"),)),
        Told(logs=(FilteredLog(log=OtelLog(collector=SINK, name="n", text=READS)),)),
        Told(logs=(FilteredLog(log=OtelLog(collector=SINK, name="n", text="", attributes=f'{{"a": "{READS}"}}')),)),
        Told(logs=(FilteredLog(log=StreamLog(collector=SINK, name="gets whole entries")),)),
        Told(counting=(Counting(metric="requests", tags=(("sub", IN_CEL),)),)),
        tag(READS),
        tag(f"%CEL({IN_CEL})%"),
    ],
)
def test_telemetry_that_has_claims_in_it_is_told_all(told: Told) -> None:
    assert of_sidecar(port(told=told)) is Telling.WORDS


@pytest.mark.parametrize(
    "told",
    [
        Told(),
        log(),
        log(text="%REQ(:PATH)%"),
        Told(logs=(FilteredLog(log=FileLog(path="/dev/stdout"), filter="response.code >= 400"),)),
        Told(counting=(Counting(metric="requests", tags=(("m", "request.method"),)),)),
        tag("%RESPONSE_CODE%"),
    ],
)
def test_telemetry_that_has_none_in_it_is_told_nothing(told: Told) -> None:
    assert of_sidecar(port(told=told)) is Telling.NOTHING


def limits(by: ByClaim | ByHeader) -> RateLimits:
    return RateLimits(name="shop/l", limits=(Limit(name="l", requests=1, period=1, burst=1, by=(by,)),))


def test_a_limit_for_each_claim_is_told_all_and_one_for_each_header_nothing() -> None:
    assert of_sidecar(port(limits=limits(ByClaim(path=("tenant",))))) is Telling.WORDS
    assert of_sidecar(port(limits=limits(ByHeader(name="x")))) is Telling.NOTHING


def view(**more: Any) -> View:
    return View(trust_domain="cluster.local", inbound=(port(),), **more)


def of_view(made: View) -> Telling:
    (routes,) = [one for one in resources_of(made).resources if one.type_url == ROUTES and "inbound" in one.name]
    return telling(RouteConfiguration.FromString(routes.body))


def test_patches_and_plugins_are_told_all_for_nobody_looks_into_them() -> None:
    origin = Origin(key=Key(kind="EnvoyFilter", name="f", namespace="shop"))
    patch = Patch(
        origin=origin, target=PatchTarget.HTTP_FILTER, operation=PatchOperation.INSERT_FIRST, context=Context.ANY,
        value=b'{"name": "lua"}', path=("spec",), namespace="shop",
    )  # fmt: skip
    plugin = Plugin(name="shop.lua", origin=origin, works=(Lua(source="function envoy_on_request(h) end"),))
    assert of_view(view()) is Telling.NOTHING
    assert of_view(view(patches=(patch,))) is Telling.WORDS
    assert of_view(view(plugins=(plugin,))) is Telling.WORDS


def of_gateway(*routes: Route, read: RateLimits | None = None, told: Told = NOTHING, policies: Any = ()) -> Telling:
    hosts = (VirtualHost(host="shop", port=80, domains=("shop",), routes=routes),)
    made = GatewayRoutes(
        key=RoutesKey(port=80),
        virtual_hosts=hosts,
        guards=Guards(tokens=(RULE,), policies=tuple(policies)),
        norms=Norms(telemetry=Telemetry(client=told)),
    )
    readers = Readers(limits=(read,) if read else ())
    return telling(RouteConfiguration.FromString(gateway_routes(made, readers).body))


def route(match: HttpMatch = ANY_REQUEST, **more: Any) -> Route:
    return Route(match=match, action=Forward(backends=(Backend(destination=Destination(host="s", port=1)),)), **more)


def test_routes_of_a_gateway_that_ask_for_claims_are_told_all() -> None:
    claim = HttpMatch(claims=(ClaimMatch(keys=("group",), match=Exact(value="admin")),))
    header = Headers(request=HeaderOperations(set=(("x-sub", READS),)))
    assert of_gateway(route(), route(match=claim)) is Telling.WORDS
    assert of_gateway(route(headers=header)) is Telling.WORDS
    assert of_gateway(route(limits=limits(ByClaim(path=("tenant",))))) is Telling.WORDS
    assert of_gateway(route(), read=limits(ByClaim(path=("tenant",)))) is Telling.WORDS
    assert of_gateway(route(), told=log(text=READS)) is Telling.WORDS
    assert of_gateway(route(), policies=[policy(Attribute.REQUEST_PRINCIPAL)]) is Telling.CLAIMS
    assert of_gateway(route(limits=limits(ByHeader(name="x")))) is Telling.NOTHING


def test_who_begins_to_read_claims_changes_no_listener() -> None:
    def listeners(*policies: AccessPolicy) -> Sequence[Any]:
        made = resources_of(View(trust_domain="cluster.local", inbound=(port(*policies),)))
        return [one for one in made.resources if one.type_url == LISTENER]

    assert listeners() == listeners(policy(Attribute.REQUEST_PRINCIPAL)) == listeners(policy(Attribute.CLAIM, "scope"))


def test_nothing_is_told_of_tokens_where_there_are_no_rules_about_them() -> None:
    assert telling_of(Guards(), Readers()) is telling_of(Guards(), Readers(unknown=True)) is Telling.CLAIMS
    bare = replace(port(), guards=Guards())
    assert TOKEN_FILTER.encode() not in inbound_routes(bare, authenticated=True).body


def config(*rules: TokenRule) -> JwtAuthentication:
    found = JwtAuthentication()
    assert token_filter(Guards(tokens=rules)).typed_config.Unpack(found)
    return found


def test_every_way_of_telling_looks_at_tokens_alike() -> None:
    found = config(RULE)
    assert {*found.requirement_map} == {Telling.NOTHING.value, Telling.WORDS.value}
    usual = found.providers["origins-0"]
    assert usual.payload_in_metadata
    assert not usual.HasField("normalize_payload_in_metadata")
    for name, requirement in found.requirement_map.items():
        first = requirement.requires_any.requirements[0]
        provider = found.providers[first.provider_name]
        assert bool(provider.payload_in_metadata) is (name == "words")
        spaced = provider.normalize_payload_in_metadata.space_delimited_claims
        assert tuple(spaced) == (RULE.space_delimited if name == "words" else ())
        provider.payload_in_metadata = usual.payload_in_metadata
        provider.ClearField("normalize_payload_in_metadata")
        assert provider == usual
        first.provider_name = "origins-0"
        assert requirement == found.rules[-1].requires


@pytest.mark.parametrize(
    ("rules", "count"),
    [
        ((RULE,), 2),
        ((replace(RULE, required=True),), 1),
        ((replace(RULE, headers=(TokenHeader(name="Authorization", prefix="Bearer "),)),), 2),
        ((replace(RULE, headers=(TokenHeader(name="authorization", prefix="Token "),)),), 1),
        ((replace(RULE, cookies=("t",)),), 1),
        ((replace(RULE, cookies=("t",)), replace(RULE, issuer="other")), 2),
    ],
)
def test_whoever_shows_a_token_is_not_asked_whether_there_may_be_none(rules: tuple[TokenRule, ...], count: int) -> None:
    found = config(*rules)
    assert len(found.rules) == count
    if count == 2:
        shown = found.rules[0]
        assert [(one.name, one.string_match.prefix) for one in shown.match.headers] == [("authorization", "Bearer ")]
        assert b"allow_missing" not in shown.requires.SerializeToString()
        assert len(shown.requires.requires_any.requirements) in (0, len(rules))
