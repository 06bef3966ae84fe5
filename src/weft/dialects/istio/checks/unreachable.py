"""Rules that no request can reach, because an earlier one takes them all (Istio: ``analyzeUnreachableHTTPRules``)."""

from collections.abc import Iterator, Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types.http_route import HttpMatchRequest, HttpRoute
from weft.dialects.istio.types.virtual_service import TcpRoute, TlsRoute

_Placed = tuple[int, int, HttpMatchRequest]
_MAX_COMPARED = 500


def check_unreachable(here: Here, rules: Sequence[HttpRoute]) -> Findings:
    """Warnings; of a rule that can never be reached, and of single matches that can never hold."""
    yield from _check_duplicates(here, rules)
    yield from _check_prefixes(here, rules)


def _check_duplicates(here: Here, rules: Sequence[HttpRoute]) -> Findings:
    seen: dict[str, int] = {}
    open_rule: int | None = None
    for index, rule in enumerate(rules):
        if open_rule is not None:
            yield here.at(index).warning("W0118", f"rule {open_rule} takes every request before this one", _ORDER)
        elif not rule.match and rule.delegate is None:
            open_rule = index
        for place, match in enumerate(rule.match):
            content = repr(match)
            if content in seen:
                message = f"rule {seen[content]} has the same match, and comes first"
                yield here.at(index, "match", place).warning("W0118", message, "remove one of them")
            seen.setdefault(content, index)


def check_unreachable_connections(here: Here, rules: Sequence[TcpRoute | TlsRoute]) -> Findings:
    """The same for rules of connections (Istio: ``analyzeUnreachableTCPRules``, ``analyzeUnreachableTLSRules``)."""
    seen: dict[str, int] = {}
    open_rule: int | None = None
    for index, rule in enumerate(rules):
        if open_rule is not None:
            yield here.at(index).warning("W0118", f"rule {open_rule} takes every connection before this one", _ORDER)
        elif not rule.match:
            open_rule = index
        contents: Sequence[object] = rule.match
        for place, match in enumerate(contents):
            content = repr(match)
            if content in seen:
                message = f"rule {seen[content]} has the same match, and comes first"
                yield here.at(index, "match", place).warning("W0118", message, "remove one of them")
            seen.setdefault(content, index)


_ORDER = "rules are tried in order; put the one without match last"


def _check_prefixes(here: Here, rules: Sequence[HttpRoute]) -> Findings:
    placed = list(_prefixed(rules))[:_MAX_COMPARED]
    for later, (rule, place, match) in enumerate(placed):
        covering = next((entry for entry in placed[:later] if _covers(entry[2], match)), None)
        if covering is not None:
            message = f"match {covering[1]} of rule {covering[0]} takes every request of this one"
            yield here.at(rule, "match", place).warning("W0118", message, "put the longer prefix first")


def _prefixed(rules: Sequence[HttpRoute]) -> Iterator[_Placed]:
    for index, rule in enumerate(rules):
        for place, match in enumerate(rule.match):
            if match.uri is not None and match.uri.prefix:
                yield index, place, match


def _covers(first: HttpMatchRequest, second: HttpMatchRequest) -> bool:
    """Whether everything that the second asks for, the first asks for too, or less."""
    assert first.uri is not None
    assert second.uri is not None
    if not (second.uri.prefix or "").startswith(first.uri.prefix or "") or first.port != second.port:
        return False
    singles = (
        (first.method, second.method),
        (first.authority, second.authority),
        (first.scheme, second.scheme),
        (first.source_namespace, second.source_namespace),
        (first.gateways or None, second.gateways or None),
    )
    if any(wanted is not None and wanted != given for wanted, given in singles):
        return False
    return all(
        mine.items() <= theirs.items()
        for mine, theirs in (
            (first.headers, second.headers),
            (first.query_params, second.query_params),
            (first.without_headers, second.without_headers),
            (first.source_labels, second.source_labels),
        )
    )
