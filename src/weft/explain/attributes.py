"""Whether a request meets a condition of an access policy, by plain comparisons of texts and addresses."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from weft.explain.question import Question
from weft.explain.texts import any_matches, matches, template_matches
from weft.model.authorization import HTTP_ONLY, PEER, Attribute, Condition, Listed, Pattern, Subnet, Suffix, Template
from weft.model.match import Exact, Prefix, Present


def holds(condition: Condition, question: Question, wide: bool | None) -> bool:
    """``wide`` as in the compiler: whether either reading counts, ``None`` as Istio reads."""
    opposite = None if wide is None else not wide
    wanted = not condition.any_of or _among(condition, condition.any_of, question, wide)
    return wanted and not (condition.none_of and _among(condition, condition.none_of, question, opposite))


def _among(condition: Condition, patterns: Sequence[Pattern], question: Question, wide: bool | None) -> bool:
    attribute = condition.attribute
    if attribute in HTTP_ONLY and question.bytes_only:
        return False
    if attribute in PEER:
        if wide is not None and "," in question.caller:
            return wide
        return bool(question.caller) and any(_caller(attribute, each, question.caller, wide) for each in patterns)
    return _WAYS[attribute](condition, patterns, question, wide)


_Way = Callable[[Condition, Sequence[Pattern], Question, bool | None], bool]


def _address(of: Callable[[Question], str]) -> _Way:
    def way(_: Condition, patterns: Sequence[Pattern], question: Question, __: bool | None) -> bool:
        address = ip_address(of(question))
        subnets = (
            ip_network(f"{each.address}/{each.bits}", strict=False) for each in patterns if isinstance(each, Subnet)
        )
        return any(address in subnet for subnet in subnets)

    return way


def _network(subnet: Subnet) -> IPv4Network | IPv6Network:
    return ip_network(f"{subnet.address}/{subnet.bits}", strict=False)


def _source_ip(question: Question) -> str:
    return question.remote_ip if question.bytes_only else question.source_ip


def _port(_: Condition, patterns: Sequence[Pattern], question: Question, __: bool | None) -> bool:
    return any(isinstance(each, Exact) and int(each.value) in question.ports for each in patterns)


def _caller(attribute: Attribute, pattern: Pattern, caller: str, wide: bool | None) -> bool:
    if attribute is Attribute.PRINCIPAL:
        return matches(pattern, caller)
    domain, *rest = caller.split("/")
    if attribute is Attribute.TRUST_DOMAIN:
        return bool(rest) and matches(pattern, domain, present_empty=True)
    if wide is None:
        return _anywhere(attribute, pattern, caller)
    if len(rest) < 3 or rest[0] != "ns":
        return False
    if attribute is Attribute.NAMESPACE:
        return matches(pattern, rest[1], present_empty=True)
    assert isinstance(pattern, Exact)
    return rest[2:3] == ["sa"] and len(rest) == 4 and pattern.value == f"{rest[1]}/{rest[3]}"


def _anywhere(attribute: Attribute, pattern: Pattern, caller: str) -> bool:
    """Istio's expressions, which take ``/ns/NAMESPACE/`` and ``/ns/NAMESPACE/…/sa/NAME`` wherever they stand."""
    parts = caller.split("/")
    places = [index for index in range(1, len(parts) - 1) if parts[index] == "ns"]
    if attribute is Attribute.NAMESPACE:
        return any(
            matches(pattern, "/".join(parts[place + 1 : end]), present_empty=True)
            for place in places
            for end in range(place + 2, len(parts))
        )
    assert isinstance(pattern, Exact)
    namespace, _, account = pattern.value.partition("/")
    for place in places:
        if parts[place + 1] == namespace:
            after = parts[place + 2 :]
            spots = [at for at in range(len(after) - 1) if after[at] == "sa" and after[at + 1] == account]
            if spots:
                return True
    return False


def _header(condition: Condition, patterns: Sequence[Pattern], question: Question, wide: bool | None) -> bool:
    values = question.values(condition.keys[0])
    if not values:
        return False
    joined = ",".join(values)
    texts = [joined, *(part.strip(" \t") for part in joined.split(","))] if wide else [joined]
    return any(isinstance(each, Present) or any(matches(each, text) for text in texts) for each in patterns)


def _host(_: Condition, patterns: Sequence[Pattern], question: Question, wide: bool | None) -> bool:
    return any(_is_host(each, question.host.lower(), wide) for each in patterns)


def _is_host(pattern: Pattern, host: str, wide: bool | None) -> bool:
    if isinstance(pattern, Present):
        return True
    assert isinstance(pattern, Exact | Prefix | Suffix)
    lowered = type(pattern)(value=pattern.value.lower())
    names = [host]
    if wide is not None and isinstance(pattern, Exact | Suffix) and ":" not in pattern.value:
        names += _without_port(host)
        if wide:
            names += [name.removesuffix(".") for name in names]
    return any_matches(lowered, names)


