"""What clients of gateways say of themselves and of their way, taken off before anything reads it.

Envoy takes off and sets anew what it knows itself: ``x-forwarded-for``, ``x-forwarded-proto`` and
``x-forwarded-client-cert``, and most of ``x-envoy-*``. Applications believe more, and so do other meshes' proxies.
"""

from weft._pb.envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation as EarlyHeaderMutation,
)
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.wire import packed

_NOBODYS = ("x-envoy-", "x-istio-", "x-weft-")
"""What only proxies say to each other."""
_OF_THE_WAY = (
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
)
"""What proxies tell applications of a request's beginning: for those to say who are believed."""


def without_claims(*, trusting: bool) -> TypedExtensionConfig:
    """``trusting``: proxies before the gateway are believed in what they say of the way."""
    mutations = [HeaderMutation(remove_on_match=_beginning(prefix)) for prefix in _NOBODYS]
    mutations += [HeaderMutation(remove=name) for name in (() if trusting else _OF_THE_WAY)]
    return TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=packed(EarlyHeaderMutation(mutations=mutations)),
    )


def _beginning(prefix: str) -> HeaderMutation.RemoveOnMatch:
    return HeaderMutation.RemoveOnMatch(key_matcher=StringMatcher(prefix=prefix, ignore_case=True))
