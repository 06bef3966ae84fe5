"""A condition of an access policy as a predicate.

``wide``: where a value can be read in two ways, the predicate holds if either reading matches; without it, only if the
strict one does. A rule that denies is compiled wide and its exceptions narrow, one that allows the other way round, so
that what is ambiguous is refused. Without hardening everything is as Istio's documentation says.
"""

from collections.abc import Callable, Sequence
from enum import Enum

from weft._pb.envoy.config.core.v3.address_pb2 import CidrRange
from weft._pb.envoy.extensions.matching.input_matchers.ip.v3.ip_pb2 import Ip
from weft._pb.envoy.extensions.matching.input_matchers.metadata.v3.metadata_pb2 import Metadata
from weft._pb.envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher as EnvoyStringMatcher
from weft._pb.envoy.type.matcher.v3.value_pb2 import ListMatcher, OrMatcher, ValueMatcher
from weft._pb.xds.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.access import inputs
from weft.compiler.access.predicates import (
    Predicate,
    Truth,
    all_of,
    any_of,
    custom,
    expression,
    extension,
    none_of,
    quoted,
    text,
)
from weft.compiler.wire import number
from weft.kit.value import Value
from weft.model.authorization import PEER, Attribute, Condition, Listed, Pattern, Subnet, Suffix, Template
from weft.model.match import Exact, Prefix, Present

_SEGMENT = "[a-zA-Z0-9._~%!$&'()+,;:@=-]"
_SEGMENT_OR_SLASH = "[a-zA-Z0-9._~%!$&'()+,;:@=/-]"
_QUERY = r"(?:[?#].*)?"
_CLAIMS = {Attribute.AUDIENCE: ("aud",), Attribute.PRESENTER: ("azp",)}
_ADDRESSES = {
    Attribute.SOURCE_IP: inputs.PEER_ADDRESS,
    Attribute.REMOTE_IP: inputs.CLIENT_ADDRESS,
    Attribute.DESTINATION_IP: inputs.OWN_ADDRESS,
}


class Reading(Enum):
    """How what can be read in two ways is read."""

    AS_ISTIO = "as istio"
    WIDE = "wide"
    NARROW = "narrow"

    @property
    def opposite(self) -> "Reading":
        """How the exceptions of a rule are read."""
        return {Reading.WIDE: Reading.NARROW, Reading.NARROW: Reading.WIDE}.get(self, self)


class Port(Value):
    """Where a rule is asked: the numbers that the port goes by, and whether it carries bytes only.

    Without ``tls`` a caller has no certificate, and Envoy must not be asked for it: it would not decide then.
    """

    numbers: tuple[int, ...]
    bytes_only: bool = False
    tls: bool = True


def condition(one: Condition, port: Port, reading: Reading) -> Truth:
    """Holds when the attribute is one of the values and none of the others."""
    wanted = _among(one, one.any_of, port, reading) if one.any_of else True
    excluded = _among(one, one.none_of, port, reading.opposite) if one.none_of else False
    return all_of((wanted, none_of(excluded)))


def _among(one: Condition, patterns: Sequence[Pattern], port: Port, reading: Reading) -> Truth:
    attribute = one.attribute
    if attribute in PEER and not port.tls:
        return False
    if attribute in _ADDRESSES:
        return _address(attribute, patterns, port)
    if attribute is Attribute.DESTINATION_PORT:
        return any(isinstance(each, Exact) and int(each.value) in port.numbers for each in patterns)
    if attribute is Attribute.METADATA:
        return custom(inputs.metadata(*one.keys), _value(_options(patterns)))
    if attribute is Attribute.CLAIM or attribute in _CLAIMS:
        return _claim(_CLAIMS.get(attribute, one.keys), patterns)
    if attribute is Attribute.HEADER:
        return any_of(_header(one.keys[0], each, reading) for each in patterns)
    found = any_of(_WAYS[attribute](each, reading) for each in patterns)
    return _of_one(found, reading) if attribute in PEER else found


def _of_one(caller: Truth, reading: Reading) -> Truth:
    """A caller with several identities, which SPIFFE forbids, is whom a rule denies, and nobody whom one allows."""
    if reading is Reading.WIDE:
        return any_of((caller, inputs.SEVERAL_CALLERS))
    return all_of((caller, none_of(inputs.SEVERAL_CALLERS))) if reading is Reading.NARROW else caller


