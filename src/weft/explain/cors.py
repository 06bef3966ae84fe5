"""What a route's CORS policy does with a call: Envoy's filter of that name answers preflight requests by itself."""

from collections.abc import Iterator

from weft._pb.envoy.config.route.v3.route_components_pb2 import Route
from weft._pb.envoy.extensions.filters.http.cors.v3.cors_pb2 import CorsPolicy
from weft.explain.call import Call, Step
from weft.explain.configuration import unpacked
from weft.explain.matching import string_matches


def cors_step(route: Route, call: Call) -> Iterator[Step]:
    """The decision about a call that names its origin; an ``answer`` where the call goes no further."""
    origin = call.header("origin")
    for packed in route.typed_per_filter_config.values():
        policy = unpacked(packed, CorsPolicy)
        if policy is not None and origin:
            yield _step(policy, origin, call.is_preflight)


def _step(policy: CorsPolicy, origin: str, preflight: bool) -> Step:
    allowed = any(one.exact == "*" or string_matches(one, origin) for one in policy.allow_origin_string_match)
    words = f"pages of {origin} may {'' if allowed else 'not '}read the answer"
    if not preflight:
        return Step(name="cors", what=words)
    if allowed:
        return Step(name="answer", what="200, the preflight is answered by the sidecar itself", details=(words,))
    if policy.forward_not_matching_preflights.value or not policy.HasField("forward_not_matching_preflights"):
        return Step(name="cors", what=f"{words}; the application answers the preflight")
    return Step(
        name="answer", what="200, the preflight is answered by the sidecar itself, and refused", details=(words,)
    )
