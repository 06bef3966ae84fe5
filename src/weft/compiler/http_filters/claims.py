"""Who reads what a token says: nobody, whoever reads claims as they are written, or whoever reads words in them.

Telling claims costs more than looking at a token that is known, so they are told where something reads them. What
reads them is found where it was written; what cannot be looked into (patches, plugins, a service that is sent whole
entries) counts as a reader. Routes say which way holds, so that a policy that begins to read claims does so together
with its first decision, on connections that are open too.
"""

from collections.abc import Iterable, Iterator
from enum import Enum

from google.protobuf.any_pb2 import Any

from weft._pb.envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import PerRouteConfig
from weft.compiler.access.inputs import TOKEN_FILTER
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.access_log import FileLog
from weft.model.authorization import Attribute
from weft.model.limits import ByClaim, RateLimits
from weft.model.sinks import OtelLog, StreamLog
from weft.model.telemetry import Told
from weft.view.access import Guards, conditions_of


class Telling(Enum):
    """What is told of a token that is right; the value is Envoy's name of it."""

    NOTHING = "nothing"
    CLAIMS = "claims"
    WORDS = "words"
    """Claims, those of several words as lists of them."""


_CLAIMS_OF = {
    Attribute.REQUEST_PRINCIPAL: ("iss", "sub"),
    Attribute.AUDIENCE: ("aud",),
    Attribute.PRESENTER: ("azp",),
}
_ANY = ""
_FILTER = TOKEN_FILTER.encode()
_SIGN = "metadata"
"""What stands in every format and expression that can read what filters told: ``%DYNAMIC_METADATA(``, in CEL too."""


class Readers(Value):
    """Who may read claims beside policies and routes: limits, telemetry, and (``unknown``) what nobody looks into."""

    told: Told = Told()
    limits: tuple[RateLimits, ...] = ()
    unknown: bool = False


NOBODY = Readers()


@memo(4096)
def telling_of(guards: Guards, readers: Readers) -> Telling:
    """What has to be told where some guards stand."""
    if not guards.tokens:
        return Telling.CLAIMS
    if readers.unknown:
        return Telling.WORDS
    if any(_counts_claims(one) for one in readers.limits) or _tells_claims(readers.told):
        return Telling.WORDS
    claims = set(_claims_read(guards))
    if not claims:
        return Telling.NOTHING
    words = {name for rule in guards.tokens for name in rule.space_delimited}
    return Telling.CLAIMS if claims.isdisjoint((*words, _ANY)) else Telling.WORDS


def are_asked_for(routes: Iterable[bytes]) -> bool:
    """Whether parts of compiled routes ask for claims, for which they have to name the filter."""
    return any(_FILTER in part for part in routes)


def on_tokens(telling: Telling) -> dict[str, Any]:
    """What routes say to the token filter."""
    return {} if telling is Telling.CLAIMS else {TOKEN_FILTER: _told(telling)}


@memo(2)
def _told(telling: Telling) -> Any:
    return packed(PerRouteConfig(requirement_name=telling.value))


def _claims_read(guards: Guards) -> Iterator[str]:
    """The claims that policies ask for, those that only log or are tried among them; ``_ANY``: whichever."""
    for policy in guards.policies:
        for rule in policy.rules:
            for one in conditions_of(rule):
                if one.attribute in _CLAIMS_OF:
                    yield from _CLAIMS_OF[one.attribute]
                elif one.attribute is Attribute.CLAIM:
                    yield one.keys[0] if one.keys else _ANY
                elif one.attribute is Attribute.METADATA:
                    yield _ANY


def _counts_claims(limits: RateLimits) -> bool:
    return any(isinstance(by, ByClaim) for limit in limits.limits for by in limit.by)


def _tells_claims(told: Told) -> bool:
    """Whether logs, labels of metrics or tags of spans may have claims in them. Whoever gets entries gets all."""
    if any(isinstance(one.log, StreamLog) for one in told.logs):
        return True
    return any(_SIGN in text.lower() for text in _texts(told))


def _texts(told: Told) -> Iterator[str]:
    """Every format and every expression."""
    for one in told.logs:
        yield one.filter
        match one.log:
            case FileLog() as file:
                yield from (file.text, file.object, *(text for _, text in file.fields))
            case OtelLog() as otel:
                yield from (otel.text, otel.attributes)
            case StreamLog():
                pass
    for counting in told.counting:
        yield from (expression for _, expression in counting.tags)
    if told.tracing is not None:
        yield from (tag.text for tag in told.tracing.tags)
