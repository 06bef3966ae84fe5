"""Tokens of requests: a wrong one is refused with 401, claims of a right one are told to the filters after this.

Keys come with the configuration, never from Envoy's own asking: the control plane fetches them once for all proxies. An
issuer whose keys are not known has none that anybody could sign with, so its tokens are refused. What claims are told
in comes from nobody else: Envoy removes such headers from every request first.
"""

from collections.abc import Iterator, Sequence

from weft._pb.envoy.config.core.v3.base_pb2 import DataSource
from weft._pb.envoy.config.route.v3.route_components_pb2 import HeaderMatcher, RouteMatch
from weft._pb.envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import (
    JwtAuthentication,
    JwtCacheConfig,
    JwtClaimToHeader,
    JwtHeader,
    JwtProvider,
    JwtRequirement,
    JwtRequirementAndList,
    JwtRequirementOrList,
    RequirementRule,
)
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.access.inputs import PAYLOAD, TOKEN_FILTER
from weft.compiler.http_filters.claims import Telling
from weft.compiler.http_filters.nobodys_key import taken_by_envoy
from weft.compiler.names import token_provider
from weft.compiler.wire import packed
from weft.model.authentication import TokenHeader, TokenRule
from weft.view.access import Guards

_REMEMBERED = 100
_BEARER = TokenHeader(name="authorization", prefix="Bearer ")


def token_filter(guards: Guards, *, routed: bool = False) -> HttpFilter:
    """The filter for the rules of all policies. ``routed``: routes may be chosen by what tokens say.

    It knows each issuer once for each way of telling claims, of which routes name one (``claims.on_tokens``): so what
    a policy begins to read is told by the listener that is there. Where they name none, claims are told as they are.
    """
    config = JwtAuthentication(bypass_cors_preflight=True)
    for telling in Telling:
        names = [
            token_provider(index, "" if telling is Telling.CLAIMS else telling.value)
            for index in range(len(guards.tokens))
        ]
        for name, rule in zip(names, guards.tokens, strict=True):
            config.providers[name].CopyFrom(_provider(rule, guards, telling, routed=routed))
        required = _required(names, guards.tokens)
        if telling is Telling.CLAIMS:
            config.rules.extend((*_shown(names, guards.tokens), _rule(required)))
        else:
            config.requirement_map[telling.value].CopyFrom(required)
    return HttpFilter(name=TOKEN_FILTER, typed_config=packed(config))


def _rule(required: JwtRequirement, *headers: HeaderMatcher) -> RequirementRule:
    return RequirementRule(match=RouteMatch(prefix="/", headers=headers), requires=required)


def _required(names: Sequence[str], rules: Sequence[TokenRule]) -> JwtRequirement:
    """A token of one of the issuers, or none at all; a token of no known issuer is neither (CVE-2021-21378).

    Where tokens of some issuers must be there, they alone are looked for.
    """
    missing = JwtRequirement(allow_missing={})
    own = [JwtRequirement(provider_name=name) for name in names]
    if needed := [one for one, rule in zip(own, rules, strict=True) if rule.required]:
        every = JwtRequirementAndList(requirements=needed)
        return needed[0] if len(needed) == 1 else JwtRequirement(requires_all=every)
    if len(own) == 1:
        return _any([*own, missing])
    every = JwtRequirementAndList(requirements=[_any([one, missing]) for one in own])
    return _any([*own, JwtRequirement(requires_all=every)])


def _shown(names: Sequence[str], rules: Sequence[TokenRule]) -> Iterator[RequirementRule]:
    """Most tokens come where RFC 6750 has them. A request that shows something there does not come without a token,
    so that nobody has to ask whether it may, which costs as much as to look at the token."""
    if any(rule.required for rule in rules) or not any(_reads_bearer(rule) for rule in rules):
        return
    own = [JwtRequirement(provider_name=name) for name in names]
    header = HeaderMatcher(name=_BEARER.name, string_match=StringMatcher(prefix=_BEARER.prefix))
    yield _rule(own[0] if len(own) == 1 else _any(own), header)


def _reads_bearer(rule: TokenRule) -> bool:
    if not (rule.headers or rule.params or rule.cookies):
        return True
    return any((header.name.lower(), header.prefix) == (_BEARER.name, _BEARER.prefix) for header in rule.headers)


def _any(options: list[JwtRequirement]) -> JwtRequirement:
    return JwtRequirement(requires_any=JwtRequirementOrList(requirements=options))


def _provider(rule: TokenRule, guards: Guards, telling: Telling, *, routed: bool) -> JwtProvider:
    known = {one.source: one.jwks for one in guards.keys}
    jwks = taken_by_envoy(rule.jwks if rule.keys is None else known.get(rule.keys, ""))
    provider = JwtProvider(
        issuer=rule.issuer,
        audiences=rule.audiences,
        require_expiration=guards.hardened,
        local_jwks=DataSource(inline_string=jwks),
        forward=rule.forward,
        from_headers=[JwtHeader(name=header.name, value_prefix=header.prefix) for header in rule.headers],
        from_params=rule.params,
        from_cookies=rule.cookies,
        forward_payload_header=rule.payload_header,
        payload_in_metadata="" if telling is Telling.NOTHING else PAYLOAD,
        claim_to_headers=[JwtClaimToHeader(header_name=one.header, claim_name=one.claim) for one in rule.claim_headers],
        clear_route_cache=routed,
        jwt_cache_config=JwtCacheConfig(jwt_cache_size=_REMEMBERED),
    )
    if telling is Telling.WORDS and rule.space_delimited:
        provider.normalize_payload_in_metadata.space_delimited_claims.extend(rule.space_delimited)
    return provider