def _address(attribute: Attribute, patterns: Sequence[Pattern], port: Port) -> Predicate:
    ranges = [
        CidrRange(address_prefix=each.address, prefix_len=number(each.bits))
        for each in patterns
        if isinstance(each, Subnet)
    ]
    source = _ADDRESSES[attribute]
    if port.bytes_only and attribute is Attribute.SOURCE_IP:
        source = inputs.CLIENT_ADDRESS
    return custom(source, extension("ip", Ip(cidr_ranges=ranges, stat_prefix="access")))


def _plain(pattern: Pattern, present: str = ".+") -> StringMatcher:
    match pattern:
        case Exact(value=value):
            return StringMatcher(exact=value)
        case Prefix(value=value):
            return StringMatcher(prefix=value)
        case Suffix(value=value):
            return StringMatcher(suffix=value)
        case _:
            return expression(present)


def _principal(pattern: Pattern, reading: Reading) -> Predicate:
    del reading
    match pattern:
        case Exact(value=value):
            return text(inputs.CALLER, StringMatcher(exact=f"spiffe://{value}"))
        case Prefix(value=value):
            return text(inputs.CALLER, StringMatcher(prefix=f"spiffe://{value}"))
        case Suffix(value=value):
            return text(inputs.CALLER, expression(f"spiffe://.*{quoted(value)}"))
        case _:
            return text(inputs.CALLER, expression(".+"))


def wildcard(pattern: Pattern, letters: str) -> str:
    """A pattern as an expression whose star stands for some letters."""
    match pattern:
        case Exact(value=value):
            return quoted(value)
        case Prefix(value=value):
            return f"{quoted(value)}{letters}*"
        case Suffix(value=value):
            return f"{letters}*{quoted(value)}"
        case _:
            return f"{letters}*"


def _namespace(pattern: Pattern, reading: Reading) -> Predicate:
    """Hardened, the namespace stands where identities of the mesh have it, not anywhere in a longer path."""
    if reading is Reading.AS_ISTIO:
        return text(inputs.CALLER, expression(f".*/ns/{wildcard(pattern, '.')}/.*"))
    return text(inputs.CALLER, expression(f"spiffe://[^/]+/ns/{wildcard(pattern, '[^/]')}/.*"))


def _account(pattern: Pattern, reading: Reading) -> Predicate:
    assert isinstance(pattern, Exact)
    namespace, _, account = map(quoted, pattern.value.partition("/"))
    if reading is Reading.AS_ISTIO:
        return text(inputs.CALLER, expression(f"spiffe://.+/ns/{namespace}/(.+/|)sa/{account}(/.+)?"))
    return text(inputs.CALLER, expression(f"spiffe://[^/]+/ns/{namespace}/sa/{account}"))


def _trust_domain(pattern: Pattern, reading: Reading) -> Predicate:
    del reading
    return text(inputs.CALLER, expression(f"spiffe://{wildcard(pattern, '[^/]')}/.*"))


def _header(name: str, pattern: Pattern, reading: Reading) -> Predicate:
    """Hardened, a value that would deny is looked for among several that come with commas between."""
    source = inputs.header(name)
    if reading is Reading.WIDE and not isinstance(pattern, Present):
        found = wildcard(pattern, "[^,]")
        return text(source, expression(f"(?s)(?:.*,)?[ \\t]*{found}[ \\t]*(?:,.*)?|{wildcard(pattern, '.')}"))
    return text(source, _plain(pattern, "(?s).*"))


def _host(pattern: Pattern, reading: Reading) -> Predicate:
    """Hosts have no case. Hardened, the port does not matter to a host without one, nor to what denies a final dot."""
    if isinstance(pattern, Present):
        return text(inputs.AUTHORITY, expression("(?s).*"))
    if reading is not Reading.AS_ISTIO and isinstance(pattern, Exact | Suffix) and ":" not in pattern.value:
        dot = r"\.?" if reading is Reading.WIDE else ""
        return text(inputs.AUTHORITY, expression(f"(?i){wildcard(pattern, '.')}{dot}(?::[0-9]*)?"))
    matcher = _plain(pattern)
    matcher.ignore_case = True
    return text(inputs.AUTHORITY, matcher)


def _method(pattern: Pattern, reading: Reading) -> Predicate:
    """Methods have a case. Hardened, what denies means them in any: over HTTP/2 Envoy forwards lower-case ones."""
    matcher = _plain(pattern)
    matcher.ignore_case = reading is Reading.WIDE and not isinstance(pattern, Present)
    return text(inputs.METHOD, matcher)