def _without_port(host: str) -> list[str]:
    name, colon, port = host.rpartition(":")
    return [name] if colon and (not port or (port.isascii() and port.isdigit())) else []


def _method(_: Condition, patterns: Sequence[Pattern], question: Question, wide: bool | None) -> bool:
    if not wide:
        return any(matches(each, question.method) for each in patterns)
    return any(matches(_upper(each), question.method.upper()) for each in patterns)


def _upper(pattern: Pattern) -> Pattern:
    if isinstance(pattern, Exact | Prefix | Suffix):
        return type(pattern)(value=pattern.value.upper())
    return pattern


def _path(_: Condition, patterns: Sequence[Pattern], question: Question, wide: bool | None) -> bool:
    path = question.path.partition("?")[0].partition("#")[0]
    return any(
        template_matches(each.value, path, wide=bool(wide)) if isinstance(each, Template) else matches(each, path)
        for each in patterns
    )


def _server_name(_: Condition, patterns: Sequence[Pattern], question: Question, __: bool | None) -> bool:
    return bool(question.server_name) and any(matches(each, question.server_name) for each in patterns)


def _request_principal(_: Condition, patterns: Sequence[Pattern], question: Question, __: bool | None) -> bool:
    claims = question.claims
    if claims is None:
        return False
    issuer, subject = claims.get("iss"), claims.get("sub")
    return any(_is_principal(each, issuer, subject) for each in patterns)


def _is_principal(pattern: Pattern, issuer: object, subject: object) -> bool:
    """The last slash parts issuer and subject; a star stands for anything that is there in either."""
    if not isinstance(issuer, str) or not isinstance(subject, str):
        return False
    written = _written(pattern)
    own, slash, rest = written.rpartition("/")
    if slash:
        return _starred(own, issuer) and _starred(rest, subject)
    if written == "*":
        return bool(issuer) and bool(subject)
    if written.startswith("*"):
        return bool(issuer) and subject.endswith(written[1:])
    if written.endswith("*"):
        return issuer.startswith(written[:-1]) and bool(subject)
    return issuer == written and subject == ""


def _written(pattern: Pattern) -> str:
    """A pattern as it was written."""
    if isinstance(pattern, Present):
        return "*"
    assert not isinstance(pattern, Subnet | Listed | Template)
    name = type(pattern).__name__
    return {"Prefix": f"{pattern.value}*", "Suffix": f"*{pattern.value}"}.get(name, pattern.value)


def _starred(written: str, text: str) -> bool:
    if written == "*":
        return bool(text)
    if written.startswith("*"):
        return text.endswith(written[1:])
    return text.startswith(written[:-1]) if written.endswith("*") else text == written


def _claim(condition: Condition, patterns: Sequence[Pattern], question: Question, _: bool | None) -> bool:
    keys = {Attribute.AUDIENCE: ("aud",), Attribute.PRESENTER: ("azp",)}.get(condition.attribute, condition.keys)
    return _said(question.claims, keys, patterns, lists=True)


def _metadata(condition: Condition, patterns: Sequence[Pattern], question: Question, _: bool | None) -> bool:
    return _said(question.metadata, condition.keys, patterns, lists=False)


def _said(content: Any, keys: Sequence[str], patterns: Sequence[Pattern], *, lists: bool) -> bool:
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    if isinstance(content, str):
        return any(matches(each, content) for each in patterns if not isinstance(each, Listed))
    items = [one for one in content if isinstance(one, str)] if isinstance(content, list | tuple) else []
    wanted = [each.item if isinstance(each, Listed) else each for each in patterns if lists or isinstance(each, Listed)]
    return any(matches(each, one) for each in wanted for one in items)


_WAYS: dict[Attribute, _Way] = {
    Attribute.SOURCE_IP: _address(_source_ip),
    Attribute.REMOTE_IP: _address(lambda question: question.remote_ip),
    Attribute.DESTINATION_IP: _address(lambda question: question.own_ip),
    Attribute.DESTINATION_PORT: _port,
    Attribute.HEADER: _header,
    Attribute.HOST: _host,
    Attribute.METHOD: _method,
    Attribute.PATH: _path,
    Attribute.SERVER_NAME: _server_name,
    Attribute.REQUEST_PRINCIPAL: _request_principal,
    Attribute.AUDIENCE: _claim,
    Attribute.PRESENTER: _claim,
    Attribute.CLAIM: _claim,
    Attribute.METADATA: _metadata,
}
