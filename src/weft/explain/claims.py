"""What an imagined request's token says, as Envoy's ``jwt_authn`` filter would tell the filters and routes after it.

Its signature and its times are not looked at: an explanation has no keys to try and no clock.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import JwtAuthentication, JwtHeader, JwtProvider
from weft.compiler.access.inputs import PAYLOAD, TOKEN_FILTER
from weft.explain.call import Call, State, Step
from weft.explain.configuration import http_manager, unpacked

Claims = Mapping[str, Any]
Told = Mapping[str, Claims]
"""What filters have told the routes, by the filters' names (Envoy's dynamic metadata)."""

NOTHING: Told = {}
_RFC_6750 = (JwtHeader(name="authorization", value_prefix="Bearer "),)
_PARAMETER = "access_token"


def token_step(listener: Listener, call: Call) -> tuple[Told, Step | None]:
    """The claims of a call's token, and what the listener says of it: nothing where there is no token, or none who
    reads it, nor of preflight requests, which pass without."""
    if call.is_preflight:
        return NOTHING, None
    found = [(one, token) for one in _providers(listener) for token in _tokens(one, call)]
    read = [(one, _payload(token)) for one, token in found]
    for provider, claims in read:
        if claims is not None and claims.get("iss") == provider.issuer:
            return _judged(provider, claims)
    return NOTHING, _failed("401, the token is of no issuer that a RequestAuthentication names") if read else None


def _judged(provider: JwtProvider, claims: Claims) -> tuple[Told, Step]:
    audiences = claims.get("aud", [])
    meant = {audiences} if isinstance(audiences, str) else set(audiences)
    if provider.audiences and meant.isdisjoint(provider.audiences):
        return NOTHING, _failed(f"403, the token is not meant for {', '.join(provider.audiences)}")
    spaced = provider.normalize_payload_in_metadata.space_delimited_claims
    told = {key: value.split() if key in spaced and isinstance(value, str) else value for key, value in claims.items()}
    what = f"the token of {provider.issuer} is taken for a right one"
    step = Step(name="token", what=what, details=("its signature and its times are not looked at",))
    return {TOKEN_FILTER: {PAYLOAD: told}}, step


def _failed(what: str) -> Step:
    return Step(name="token", what=what, state=State.FAILED)


def _providers(listener: Listener) -> Iterator[JwtProvider]:
    """Those first that tell the most: each issuer is there in several ways, of which routes that ask get this one."""
    manager = http_manager(listener)
    for one in manager.http_filters if manager is not None else ():
        if (filter_ := unpacked(one.typed_config, JwtAuthentication)) is not None:
            every = [filter_.providers[name] for name in sorted(filter_.providers)]
            yield from sorted(every, key=lambda one: not one.HasField("normalize_payload_in_metadata"))


def _tokens(provider: JwtProvider, call: Call) -> Iterator[str]:
    """The tokens in the places where a provider looks for them."""
    named = provider.from_headers or provider.from_params or provider.from_cookies
    for place in provider.from_headers if named else _RFC_6750:
        value = call.header(place.name.lower())
        if value is not None and value.startswith(place.value_prefix):
            yield value.removeprefix(place.value_prefix)
    asked = parse_qs(urlsplit(call.path).query)
    for parameter in provider.from_params if named else (_PARAMETER,):
        yield from asked.get(parameter, ())[:1]
    cookies = dict(one.strip().partition("=")[::2] for one in (call.header("cookie") or "").split(";"))
    yield from (cookies[name] for name in provider.from_cookies if name in cookies)


def _payload(token: str) -> Claims | None:
    """The claims of a token, ``None`` for a text that is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