def _path(pattern: Pattern, reading: Reading) -> Truth:
    """The path ends before its query."""
    match pattern:
        case Exact(value=value):
            return text(inputs.PATH, expression(quoted(value) + _QUERY))
        case Prefix(value=value):
            return text(inputs.PATH, StringMatcher(prefix=value)) if not {"?", "#"} & set(value) else False
        case Suffix(value=value):
            return text(inputs.PATH, expression(f"[^?#]*{quoted(value)}{_QUERY}"))
        case Template(value=value):
            return text(inputs.PATH, expression(template(value, wide=reading is Reading.WIDE) + _QUERY))
        case _:
            return text(inputs.PATH, expression(f"[^?#]+{_QUERY}"))


def template(path: str, *, wide: bool) -> str:
    """A path template as Envoy's ``uri_template`` reads it; ``wide`` lets every letter stand in a segment."""
    one, several = ("[^/?#]+", "[^?#]*") if wide else (f"{_SEGMENT}+", f"{_SEGMENT_OR_SLASH}*")
    parts = path.replace("{**}", "\0").replace("{*}", "\1")
    return "".join(several if part == "\0" else one if part == "\1" else quoted(part) for part in parts)


def _server_name(pattern: Pattern, reading: Reading) -> Predicate:
    del reading
    return text(inputs.SERVER_NAME, _plain(pattern))


def _request_principal(pattern: Pattern, reading: Reading) -> Truth:
    """``issuer/subject``; the last slash parts them, since issuers are URLs."""
    del reading
    issuer, subject = parted(pattern)
    return all_of((_exactly("iss", issuer), _exactly("sub", subject)))


def parted(pattern: Pattern) -> tuple[Pattern, Pattern]:
    """What the issuer and the subject of a token must be for a request principal."""
    match pattern:
        case Exact(value=value):
            issuer, slash, subject = value.rpartition("/")
            return (Exact(value=issuer), Exact(value=subject)) if slash else (pattern, Exact(value=""))
        case Prefix(value=value):
            issuer, slash, subject = value.rpartition("/")
            return (Exact(value=issuer), _begun(subject)) if slash else (pattern, Present())
        case Suffix(value=value):
            issuer, slash, subject = value.rpartition("/")
            return (_ended(issuer), Exact(value=subject)) if slash else (Present(), pattern)
        case _:
            return Present(), Present()


def _begun(value: str) -> Pattern:
    return Prefix(value=value) if value else Present()


def _ended(value: str) -> Pattern:
    return Suffix(value=value) if value else Present()


def _exactly(claim: str, pattern: Pattern) -> Predicate:
    source = inputs.metadata(inputs.TOKEN_FILTER, inputs.PAYLOAD, claim)
    return custom(source, _value(ValueMatcher(string_match=_envoy(pattern))))


def _claim(keys: Sequence[str], patterns: Sequence[Pattern]) -> Predicate:
    """The claim itself, or one item of a list."""
    options = _options(patterns)
    either = OrMatcher(value_matchers=[ValueMatcher(list_match=ListMatcher(one_of=options)), options])
    source = inputs.metadata(inputs.TOKEN_FILTER, inputs.PAYLOAD, *keys)
    return custom(source, _value(ValueMatcher(or_match=either)))


def _options(patterns: Sequence[Pattern]) -> ValueMatcher:
    found = [_one_value(each) for each in patterns]
    return found[0] if len(found) == 1 else ValueMatcher(or_match=OrMatcher(value_matchers=found))


def _one_value(pattern: Pattern) -> ValueMatcher:
    if isinstance(pattern, Listed):
        inner = ValueMatcher(string_match=_envoy(pattern.item))
        return ValueMatcher(list_match=ListMatcher(one_of=inner))
    return ValueMatcher(string_match=_envoy(pattern))


def _envoy(pattern: Pattern) -> EnvoyStringMatcher:
    match pattern:
        case Exact(value=value):
            return EnvoyStringMatcher(exact=value)
        case Prefix(value=value):
            return EnvoyStringMatcher(prefix=value)
        case Suffix(value=value):
            return EnvoyStringMatcher(suffix=value)
        case _:
            return EnvoyStringMatcher(safe_regex=RegexMatcher(regex=".+"))


def _value(matcher: ValueMatcher) -> TypedExtensionConfig:
    return extension("metadata", Metadata(value=matcher))


_WAYS: dict[Attribute, Callable[[Pattern, Reading], Truth]] = {
    Attribute.PRINCIPAL: _principal,
    Attribute.NAMESPACE: _namespace,
    Attribute.ACCOUNT: _account,
    Attribute.TRUST_DOMAIN: _trust_domain,
    Attribute.REQUEST_PRINCIPAL: _request_principal,
    Attribute.HOST: _host,
    Attribute.METHOD: _method,
    Attribute.PATH: _path,
    Attribute.SERVER_NAME: _server_name,
}
